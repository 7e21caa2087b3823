"""Invalid AlignOptions raise an error at once instead of falling back to defaults."""

from __future__ import annotations

from typing import Any

import pytest

from tflite_align import AlignOptions, Override, UsageError

OVERRIDE = Override(tensor="x*", keep=True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"io": "fixed"}, "io: expected one of keep, free; found 'fixed'"),
        ({"overlap": ""}, "overlap: expected one of forbid, force, auto; found ''"),
        ({"prefer": "size"}, "prefer: expected one of precision, balanced, speed; found 'size'"),
        ({"only": "warnings"}, "only: expected one of all, errors; found 'warnings'"),
        ({"fail_on": "never"}, "fail_on: expected one of error, warning; found 'never'"),
        ({"bias": "run"}, "bias: expected one of declared, as-run; found 'run'"),
        ({"to": "int4"}, "to: expected one of int8, None; found 'int4'"),
        (
            {"input_type": "int4"},
            "input_type: expected one of int8, uint8, int16, float32, None; found 'int4'",
        ),
        (
            {"policies": {"cat": "large"}},
            "policies: expected one of concat, elementwise, pooling, resize, logical, rnn; found 'cat'",
        ),
        (
            {"policies": {"concat": "larger"}},
            "policies['concat']: expected one of none, input, output, large, auto; found 'larger'",
        ),
        (
            {"severity": {"same/*": "warn"}},
            "severity['same/*']: expected one of error, warning, off; found 'warn'",
        ),
        ({"targets": 3}, "targets: expected a tuple of names, found 3"),
        ({"targets": ["tflm", None]}, "targets: expected a name for each entry, found None"),
        ({"overrides": "x*"}, "overrides: expected a tuple of Override, found 'x*'"),
        ({"verify": "no"}, "verify: expected True or False, found 'no'"),
        ({"samples": "64"}, "samples: expected a whole number, found '64'"),
        ({"memory": True}, "memory: expected a whole number, found True"),
        (
            {"policies": ["concat"]},
            "policies: expected a mapping from strings to strings, found ['concat']",
        ),
        ({"calibration": 3}, "calibration: expected arrays by input name or position, found 3"),
        ({"lock": "x.lock"}, "lock: expected a Lock, found 'x.lock'"),
        (
            {"io": ["keep"] * 20},
            "io: expected one of keep, free; found a value of type list",
        ),
        ({"targets": ()}, "targets: at least one is required"),
        ({"samples": 0}, "samples: expected at least 1, found 0"),
        ({"judge_seconds": 0.0}, "judge_seconds: expected more than 0, found 0.0"),
    ],
)
def test_invalid_options_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        AlignOptions(**given)
    assert str(caught.value) == said


def test_a_single_string_is_a_list_of_one() -> None:
    given: Any = {"targets": "tflm", "overrides": OVERRIDE, "require": "numbers"}
    options = AlignOptions(**given)
    assert options.targets == ("tflm",)
    assert options.overrides == (OVERRIDE,)
    assert options.require == ("numbers",)


def test_lists_are_accepted_for_tuples() -> None:
    """Fields of type tuple accept lists, which JSON and notebooks give."""
    given: Any = ["tflite", "tflm"]
    assert AlignOptions(targets=given).targets == ("tflite", "tflm")
