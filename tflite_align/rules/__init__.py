"""Rules as data: the strict readers of schema/operators.toml and schema/targets/*.toml."""

from .operators import load_operators, operators_schema, parse_operators
from .records import (
    BiasRule,
    CallRow,
    FixedRule,
    Flow,
    OperatorRow,
    PowerRule,
    Rule,
    SameRule,
    SlotPattern,
    WeightRule,
    WindowRule,
    ZeroPointRule,
)
from .support import WHOLE_MODEL, SupportRow
from .targets import (
    Level,
    Severity,
    Target,
    load_target,
    parse_target,
    target_names,
    targets_schema,
)

__all__ = [
    "WHOLE_MODEL",
    "BiasRule",
    "CallRow",
    "FixedRule",
    "Flow",
    "Level",
    "OperatorRow",
    "PowerRule",
    "Rule",
    "SameRule",
    "Severity",
    "SlotPattern",
    "SupportRow",
    "Target",
    "WeightRule",
    "WindowRule",
    "ZeroPointRule",
    "load_operators",
    "load_target",
    "operators_schema",
    "parse_operators",
    "parse_target",
    "target_names",
    "targets_schema",
]
