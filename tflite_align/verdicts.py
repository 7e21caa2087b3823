"""Results of judges and verifications: records shared by `verify` and the reports."""

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

# Of numbers, and of a whole verification. "accepted": only loaded, its numbers were not run.
Word = Literal["verified", "failed", "inconclusive", "skipped", "unchanged", "accepted"]
# Of one judge. "unchanged": it takes neither file, for the same reason.
JudgeWord = Literal["accepted", "failed", "inconclusive", "skipped", "unchanged"]

Status = Literal["accepted", "refused", "crashed", "timeout", "skipped"]


class OperatorEstimate(Record, frozen=True, kw_only=True):
    """What a compiler estimates of one operator that it made. It is no measurement."""

    operator: str  # of the model, in the compiler's words
    runs_as: str  # what it was made into
    unit: str  # "NPU" or "CPU"
    cycles: int
    name: str  # the tensor that it writes


class Acceptance(Record, frozen=True, kw_only=True):
    """What one runtime or compiler did with one file."""

    status: Status
    reason: str = ""  # the tool's own words, or why it was skipped
    operator: int | None = None  # the operator it names, where it names one
    place: str = ""  # that operator's address in this very file
    facts: tuple[tuple[str, str], ...] = ()  # e.g. ("arena bytes", "10240")
    operators: tuple[OperatorEstimate, ...] = ()  # of the compiled file, where the tool tells


class JudgeVerdict(Record, frozen=True, kw_only=True):
    """One judge on the original and on the aligned file, and what that means for us."""

    judge: str  # "litert", "xnnpack", "tflm", "ethos-u55", ...
    before: Acceptance
    after: Acceptance
    word: JudgeWord
    why: str = ""


class FidelityScore(Record, frozen=True, kw_only=True):
    """One kernel set run on the aligned file, against the aligned file's declared reading."""

    judge: str
    sqnr_db: float | None  # run(aligned) against the float twin, dB
    original_db: float | None  # run(original) against the float twin; None when it does not run
    gap_db: float | None  # declared(aligned) - run(aligned), dB; positive: the kernels are worse
    gap_low_db: float | None  # lower bootstrap bound of that gap, dB
    word: Word
    why: str = ""
    largest: float | None = None  # of run(aligned), as OutputScore has it of the declared readings
    top1: float | None = None


class OutputScore(Record, frozen=True, kw_only=True):
    """One compared tensor. All SQNRs in dB against the float twin, noise added up over the inputs.

    It is graph output `index`; or, with index -1, the last real-valued tensor before an operator
    behind which numbers jump (ARG_MAX, NMS) or cannot be computed here (a custom operator).
    """

    name: str
    subgraph: int
    index: int
    tensor: int  # index of the tensor in the original file
    part: str = (
        ""  # the operand of the CONCATENATION that writes it, where that one alone is judged
    )
    inputs: str = ""  # the kind of inputs on which it is worst: whose figures these are
    declared_original_db: float | None
    declared_aligned_db: float | None
    runs: tuple[FidelityScore, ...]
    word: Word
    why: str = ""
    # Over all inputs, against the float twin, real values: the largest deviation of the declared
    # readings, and of a vector of classes the share of inputs (0 to 1) for which the same is greatest.
    largest_original: float | None = None
    largest_aligned: float | None = None
    top1_original: float | None = None
    top1_aligned: float | None = None

    @property
    def title(self) -> str:
        """`y`, or `y (scores)` of the part that comes from the tensor `scores`."""
        return f"{self.name} ({self.part})" if self.part else self.name


class OutputLevel(Record, frozen=True, kw_only=True):
    """A compared tensor, and the SQNR of one way to align there."""

    name: str
    index: int  # as in OutputScore
    declared_aligned_db: float | None


class BiasReading(Record, frozen=True, kw_only=True):
    """What it means for one output whether biases are read by their declared scales or as run.

    `apart_db`: SQNR of the float twin read as run against the twin by declared scales. The other
    two: SQNR of the file's activations' parameters under each reading, against that one's twin.
    """

    name: str
    index: int
    apart_db: float | None
    declared_db: float | None
    as_run_db: float | None


