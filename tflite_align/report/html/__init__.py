"""The report as one HTML file: no network, no other file."""

from __future__ import annotations

from .page import render_html

__all__ = ["render_html"]
