"""The configuration: `tflite-align.toml`, or `[tool.tflite-align]` of a pyproject.toml.

In: a file's text. Out: a `Config`. The reader and the JSON Schema for editors are made from one
table of fields, so that they accept the same documents.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, ClassVar, Literal

from ..checks.overrides import ADDRESS, Override
from ..errors import RuleError, UsageError
from ..format.type_groups import BORDER_TYPES
from ..record import Record, field, replace
from ..rules import fields as f
from ..rules.families import FAMILY_POLICIES, OPERATOR_POLICIES
from ..rules.targets import Severity, target_names
from ..verify.board import ACCELERATORS
from .config_names import TABLE, misnamed_table, perhaps_ours, speaks_of_us

__all__ = ["SETTING_NAMES", "Config", "config_schema", "parse_config"]

_PATHS = ("baseline", "calibration", "report", "vela-config")
_VELAS_OWN = "Arm/"  # where Vela's own configurations are


class Config(Record, frozen=True, kw_only=True):
    """`settings`: values of command-line options by name, only those that the file gives.
    `severity`: rule-id patterns -> severity; later ones win.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    severity: Mapping[str, Severity] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()

    def placed(self, folder: str) -> Config:
        """The configuration with its paths relative to `folder`, that of its file ("" for the
        current one).
        """

        def path(value: Any) -> Any:
            """A path, or each of a tuple, relative to the folder; `-` unchanged."""
            if isinstance(value, tuple):
                return tuple(map(path, value))
            return value if value == "-" else os.path.join(folder, value)  # noqa: PTH118 - text

        paths = {key: path(self.settings[key]) for key in _PATHS if key in self.settings}
        return replace(self, settings={**self.settings, **paths})


# --- the fields ---------------------------------------------------------------------------------


def _key(kind: Any, text: str) -> Any:
    """A field's type with its description in the schema. `kind`: the type; `text`: the description."""
    return Annotated[kind, f.about(text)]


def _choice(*words: str) -> Any:
    """The field type of a string that must be one of the given words."""
    # Editors show them in the order of the command line; msgspec sorts them.
    return Annotated[Literal[words], f.about(schema={f.IN_ORDER: list(words)})]


class _Anchor(metaclass=f.Reading):
    """The field type `true` or a pattern of tensor names."""

    form = Any
    schema: ClassVar[Any] = {"anyOf": [{"const": True}, {"type": "string", "minLength": 1}]}

    @staticmethod
    def read(value: Any) -> bool | str:
        """The value if it is true or a pattern; ValueError otherwise."""
        if value is True or (isinstance(value, str) and value):
            return value
        raise ValueError(f"expected true or a pattern of tensor names, found {value!r}")


class _Seconds(metaclass=f.Reading):
    """The field type of a time in seconds, above 0."""

    form = float
    called = "a number above 0"
    schema: ClassVar[Any] = {"type": "number", "exclusiveMinimum": 0}

    @staticmethod
    def read(value: float) -> float:
        """The value if it is a number above 0; ValueError otherwise."""
        if not 0 < value < math.inf:
            raise ValueError(f"expected a number above 0, found {value!r}")
        return value


# As written for editors in other languages: without names of groups, and not before a last newline.
_ADDRESS = "^(?:" + re.sub(r"\?P<\w+>", "", ADDRESS.pattern) + r")$(?!\n)"


_OVERRIDE: Mapping[str, Any] = {
    "tensor": _key(f.Word, "A pattern of tensor names."),
    "operator": _key(f.Word, "A pattern of operator names, such as CONV_2D."),
    "slot": _key(
        Annotated[f.Word, f.about(schema={"pattern": _ADDRESS})],
        "An address as reports print it: subgraph[0]/operator[12] CONCATENATION/inputs[1].",
    ),
    "keep": _key(f.Yes, "The tensors keep their scale and zero point."),
    "anchor": _key(
        _Anchor,
        "true: the operands tied to this tensor get its parameters; a pattern: they get those of the tensor with that name.",
    ),
    "cut": _key(f.No, "false: no QUANTIZE is inserted here."),
    "policy": _key(
        _choice(*OPERATOR_POLICIES),
        "The alignment policy of these operators, in place of that of their family.",
    ),
    "rule": _key(f.Word, "A pattern of rule ids that `severity` applies to."),
    "severity": _key(Severity, "The severity of violated rules here."),
}
_OverrideTable = f.table_of("_OverrideTable", _OVERRIDE)
# The requirements of `Override`, as a schema.
_OVERRIDE_SCHEMA = {
    "allOf": [
        {"anyOf": [{"required": [key]} for key in ("tensor", "operator", "slot")]},
        {"anyOf": [{"required": [key]} for key in ("keep", "anchor", "cut", "policy", "severity")]},
    ],
    "dependencies": {"rule": ["severity"]},
}


def _override(values: Mapping[str, Any], index: int, where: str) -> Override:
    """One `[[override]]` table. `index`: its position; `where`: the file, for messages."""
    try:
        return Override(**values, origin=f"override {index + 1}")
    except UsageError as error:
        raise RuleError(f"{where}override[{index}]: {error}") from None


_TYPE = _choice(*BORDER_TYPES)


def _families() -> Mapping[str, Any]:
    """The configuration keys for policies: one field for each operator family."""
    return {
        family: _key(
            _choice(*policies), f"Whose parameters tied operands of the {family} family get."
        )
        for family, policies in FAMILY_POLICIES.items()
    }


