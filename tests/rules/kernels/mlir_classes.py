"""Where LiteRT's MLIR verifiers and `check` differ on a one-operator model: classes of differences,
each with its reason.

A class states what the verifier does, which kinds of rules `check` reports as an error for target
tflite ("": none), and how the model was made; the first class that matches counts. `check` follows
the kernels, which the conformance suite runs; the verifiers follow the dialect's definitions.
"""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Literal

from tests.rules.kernels.typed import ABSENT, LEFT_OUT, TypedCase
from tflite_align.record import Record
from tflite_align.rules.kernels import load_kernels
from tflite_align.rules.operand_types import OperandTypes
from tflite_align.verdicts import Acceptance

__all__ = ["CLASSES", "Difference", "class_of", "difference"]

# How a model was made: all types well formed; one operand of another type; one operand left out.
Manner = Literal["well-formed", "mixed", "lacking"]


class Difference(Record, frozen=True, kw_only=True):
    """One model on which verifier and `check` differ. `found`: kinds of rules with an error
    finding; `kernel`: what LiteRT's kernels do with these types, by the table of kernels.
    """

    operator: str
    signature: str
    manner: Manner
    found: tuple[str, ...]
    kernel: str
    status: str
    words: str


class DifferenceClass(Record, frozen=True, kw_only=True):
    """A class of differences; a field that is not set matches anything. `words`: a part of the
    verifier's message.
    """

    status: str
    found: str = "*"
    operator: str = "*"
    manner: str = "*"
    kernel: str = "*"
    words: str = ""
    reason: str

    def holds(self, difference: Difference) -> bool:
        found = any(fnmatchcase(kind, self.found) for kind in difference.found or ("",))
        return (
            self.status == difference.status
            and found
            and any(fnmatchcase(difference.operator, one) for one in self.operator.split())
            and fnmatchcase(difference.manner, self.manner)
            and fnmatchcase(difference.kernel, self.kernel)
            and self.words in difference.words
        )


def _taken(**given: str) -> DifferenceClass:
    return DifferenceClass(status="accepted", **given)


def _refused(**given: str) -> DifferenceClass:
    return DifferenceClass(status="refused", found="", **given)


def _ended(**given: str) -> DifferenceClass:
    return DifferenceClass(status="crashed", **given)


CLASSES = (
    # The verifier accepts a model with an error finding.
    _taken(found="bias", reason="no verifier compares a bias, or its type, with its factors"),
    _taken(found="present", reason="the dialect's bias is optional; the kernel wants one"),
    _taken(
        found="fixed", reason="a fixed output is a trait for quantizers; no verifier looks at it"
    ),
    _taken(found="weight", reason="no verifier looks at zero points and axes of weights"),
    _taken(found="window", reason="what a multiplier can hold is a matter of kernels"),
    _taken(found="zero", reason="which zero points a type may have is a matter of kernels"),
    _taken(found="support", reason="limits of kernels beyond types are no part of the dialect"),
    _taken(
        found="types",
        manner="lacking",
        reason="the dialect's operand is optional, or may be of any type, none among them",
    ),
    _taken(
        found="types",
        manner="well-formed",
        reason="the dialect lists a type that LiteRT has no kernel for",
    ),
    _taken(
        found="types",
        manner="mixed",
        kernel="refused",
        reason="the dialect lists the types of each operand by itself; no kernel takes these together",
    ),
    _taken(
        found="types",
        manner="mixed",
        kernel="wrong",
        reason="the dialect lists the types of each operand by itself; the kernel reads one as another",
    ),
    # The verifier refuses a model without an error finding, which LiteRT computes right.
    _refused(
        operator="BIDIRECTIONAL_SEQUENCE_RNN EMBEDDING_LOOKUP_SPARSE HASHTABLE_LOOKUP L2_POOL_2D"
        " LSH_PROJECTION REDUCE_WINDOW RNN SKIP_GRAM",
        words="unregistered operation",
        reason="the dialect has no such operator; LiteRT has a kernel",
    ),
    _refused(
        operator="CONV_3D_TRANSPOSE",
        words="bias must has num of elements",
        reason="it counts the bias along another axis of the filter than the kernel does",
    ),
    _refused(
        operator="PADV2",
        manner="lacking",
        words="operand #2",
        reason="the kernel pads with zero where the value is left out; the dialect wants one",
    ),
    _refused(
        operator="RESHAPE",
        words="op requires '",
        reason="the kernel takes the output's declared shape where the other is no int32",
    ),
    _refused(
        operator="SOFTMAX",
        words="same element type",
        reason="int8 to int16 has a kernel that the dialect does not know",
    ),
    _refused(
        operator="SPLIT_V",
        words="32-bit signless integer",
        reason="the kernel takes sizes of 64 bits, and reads 32 bits at an axis whatever its type is",
    ),
    _refused(
        operator="STABLEHLO_*",
        words="type",
        reason="the kernel copies or computes types of one width alike; StableHLO wants them equal",
    ),
    _refused(
        operator="TOPK_V2",
        words="same scale constraint",
        reason="it compares parameters of the indices, which int16 has here, with those of the values",
    ),
    # The tool crashes in its importer, or while lowering an accepted model. That is no verdict.
    _ended(
        words="iteration facilities",
        reason="its lowering reads a constant of floats as integers",
    ),
    _ended(
        manner="lacking",
        reason="its lowering follows an operand that is not there",
    ),
    _ended(
        manner="mixed",
        reason="its lowering takes an operand's type for granted",
    ),
    _ended(
        manner="well-formed",
        reason="its lowering meets a type of all operands that TOSA has no counterpart of",
    ),
    DifferenceClass(
        status="skipped",
        operator="RANGE",
        words="unable to grow",
        reason="its folding takes the bits of floats for integers, and wants more memory than there is",
    ),
)


def difference(
    base: TypedCase, case: TypedCase, found: Collection[str], said: Acceptance
) -> Difference | None:
    """The difference between the verifier's verdict `said` and the findings on `case`; None if they
    agree. `base`: the case that it was varied from; `found`: the rules with an error finding.
    """
    if said.status == ("refused" if found else "accepted"):
        return None
    inputs, _, outputs = case.signature.partition(">")
    types = OperandTypes(tuple(inputs.split()), tuple(outputs.split()))
    return Difference(
        operator=case.operator,
        signature=case.signature,
        manner=_manner(base, case),
        found=tuple(sorted({rule.partition("/")[0] for rule in found})),
        kernel=load_kernels("litert")[case.operator].outcome(types),
        status=said.status,
        words=said.reason,
    )


def _manner(base: TypedCase, case: TypedCase) -> Manner:
    if case is base:
        return "well-formed"
    types = {
        now.type
        for now, before in zip(case.inputs, base.inputs, strict=True)
        if now.type != before.type
    }
    return "lacking" if types & {ABSENT, LEFT_OUT} else "mixed"


def class_of(apart: Difference) -> DifferenceClass | None:
    """The first class that matches the difference; None if there is none."""
    return next((one for one in CLASSES if one.holds(apart)), None)
