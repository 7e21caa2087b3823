"""Records of verdicts and verifications, shared by `verify` and `report`."""

from __future__ import annotations

from typing import ClassVar, Literal

from .record import PartlyCompared, Record, brief

__all__ = [
    "Acceptance",
    "BiasReading",
    "CertificateSummary",
    "FidelityScore",
    "Histogram",
    "JudgeVerdict",
    "JudgeWord",
    "OperatorEstimate",
    "OperatorFigure",
    "OutputLevel",
    "OutputScore",
    "Status",
    "StepCheck",
    "StepDeviation",
    "Verification",
    "Word",
]

# Words for numbers and whole verifications. "accepted": the file was loaded, but its numbers were
# not run.
Word = Literal["verified", "failed", "inconclusive", "skipped", "unchanged", "accepted"]
# Words for one judge. "unchanged": it refuses both files for the same reason.
JudgeWord = Literal["accepted", "failed", "inconclusive", "skipped", "unchanged"]

Status = Literal["accepted", "refused", "crashed", "timeout", "skipped"]


class OperatorEstimate(Record, frozen=True, kw_only=True):
    """A compiler's estimate for one operator that it generated, not a measurement. `operator`:
    index in the file; `runs_as`: the hardware operation; `unit`: where it runs; `cycles`: of one
    inference.
    """

    operator: str  # name of the model's operator in the compiler's report
    runs_as: str  # name of the operator that the compiler generated from it
    unit: str  # "NPU" or "CPU"
    cycles: int
    name: str  # the tensor that the operator writes


class Acceptance(Record, frozen=True, kw_only=True):
    """Whether one runtime or compiler accepts one file. `reason`: its message; `operator`, `place`:
    index and address of the operator that it names; `facts`: (name, figure) that it reports;
    `operators`: its estimates.
    """

    status: Status
    reason: str = ""  # the tool's message, or the reason why it was skipped
    operator: int | None = None  # the operator that the message names, if any
    place: str = ""  # address of that operator in this file
    facts: tuple[tuple[str, str], ...] = ()  # figures such as ("arena bytes", "10240")
    # operators of the compiled file, if the tool reports them
    operators: tuple[OperatorEstimate, ...] = ()


class JudgeVerdict(Record, frozen=True, kw_only=True):
    """One judge's results on the original and the aligned file, and the word that follows from
    them.
    """

    judge: str  # "litert", "xnnpack", "tflm", "ethos-u55", ...
    before: Acceptance
    after: Acceptance
    word: JudgeWord
    why: str = ""


class FidelityScore(Record, frozen=True, kw_only=True):
    """One kernel set's run of the aligned file, compared with that file's declared reading.

    `sqnr_db`, `original_db`: SQNR of the runs of aligned and original file; `gap_db`: how far the
    run is below the declared reading, `gap_low_db` its lower bound; `largest`: largest error, real
    value; `top1`: share (0 to 1) of inputs with the same top class.
    """

    judge: str
    sqnr_db: float | None  # run(aligned) against the float twin, dB
    original_db: float | None  # run(original) against the float twin; None if it does not run
    gap_db: float | None  # declared(aligned) - run(aligned), dB; positive if the kernels are worse
    gap_low_db: float | None  # lower bootstrap bound of that gap, dB
    word: Word
    why: str = ""
    largest: float | None = None  # of run(aligned); as in OutputScore for the declared readings
    top1: float | None = None


class OutputScore(Record, frozen=True, kw_only=True):
    """The comparison of one tensor. SQNRs are in dB against the float twin, with the noise of all
    inputs added.

    It is graph output `index`; or, with index -1, the last real-valued tensor before an operator
    whose output is discontinuous (ARG_MAX, NMS) or that cannot be computed here (a custom
    operator).
    """

    name: str
    subgraph: int
    index: int
    tensor: int  # index of the tensor in the original file
    part: str = (
        ""  # the operand of the CONCATENATION that writes it, if only that operand is compared
    )
    inputs: str = ""  # the kind of inputs with the worst result, to which these figures apply
    declared_original_db: float | None
    declared_aligned_db: float | None
    runs: tuple[FidelityScore, ...]
    word: Word
    why: str = ""
    # Over all inputs, against the float twin, in real values: the largest deviation of the declared
    # readings;
    # for a vector of classes also the share of inputs (0 to 1) with the same largest class.
    largest_original: float | None = None
    largest_aligned: float | None = None
    top1_original: float | None = None
    top1_aligned: float | None = None

    @property
    def title(self) -> str:
        """The tensor's name, `y`, or `y (scores)` for the part that comes from the tensor `scores`."""
        return f"{self.name} ({self.part})" if self.part else self.name


