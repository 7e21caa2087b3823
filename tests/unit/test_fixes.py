"""Switches of repairs, and repairs that need no solver."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.edited_models import PLAIN, chain, edited, named, requantized, stale_bias
from tests.support.models import CONV, Graph, Quant, TensorSpec, concat_example
from tests.support.object_api import load, pack
from tflite_align import AlignOptions, align, check
from tflite_align.errors import RuleError, UsageError
from tflite_align.format.writer.edits import SetData, SetName, SetShape
from tflite_align.numerics import int4_pack, int4_unpack, integers_of
from tflite_align.record import replace
from tflite_align.rules.fixes import (
    BIAS_FIXES,
    WEIGHT_FIXES,
    enabled_fixes,
    load_fixes,
    parse_fixes,
)


def noisy() -> bytes:
    return concat_example(0.1, float(np.float32(0.1) * np.float32(1 + 3e-7)))


def low_weights() -> bytes:
    data = chain()
    model, tensor = named(data, "c.w")
    values = np.frombuffer(model.constant(0, tensor.index), np.int8).copy()
    values[0] = -128
    return edited(data, SetData(subgraph=0, tensor=tensor.index, data=values.tobytes()))


def shifted_weights() -> bytes:
    return requantized(chain(), "c.w", zero_point=(3,))


def missing() -> bytes:
    graph = Graph()
    graph.activation("x", 0.05)
    graph.conv("x", "c", 0.1, 4)
    graph.constant("bare", np.zeros((1, 4, 4, 3)), "int8")
    graph.activation("cat", 0.1, 4, shape=(1, 4, 4, 6))
    graph.add("CONCATENATION", ["c", "bare"], ["cat"], ("ConcatenationOptions", {"axis": 3}))
    return graph.bytes(["x"], ["cat"])


def stale_range() -> bytes:
    """A tensor's recorded min and max (-1000 and 1000) do not match its scale."""
    made = load(chain())
    quant = next(t for t in made.subgraphs[0].tensors if t.name == b"p").quantization
    quant.min, quant.max = [-1000.0], [1000.0]
    return pack(made)


def stale_shape() -> bytes:
    data = chain()
    _, tensor = named(data, "p")
    return edited(data, SetShape(subgraph=0, tensor=tensor.index, shape=(2, 4, 4, 3)))


def unpointed() -> bytes:
    """An activation, and weights with one scale per channel, without zero points."""
    made = load(chain())
    tensors = {t.name: t for t in made.subgraphs[0].tensors}
    tensors[b"p"].quantization.zeroPoint = None
    tensors[b"c.w"].quantization.zeroPoint = []
    return pack(made)


def doubled() -> bytes:
    data = chain()
    _, tensor = named(data, "p")
    return edited(data, SetName(subgraph=0, tensor=tensor.index, name="c"))


BROKEN = {
    "float-noise": noisy,
    "tied": concat_example,
    "bias-scale": stale_bias,
    "weight-zero-point": shifted_weights,
    "weight-minimum": low_weights,
    "missing-parameters": missing,
    "names": doubled,
    "minmax": stale_range,
    "shapes": stale_shape,
    "zero-points": unpointed,
    "versions": chain,  # operators of version 1, which supports only uint8
}


@pytest.mark.parametrize("fix", BROKEN)
def test_a_fix_repairs_its_finding_and_nothing_changes_without_it(fix: str) -> None:
    data = BROKEN[fix]()
    quiet = load_fixes()[fix].quiet
    assert {finding.fix for finding in check(data, AlignOptions(fix=(fix,))).findings} == {fix}
    off = align(data, replace(PLAIN, no_fix=(fix,)))
    assert off.data == data
    assert {finding.fix for finding in off.report.remaining} == (set() if quiet else {fix})
    on = align(data, replace(PLAIN, fix=(fix,)))
    assert on.report.remaining == ()
    again = align(on.data, replace(PLAIN, fix=(fix,)))
    assert again.data == on.data


