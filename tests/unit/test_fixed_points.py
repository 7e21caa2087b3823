"""A second alignment changes nothing, also where parameters are absurd: what cannot be repaired to
the end is left as it is, with an error and the reason.
"""

from __future__ import annotations

import pytest

from tests.support.edited_models import PLAIN, chain, named, requantized
from tflite_align import AlignOptions, align, check
from tflite_align.pipeline.aligning import AlignResult


def settled(data: bytes, options: AlignOptions = PLAIN) -> AlignResult:
    """What comes of the model, after which there is nothing left to do."""
    result = align(data, options)
    assert align(result.data, options).data == result.data
    assert check(result.data, options).findings == result.report.remaining
    return result


@pytest.mark.parametrize("scale", [1e9, 1e30])
def test_no_room_is_made_for_a_bias_that_the_output_cannot_hold(scale: float) -> None:
    """Weights would have to be coarser than the output's own step, and the output follow them."""
    data = chain()
    _, bias = named(data, "c.b")
    given = bias.quant.scale[0]
    data = requantized(data, "c.b", scale=(given, scale, given), zero_point=(0, 0, 0))
    result = settled(data)
    assert result.data == data
    (left,) = result.report.remaining
    assert (left.rule, left.severity) == ("bias/CONV_2D", "error")
    (conflict,) = result.report.conflicts
    assert "cannot be meant" in conflict.message
