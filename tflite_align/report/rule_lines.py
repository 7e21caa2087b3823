"""The description of a rule as lines of text or Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from ..rules.rule_story import RuleGrade, RuleStory

__all__ = ["rule_lines", "rule_markdown"]


def rule_lines(story: RuleStory) -> list[str]:
    """Lines with the requirement; then, indented, the severity on each target and the sources."""
    types = f" ({', '.join(story.types)})" if story.types else ""
    lines = [f"{story.id}: {story.words}{types}"]
    lines += [f"  {_grade(grade)}" for grade in story.grades]
    if story.note:
        lines.append(f"  note: {story.note}")
    if story.sources:
        lines.append(f"  source: {', '.join(story.sources)}")
    lines.append(f"  page: {story.page}")
    return lines


def _grade(grade: RuleGrade) -> str:
    """The severity on one target, as text."""
    types = f" for {', '.join(grade.types)}" if grade.types else ""
    operators = f" at {', '.join(grade.operators)}" if grade.operators else ""
    return f"{grade.target}: {grade.severity}{types}{operators}: {grade.behaviour}"


def rule_markdown(story: RuleStory) -> str:
    """The description of a rule as Markdown: requirement, severities and sources."""
    return "\n".join(_markdown(story)) + "\n"


def _markdown(story: RuleStory) -> Iterator[str]:
    """The lines of the Markdown text."""
    yield f"**`{story.id}`**: {_text(story.words)}"
    if story.grades:
        yield from (
            "",
            "| target | severity | types, operators | what happens |",
            "|---|---|---|---|",
        )
    for grade in story.grades:
        cells = (
            f"`{grade.target}`",
            grade.severity,
            ", ".join((*grade.types, *grade.operators)),
            _text(grade.behaviour),
        )
        yield f"| {' | '.join(cells)} |"
    if story.note:
        yield from ("", _text(story.note))
    if story.sources:
        yield from ("", f"Sources: {', '.join(f'`{source}`' for source in story.sources)}")
    yield from ("", f"[{story.page}]({story.page})")


def _text(words: str) -> str:
    """Text with Markdown's special characters escaped. `words`: the text."""
    return "".join(f"\\{sign}" if sign in "*_[]<>|`" else sign for sign in words)