class StepDeviation(Record, frozen=True, kw_only=True):
    """An operator whose output differs from a float recompute of its own actual inputs."""

    address: str  # "subgraph[0]/operator[12] CONCATENATION", in the aligned file
    subgraph: int
    operator: int
    lsb: float  # 99.9th percentile of the deviation, in steps of the output
    tolerance_lsb: float
    original_lsb: float | None  # the same operator in the original; None: new, or not judged there
    ours: bool  # it was within tolerance in the original, or we edited it


class Histogram(Record, frozen=True, kw_only=True):
    """Values that arrive at a tensor, real ones, in bins of equal width over what it can hold."""

    low: float
    high: float
    counts: tuple[int, ...]
    below: int  # values less than `low` by more than half a step, which are clipped
    above: int

    @property
    def clipped(self) -> float:
        """The share of the values that are clipped, 0 to 1."""
        every = sum(self.counts) + self.below + self.above
        return (self.below + self.above) / every if every else 0.0


class OperatorFigure(Record, frozen=True, kw_only=True):
    """One output of one operator that was compared with a float recompute of what the operator
    received. `original_...`: the same in the original, None where it was not compared there.
    """

    address: str  # "subgraph[0]/operator[12] CONCATENATION", in the aligned file
    subgraph: int
    operator: int
    tensor: int  # index of the output in the aligned file
    name: str
    lsb: float  # 99.9th percentile of the deviation, in steps of the output
    largest_lsb: float  # the largest deviation
    tolerance_lsb: float
    sqnr_db: float | None  # dB; None where the operator is silent
    original_lsb: float | None = None
    original_sqnr_db: float | None = None
    # Where its parameters moved and a view was asked for: what arrives at it in the aligned file,
    # against what it can hold there, and against what it could hold in the original.
    arrives: Histogram | None = None
    original_arrives: Histogram | None = None


class StepCheck(Record, frozen=True, kw_only=True):
    """The aligned file operator by operator, on LiteRT's builtin kernels."""

    checked: int  # operators compared
    beyond: tuple[StepDeviation, ...]
    not_judged: tuple[str, ...]  # addresses of operators that cannot be recomputed
    operators: tuple[OperatorFigure, ...] = ()  # every output compared, in the order of the file


class CertificateSummary(Record, frozen=True, kw_only=True):
    """What the certificate of an alignment shows for every input, checked by the independent checker.

    "certified": every operator of the written file; "in part": `certified` of `operators`, the others
    are the original's; "none": something changed of which nothing is shown. `why`: the first operator
    of which nothing is shown.
    """

    word: Literal["certified", "in part", "none"]
    why: str
    operators: int = 0
    certified: int = 0
    worst_lsb: float | None = None  # greatest bound, steps of the written output
    worst_original_lsb: float | None = None  # steps of the original's output
    runtimes: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()


class Verification(PartlyCompared, frozen=True, kw_only=True):
    """The verification of one alignment: alignment loss, kernel fidelity, and the judges' acceptance."""

    word: Word
    why: str
    judges: tuple[JudgeVerdict, ...] = ()
    outputs: tuple[OutputScore, ...] = ()
    samples: int = 0
    inputs: str = ""  # "random, seed 0" or "calibration, 40 samples"
    steps: StepCheck | None = None  # operator by operator; None when it was not needed
    runtimes: tuple[str, ...] = ()  # "ai-edge-litert==1.4.0": the packages that were asked
    processor: str = ""  # "x86_64": where they ran; empty where none was asked
    notes: tuple[str, ...] = ()  # what was left out of the numbers, and why
    seconds: float = 0.0

    uncompared: ClassVar[frozenset[str]] = frozenset({"seconds"})

    def __repr__(self) -> str:
        said = f"{len(self.judges)} judges, {len(self.outputs)} outputs, {self.samples} samples"
        return brief(f"<Verification {self.word}: {said}{self.why and f'; {self.why}'}>")