def _board() -> Mapping[str, Any]:
    """The configuration keys for Vela's board."""
    return {
        "accelerator-config": _key(
            _choice(*ACCELERATORS), "The Ethos-U variant that Vela compiles for."
        ),
        "vela-config": _key(
            f.Word, "Vela's configuration file, relative to this file's folder, or Arm/vela.ini."
        ),
        "system-config": _key(f.Word, "A section [System_Config.NAME] of vela-config."),
        "memory-mode": _key(f.Word, "A section [Memory_Mode.NAME] of vela-config."),
    }


def _settings() -> Mapping[str, Any]:
    """The fields of options, by their names on the command line."""
    return {
        "target": _key(
            f.list_of(_choice(*target_names()), least=1),
            "Runtimes and compilers whose rules must hold, all of them together.",
        ),
        "select": _key(f.Words, "The only rules to check: ids, families (`same`) or patterns."),
        "ignore": _key(f.Words, "Rules not to check: ids, families or patterns."),
        **_families(),
        "overlap": _key(
            _choice("forbid", "force", "auto"),
            "Whether the parameters of a tensor shared by several groups may change.",
        ),
        "prefer": _key(
            _choice("precision", "balanced", "speed"),
            "How many inserted QUANTIZE one bit of precision is worth: 16, 4 or 1.",
        ),
        "io": _key(
            _choice("keep", "free"),
            "Whether the parameters of graph inputs and outputs may change.",
        ),
        "only": _key(_choice("all", "errors"), "Which findings to repair."),
        "optimize": _key(
            bool, "Also remove needless QUANTIZE operators in parts without findings."
        ),
        "fix": _key(f.Words, "Repairs to switch on: ids, patterns or `all`."),
        "no-fix": _key(f.Words, "Repairs to switch off: ids, patterns or `all`."),
        "allow-metadata": _key(f.Words, "Metadata without counts of tensors or operators."),
        "allow-refused": _key(f.Words, "Judges whose refusal is no failure."),
        "bias": _key(
            _choice("declared", "as-run"), "Which scale of a bias counts: its own, or the kernels'."
        ),
        "to": _key(_choice("int8"), "The type to convert a uint8 model to."),
        "input-type": _key(_TYPE, "The type of the real-valued graph inputs."),
        "output-type": _key(_TYPE, "The type of the real-valued graph outputs."),
        "fail-on": _key(
            _choice("error", "warning"), "The least severity that makes the exit status 1."
        ),
        "require": _key(f.Words, "Judges, `numbers`, `certified`: skipped is a failure."),
        "judge": _key(f.Words, "Judges that `check` runs on the file."),
        "judge-seconds": _key(_Seconds, "Seconds after which a judge's process is ended."),
        "memory": _key(
            f.AtLeastOne,
            "Memory in MiB for the inputs, for running the model and for explaining it.",
        ),
        **_board(),
        "samples": _key(f.AtLeastOne, "The number of inputs to verify with."),
        "seed": _key(f.Natural, "The seed of the random inputs."),
        "calibration": _key(f.Word, "Real inputs, relative to this file's folder."),
        "baseline": _key(f.Word, "Accepted findings, relative to this file's folder."),
        "report": _key(f.Words, "Reports to write, relative to this file's folder; - is stdout."),
        "jobs": _key(f.Natural, "The number of processes; 0: one per processor."),
    }


SETTING_NAMES = tuple(_settings())


@cache
def _table() -> type[f.TomlTable]:
    """The record type of the whole configuration."""
    keys = {
        **_settings(),
        "severity": _key(
            dict[str, Severity],
            "Patterns of rule ids, each with the severity of these rules; the last matching pattern counts.",
        ),
        "override": _key(
            f.list_of(_OverrideTable),
            "Settings for single tensors, operators and operands.",
        ),
    }
    return f.table_of("ConfigTable", keys)


# --- the door -----------------------------------------------------------------------------------


def parse_config(document: str, name: str) -> Config | None:
    """The configuration in the text of a file called `name`; None for a pyproject.toml without one.

    Raises UsageError with the file's name and the key for anything unexpected. `document`: the
    text.
    """
    shared = PurePath(name).name == "pyproject.toml"
    if shared and not perhaps_ours(document):
        return None
    try:
        raw = tomllib.loads(document)
    except (ValueError, RecursionError) as error:
        if shared and not speaks_of_us(document):
            return None
        raise UsageError(f"{name}: {error}") from None
    where = ""
    if shared:
        misnamed_table(raw, name)
        tool = raw.get("tool", {})
        if not isinstance(tool, dict) or TABLE not in tool:
            return None
        raw, where = tool[TABLE], f"tool.{TABLE}"
    elif "tool" in raw:
        raise UsageError(
            f"{name}: [tool.{TABLE}] is for pyproject.toml; write its keys without the table here"
        )
    try:
        values = f.parse_table(raw, _table(), where)
        place = f"{where}." if where else ""
        overrides = [
            _override(keys, index, place) for index, keys in enumerate(values.pop("override", ()))
        ]
    except RuleError as error:
        raise UsageError(f"{name}: {error}") from None
    severity = values.pop("severity", {})
    return Config(settings=values, severity=severity, overrides=tuple(overrides))


def config_schema() -> dict[str, Any]:
    """The JSON Schema of tflite-align.toml and of the table in a pyproject.toml, in draft 7: the
    newest that both editors and validate-pyproject read.
    """
    schema = f.schema_of(_table())
    schema["properties"]["override"]["items"].update(_OVERRIDE_SCHEMA)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:tflite-align:config",  # required by validate-pyproject
        "title": "tflite_align configuration",
        **schema,
    }
