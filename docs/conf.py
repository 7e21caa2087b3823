"""Sphinx's settings for this folder.

How the site is built, warnings being errors:

    python -m sphinx --fail-on-warning --keep-going docs build/docs

The pages are plain Markdown, read on a git host as they are here. What only the site has is put
in while it reads them: the navigation, which is what index.md and decisions.md list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tflite_align

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "tflite_align"
version = release = tflite_align.__version__
project_copyright = ""

# Options start with two hyphens, also where they are not in code.
smartquotes = False

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
]
source_suffix = {".md": "markdown"}
root_doc = "index"
needs_sphinx = "8.2"

# Links to a heading, `page.md#the-heading`, are checked down to this level.
myst_heading_anchors = 4

# Docstrings name code in single backticks.
default_role = "literal"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80
add_module_names = False

html_theme = "furo"
html_title = f"tflite_align {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False

_SECTION = re.compile(
    r"^## (?P<caption>.+)$|^- \[(?P<title>[^]]+)\]\((?P<page>[\w/-]+)\.md\)", re.MULTILINE
)


def navigation(text: str) -> Iterator[str]:
    """The sections of a page of links and the pages that each lists, as tables of contents."""
    pages: list[str] = []
    caption = ""
    for found in [*_SECTION.finditer(text), None]:
        if found is not None and found["page"]:
            pages.append(f"{found['title']} <{found['page']}>")
            continue
        if pages:
            options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
            yield "\n".join(["```{toctree}", *options, "", *pages, "```"])
        caption, pages = found["caption"] if found is not None else "", []


# Operators as people type them into a search: conv2d finds CONV_2D.
_OPERATOR = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")


def keywords(text: str) -> str:
    """Front matter with each operator of a page, without its underscores, for the search index."""
    names = sorted({name.replace("_", "").lower() for name in _OPERATOR.findall(text)})
    return "\n".join(
        ["---", "myst:", "  html_meta:", f'    keywords: "{", ".join(names)}"', "---", "", ""]
    )


def _read(_app: Sphinx, page: str, source: list[str]) -> None:
    if _OPERATOR.search(source[0]) and not source[0].startswith("---"):
        source[0] = keywords(source[0]) + source[0]
    if page in (root_doc, "decisions"):
        source[0] = "\n\n".join([source[0], *navigation(source[0])])


_TABLE = re.compile(r"<table class=\"docutils.*?</table>", re.DOTALL)
_HEAD = re.compile(r"<th class=\"head[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr class=\"row-(?:odd|even)\"><td.*?</tr>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_CODE = re.compile(r"(?<=<span class=\"pre\">)[^<]*")


def labelled(table: str) -> str:
    """A table whose cells carry the name of their column: narrow screens show one cell a line. Ids of
    rules may be broken after a slash.
    """
    names = [_TAG.sub("", head).strip().replace('"', "") for head in _HEAD.findall(table)]

    def row(found: re.Match[str]) -> str:
        text = _CODE.sub(lambda code: code[0].replace("/", "/<wbr>"), found[0])
        first, *cells = text.split("<td")
        pairs = zip(names, cells, strict=False)
        return first + "".join(f'<td data-label="{name}"{cell}' for name, cell in pairs)

    return _ROW.sub(row, table)


def _label(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    if "body" in context:
        context["body"] = _TABLE.sub(lambda found: labelled(found[0]), context["body"])


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _read)
    app.connect("html-page-context", _label)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
