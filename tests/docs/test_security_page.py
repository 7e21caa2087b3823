"""Every promise in docs/security.md has a test that is marked with its sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "security.md"

# Beginning of a sentence that is no promise -> why it needs no test.
NO_PROMISE = {
    "A `.tflite` file is untrusted": "what the page is about",
    "This page says what is promised": "what the page is about",
    "Names come from the file.": "why the next one is needed",
    "Whose file it is:": "a link",
    "Elsewhere, and in the instant": "what may happen where the promise before does not hold",
    "A judge is native code": "why the next one is needed",
    "Where judges run, they have processes of their own, with": "the head of the table, whose rows are held",
    "For a small model all of LiteRT's kernel sets run": "why the next one is needed",
    "Keep its port among machines": "advice",
    "Windows has no such limits": "these tests cannot look there",
    "These are limits and no sandbox": "what is not promised",
}


def sentences() -> list[str]:
    """The page's sentences; a table row gives `what: limit`."""
    text = PAGE.read_text(encoding="utf-8")
    found: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=\* )", text):
        lines = block.strip().splitlines()
        if not lines or lines[0].startswith("#"):
            continue
        if lines[0].startswith("|"):
            rows = [line.strip("| ").split(" | ") for line in lines[2:]]
            found += [f"{what.strip()}: {limit.strip()}" for what, limit in rows]
            continue
        paragraph = " ".join(" ".join(lines).removeprefix("* ").split())
        found += re.split(r"(?<=[.!?])\s+(?=[A-Z`*])|(?<=\.\*\*)\s+", paragraph)
    return found


def named() -> Iterator[tuple[str, str]]:
    """(sentence, test file) of every mark `promise` in the tests."""
    for path in sorted((CHECKOUT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                yield ast.literal_eval(node.args[0]), path.name


def test_every_promise_is_named_by_a_test() -> None:
    held = {sentence for sentence, _ in named()}
    left = [one for one in sentences() if one not in held and not one.startswith(tuple(NO_PROMISE))]
    assert left == []


def test_every_mark_names_a_sentence_of_the_page() -> None:
    known = set(sentences())
    assert [pair for pair in named() if pair[0] not in known] == []


def test_sentences_listed_as_no_promise_exist() -> None:
    text = sentences()
    assert [one for one in NO_PROMISE if not any(s.startswith(one) for s in text)] == []
