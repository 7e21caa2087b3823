"""Results of verifications of small models, and the inputs, outputs and losses that decide them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.grown_graphs import grown
from tests.support.models import Graph
from tests.support.verify_forms import rebiased, rescaled
from tflite_align import AlignOptions, align
from tflite_align.verify.object_api import pack, parse
from tflite_align.verify.verification import verify


def chain(scale: float) -> bytes:
    """Two convolutions. `scale`: that of the tensor between them, whose values are far beyond its
    range.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c1", scale)
    graph.conv("c1", "y", 0.3)
    return graph.bytes(["x"], ["y"])


def test_inputs_that_saturate_do_not_hide_lost_resolution() -> None:
    """Over the whole input range most noise comes from clipping, which a coarser scale even
    reduces. Inputs that do not saturate show the lost precision.
    """
    original = chain(0.1)
    aligned = rebiased(rescaled(original, 0, 3.0), b"y", b"c1")
    verification = verify(original, aligned)
    assert verification.word == "failed"
    (score,) = verification.outputs
    assert score.inputs in ("its middle", "normal", "sparse")
    assert score.declared_original_db is not None
    assert score.declared_aligned_db is not None
    assert score.declared_original_db - score.declared_aligned_db > 3.0


def head(*, scores: float = 1.0) -> bytes:
    """A CONCATENATION of boxes (up to 40) and scores (below 1). `scores`: a factor on the scores'
    weights.
    """
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "boxes", 0.3)
    graph.conv("x", "small", 0.3)
    graph.activation("both", 0.3, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["boxes", "small"], ["both"], ("ConcatenationOptions", {"axis": 3}))
    model = parse(graph.bytes(["x"], ["both"]))
    tensors = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
    for name in (b"small.w", b"small.b"):
        quant = tensors[name].quantization
        quant.scale = np.asarray(quant.scale, np.float32) * np.float32(0.2 * scores)
    return pack(model)


def test_an_operand_of_the_last_concatenation_is_judged_by_itself() -> None:
    same = verify(head(), head())
    assert [(score.part, score.word) for score in same.outputs] == [
        ("", "verified"),
        ("boxes", "verified"),
        ("small", "verified"),
    ]
    wrong = {score.part: score for score in verify(head(), head(scores=0.8)).outputs}
    assert (wrong["boxes"].word, wrong["small"].word) == ("verified", "failed")
    assert wrong["small"].why.startswith("alignment loses ")
    assert (wrong["small"].declared_aligned_db or 0.0) < (wrong[""].declared_aligned_db or 0.0) - 5


def test_noisy_outputs_are_judged_operator_by_operator() -> None:
    """Nearly all values are smaller than half a step of the output."""
    noisy = rescaled(chain(0.3), 1, 150.0)
    verification = verify(noisy, rebiased(rescaled(noisy, 0, 1.02), b"y", b"c1"))
    assert verification.word == "verified", verification.why
    (note,) = verification.notes
    assert note.startswith("y: on these inputs the given file declares noise: ")
    assert note.endswith(" dB against the float twin; its operators are judged")


@pytest.mark.parametrize(
    ("shape", "window", "scales"),
    [
        ((1, 4, 8, 2), (2, 2), (0.0128, 0.004)),
        ((1, 6, 8, 2), (2, 2), (0.0256, 0.0121)),
        ((1, 6, 6, 4), (3, 2), (0.0625, 0.0194)),
    ],
)
def test_an_unavoidable_loss_is_inconclusive(
    shape: tuple[int, ...], window: tuple[int, int], scales: tuple[float, float]
) -> None:
    """An average between a graph input and a graph output that both keep their parameters."""
    graph = Graph()
    graph.activation("x", scales[0], -126, shape)
    made = (1, shape[1] - window[0] + 1, shape[2] - window[1] + 1, shape[3])
    graph.activation("y", scales[1], -124, made)
    options = {
        "padding": 1,
        "strideH": 1,
        "strideW": 1,
        "filterHeight": window[0],
        "filterWidth": window[1],
    }
    graph.add("AVERAGE_POOL_2D", ["x"], ["y"], ("Pool2DOptions", options))
    report = align(graph.bytes(["x"], ["y"])).report
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("inconclusive", 0)
    assert "alignment loses " in report.verification.why


def test_a_fixed_output_that_is_coarser_than_declared_has_the_same_verdict() -> None:
    """SOFTMAX writes steps of 1/256, while the file declares finer ones. Its ten outputs are nearly
    equal, so that the difference counts.
    """
    graph = Graph()
    graph.activation("x", 0.002, 0, (1, 10))
    graph.activation("y", 0.0005, -128, (1, 10))
    graph.add("SOFTMAX", ["x"], ["y"], ("SoftmaxOptions", {"beta": 1.0}))
    report = align(graph.bytes(["x"], ["y"])).report
    assert report.verification is not None
    assert (report.verification.word, report.exit_status) == ("inconclusive", 0)
    assert "alignment loses " in report.verification.why
    assert "--prefer precision does not avoid it" in report.verification.why


def test_fewer_than_64_inputs_verify_nothing() -> None:
    verification = verify(chain(0.3), chain(0.3), samples=16)
    assert verification.word == "inconclusive"
    assert verification.why == "16 inputs are fewer than the 64 that verify"


def test_an_output_beyond_float32_is_compared_without_a_warning() -> None:
    """NumPy's warnings are errors in tests; a user would see them on stderr."""
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1)
    graph.conv("c", "huge", 3e38)
    graph.activation("y", 0.3, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "x"], ["y"], ("ConcatenationOptions", {"axis": 3}))
    report = align(graph.bytes(["x"], ["y", "huge"])).report
    assert report.verification is not None
    assert report.verification.samples == 64


def test_options_are_tried_on_as_many_inputs_as_decided() -> None:
    """The loss shows on 1,024 inputs but not on 64. Whether an option avoids it is therefore tried
    on 1,024, too.
    """
    data = grown(879).data
    verification = align(data, AlignOptions()).report.verification
    assert verification is not None
    assert verification.samples == 1024
    assert "alignment loses 4.2 dB" in verification.why
    precise = align(data, AlignOptions(prefer="precision")).report.verification
    assert precise is not None
    assert "alignment loses 4.2 dB" in precise.why
    assert "--prefer precision does not avoid it" in verification.why
    assert verification.word == "inconclusive", "the rules allow no better parameters"
