"""A session: the targets, rules and repairs that the options name, loaded once; it reads, binds and
checks models.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..checks.binder.bind import bind
from ..checks.binder.bound import Bound, Sound
from ..checks.binder.cache import BindingCache, Templates
from ..checks.checker import Finding, check_bound
from ..checks.shapes.inference import EarlierState
from ..checks.unchanged import unchanged
from ..errors import UsageError
from ..format.flatbuffer import Bytes, Image
from ..format.model import Model
from ..format.reader import read
from ..record import Record, replace
from ..report.report import Size
from ..rules.fixes import enabled_fixes, unheard_rules
from ..rules.operator_rows import load_operators
from ..rules.rows import OperatorRow
from ..rules.rule_text import family_pattern, nearest_rule
from ..rules.targets import Target, load_target
from ..settings.lock import lock_findings
from ..settings.options import AlignOptions
from ..solver.policies import idle_policies

__all__ = ["Inspected", "Progress", "Session", "uncollected"]

_NOTHING = Sound()

Progress = Callable[[str, float], None]


class Inspected(Record, frozen=True):
    """A model with its constraints and findings."""

    model: Model
    bound: Bound
    findings: tuple[Finding, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that apply to this model, sorted."""
        return tuple(
            sorted(
                {
                    constraint.rule
                    for constraint in self.bound.constraints
                    if constraint.requirements
                }
            )
        )

    @property
    def size(self) -> Size:
        """The size of the file in bytes, and its counts."""
        graphs = self.model.subgraphs
        return Size(
            bytes=self.model.size,
            subgraphs=len(graphs),
            operators=sum(len(graph.operators) for graph in graphs),
            tensors=sum(len(graph.tensors) for graph in graphs),
        )


class Session(Record, frozen=True, kw_only=True):
    """The options of one job with the targets, operator rows and ids of enabled repairs that they
    name.

    `templates` caches how operators were bound, for the next state of the same model.
    """

    options: AlignOptions
    targets: Sequence[Target]
    rows: Mapping[str, OperatorRow]
    fixes: frozenset[str]
    templates: Templates

    @classmethod
    def of(cls, options: AlignOptions) -> Session:
        """Load what the options name. Raises UsageError for an unknown target, rule or fix."""
        fixes = enabled_fixes(options.fix, options.no_fix)
        targets = _load_targets(options, unheard_rules(fixes))
        rows = load_operators()
        # Cached across sessions: later models with the same targets and severities reuse the
        # templates.
        graded = (tuple(options.severity.items()), options.select, options.ignore, fixes)
        cache = _binding_cache(options.targets, graded)
        return cls(
            options=options,
            targets=targets,
            rows=rows,
            fixes=fixes,
            templates=Templates(rows, targets, cache),
        )

    def read(self, data: Bytes | Image) -> Model:
        """Read a model. Raises FormatError for bytes that are no readable model."""
        model = read(data)
        if not self.options.allow_metadata:
            return model
        return replace(model, allowed_metadata=frozenset(self.options.allow_metadata))

    def inspect(self, model: Model) -> Inspected:
        """Bind and check a state of a model."""
        bound = self.bind(model)
        border = lock_findings(bound.model, self.options.lock)
        return Inspected(bound.model, bound, (*check_bound(bound), *border))

    def recheck(self, model: Model, earlier: Inspected) -> tuple[Finding, ...]:
        """The findings of a model derived from an `earlier` one; operators correspond by their
        origins.

        Operators that had no finding and are unchanged bit for bit are not checked again.
        """
        if self.options.overrides:
            return self.inspect(model).findings  # the edit affects other operators too
        bound = self.bind(model, _sound(model, earlier))
        return (*check_bound(bound), *lock_findings(model, self.options.lock))

    def bind(self, model: Model, sound: Sound = _NOTHING) -> Bound:
        """Bind the model. `sound`: what is known to have no findings and is skipped."""
        bound = bind(
            model,
            self.rows,
            self.targets,
            free_io=self.options.io == "free",
            overrides=self.options.overrides,
            templates=self.templates,
            sound=sound,
        )
        idle_overrides = idle_policies(bound, self.options.policies)
        return replace(bound, idle=(*bound.idle, *idle_overrides)) if idle_overrides else bound


def _sound(model: Model, earlier: Inspected) -> Sound:
    """What has to be checked of a model derived from an `earlier` one: all but the operators that
    are unchanged and had no finding there, and the tensors of such operators.

    Other tensors may have been unused earlier, and therefore unchecked.
    """
    broken = {finding.slot.operator_id for finding in earlier.findings}
    faulty = {finding.tensor_id for finding in earlier.findings}
    places = unchanged(model, earlier.model)
    operators, tensors = [], []
    for graph, same in zip(model.subgraphs, places, strict=True):
        known: set[int] = set()
        left = []
        for operator in graph.operators:
            was = same.get(operator.index)
            if was is None or (graph.index, was) in broken:
                left.append(operator)
            else:
                known.update(operator.named)
        known -= {tensor for subgraph, tensor in faulty if subgraph == graph.index}
        operators.append(left)
        tensors.append([tensor for tensor in graph.tensors if tensor.index not in known])
    return Sound(operators, tensors, EarlierState(earlier.model, places))


def _load_targets(options: AlignOptions, unheard: tuple[str, ...]) -> list[Target]:
    """The options' targets, with the severities that the options set, and without the rules that
    are not reported (patterns in `unheard`).
    """
    overrides = [override.rule for override in options.overrides if override.rule]
    _known_rules("severity", [*options.severity, *overrides])
    select = _known_rules("select", map(family_pattern, options.select))
    ignore = (*_known_rules("ignore", map(family_pattern, options.ignore)), *unheard)
    grades = tuple(options.severity.items())
    return [
        replace(load_target(name), grades=grades, selected=select, ignored=ignore)
        for name in options.targets
    ]


def _known_rules(option: str, patterns: Iterable[str]) -> tuple[str, ...]:
    """The rule patterns as a tuple. Raises UsageError, which names the option, for one that matches
    no rule.
    """
    rule_patterns = tuple(patterns)
    for pattern in rule_patterns:
        if (hint := nearest_rule(pattern)) is not None:
            raise UsageError(f"{option}: no rule is called {pattern!r}{hint}")
    return rule_patterns


@functools.lru_cache(maxsize=16)
def _binding_cache(_targets: tuple[str, ...], _graded: tuple[Any, ...]) -> BindingCache:
    """The binding cache for these targets and severities, shared by all sessions that use them."""
    return BindingCache()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Disable the garbage collector in the block.

    A model's many records have no reference cycles; scanning them repeatedly costs more than linear
    time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
