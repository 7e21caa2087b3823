"""Overrides on random graphs: kept parameters are unchanged, no QUANTIZE is inserted at forbidden
places.
"""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.random_models import PLAIN, models
from tflite_align import AlignOptions, Override, align
from tflite_align.format.model import Model
from tflite_align.format.reader import read
from tflite_align.record import replace

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OPTIONS = st.builds(
    AlignOptions,
    verify=st.just(False),
    optimize=st.booleans(),
    overlap=st.sampled_from(["auto", "forbid", "force"]),
    io=st.sampled_from(["keep", "free"]),
    prefer=st.sampled_from(["precision", "speed"]),
)


def quants(model: Model) -> dict[str, object]:
    return {t.name: (t.quant.label if t.quant else None) for t in model.subgraphs[0].tensors}


@SLOW
@given(models(), OPTIONS, st.data())
def test_a_kept_tensor_has_the_parameters_it_had(
    data: bytes, options: AlignOptions, draw: st.DataObject
) -> None:
    before = quants(read(data))
    names = sorted(name for name in before if name.startswith("t"))
    kept = draw.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    asked = replace(options, overrides=tuple(Override(tensor=n, keep=True) for n in kept))
    result = align(data, asked)
    after = quants(read(result.data))
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    # Findings that therefore remain are explained by a conflict.
    assert not result.report.remaining or result.report.conflicts


@SLOW
@given(models(), OPTIONS, st.data())
def test_no_quantize_is_inserted_with_no_cut(
    data: bytes, options: AlignOptions, draw: st.DataObject
) -> None:
    names = sorted(name for name in quants(read(data)) if name.startswith("t"))
    whole = draw.draw(st.sampled_from(names))
    asked = replace(options, overrides=(Override(tensor=whole, cut=False),))
    report = align(data, asked).report
    assert [c for c in report.changes if c.kind == "cut" and c.name == whole] == []
    assert not report.remaining or report.conflicts


@SLOW
@given(models())
def test_an_override_without_a_match_changes_nothing(data: bytes) -> None:
    idle = replace(PLAIN, overrides=(Override(tensor="nobody", keep=True, cut=False),))
    result = align(data, idle)
    assert result.data == align(data, PLAIN).data
    assert result.report.warnings == ('override (tensor "nobody") matches nothing',)
