"""Reader of schema/arithmetic/*.toml: ArithmeticRow, the integer function that a runtime's kernel
computes.

Tests compare each row with the real kernel in all its cases, on the processor that the file names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ..errors import RuleError
from ..record import Record
from ..rules import fields as f
from ..rules.known_names import check_option_names
from ..rules.operand_types import OperandTypes, Pattern, PatternText
from ..rules.store import Rows, data_files, read_data
from .functions.affine import Affine
from .functions.limits import LIMITS, activation_limits_away, activation_limits_even
from .functions.registry import FUNCTIONS
from .functions.shapes import FACTS

__all__ = [
    "ArithmeticRow",
    "ArithmeticTable",
    "CertifiableClass",
    "arithmetic_runtimes",
    "arithmetic_schema",
    "load_arithmetic",
    "parse_arithmetic",
]

CertifiableClass = Literal[
    "copy", "table", "pairs", "accumulate", "taps", "position", "index", "steps", "none"
]


class ArithmeticRow(Record, frozen=True, kw_only=True):
    """The integer function that one kernel computes.

    `types`: operand types that the row applies to. `when`: conditions on the operator: options by
    their names in the schema, and properties of shapes and scales (functions.shapes.row_facts).
    `function`: its name in the registry, empty for class none, whose `reason` says why. `also`:
    functions that some elements get instead, depending on their position in the tensor; `block`: those
    of the channels that whole blocks of this size leave over, in one thread (0: not known). The output
    is clamped to the fused activation or, for an activation operator, to `clamp`; `ties`: rounding of
    the clamp's integers. `departs`: in words, how the kernel is known to deviate from the function.
    """

    operator: str
    types: tuple[Pattern, ...]
    kind: CertifiableClass
    function: str = ""
    also: tuple[str, ...] = ()
    block: int = 0
    when: Mapping[str, Any] = {}
    clamp: str = ""
    ties: Literal["away", "even"] = "away"
    reason: str = ""
    departs: str = ""
    sources: tuple[str, ...] = ()

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of all integer functions of the row: `function`, then those in `also`."""
        return (self.function, *self.also)

    def functions_of(self, channel: int, channels: int) -> tuple[str, ...]:
        """Names of the integer functions that the kernel may apply to elements of an output channel:
        several where the channels behind the last whole block of vector instructions get others.
        `channel`: the channel's index; `channels`: the number of output channels.
        """
        if not self.block:
            return self.functions
        whole = channels - channels % self.block
        return (self.function,) if channel < whole else self.also

    def limits(self, fused: str, output: Affine) -> Affine:
        """The output's parameters, with `low` and `high` narrowed to the integers to which the
        kernel clamps: those of the row's `clamp`, else of the fused activation (`fused`, its name
        in the schema).

        Raises KeyError for a fused activation that no kernel implements.
        """
        at = activation_limits_even if self.ties == "even" else activation_limits_away
        return at(self.clamp or fused, output)

    def speaks_of(self, types: OperandTypes, options: Mapping[str, Any]) -> bool:
        """Whether the row applies to an operator with these operand types and options."""
        if any(options.get(name) != value for name, value in self.when.items()):
            return False
        return any(pattern.matches(types) for pattern in self.types)


class ArithmeticTable(Record, frozen=True, kw_only=True):
    """The rows of one runtime, by operator name.

    `title`: the runtime's name in reports; `processor`: the processor on which tests compared the
    rows with its kernels. `otherwise`: the runtime whose kernels run operators without a row here,
    as LiteRT's builtin kernels do for a delegate; "" if their function is unknown. `delegate`: any
    operator may also be run by those kernels, even one with a row here.
    """

    runtime: str
    title: str
    processor: str
    otherwise: str
    delegate: bool
    rows: Mapping[str, tuple[ArithmeticRow, ...]]

    def candidates(
        self, operator: str, types: OperandTypes, facts: Mapping[str, Any]
    ) -> Iterator[ArithmeticRow]:
        """Rows that apply to an operator with these operand types, options and other properties
        (`facts`), in order of preference: the runtime's own first, then those of the runtime it
        falls back to.

        A later row applies where the functions of all earlier ones raise NotTakenError. Without any
        row the operator's integer function is unknown.
        """
        for row in self.rows.get(operator, ()):
            if row.speaks_of(types, facts):
                yield row
                break
        if self.otherwise:
            yield from load_arithmetic(self.otherwise).candidates(operator, types, facts)


