"""Original and aligned file joined into one model, so that common operators run once, give the same
outputs as each run alone.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.models import Graph, TensorSpec
from tests.support.verify_forms import rescaled
from tflite_align.record import replace
from tflite_align.verify.frontier import frontier
from tflite_align.verify.joined_models import join
from tflite_align.verify.object_api import pack, parse
from tflite_align.verify.process import workspace
from tflite_align.verify.samples import make_samples
from tflite_align.verify.twin import declared_model
from tflite_align.verify.variants import FLOAT_KERNELS, Form, Ran, run_forms, sample_records


def branches() -> bytes:
    """A convolution and two convolutions that read it. All are graph outputs, one of them twice."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.conv("c", "y", 0.3)
    graph.conv("c", "z", 0.2)
    return graph.bytes(["x"], ["y", "z", "y"])


def forms(first: bytes, second: bytes) -> tuple[Form, Form, int]:
    """(the readings of both files run separately, run as one model, number of operators that they
    share).
    """
    models = [declared_model(data, frontier(parse(data))) for data in (first, second)]
    apart = tuple(
        Form(name=name, data=pack(model), kernels=FLOAT_KERNELS)
        for name, model in zip(("before", "after"), models, strict=True)
    )
    alone = sum(len(model.subgraphs[0].operators) for model in models)
    joined = join(*models)
    assert joined is not None
    form = Form(name="both", data=pack(joined), kernels=FLOAT_KERNELS, of=apart)
    return form, apart[0], alone - len(joined.subgraphs[0].operators)


def run(data: bytes, *asked: Form) -> dict[str, Ran]:
    samples = make_samples(parse(data), count=8, seed=0)
    with workspace() as folder:
        records = sample_records(samples, folder)
        return run_forms(asked, samples, records, folder, lambda _: None)[0]


def same(one: Ran, other: Ran) -> bool:
    assert one.outputs is not None
    assert other.outputs is not None
    return all(map(np.array_equal, one.outputs, other.outputs)) and bool(one.outputs)


@pytest.mark.parametrize("operator", [0, 1, 2])
def test_readings_joined_are_the_readings_apart(operator: int) -> None:
    data = branches()
    both, _, shared = forms(data, rescaled(data, operator, 1.5))
    ran, apart = run(data, both), run(data, *both.of)
    assert set(ran) == {"before", "after"}
    assert all(same(ran[name], apart[name]) for name in apart)
    assert not same(ran["before"], ran["after"])
    assert shared >= (1 if operator == 0 else 6)  # operators behind a changed one are not shared


def test_what_does_not_run_joined_is_run_apart() -> None:
    data = branches()
    both, before, _ = forms(data, rescaled(data, 1, 1.5))
    ran = run(data, replace(both, data=b"no model"))
    assert set(ran) == {"before", "after"}
    assert same(ran["before"], run(data, before)["before"])


def runs(first: bytes, second: bytes) -> Form:
    """Both files in one model, run by LiteRT's builtin kernels."""
    apart = tuple(
        Form(name=name, data=data, kernels=("litert",))
        for name, data in (("before", first), ("after", second))
    )
    joined = join(parse(first), parse(second))
    assert joined is not None
    return Form(name="both", data=pack(joined), kernels=("litert",), of=apart)


def test_runs_joined_are_the_runs_apart() -> None:
    data = branches()
    both = runs(data, rescaled(data, 1, 1.5))
    ran, apart = run(data, both), run(data, *both.of)
    assert all(same(ran[name], apart[name]) for name in apart)
    assert {one.acceptance.status for one in ran.values()} == {"accepted"}
    assert not same(ran["before"], ran["after"])


def test_a_file_that_is_refused_does_not_hide_the_other() -> None:
    """One file has a CONCATENATION with different scales, which LiteRT refuses. The other file's
    outputs are still computed.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.activation("y", 0.1, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "c"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    data = graph.bytes(["x"], ["y"])
    both = runs(rescaled(data, 1, 2.0), data)
    ran = run(data, both)
    assert ran["before"].acceptance.status == "refused"
    assert ran["before"].outputs is None
    assert ran["after"].acceptance.status == "accepted"
    assert same(ran["after"], run(data, both.of[1])["after"])


def test_models_with_a_state_are_not_joined() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "y", 0.1)
    graph.tensors["state"] = TensorSpec(name="state", type="float32", shape=(1,), variable=True)
    model = parse(graph.bytes(["x"], ["y"]))
    assert join(model, parse(graph.bytes(["x"], ["y"]))) is None
