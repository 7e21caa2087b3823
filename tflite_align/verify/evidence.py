"""All runs of one verification, and the signal and noise powers computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ..record import Record
from .concat_parts import Part
from .frontier import Frontier
from .samples import Kind, Samples
from .sqnr import Powers, powers, sqnr
from .variants import Ran

__all__ = ["CONSTANTS", "DECLARED", "Evidence", "reference_db"]

DECLARED = "declared"  # name of the form that computes both declared readings
CONSTANTS = "twin:after"  # name of the form that shows the loss by re-expressed constants only


class Evidence(Record, frozen=True, kw_only=True):
    """All runs of one verification, by variant: twin, declared:before, declared:after,
    before:KERNELS, after:KERNELS, where `before` and `after` are original and aligned file. A probe
    is an index into the tensors to compare.
    """

    before: Frontier
    after: Frontier
    samples: Samples
    ran: Mapping[str, Ran]
    kernels: tuple[str, ...]
    seed: int
    certified: bool = False  # True: a certificate covers the kernels, which were not run
    wide: Evidence | None = None  # twin and declared readings on more samples; None: not run

    def readings(
        self, probe: int, sample_kind: Kind, part: Part | None
    ) -> tuple[Powers | None, Powers | None]:
        """Powers of the two declared readings, (original, aligned), at a probe over all samples of
        one kind and the elements of a part.
        """
        if self.wide is not None:
            kinds = {sample_kind.name: sample_kind for sample_kind in self.wide.samples.kinds}
            return self.wide.readings(probe, kinds[sample_kind.name], part)
        before, after = (
            self.powers(f"declared:{which}", probe, sample_kind=sample_kind, part=part)
            for which in ("before", "after")
        )
        return before, after

    def powers(
        self, form: str, probe: int, *, sample_kind: Kind | None = None, part: Part | None = None
    ) -> Powers | None:
        """Powers of one variant (`form`) at a probe against the twin, over the samples of one kind
        and the elements of one part (None: all); None if one of both did not run.
        """
        twin, outputs = self.ran["twin"].outputs, self.ran[form].outputs
        if twin is None or outputs is None:
            return None
        reference, values = twin[probe], outputs[probe]
        sequences = self.samples.sequences
        if reference.shape != values.shape or len(reference) != self.samples.count:
            return None
        if sample_kind is not None:
            sequences = self.samples.sequences_of(sample_kind)
            reference, values = (
                rows[sample_kind.first : sample_kind.last] for rows in (reference, values)
            )
        columns = part.columns(reference.shape[1]) if part is not None else None
        if columns is not None:
            reference, values = reference[:, columns], values[:, columns]
        for low, high in filter(None, self.limits(probe)):
            reference, values = reference.clip(low, high), values.clip(low, high)
        return powers(reference, values, sequences)

    def limits(self, probe: int) -> tuple[tuple[float, float] | None, ...]:
        """The ranges of real values to which the twin and what is compared with it are clipped, one
        after the other (None: not clipped). So what the twin has beyond the tensor's range does not
        count as signal.

        Logits are also clipped to the other file's range: beyond it they only saturate further,
        which their readers cannot distinguish. `probe`: index of the compared tensor.
        """
        before, after = self.before.probes[probe], self.after.probes[probe]
        return (before.limits, after.limits) if before.feeds else (before.limits,)

    def levels(self, form: str, probe: int) -> Iterable[float | None]:
        """SQNR in dB of one variant at a probe, for each kind of samples; None if unknown. `form`:
        the variant's name.
        """
        for sample_kind in self.samples.kinds:
            level = self.powers(form, probe, sample_kind=sample_kind)
            yield sqnr(level) if level is not None else None

    def worst_db(self, form: str, probe: int) -> float | None:
        """The least SQNR in dB of one variant at a probe over the kinds of samples; None if none is
        known. `form`: the variant's name.
        """
        return min((level for level in self.levels(form, probe) if level is not None), default=None)


def reference_db(evidence: Evidence) -> float:
    """The lowest SQNR in dB of the original's declared reading over the probes that count, each on
    the kind of samples with its highest.
    """
    levels = [
        max(
            (level or 0.0 for level in evidence.levels("declared:before", probe_index)), default=0.0
        )
        for probe_index, probe in enumerate(evidence.before.probes)
        if not (probe.behind_jump or probe.saturates)
    ]
    return float(np.min(levels)) if levels else 0.0
