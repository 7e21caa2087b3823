"""Opens a page in the browser of tests/conftest.py; a message on its console is an error."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Any]:
    """A function open(html, **context) that returns a page with this content. Fails if its console
    has a message at the end.

    With `refusals`, requests that the page's security policy refused are expected.
    """
    said: list[str] = []
    pages = []

    def show(html: str, *, refusals: bool = False, **context: Any) -> Any:
        path = tmp_path / "report.html"
        path.write_text(html, encoding="utf-8")
        page = chromium.new_page(**{"viewport": {"width": 1280, "height": 900}, **context})
        page.on(
            "console",
            lambda message: (
                None
                if refusals and "Content Security Policy" in message.text
                else said.append(message.text)
            ),
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: said.append(request.url) if request.url.startswith("http") else None,
        )
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.close()
    assert said == []
