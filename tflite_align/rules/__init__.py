"""Rules as data: the strict readers of schema/operators.toml, fixes.toml and targets/*.toml."""

from .fixes import Fix, enabled_fixes, fix_of, fixes_off, fixes_schema, load_fixes, parse_fixes
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
from .support import WHOLE_MODEL, SupportRow, tell_limits
from .targets import (
    Level,
    Severity,
    Target,
    load_target,
    parse_target,
    target_names,
    targets_schema,
)
from .versions import VersionRow, load_versions, parse_versions, versions_schema

__all__ = [
    "WHOLE_MODEL",
    "BiasRule",
    "CallRow",
    "Fix",
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
    "VersionRow",
    "WeightRule",
    "WindowRule",
    "ZeroPointRule",
    "enabled_fixes",
    "fix_of",
    "fixes_off",
    "fixes_schema",
    "load_fixes",
    "load_operators",
    "load_target",
    "load_versions",
    "operators_schema",
    "parse_fixes",
    "parse_operators",
    "parse_target",
    "parse_versions",
    "target_names",
    "targets_schema",
    "tell_limits",
    "versions_schema",
]
