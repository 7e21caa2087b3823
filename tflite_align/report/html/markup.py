"""Markup from text: everything that is no markup by its type is escaped."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

from ..terminal_text import printable, shorten

__all__ = ["Markup", "element", "island", "joined", "named", "text"]

# What HTML or a line of JavaScript could take for its own.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def text(value: str) -> Markup:
    """Words from a model, fit to stand in an element or an attribute."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(printable(value), quote=True))


def joined(parts: Iterable[str]) -> Markup:
    return Markup("".join(text(part) for part in parts))


def element(name: str, *content: str, **attributes: str | bool) -> Markup:
    """`<name a="b">content</name>`. `class_` is `class`, `aria_label` is `aria-label`; True is an
    attribute without a value, False none at all.
    """
    told = ""
    for key, value in attributes.items():
        if value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        told += f" {written}" if value is True else f' {written}="{text(str(value))}"'
    return Markup(f"<{name}{told}>{joined(content)}</{name}>")


def named(name: str, index: int) -> Markup:
    """A tensor by its name, whose middle is left out where it is long; by its index without one."""
    if not name:
        return text(f"tensor {index}")
    return element("code", shorten(name), title=name)


def island(value: Any, ident: str) -> Markup:
    """JSON that a script of the page reads; nothing in it can end the element."""
    encoded = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    encoded = encoded.translate(_ESCAPES)
    return Markup(f'<script type="application/json" id="{text(ident)}">{encoded}</script>')
