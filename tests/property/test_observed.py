"""Ranges observed on calibration data: parameters become finer, and no observed value is clipped."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.random_models import models
from tflite_align.checks.binder.bind import bind
from tflite_align.checks.binder.bound import Bound
from tflite_align.checks.checker import check_bound
from tflite_align.format.model import Slot, TensorId
from tflite_align.format.reader import read
from tflite_align.numerics import Range, covers, intersect, label_range
from tflite_align.rules.fixes import enabled_fixes
from tflite_align.rules.operator_rows import load_operators
from tflite_align.rules.targets import load_target
from tflite_align.solver.problem_records import SolverOptions
from tflite_align.solver.ranges import Values, value_flow
from tflite_align.solver.solve import solve

SLOW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def bound_of(data: bytes) -> Bound:
    return bind(read(data), load_operators(), [load_target("tflite")])


def drawn_ranges(data: st.DataObject, values: Values) -> dict[TensorId, Range]:
    """For random tensors, random parts of their declared ranges; 0 need not be inside."""
    found = {}
    for key, label in values.labels.items():
        if data.draw(st.booleans()):
            held = label_range(label, "int8")
            edges = st.floats(held.low, held.high)
            found[key] = Range(*sorted((data.draw(edges), data.draw(edges))))
    return found


@SLOW
@given(models(), st.data())
def test_no_observed_value_is_clipped(model: bytes, data: st.DataObject) -> None:
    bound = bound_of(model)
    plain = value_flow(bound)
    observed = drawn_ranges(data, plain)
    broken = [finding.slot for finding in check_bound(bound) if finding.fix in enabled_fixes()]
    solution = solve(bound, broken, SolverOptions(observed=observed))
    assert solution.conflicts == ()
    for slot, seen in solution.seen.items():
        key = slot.tensor_id(bound.model)
        if key not in observed or key not in solution.source or writer(plain, key) in bound.ranges:
            continue
        written = solution.source[key]
        through = intersect(label_range(written, "int8"), label_range(seen, "int8"))
        # Rounding alone changes a value by half a step.
        slack = 0.5 * max(written.scale, seen.scale) * (1 + 1e-5)
        needed, held = plain.need(slot, key), observed[key]
        if max(needed.low, held.low) <= min(needed.high, held.high):
            assert covers(through, intersect(needed, held), slack=slack)


def writer(values: Values, key: TensorId) -> Slot | None:
    return values.wiring[key[0]].producer.get(key[1])


@SLOW
@given(models(), st.data())
def test_observed_ranges_only_narrow_the_arriving_values(model: bytes, data: st.DataObject) -> None:
    """Observed ranges narrow `arrive` only. What readers can tell apart, the declared noise and
    clamps stay the same.
    """
    bound = bound_of(model)
    plain = value_flow(bound)
    observed = drawn_ranges(data, plain)
    seen = value_flow(bound, observed)
    for key, arrived in seen.arrive.items():
        assert covers(plain.arrive[key], arrived)
        assert arrived == plain.arrive[key] or key in observed
        first, second = plain.arrive[key], observed.get(key, arrived)
        if max(first.low, second.low) <= min(first.high, second.high):
            # Ends within a millionth of a step are equal.
            assert covers(arrived, intersect(first, second), slack=1e-6 * plain.labels[key].scale)
    assert (seen.tell, seen.slot_tell, seen.noise) == (plain.tell, plain.slot_tell, plain.noise)
    assert (seen.reach, seen.clamps) == (plain.reach, plain.clamps)
