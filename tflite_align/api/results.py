"""Results of align() and explain(), with methods to save and render them."""

from __future__ import annotations

import os
from typing import Any

from ..disk import replace_file
from ..errors import UsageError, kind_of
from ..pipeline.aligning import Aligned
from ..record import Record, brief
from ..report.component_summary import Overview, render_explanation
from ..report.notebook import explanation_html, report_html
from ..report.values import json_value
from ..solver.explanation import Explanation

__all__ = ["AlignResult", "Explained"]


class AlignResult(Aligned, frozen=True):
    """The aligned model and the report.

    `chunks`: views of the original and of the changed bytes, in order; `data` joins them on each
    access.
    """

    def save(self, path: str | os.PathLike[str], *, keep_going: bool = False) -> AlignResult:
        """Write the model to a file, completely or not at all, and return the result.

        Raises NotAlignedError and writes nothing if `report.exit_status` is not 0, unless
        `keep_going`; UsageError for a value that is no path; OSError where the file cannot be written.
        """
        _require_path(path)
        if not keep_going:
            self.raise_for_status()
        replace_file(path, self.chunks)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle support: memoryviews cannot be pickled, so the model's bytes are joined."""
        return type(self), ((self.data,), self.report, self.certificate)

    def __repr__(self) -> str:
        size = sum(len(memoryview(chunk).cast("B")) for chunk in self.chunks)
        return brief(f"<AlignResult of {size:,} bytes: {self.report!r}>")

    def _repr_html_(self) -> str:
        """Short HTML for notebooks."""
        return report_html(self.report)


def _require_path(path: object) -> None:
    """Raise UsageError if the value cannot be a file's path."""
    name = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(name, str):
        raise UsageError(f"path: expected a file's name, found {kind_of(path)}")
    if "\0" in name or not name:
        raise UsageError(f"path: {name!r} cannot name a file: it is empty or holds a NUL character")


class Explained(Record, frozen=True, kw_only=True):
    """The result of explain(): an Explanation of one tensor, or an Overview of every component.

    `str()` gives the text that the command line prints.
    """

    answer: Explanation | Overview
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def to_dict(self) -> dict[str, Any]:
        """The explanation as JSON values."""
        value: dict[str, Any] = json_value("answer", self.answer)
        return value

    def to_json(self) -> str:
        """The text that `explain --json` prints."""
        return render_explanation(self.answer)

    def __repr__(self) -> str:
        return brief(f"<Explained {self.lines[0] if self.lines else ''}>")

    def _repr_html_(self) -> str:
        """HTML for notebooks."""
        return explanation_html(self.lines)