@pytest.mark.parametrize("fix", BROKEN)
def test_repairs_off_by_default_are_not_applied(fix: str) -> None:
    data = BROKEN[fix]()
    assert (align(data, PLAIN).data == data) == (load_fixes()[fix].default == "off")


def test_float_noise_needs_no_quantize() -> None:
    report = align(noisy(), PLAIN).report
    assert [change.kind for change in report.changes] == ["snapped"]


def test_option_bias_reads_it_by_its_declared_scale_or_as_run() -> None:
    data = stale_bias()
    before, bias = named(data, "c.b")
    integers = np.frombuffer(before.constant(0, bias.index), np.int32)
    right = named(chain(), "c.b")[1].quant.scale
    for reading, factor in (("declared", 2), ("as-run", 1)):
        result = align(data, replace(PLAIN, bias=reading))
        after, tensor = named(result.data, "c.b")
        assert np.array_equal(
            np.frombuffer(after.constant(0, tensor.index), np.int32), integers * factor
        )
        assert tensor.quant.scale == pytest.approx(right)
        assert result.report.remaining == ()


def overflowing(data: bytes, weights: int) -> bytes:
    """The model with a large bias in its first convolution: its scale is 8 times as large, one of
    its integers is the largest int32. `weights`: the magnitude of all weights, 1 to 127.
    """
    model, tensor = named(data, "c.w")
    count = len(model.constant(0, tensor.index))
    signs = np.where(np.arange(count) % 2, 1, -1)
    raw = (signs * weights).astype(np.int8).tobytes()
    _, bias = named(data, "c.b")
    integers = np.array([2**31 - 1, 1000, -1000], np.int32).tobytes()
    return edited(
        requantized(data, "c.b", scale=(bias.quant.scale[0] * 8,)),
        SetData(subgraph=0, tensor=tensor.index, data=raw),
        SetData(subgraph=0, tensor=bias.index, data=integers),
    )


@pytest.mark.parametrize(("weights", "cut"), [(4, True), (127, False)])
def test_an_overflowing_bias_gets_the_cheaper_repair(weights: int, cut: bool) -> None:  # noqa: FBT001
    """A bias that overflows in its new scale fits if either the weights or the input get a larger
    scale. Small weights lose more than the input, so a QUANTIZE is inserted in front; large ones
    lose less and are re-expressed.
    """
    result = align(overflowing(chain(), weights), PLAIN)
    assert result.report.remaining == ()
    assert result.report.conflicts == ()
    kinds = [change.kind for change in result.report.changes]
    assert ("cut" in kinds, "constant" in kinds) == (cut, not cut)
    model, bias = named(result.data, "c.b")
    real = np.frombuffer(model.constant(0, bias.index), np.int32) * np.asarray(bias.quant.scale)
    wanted = np.array([2**31 - 1, 1000, -1000]) * named(chain(), "c.b")[1].quant.scale[0] * 8
    assert real == pytest.approx(wanted, rel=1e-6, abs=max(bias.quant.scale))
    assert align(result.data, PLAIN).data == result.data


@pytest.mark.parametrize("channels", [1, 3])
def test_a_bias_that_does_not_fit_raises_its_channels_weight_scale(channels: int) -> None:
    data = chain()
    _, weights = named(data, "c.w")
    scales = (weights.quant.scale * channels)[:channels]
    data = requantized(data, "c.w", scale=scales, zero_point=(0,) * channels)
    _, bias = named(data, "c.b")
    integers = np.array([2**31 - 1, 1000, -1000], np.int32)
    data = edited(data, SetData(subgraph=0, tensor=bias.index, data=integers.tobytes()))
    own = bias.quant.scale[0] * 8
    data = requantized(data, "c.b", scale=(own,))
    result = align(data, PLAIN)
    assert result.report.remaining == ()
    assert result.report.conflicts == ()
    after, bias = named(result.data, "c.b")
    found = np.frombuffer(after.constant(0, bias.index), np.int32)
    real = found * np.asarray(bias.quant.scale)
    assert real == pytest.approx(integers * own, rel=1e-6, abs=max(bias.quant.scale))
    assert max(abs(int(value)) for value in found) <= 2**31 - 1
    raised = np.asarray(named(result.data, "c.w")[1].quant.scale) / weights.quant.scale[0]
    assert raised[0] == pytest.approx(16, rel=1e-6)
    assert raised[1:] == pytest.approx(1)
    off = align(data, replace(PLAIN, no_fix=("bias-overflow",)))
    assert "do not fit int32" in off.report.conflicts[0].message


