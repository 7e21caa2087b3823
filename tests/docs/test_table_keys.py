"""Every key of the tables of operators and targets is explained on a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.pages import CHECKOUT
from tflite_align.rules.operator_rows import RULE_KINDS, operators_schema
from tflite_align.rules.support_rows import LIMITS
from tflite_align.rules.targets import targets_schema

SPAN = re.compile(r"`([^`\n]+)`")


def explained(page: str) -> set[str]:
    """The words in code spans of the page's tables."""
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    spans = [span for row in rows for span in SPAN.findall(row)]
    return {word for span in spans for word in re.findall(r"[a-z_]+", span)}


def keys(schema: Any) -> Iterator[str]:
    """The names of all properties in a JSON Schema, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", ())
        for part in schema.values():
            yield from keys(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from keys(part)


@pytest.mark.parametrize("limit", LIMITS)
def test_every_limit_has_a_row(limit: str) -> None:
    text = (CHECKOUT / "docs" / "targets.md").read_text(encoding="utf-8")
    heads = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sum(f"`{limit}`" in head for head in heads) == 1


def test_every_key_of_a_target_is_explained() -> None:
    text = (CHECKOUT / "docs" / "targets.md").read_text(encoding="utf-8")
    examples = re.findall(r"^(\w+) = ", text, re.MULTILINE)
    assert set(keys(targets_schema())) - explained("targets.md") - set(examples) == set()


def test_every_key_of_an_operator_is_explained() -> None:
    listed = set(keys(operators_schema())) - {"format", "operator"}
    assert listed - explained("adding.md") == set()
    assert explained("adding.md") >= RULE_KINDS
