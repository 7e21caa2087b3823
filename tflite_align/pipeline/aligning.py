"""align(): runs the stages in order; bytes in, bytes and a report out.

Each stage is a module and ensures what the next requires: `prepare` reads, checks and
converts, `ask` selects what to repair, `decide` solves and plans, `settle` writes and checks,
`carry_out` verifies, `build_report` reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Self

from ..errors import NotAlignedError
from ..format.flatbuffer import Bytes
from ..record import Record, replace
from ..report.report import Report
from ..settings.options import AlignOptions
from .alignment_report import build_report
from .decision import decide
from .execution import carry_out
from .preparation import prepare
from .question import Question, ask
from .rounds import settle
from .session import Progress, Session, uncollected
from .way_out import with_way_out

__all__ = ["Aligned", "Progress", "align", "question"]


class Aligned(Record, frozen=True):
    """The aligned model and the report.

    `chunks`: views of the original and of the changed bytes, in order; `data` joins them on each
    access. `certificate`: as JSON values, if requested and available.
    """

    chunks: tuple[bytes | memoryview, ...]
    report: Report
    certificate: Mapping[str, Any] | None = None

    @property
    def data(self) -> bytes:
        """The bytes of the aligned model."""
        return b"".join(self.chunks)

    def raise_for_status(self) -> Self:
        """Return self, or raise NotAlignedError if `report.exit_status` is 1."""
        if self.report.exit_status:
            raise NotAlignedError(self.report.name, self.report.reasons)
        return self


def align(
    data: Bytes,
    options: AlignOptions | None = None,
    *,
    name: str = "",
    progress: Progress | None = None,
) -> Aligned:
    """Make the quantization contract of a model hold, and verify the result.

    A model without findings is returned unchanged. Use the result only if `report.exit_status` is
    0. `name`: the model's name in the report. `progress`: called with (stage, fraction done).
    Raises AlignError (FormatError, UnsupportedError, UsageError) if the model cannot be processed.
    """
    options = options or AlignOptions()
    # Judges need the garbage collector, so it is enabled again while they run.
    with nullcontext() if options.verify else uncollected():
        return _stages(data, options, name, progress)


def _stages(data: Bytes, options: AlignOptions, name: str, progress: Progress | None) -> Aligned:
    """Run all stages. Their records are freed on return, before the garbage collector is enabled
    again.
    """
    prepared = prepare(Session.of(options), data)
    decision = decide(prepared, ask(prepared), progress)
    decision, written = settle(prepared, decision)
    executed = carry_out(prepared, decision, written, progress)

    def other(alternative: AlignOptions) -> bytes:
        """The bytes of the model aligned with the options of `alternative`."""
        return _stages(data, alternative, name, None).data

    verification = with_way_out(prepared, executed.verification, other)
    executed = replace(executed, verification=verification)
    certificate, summary = executed.certificate
    report = build_report(prepared, decision, executed, summary, name)
    return Aligned(executed.chunks, report, certificate)


def question(data: Bytes, options: AlignOptions) -> Question:
    """The solver input that align() would use for this model. Raises what check() raises."""
    return ask(prepare(Session.of(options), data))
