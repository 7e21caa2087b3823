"""A file read, bound to its targets' rules and checked: what both jobs begin with."""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from ..checks.binder.bind import bind
from ..checks.binder.bound import Bound
from ..checks.binder.cache import BindingCache, Templates
from ..checks.checker import Finding, check_bound
from ..errors import UsageError
from ..format.flatbuffer import Bytes as Data
from ..format.flatbuffer import Image
from ..format.model import Model
from ..format.reader import read
from ..record import Record, replace
from ..report.report import Size
from ..rules.fixes import enabled_fixes, unheard_rules
from ..rules.operator_rows import load_operators
from ..rules.rule_text import nearest_rule
from ..rules.targets import Severity, Target, load_target
from ..settings.lock import Lock, lock_findings, lock_of
from ..settings.options import AlignOptions
from ..solver.policies import idle_policies

__all__ = [
    "Inspected",
    "bind_model",
    "inspect_model",
    "lock",
    "requested",
    "size",
    "templates",
    "uncollected",
]


class Inspected(Record, frozen=True):
    """A model with its constraints and what is broken."""

    model: Model
    bound: Bound
    findings: tuple[Finding, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """Ids of the rules that say something of this model, sorted."""
        return tuple(sorted({entry.rule for entry in self.bound.constraints if entry.requirements}))


def requested(options: AlignOptions) -> list[Target]:
    """The options' targets, graded as the options say; UsageError for what does not exist."""
    patterns = [*options.severity, *(one.rule for one in options.overrides if one.rule)]
    for pattern in patterns:
        if (hint := nearest_rule(pattern)) is not None:
            raise UsageError(f"severity: no rule is called {pattern!r}{hint}")
    grades = tuple(options.severity.items())
    return [replace(load_target(name), grades=grades) for name in options.targets]


def templates(options: AlignOptions, targets: Sequence[Target]) -> Templates:
    """For the options' targets as `requested` gives them; what was learnt of earlier models of
    the same targets is not learnt again.
    """
    return Templates(
        load_operators(), targets, _learnt(options.targets, tuple(options.severity.items()))
    )


@functools.lru_cache(maxsize=16)
def _learnt(_names: tuple[str, ...], _grades: tuple[tuple[str, Severity], ...]) -> BindingCache:
    return BindingCache()


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles meanwhile: the records of a model are many and hold none, and looking
    through all of them again and again makes large models slower than linear.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def inspect_model(
    data: Data | Image,
    options: AlignOptions,
    targets: Sequence[Target],
    templates: Templates | None = None,
) -> Inspected:
    bound = bind_model(read(data), options, targets, templates)
    locked = lock_findings(bound.model, options.lock)
    return Inspected(bound.model, bound, (*check_bound(bound), *locked))


def lock(data: Data) -> Lock:
    """The border that firmware compiles in; raises FormatError for what is no readable model."""
    return lock_of(read(data))


def bind_model(
    model: Model,
    options: AlignOptions,
    targets: Sequence[Target],
    templates: Templates | None = None,
) -> Bound:
    """The model bound, without the rules that nobody is to be told of."""
    bound = bind(
        model,
        load_operators(),
        targets,
        free_io=options.io == "free",
        overrides=options.overrides,
        templates=templates,
    )
    unheard = unheard_rules(enabled_fixes(options.fix, options.no_fix))
    told = {c.rule for c in bound.constraints}
    silent = {rule for rule in told if any(fnmatchcase(rule, glob) for glob in unheard)}
    kept = tuple(c for c in bound.constraints if c.rule not in silent)
    idle = idle_policies(bound, options.policies)
    if not idle and len(kept) == len(bound.constraints):
        return bound
    return replace(bound, constraints=kept, idle=(*bound.idle, *idle))


def size(model: Model) -> Size:
    return Size(
        bytes=model.size,
        subgraphs=len(model.subgraphs),
        operators=sum(len(graph.operators) for graph in model.subgraphs),
        tensors=sum(len(graph.tensors) for graph in model.subgraphs),
    )