if TYPE_CHECKING:
    FunctionName = str
    ClampName = str
else:
    FunctionName = Annotated[Literal[tuple(FUNCTIONS)], f.about(called="named integer function")]
    ClampName = Literal[tuple(LIMITS)]


class _ArithmeticTable(f.TomlTable, frozen=True, kw_only=True):
    """One `[[operator.NAME]]` table of the file, as written there."""

    types: Annotated[tuple[PatternText, ...], f.about("operand types, as in schema/kernels")]
    kind: CertifiableClass = f.field(name="class")
    function: Annotated[FunctionName, f.about("the integer function")] = f.LEFT_OUT
    also: Annotated[
        tuple[FunctionName, ...], f.about("functions of single outputs or elements, by position")
    ] = f.LEFT_OUT
    block: Annotated[int, f.about("channels of a block, behind which `also` counts")] = f.LEFT_OUT
    clamp: Annotated[ClampName, f.about("of an activation: the real values of its clamp")] = (
        f.LEFT_OUT
    )
    ties: Annotated[Literal["away", "even"], f.about("how a clamp's integers are rounded")] = (
        f.LEFT_OUT
    )
    when: Annotated[
        dict[str, int | bool],
        f.about("option values (and several_weight_scales) for which the row holds"),
    ] = f.LEFT_OUT
    reason: Annotated[
        f.Word, f.about("for class none: why the error is not bounded for every input")
    ] = f.LEFT_OUT
    departs: Annotated[f.Word, f.about("inputs for which the kernel computes another result")] = (
        f.LEFT_OUT
    )
    sources: f.Texts


def _row(name: str, row: dict[str, Any], where: str) -> ArithmeticRow:
    """The ArithmeticRow of one parsed table. `where`: the table's place in the file, for messages.
    `row`: the parsed TOML table.
    """
    if (row["class"] == "none") is not ("reason" in row and "function" not in row):
        raise RuleError(f"{where}: class none needs a reason, every other class a function")
    if row["class"] != "none" and "function" not in row:
        raise RuleError(f"{where}: key 'function' is missing")
    check_option_names(row.get("when", ()), f"{where}.when", FACTS)
    return ArithmeticRow(operator=name, kind=row.pop("class"), **row)


class _ArithmeticDocument(f.TomlTable, frozen=True, kw_only=True):
    """The fields of a TOML file of arithmetic rows."""

    format: int
    title: str
    processor: Annotated[f.Word, f.about("how the rows were compared with the runtime")]
    otherwise: Annotated[
        f.Word, f.about("runtime whose rows hold for operators without a row here")
    ] = f.LEFT_OUT
    delegate: Annotated[bool, f.about("true if any operator may run on the fallback's kernels")] = (
        f.LEFT_OUT
    )
    sources: f.Texts
    operator: dict[str, tuple[_ArithmeticTable, ...]]


def parse_arithmetic(document: str, where: str) -> Mapping[str, tuple[ArithmeticRow, ...]]:
    """Parse a TOML document; the result maps operator names to their rows in file order.

    `where`: the file's name for messages. Raises RuleError with file and key for anything
    unexpected.
    """
    parsed = f.parse_document(document, _ArithmeticDocument, where)
    return {
        name: tuple(
            _row(name, row, f"{where}.operator.{name}[{index}]") for index, row in enumerate(rows)
        )
        for name, rows in parsed["operator"].items()
    }


def arithmetic_runtimes() -> list[str]:
    """Names of the runtimes with arithmetic rows."""
    return [name.removesuffix(".toml") for name in data_files("arithmetic", ".toml")]


@cache
def load_arithmetic(runtime: str) -> ArithmeticTable:
    """The shipped rows of one runtime; read once in a process."""
    path = f"arithmetic/{runtime}.toml"
    document = read_data(path)
    head = document.partition("\n[[")[0]
    top = f.parse_document(f"{head}\n[operator]\n", _ArithmeticDocument, path)
    return ArithmeticTable(
        runtime=runtime,
        title=top["title"],
        processor=top["processor"],
        otherwise=top.get("otherwise", ""),
        delegate=top.get("delegate", False),
        rows=Rows(document, lambda part: parse_arithmetic(part, path), path),
    )


def arithmetic_schema() -> dict[str, Any]:
    """The JSON Schema of a file of arithmetic rows."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tflite_align arithmetic",
        **f.schema_of(_ArithmeticDocument),
    }
