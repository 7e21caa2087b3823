"""Numbers of dimensions that a kernel does not support: an error where the runtime refuses the model
or ends, and none with one dimension less.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.rules.test_kernel_rows import available
from tests.support.kernel_batch import run_batch
from tests.support.models import Array, Graph, TensorSpec
from tflite_align import check
from tflite_align.record import Record, field

RUNTIMES = ("litert", "xnnpack", "tflm")
Options = tuple[str, dict[str, Any]]


class Ranked(Record, frozen=True, kw_only=True):
    """One operator on a float32 tensor of this many dimensions, of sizes 1 but the last two."""

    operator: str
    rank: int
    constants: tuple[Any, ...] = ()  # int32, unless float
    options: Options | None = None
    added: int = 0  # dimensions that the output has more
    last: int = 3
    supported: dict[str, int] = field(default_factory=dict)  # runtime -> most dimensions

    @property
    def name(self) -> str:
        return f"{self.operator}-{self.rank}"

    @property
    def shape(self) -> tuple[int, ...]:
        return (*[1] * (self.rank - 2), 2, 3)

    def model(self) -> bytes:
        graph = Graph()
        made = (*[1] * (self.rank + self.added - 2), 2, self.last)
        for name, shape in (("x", self.shape), ("y", made)):
            graph.tensors[name] = TensorSpec(name=name, type="float32", shape=shape)
        names = ["x"]
        for number, value in enumerate(self.constants):
            kind = "float32" if np.asarray(value).dtype.kind == "f" else "int32"
            names.append(graph.constant(f"c{number}", value, kind))
        graph.add(self.operator, names, ["y"], self.options)
        return graph.bytes(["x"], ["y"])

    def fed(self) -> list[Array]:
        return [np.ones(self.shape, np.float32)]


def cases(rank: int) -> tuple[Ranked, ...]:
    """An operator of each kind on a tensor of this many dimensions."""
    ones = np.ones((1,) * (rank - 2) + (2, 3), np.float32)
    joined: Options = ("ConcatenationOptions", {"axis": rank - 1})
    reduced: Options = ("ReducerOptions", {"keepDims": False})
    widened: Options = ("FullyConnectedOptions", {"keepNumDims": True})
    rows: tuple[tuple[Any, ...], ...] = (
        ("CONCATENATION", (ones,), joined, 0, 6, {"xnnpack": 6, "tflm": 6}),
        ("EXPAND_DIMS", (0,), ("ExpandDimsOptions", {}), 1, 3, {"tflm": 7}),
        ("FULLY_CONNECTED", (np.ones((4, 3)),), widened, 0, 4, {"xnnpack": 6}),
        ("L2_NORMALIZATION", (), ("L2NormOptions", {}), 0, 3, {"tflm": 4}),
        ("MEAN", ([0],), reduced, -1, 3, {"xnnpack": 6}),
        ("PRELU", (ones,), None, 0, 3, {"tflm": 4}),
        ("REDUCE_MAX", ([0],), reduced, -1, 3, {"xnnpack": 6}),
        (
            "REVERSE_V2",
            ([1],),
            ("ReverseV2Options", {}),
            0,
            3,
            {"litert": 8, "xnnpack": 8, "tflm": 6},
        ),
        ("SOFTMAX", (), ("SoftmaxOptions", {"beta": 1.0}), 0, 3, {"xnnpack": 6}),
        (
            "SQUEEZE",
            (),
            ("SqueezeOptions", {"squeezeDims": [0]}),
            -1,
            3,
            dict.fromkeys(RUNTIMES, 8),
        ),
        ("SUM", ([0],), reduced, -1, 3, {"xnnpack": 6}),
        ("TRANSPOSE", (list(range(rank)),), None, 0, 3, {"litert": 8, "xnnpack": 8, "tflm": 5}),
    )
    return tuple(
        Ranked(
            operator=operator,
            rank=rank,
            constants=constants,
            options=options,
            added=added,
            last=last,
            supported=supported,
        )
        for operator, constants, options, added, last, supported in rows
    )


CASES = {case.name: case for rank in range(4, 10) for case in cases(rank)}


def expected(runtime: str) -> set[str]:
    return {
        name for name, case in CASES.items() if case.rank > case.supported.get(runtime, case.rank)
    }


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_more_dimensions_than_a_kernel_supports_are_an_error(runtime: str) -> None:
    refused = set()
    for name, case in CASES.items():
        found = check(case.model(), targets=(runtime,)).findings
        rules = {f.rule for f in found if f.severity == "error"}
        assert rules in (set(), {f"support/{case.operator}/rank"})
        if rules:
            refused.add(name)
    assert refused == expected(runtime)


@pytest.mark.backends
@pytest.mark.parametrize("runtime", available())
def test_the_runtimes_refuse_them(runtime: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outcomes = run_batch(CASES.values(), runtime, Path(folder))
    assert {name for name in CASES if outcomes[name].error} == expected(runtime)
