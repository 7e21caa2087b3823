"""The configuration: `tflite-align.toml`, or `[tool.tflite-align]` of a pyproject.toml.

In: a file's text. Out: a `Config`. The reader and the JSON Schema that editors complete by are
made from one table of fields, so that they accept the same documents.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

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
_VELAS_OWN = "Arm/"  # where the configurations lie that come with Vela


class Config(Record, frozen=True, kw_only=True):
    """`settings`: values of command-line options by their names, those that were given alone.
    `severity`: patterns of rule ids -> how grave, later ones win.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    severity: Mapping[str, Severity] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()

    def placed(self, folder: str) -> Config:
        """With its paths taken from the folder of its file ("" for the current one)."""

        def path(value: Any) -> Any:
            if isinstance(value, tuple):
                return tuple(map(path, value))
            return value if value == "-" else os.path.join(folder, value)  # noqa: PTH118 - text

        paths = {key: path(self.settings[key]) for key in _PATHS if key in self.settings}
        return replace(self, settings={**self.settings, **paths})


# --- the fields ---------------------------------------------------------------------------------


def _exactly(*, expected: bool) -> f.Parser:
    def parse(value: Any, where: str) -> bool:
        if value is not expected:
            raise RuleError(f"{where}: expected {str(expected).lower()}, found {value!r}")
        return value is True

    return f.Parser(parse, {"const": expected})


def _anchor(value: Any, where: str) -> bool | str:
    if value is True:
        return True
    if isinstance(value, str) and value:
        return value
    raise RuleError(f"{where}: expected true or a pattern of tensor names, found {value!r}")


def _some(item: f.Parser) -> f.Parser:
    """A list of at least one."""
    several = f.list_of(item)

    def parse(value: Any, where: str) -> tuple[Any, ...]:
        words: tuple[Any, ...] = several.parse(value, where)
        if not words:
            raise RuleError(f"{where}: expected at least one entry")
        return words

    return f.Parser(parse, {**several.schema, "minItems": 1})


# As written for editors in other languages: without names of groups, and not before a last newline.
_ADDRESS = "^(?:" + re.sub(r"\?P<\w+>", "", ADDRESS.pattern) + r")$(?!\n)"


def _address(value: Any, where: str) -> str:
    return str(f.word.parse(value, where))


_SEVERITY = f.choice("error", "warning", "off")
_OVERRIDE: f.Table = {
    "tensor": f.TomlField(f.word, about="Pattern of tensor names."),
    "operator": f.TomlField(f.word, about="Pattern of operator names, as CONV_2D."),
    "slot": f.TomlField(
        f.Parser(_address, {"type": "string", "pattern": _ADDRESS}),
        about="An address as reports print it: subgraph[0]/operator[12] CONCATENATION/inputs[1].",
    ),
    "keep": f.TomlField(_exactly(expected=True), about="The tensors' parameters do not change."),
    "anchor": f.TomlField(
        f.Parser(_anchor, {"anyOf": [{"const": True}, {"type": "string", "minLength": 1}]}),
        about="The groups take this tensor's parameters, or those of the tensor that is named.",
    ),
    "cut": f.TomlField(_exactly(expected=False), about="No QUANTIZE is inserted here."),
    "policy": f.TomlField(
        f.choice(*OPERATOR_POLICIES),
        about="Whose parameters these operators' groups take, whatever their family's policy is.",
    ),
    "rule": f.TomlField(f.word, about="Pattern of rule ids whose severity is meant."),
    "severity": f.TomlField(_SEVERITY, about="How grave a broken rule is here."),
}


def _override(value: Any, where: str) -> Override:
    values = f.parse_table(value, _OVERRIDE, where)
    try:
        return Override(**values)
    except UsageError as error:
        raise RuleError(f"{where}: {error}") from None


# What `Override` asks of itself, as a schema says it.
_OVERRIDE_SCHEMA = {
    **f.schema_of(_OVERRIDE),
    "allOf": [
        {"anyOf": [{"required": [key]} for key in ("tensor", "operator", "slot")]},
        {"anyOf": [{"required": [key]} for key in ("keep", "anchor", "cut", "policy", "severity")]},
    ],
    "dependencies": {"rule": ["severity"]},
}