@pytest.mark.parametrize("count", [1, 2, 7])
def test_int4_of_any_count_is_packed_and_unpacked(count: int) -> None:
    values = np.arange(count, dtype=np.int8) - 4
    assert np.array_equal(int4_unpack(int4_pack(values))[:count], values)
    assert np.array_equal(integers_of(int4_pack(values), "int4", count), values)


def test_switches_turn_repairs_on_and_off_by_pattern() -> None:
    default = enabled_fixes()
    assert default == {fix.id for fix in load_fixes().values() if fix.default == "on"}
    assert enabled_fixes(off=["all"]) == frozenset()
    assert enabled_fixes(on=["names"], off=["all"]) == {"names"}
    assert enabled_fixes(on=["all"], off=["names"]) == frozenset(load_fixes()) - {"names"}
    assert enabled_fixes(off=["bias-*"]) == default - {"bias-scale", "bias-type", "bias-overflow"}
    with pytest.raises(UsageError, match=r"there is no fix 'nams'; did you mean 'names'\?"):
        enabled_fixes(on=["nams"])
    with pytest.raises(UsageError, match="fix 'names' is switched on and off at once"):
        enabled_fixes(on=["names"], off=["names"])


def test_the_reader_is_strict() -> None:
    row = 'format = 1\n[[fix]]\nid = "a"\ntitle = "t"\ndoes = "d"\nmeaning = "may change"\n'
    with pytest.raises(RuleError, match="on by default, but its repair may change results"):
        parse_fixes(f'{row}default = "on"\n', "x.toml")
    with pytest.raises(RuleError, match="unknown key 'defaul'; did you mean 'default'"):
        parse_fixes(f'{row}defaul = "on"\n', "x.toml")


def test_int4_weights_with_a_zero_point_stay_packed_and_exact_where_they_fit() -> None:
    graph = Graph()
    graph.activation("x", 0.05)
    weights = (np.arange(9) % 7 - 3).reshape(3, 1, 1, 3)
    graph.tensors["w"] = TensorSpec(
        name="w",
        type="int4",
        shape=weights.shape,
        quant=Quant(scale=(0.1,), zero_point=(2,)),
        data=weights.astype(np.int8),
    )
    product = float(np.float32(np.float32(0.05) * np.float32(0.1)))
    graph.constant("b", np.array([5, 6, 7]), "int32", product)
    graph.activation("y", 0.1)
    graph.add("CONV_2D", ["x", "w", "b"], ["y"], CONV)
    result = align(graph.bytes(["x"], ["y"]), PLAIN)
    assert result.report.remaining == ()
    model, tensor = named(result.data, "w")
    data = model.constant(0, tensor.index)
    assert (tensor.type, len(data)) == ("int4", 5)
    kept = int4_unpack(data)[:9].reshape(weights.shape)
    scales = np.asarray(tensor.quant.scale).reshape(-1, 1, 1, 1)
    assert tensor.quant.zero_point == (0, 0, 0)
    assert np.allclose(kept * scales, (weights - 2) * float(np.float32(0.1)), atol=1e-7)


def test_bias_and_weight_fixes_are_those_of_the_table() -> None:
    """BIAS_FIXES and WEIGHT_FIXES name exactly the fixes of fixes.toml that repair bias rules and
    weight rules.
    """
    for kind, group in (("bias", BIAS_FIXES), ("weight", WEIGHT_FIXES)):
        repairing = (fix for fix in load_fixes().values() if fix.repairs)
        rules = {fix.id: fix.repairs for fix in repairing if fix.repairs[0].startswith(f"{kind}/")}
        assert set(rules) == group
        assert all(rule.startswith(f"{kind}/") for each in rules.values() for rule in each)
