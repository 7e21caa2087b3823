"""HTML from text. A value that is not of type Markup is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from ..terminal_text import printable, shorten

__all__ = ["Markup", "element", "island", "joined", "named", "text"]

# Characters that HTML or JavaScript could interpret.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


class Markup(str):
    """Text that is already HTML."""

    __slots__ = ()


def text(value: str) -> Markup:
    """The text escaped for an HTML element or attribute; Markup unchanged."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(printable(value), quote=True))


def joined(parts: Iterable[str]) -> Markup:
    """The parts joined as HTML; text is escaped."""
    return Markup("".join(text(part) for part in parts))


def element(name: str, *content: str, **attributes: str | bool) -> Markup:
    """`<name a="b">content</name>`.

    `class_` becomes `class`, `aria_label` becomes `aria-label`; True makes an attribute without a
    value, False leaves the attribute out.
    """
    attribute_text = ""
    for key, value in attributes.items():
        if value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        attribute_text += f" {written}" if value is True else f' {written}="{text(str(value))}"'
    return Markup(f"<{name}{attribute_text}>{joined(content)}</{name}>")


def named(name: str, index: int) -> Markup:
    """A tensor's name, shortened in the middle; `tensor INDEX` if it has none."""
    if not name:
        return text(f"tensor {index}")
    return element("code", shorten(name), title=name)


def island(value: Any, ident: str) -> Markup:
    """A script element that holds a value as JSON for the page's script; the JSON cannot close the
    element. `ident`: the element's id.
    """
    encoded = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    encoded = encoded.translate(_ESCAPES)
    return Markup(f'<script type="application/json" id="{text(ident)}">{encoded}</script>')
