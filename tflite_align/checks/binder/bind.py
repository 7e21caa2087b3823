"""The binder: rules and a model -> constraints on slots, and the solver's data about each slot.

Input: a model, the operator rows, the targets. Output: a `Bound`. Constraints are not checked here.
An operator without a row gets no constraints and its slots are rigid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...format.model import Model
from ...rules.rows import OperatorRow, WindowRule, ZeroPointRule
from ...rules.targets import Target
from ..first_values import first_values
from ..kept_steps import few_steps
from ..no_data import faults_of_data
from ..output_ranges import empty_ranges
from ..overrides import Override, resolve
from ..parameters import wellformed
from ..scales import believed
from ..several_scales import several_scales
from ..shapes.stale import stale_shapes
from ..support.supported import supported
from .bound import CUT, Bound, Collector, Requantizing, Sound
from .boundaries import bind_boundaries, bind_variables
from .cache import Templates
from .placement import placed
from .user_constraints import impose

__all__ = ["bind"]

_NOTHING = Sound()


def bind(
    model: Model,
    rows: Mapping[str, OperatorRow],
    targets: Sequence[Target],
    *,
    free_io: bool = False,
    overrides: Sequence[Override] = (),
    templates: Templates | None = None,
    sound: Sound = _NOTHING,
) -> Bound:
    """Bind every row to every operator of every subgraph, and add the user's overrides.

    `free_io`: graph inputs and outputs may change their parameters. `templates`: cached bindings of
    the same rows and targets, from another state of the model; unchanged operators are not bound
    again. `sound`: operators and tensors that are known to have no findings; rules that concern
    only them are not bound. Raises UsageError for an override that is ambiguous in this model.
    """
    templates = templates or Templates(rows, targets)
    cache = templates.learnt
    collector = Collector(model, targets, graded=cache.graded)
    templates.bind(collector, sound)
    if not cache.cuts:
        cache.cuts.update(_cuts(rows, targets))
    bind_variables(collector, rows)
    bind_boundaries(collector, rows, free_io=free_io)
    unreadable = wellformed(model, collector.requirements, sound)
    unreadable += [*empty_ranges(collector), *few_steps(collector, sound)]
    unreadable += [*first_values(collector, rows), *several_scales(collector)]
    unreadable += faults_of_data(collector)
    collector.constraints = [*believed(collector, unreadable), *unreadable]
    collector.constraints += stale_shapes(model, collector.requirements, sound.earlier)
    collector.constraints = placed(model, collector.constraints, targets)
    collector.constraints += supported(model, targets, sound, cache.limits)
    resolved = resolve(model, overrides)
    held_by = impose(collector, resolved)
    return Bound(
        model=model,
        constraints=tuple(collector.constraints),
        rigid=frozenset(collector.rigid),
        flows=tuple(collector.flows),
        ranges=collector.ranges,
        families=collector.families,
        cuts=cache.cuts,
        variables=tuple(collector.variables),
        silent=frozenset(collector.silent),
        kept=resolved.kept,
        policies=resolved.policies,
        held_by=held_by,
        idle=resolved.idle,
        resized=any(target.resizes for target in targets),
    )


def _cuts(rows: Mapping[str, OperatorRow], targets: Sequence[Target]) -> dict[str, Requantizing]:
    """By tensor type, within which a QUANTIZE can requantize on every target: the limits of that
    QUANTIZE. `rows`: rules by operator name.
    """
    row = rows.get(CUT)
    selected = [
        (rule, type_name)
        for rule in (row.rules if row is not None else ())
        for type_name in rule.types
        if any(target.requires(rule, type_name) for target in targets)
    ]
    zero = {type_name for rule, type_name in selected if isinstance(rule, ZeroPointRule)}
    ratios = {
        type_name: rule.high / rule.multiplier
        for rule, type_name in selected
        if isinstance(rule, WindowRule)
    }
    able = [
        {source for source, results in target.quantize.items() if source in results}
        for target in targets
    ]
    types = set.intersection(*able) if able else set()
    return {
        name: Requantizing(zero=name in zero, ratio=ratios.get(name, math.inf))
        for name in sorted(types)
    }
