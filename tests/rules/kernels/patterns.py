"""Makes the type patterns of a kernel row from what a runtime did with the models of one operator.

One operand at a time differs from a well-formed model. For operands that are no activations
(shapes, axes, weights, biases) a pattern lists all types that were accepted, in any combination.
Activations and outputs depend on each other, so that each of their types gets a pattern of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tests.rules.kernels.survey import Observed, settled
from tests.rules.kernels.typed import TYPES
from tests.rules.kernels.varied import MANY_INPUTS
from tests.rules.operators.all_makers import MAKERS
from tests.rules.operators.operands import Form
from tflite_align.rules.kernels import Outcome
from tflite_align.rules.operand_types import ABSENT, ANY, LEFT_OUT, parse_pattern

__all__ = ["patterns_of"]

_Row = tuple[tuple[frozenset[str], ...], tuple[frozenset[str], ...]]
# Operators with any number of outputs.
_MANY_OUTPUTS = frozenset({"SPLIT", "SPLIT_V", "UNPACK"})


def patterns_of(found: Sequence[Observed]) -> Mapping[str, list[str]]:
    """The lists `takes` and `wrong` of one operator in one runtime, from its outcomes `found`."""
    best = {signature: outcome for (*_, signature), outcome in settled(found).items()}
    takes = _texts(found, best, "right")
    wrong = _texts(found, best, "wrong")
    known = [parse_pattern(text) for text in takes]
    return {
        "takes": takes,
        "wrong": [text for text in wrong if not any(one.text == text for one in known)],
    }


def _texts(found: Sequence[Observed], best: Mapping[str, Outcome], wanted: Outcome) -> list[str]:
    rows: list[tuple[_Row, str]] = []
    groups: dict[str, list[Observed]] = defaultdict(list)
    for one in found:
        groups[one.base].append(one)
    for name, members in groups.items():
        base = next(one for one in members if not one.place)
        varied = [one for one in members if one.place and best[one.signature] == wanted]
        activation = name.rpartition("-")[2]
        rows += [(row, activation) for row in _rows(base, best, varied, wanted)]
    return _merged(rows, found[0].operator)


def form_of(operator: str) -> Form:
    """One well-formed form of the operator, from which the roles of its operands are read."""
    made = MAKERS[operator]
    return made.make((*made.types, *made.plain)[0])


def _activations(operator: str) -> frozenset[str]:
    """The positions of operands without a fixed type."""
    form = form_of(operator)
    inputs = {f"i{i}" for i, one in enumerate(form.inputs) if one.role not in ("plain", "absent")}
    return frozenset(inputs | {f"o{i}" for i, one in enumerate(form.outputs) if not one.type})


def _rows(
    base: Observed, best: Mapping[str, Outcome], varied: Sequence[Observed], wanted: Outcome
) -> Iterable[_Row]:
    inputs, outputs = _sides(base.signature)
    form = form_of(base.operator)
    places: dict[str, set[str]] = defaultdict(set)
    for one in varied:
        places[one.place].add(_at(one.signature, one.place))
    aside = {
        f"i{i}" for i, operand in enumerate(form.inputs) if operand.role not in ("data", "state")
    }
    together = wanted == "right" and best[base.signature] == "right"
    if together or best[base.signature] == wanted:
        extra = {place: names for place, names in places.items() if place in aside and together}
        yield _row(inputs, outputs, extra)
    for place, names in places.items():
        if not (together and place in aside):
            rest = {} if not together else {p: n for p, n in places.items() if p in aside}
            yield _row(inputs, outputs, {**rest, place: names}, only=place)


def _row(
    inputs: Sequence[str],
    outputs: Sequence[str],
    others: Mapping[str, set[str]],
    only: str = "",
) -> _Row:
    """The types of each operand in one observation, with the further types `others` at their
    positions. `only`: the position whose own type is left out.
    """

    def token(place: str, name: str) -> frozenset[str]:
        given = others.get(place, set())
        return frozenset(given if place == only else {name, *given})

    return (
        tuple(token(f"i{i}", name) for i, name in enumerate(inputs)),
        tuple(token(f"o{i}", name) for i, name in enumerate(outputs)),
    )


def _sides(signature: str) -> tuple[list[str], list[str]]:
    inputs, _, outputs = signature.partition(">")
    return inputs.split(), outputs.split()


def _at(signature: str, place: str) -> str:
    side = _sides(signature)[place[0] == "o"]
    index = int(place[1:])
    return side[index] if index < len(side) else LEFT_OUT


def _merged(rows: Sequence[tuple[_Row, str]], operator: str) -> list[str]:
    """Rows that differ only in the type of the activations are merged into one with T in its place."""
    places = _activations(operator)
    families: dict[str, list[str]] = {}
    for (inputs, outputs), activation in rows:
        sides = [
            " ".join(
                _token(names, activation if f"{side}{place}" in places else "")
                for place, names in enumerate(tokens)
            )
            for side, tokens in (("i", inputs), ("o", outputs))
        ]
        text = _many(" > ".join(sides), operator)
        types = families.setdefault(text, [])
        if activation not in types:
            types.append(activation)
    found = []
    for text, types in families.items():
        if "T" not in text.replace("|", " ").replace("*", " ").split():
            found.append(text)
        elif len(types) == 1:
            found.append(_named(text, types[0]))
        else:
            found.append(f"{text}: {' '.join(sorted(types, key=_order))}")
    return sorted(dict.fromkeys(found), key=lambda text: (":" not in text, text))


def _order(name: str) -> tuple[int, str]:
    """Sort key that puts common types first."""
    return (TYPES.index(name) if name in TYPES else len(TYPES), name)


def _token(names: frozenset[str], activation: str) -> str:
    if frozenset(TYPES) <= names:
        return "|".join([ANY, *sorted(names - frozenset(TYPES))])
    listed = ["T"] if activation in names else []
    listed += sorted(names - {activation, ABSENT, LEFT_OUT}, key=_order)
    listed += [name for name in (ABSENT, LEFT_OUT) if name in names]
    return "|".join(listed)


def _named(text: str, activation: str) -> str:
    words = text.split()
    return " ".join(
        "|".join(
            activation if name.rstrip("*") == "T" else name for name in word.rstrip("*").split("|")
        )
        + ("*" if word.endswith("*") else "")
        for word in words
    )


def _many(text: str, operator: str) -> str:
    inputs, _, outputs = text.partition(" > ")
    if operator in MANY_INPUTS:
        inputs = _last_repeated(inputs)
    if operator in _MANY_OUTPUTS:
        outputs = _last_repeated(outputs)
    return f"{inputs} > {outputs}"


def _last_repeated(side: str) -> str:
    """The types with the last one marked as repeatable: two equal operands stand for any number."""
    words = side.split()
    if len(words) > 1 and words[-1] == words[-2]:
        words.pop()
    return " ".join([*words[:-1], f"{words[-1]}*"])