class OutputLevel(Record, frozen=True, kw_only=True):
    """A compared tensor and the SQNR in dB of its declared reading. `index`: of the graph output,
    -1 for an inner tensor.
    """

    name: str
    index: int  # as in OutputScore
    declared_aligned_db: float | None


class BiasReading(Record, frozen=True, kw_only=True):
    """The effect on one output of reading biases by their declared scales or as kernels run them.

    `apart_db`: SQNR between the float twins of the two readings. The other two: SQNR of the file's
    activation parameters against the twin, under each reading.
    """

    name: str
    index: int
    apart_db: float | None
    declared_db: float | None
    as_run_db: float | None


class StepDeviation(Record, frozen=True, kw_only=True):
    """An operator whose output differs from a float computation on its own actual inputs by more
    than its tolerance, in steps (LSB). `ours`: alignment caused it.
    """

    address: str  # "subgraph[0]/operator[12] CONCATENATION", in the aligned file
    subgraph: int
    operator: int
    lsb: float  # 99.9th percentile of the deviation, in steps of the output
    tolerance_lsb: float
    original_lsb: float | None  # deviation in the original, in steps; None if not compared there
    ours: bool  # within tolerance in the original, or changed by the alignment


class Histogram(Record, frozen=True, kw_only=True):
    """Real values at a tensor, counted in bins of equal width over the range that it can represent."""

    low: float
    high: float
    counts: tuple[int, ...]
    below: int  # values below `low` by more than half a step, which are clipped
    above: int

    @property
    def clipped(self) -> float:
        """The share of clipped values, 0 to 1."""
        every = sum(self.counts) + self.below + self.above
        return (self.below + self.above) / every if every else 0.0


class OperatorFigure(Record, frozen=True, kw_only=True):
    """One output of an operator, compared with a float computation on the operator's actual inputs.

    `original_...`: the same in the original; None where it was not compared there.
    """

    address: str  # "subgraph[0]/operator[12] CONCATENATION", in the aligned file
    subgraph: int
    operator: int
    tensor: int  # index of the output in the aligned file
    name: str
    lsb: float  # 99.9th percentile of the deviation, in steps of the output
    largest_lsb: float  # the largest deviation
    tolerance_lsb: float
    sqnr_db: float | None  # dB; None where the float recompute is zero
    original_lsb: float | None = None
    original_sqnr_db: float | None = None
    # For moved parameters with a view: values in the aligned file, over its representable range and
    # over
    # the original's.
    arrives: Histogram | None = None
    original_arrives: Histogram | None = None


class StepCheck(Record, frozen=True, kw_only=True):
    """The comparison of the aligned file operator by operator, on LiteRT's builtin kernels.
    `checked`: number of compared operators; `beyond`: those beyond tolerance; `not_judged`: those
    without a comparison.
    """

    checked: int  # number of compared operators
    beyond: tuple[StepDeviation, ...]
    not_judged: tuple[str, ...]  # addresses of operators that cannot be recomputed
    operators: tuple[OperatorFigure, ...] = ()  # every compared output, in file order


class CertificateSummary(Record, frozen=True, kw_only=True):
    """The summary of an alignment's certificate, which the independent checker has verified.

    "certified": every operator of the written file; "in part": `certified` of `operators`, the
    others are unchanged; "none": a changed operator is not certified. `why`: the first operator
    that is not certified.
    """

    word: Literal["certified", "in part", "none"]
    why: str
    operators: int = 0
    certified: int = 0
    worst_lsb: float | None = None  # largest bound, in steps of the written output
    worst_original_lsb: float | None = None  # in steps of the original's output
    runtimes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


class Verification(PartlyCompared, frozen=True, kw_only=True):
    """The verification of one alignment: alignment loss, kernel fidelity, and acceptance by the
    judges.
    """

    word: Word
    why: str
    judges: tuple[JudgeVerdict, ...] = ()
    outputs: tuple[OutputScore, ...] = ()
    samples: int = 0
    inputs: str = ""  # "random, seed 0" or "calibration, 40 samples"
    steps: StepCheck | None = None  # comparison by operator; None if it was not needed
    runtimes: tuple[str, ...] = ()  # packages of the runtimes, such as "ai-edge-litert==1.4.0"
    processor: str = ""  # processor, such as "x86_64"; "" if no runtime was run
    notes: tuple[str, ...] = ()  # what the comparison leaves out, and why
    seconds: float = 0.0

    uncompared: ClassVar[frozenset[str]] = frozenset({"seconds"})

    def __repr__(self) -> str:
        said = f"{len(self.judges)} judges, {len(self.outputs)} outputs, {self.samples} samples"
        return brief(f"<Verification {self.word}: {said}{self.why and f'; {self.why}'}>")
