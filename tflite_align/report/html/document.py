"""An HTML document whose policy allows no network access and only scripts with listed digests."""

from __future__ import annotations

from collections.abc import Iterable

from .assets import csp_hash
from .markup import Markup, element

__all__ = ["document"]


def document(
    title: str, body: Iterable[Markup], *, scripts: Iterable[str], styles: Iterable[Markup]
) -> str:
    """The HTML text. `scripts`: every inline script that may run in the page or in its frames,
    which inherit its Content-Security-Policy. `styles`: style elements. `title`: the heading.
    `body`: the page's elements.
    """
    allowed = " ".join(csp_hash(script) for script in scripts)
    # 'unsafe-inline' for styles only: the graph library sets styles on its elements.
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:;"
        " base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup('<meta name="color-scheme" content="light dark">'),
        element("title", title),
        *styles,
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', *body), lang='en')}\n"