def _duration(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise RuleError(f"{where}: expected a number above 0, found {value!r}")
    return float(value)


_DURATION = f.Parser(_duration, {"type": "number", "exclusiveMinimum": 0})
_TYPE = f.choice(*BORDER_TYPES)


def _families() -> f.Table:
    return {
        family: f.TomlField(
            f.choice(*policies), about=f"Whose parameters a group of the {family} family takes."
        )
        for family, policies in FAMILY_POLICIES.items()
    }


def _board() -> f.Table:
    return {
        "accelerator-config": f.TomlField(
            f.choice(*ACCELERATORS), about="The Ethos-U that Vela compiles for."
        ),
        "vela-config": f.TomlField(
            f.word, about="Vela's configuration, from this file's folder, or Arm/vela.ini."
        ),
        "system-config": f.TomlField(f.word, about="The [System_Config.NAME] of that file."),
        "memory-mode": f.TomlField(f.word, about="The [Memory_Mode.NAME] of that file."),
    }


def _settings() -> f.Table:
    """The options that a file can give, by their names on the command line."""
    return {
        "target": f.TomlField(
            _some(f.choice(*target_names())), about="Whose rules must hold; all of them at once."
        ),
        "select": f.TomlField(
            f.list_of(f.word), about="The only rules that are looked at: ids, families, patterns."
        ),
        "ignore": f.TomlField(f.list_of(f.word), about="Rules that are not looked at."),
        **_families(),
        "overlap": f.TomlField(
            f.choice("forbid", "force", "auto"), about="May a tensor that others share move?"
        ),
        "prefer": f.TomlField(
            f.choice("precision", "balanced", "speed"),
            about="How many QUANTIZE a bit of precision is worth.",
        ),
        "io": f.TomlField(f.choice("keep", "free"), about="May graph inputs and outputs move?"),
        "only": f.TomlField(f.choice("all", "errors"), about="Which findings to repair."),
        "optimize": f.TomlField(f.truth, about="Fold QUANTIZE where nothing needs repair, too."),
        "fix": f.TomlField(f.list_of(f.word), about="Repairs to switch on: ids, globs or `all`."),
        "no-fix": f.TomlField(f.list_of(f.word), about="Repairs to switch off."),
        "allow-metadata": f.TomlField(
            f.list_of(f.word), about="Metadata that counts neither tensors nor operators."
        ),
        "allow-refused": f.TomlField(
            f.list_of(f.word), about="Judges whose refusal of the file does not fail the run."
        ),
        "bias": f.TomlField(
            f.choice("declared", "as-run"), about="Which scale of a bias counts: its own or not."
        ),
        "to": f.TomlField(f.choice("int8"), about="What a uint8 model is to become."),
        "input-type": f.TomlField(_TYPE, about="Type the real-valued graph inputs are to have."),
        "output-type": f.TomlField(_TYPE, about="Type the real-valued graph outputs are to have."),
        "fail-on": f.TomlField(f.choice("error", "warning"), about="What makes the exit status 1."),
        "require": f.TomlField(
            f.list_of(f.word), about="Judges, or `numbers`, whose silence is a failure."
        ),
        "judge": f.TomlField(f.list_of(f.word), about="Judges that check asks."),
        "judge-seconds": f.TomlField(_DURATION, about="After which a judge's process is ended."),
        "memory": f.TomlField(
            f.at_least(1), about="MiB that inputs and running the model may take."
        ),
        **_board(),
        "samples": f.TomlField(f.at_least(1), about="Inputs to judge the numbers with."),
        "seed": f.TomlField(f.at_least(0), about="Of the random inputs."),
        "calibration": f.TomlField(f.word, about="Real inputs, from this file's folder."),
        "baseline": f.TomlField(
            f.word, about="Findings that are let pass, from this file's folder."
        ),
        "report": f.TomlField(
            f.list_of(f.word), about="Reports to write, from this file's folder; - is stdout."
        ),
        "jobs": f.TomlField(f.at_least(0), about="Processes that check files; 0: one a processor."),
    }


SETTING_NAMES = tuple(_settings())


def _table() -> f.Table:
    return {
        **_settings(),
        "severity": f.TomlField(
            f.map_of(_SEVERITY, keys_are_types=False),
            about="Patterns of rule ids, and how grave such a rule is. Later ones win.",
        ),
        "override": f.TomlField(
            f.list_of(f.Parser(_override, _OVERRIDE_SCHEMA)),
            about="What holds at single places of a model.",
        ),
    }


# --- the door -----------------------------------------------------------------------------------


def parse_config(document: str, name: str) -> Config | None:
    """The configuration in a file of that name; None for a pyproject.toml that holds none.

    Raises UsageError with the file's name and the key for anything unexpected.
    """
    shared = PurePath(name).name == "pyproject.toml"
    if shared and not perhaps_ours(document):
        return None
    try:
        raw = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
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
        raise UsageError(f"{name}: [tool.{TABLE}] is for pyproject.toml; here its keys stand alone")
    try:
        values = f.parse_table(raw, _table(), where)
    except RuleError as error:
        raise UsageError(f"{name}: {error}") from None
    severity = values.pop("severity", {})
    overrides = values.pop("override", ())
    numbered = (
        replace(override, origin=f"override {index}") for index, override in enumerate(overrides, 1)
    )
    return Config(settings=values, severity=severity, overrides=tuple(numbered))


def config_schema() -> dict[str, Any]:
    """JSON Schema of tflite-align.toml and of the table in a pyproject.toml.

    Draft 7 is the newest that editors and validate-pyproject all read.
    """
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "urn:tflite-align:config",  # validate-pyproject asks for one
        "title": "tflite_align configuration",
        **f.schema_of(_table()),
    }
