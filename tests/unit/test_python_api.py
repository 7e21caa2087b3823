"""The Python API: model sources, keyword options, results that can be saved, rendered and shown in
notebooks.
"""

from __future__ import annotations

import io
import json
import logging
import mmap
import re
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import html5lib
import numpy as np
import pytest

import tflite_align
from tests.support.models import concat_example
from tflite_align import (
    AlignError,
    AlignOptions,
    AlignResult,
    NotAlignedError,
    OptionWords,
    Report,
    UsageError,
    align,
    check,
    convert_and_align,
    explain,
)
from tflite_align.record import compared
from tflite_align.rules.fields import Reading

MODEL = concat_example(second=0.2, out=0.1)
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def result() -> AlignResult:
    return align(MODEL, verify=False, compare=True, view=True, name="concat")


# --- model sources ------------------------------------------------------------------------------


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _file(path: Path) -> Any:
    """The file opened in binary mode; it is closed when the object is deleted."""
    return _Closing(io.FileIO(str(path)))


class _Closing(io.BufferedReader):
    def __del__(self) -> None:
        self.close()


GIVEN: dict[str, Callable[[Path], Any]] = {
    "str": str,
    "path": lambda path: path,
    "bytes": Path.read_bytes,
    "bytearray": lambda path: bytearray(path.read_bytes()),
    "memoryview": lambda path: memoryview(path.read_bytes()),
    "array": lambda path: np.fromfile(path, np.uint8),
    "mmap": _mapped,
    "file": _file,
    "stream": lambda path: io.BytesIO(path.read_bytes()),
}


@pytest.mark.parametrize("form", GIVEN)
def test_a_model_can_be_path_bytes_or_file(form: str, tmp_path: Path, result: AlignResult) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(MODEL)
    assert align(GIVEN[form](path), verify=False).data == result.data
    report = check(GIVEN[form](path))
    assert len(report.findings) == 1
    assert report.name == (str(path) if form in ("str", "path", "file") else "")
    assert check(GIVEN[form](path), name="mine").name == "mine"
    assert str(explain(GIVEN[form](path)))


def test_a_file_that_changes_later_does_not_change_the_result(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(MODEL)
    found = align(path, verify=False)
    data = found.data
    path.write_bytes(b"")
    assert found.data == data


def test_a_missing_file_raises_file_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.tflite"):
        check(tmp_path / "gone.tflite")
    with pytest.raises(IsADirectoryError):
        check(tmp_path)


class Silent:
    def read(self) -> None:
        return None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "found None"),
        (3, "found a value of type int"),
        (AlignOptions, "found the class AlignOptions"),
        (b"path\0".decode(), "no path holds a zero character"),
        (io.StringIO("x"), "the file is open as text; open it with mode 'rb'"),
        (Silent(), "its read() gave None in place of bytes"),
        (np.zeros(4, np.float32), "of 4-byte elements"),
    ],
    ids=["none", "int", "class", "zero", "text", "silent", "array"],
)
@pytest.mark.parametrize("job", [align, check, explain])
def test_a_source_of_another_type_is_an_error(
    job: Callable[..., Any], given: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        job(given)


# --- options --------------------------------------------------------------------------------------


def test_every_option_is_a_keyword() -> None:
    assert tuple(OptionWords.__annotations__) == compared(AlignOptions)


def test_keywords_win_over_options() -> None:
    options = AlignOptions(targets=("tflm",), fail_on="warning")
    report = check(MODEL, options, targets=["tflite", "litert"])
    assert report.targets == ("tflite", "litert")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"target": "tflm"}, "no option is called 'target'; did you mean targets?"),
        ({"zzzz": 1}, "no option is called 'zzzz'"),
        ({"samples": "64"}, "samples: expected a whole number, found '64'"),
        ({"targets": 3}, "targets: expected a tuple of names, found 3"),
        ({"calibration": 3}, "calibration: expected arrays by input name or position, found 3"),
    ],
)
@pytest.mark.parametrize("job", [align, check, explain, convert_and_align])
def test_unknown_keywords_are_an_error(
    job: Callable[..., Any], words: dict[str, Any], said: str
) -> None:
    source = _Exporter() if job is convert_and_align else MODEL
    with pytest.raises(AlignError) as caught:
        job(source, **words)
    assert str(caught.value) == said


def test_options_of_another_type_are_an_error() -> None:
    wrong: Any = {"targets": ("tflm",)}
    with pytest.raises(UsageError, match="expected AlignOptions, found a value of type dict"):
        check(MODEL, wrong)


def test_calibration_can_be_mapping_array_list_or_file(tmp_path: Path) -> None:
    """The mapping, the list of arrays and the .npz file give the same result or the same error."""
    arrays = {0: np.zeros((2, 1, 4, 4, 2), np.float32), 1: np.zeros((2, 1, 4, 4, 2), np.float32)}
    np.savez(tmp_path / "x.npz", *arrays.values())
    forms: list[Any] = [arrays, list(arrays.values()), str(tmp_path / "x.npz"), tmp_path / "x.npz"]
    said = set()
    for form in forms:
        try:
            said.add(align(MODEL, calibration=form, verify=False).data)
        except UsageError as error:
            said.add(str(error).encode())
    assert len(said) == 1


# --- results --------------------------------------------------------------------------------------


def test_a_result_saves_itself(result: AlignResult, tmp_path: Path) -> None:
    place = tmp_path / "out.tflite"
    assert result.save(place) is result
    assert place.read_bytes() == result.data
    assert [one.name for one in tmp_path.iterdir()] == ["out.tflite"]


def test_a_result_that_failed_is_not_saved(tmp_path: Path) -> None:
    place = tmp_path / "out.tflite"
    failed = align(MODEL, verify=False, no_fix="all")
    with pytest.raises(NotAlignedError):
        failed.save(place)
    assert not place.exists()
    failed.save(str(place), keep_going=True)
    assert place.read_bytes() == failed.data


def test_a_report_renders_in_every_format(result: AlignResult) -> None:
    report = result.report
    assert json.loads(report.to_json()) == report.to_dict()
    assert report.to_html().startswith("<!DOCTYPE html>")
    assert json.loads(report.to_sarif())["version"] == "2.1.0"
    assert "same/CONCATENATION" in report.to_text()


def test_a_report_is_data_frames(result: AlignResult) -> None:
    pytest.importorskip("pandas", reason="pandas is not installed: the extra `dataframe` has it")
    report = result.report
    found = report.to_dataframe()
    assert list(found["rule"]) == [one.rule for one in report.findings]
    assert set(found["model"]) == {"concat"}
    assert report.to_dataframe("remaining").empty
    assert list(report.to_dataframe("changes")["kind"]) == [one.kind for one in report.changes]
    assert report.to_dataframe("outputs").empty
    with pytest.raises(UsageError, match="expected one of findings, remaining, changes, outputs"):
        report.to_dataframe("operators")


def test_explanations_render_in_every_format() -> None:
    explanation = explain(MODEL, 2)
    assert json.loads(explanation.to_json())["explanation"] == explanation.to_dict()
    assert str(explanation).splitlines() == list(explanation.lines)
    assert "overview" in json.loads(explain(MODEL).to_json())
    assert explanation.to_dict() == explain(MODEL, str(2)).to_dict()


def test_notebooks_show_results(result: AlignResult) -> None:
    evil = align(MODEL, verify=False, name=EVIL)
    shown: list[Any] = [result, result.report, evil, evil.report, explain(MODEL), explain(MODEL, 2)]
    for one in shown:
        page = one._repr_html_()
        parsed = html5lib.HTMLParser(strict=True).parseFragment(page)
        assert len(page) < 20_000
        assert [tag for tag in parsed.iter() if str(tag.tag).endswith("script")] == []


def _shown(result: AlignResult) -> Iterator[object]:
    report = result.report
    yield from (result, report, explain(MODEL), explain(MODEL, 2), AlignOptions())
    yield from (
        report.findings[0],
        report.changes[0],
        report.view,
        tflite_align.load_target("tflm"),
    )
    calibration: Any = {0: np.zeros((64, 1, 64, 64, 3))}
    yield AlignOptions(calibration=calibration, targets=("tflite", "tflm"), io="free")
    yield align(MODEL, name="x" * 500).report.verification


def test_notebook_output_is_short(result: AlignResult) -> None:
    long = {type(one).__name__: len(repr(one)) for one in _shown(result)}
    assert {name: size for name, size in long.items() if size >= 300} == {}


# --- the module -----------------------------------------------------------------------------------


def test_the_module_lists_its_names() -> None:
    assert dir(tflite_align) == sorted(tflite_align.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'alin'"):
        tflite_align.alin  # noqa: B018


def _named(hint: Any, seen: set[type]) -> None:
    """Add to `seen` every class of this package that the type `hint` mentions, also through fields
    of records.
    """
    for part in typing.get_args(hint):
        _named(part, seen)
    if isinstance(hint, Reading):  # type checkers and users see a plain type
        return
    if isinstance(hint, type) and hint.__module__.startswith("tflite_align") and hint not in seen:
        seen.add(hint)
        for field in typing.get_type_hints(hint).values():
            _named(field, seen)


def test_every_class_in_a_public_signature_is_public() -> None:
    seen: set[type] = set()
    for name in tflite_align.__all__:
        public = getattr(tflite_align, name)
        if isinstance(public, type):
            _named(public, seen)
        elif callable(public):
            for hint in typing.get_type_hints(public).values():
                _named(hint, seen)
    assert sorted(kind.__name__ for kind in seen if kind.__name__ not in tflite_align.__all__) == []


def test_jobs_are_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(MODEL)
    with caplog.at_level(logging.DEBUG, logger="tflite_align"):
        align(path, fail_on="warning")
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == f"align {path}: {len(MODEL)} bytes"
    assert said[-1].startswith(f"{path}: aligned")
    assert {record.name for record in caplog.records} == {"tflite_align"}


# --- converters -------------------------------------------------------------------------------------


class _Exporter:
    """Has the method of TensorFlow's converter that `align` calls."""

    def convert(self) -> bytes:
        return MODEL


class _Exported:
    """Has the method of litert-torch's result that `align` calls."""

    def export(self, path: str) -> None:
        Path(path).write_bytes(MODEL)


def _writes(*names: str) -> Callable[[str], None]:
    def convert(folder: str) -> None:
        Path(folder, "parts").mkdir()
        for name in names:
            Path(folder, "parts", name).write_bytes(MODEL)

    return convert


def test_converters_of_every_kind_are_accepted(result: AlignResult) -> None:
    for converter in (_Exporter(), _Exported(), _writes("a.tflite")):
        assert convert_and_align(converter, verify=False).data == result.data
    several = _writes("a_float32.tflite", "a_full_integer_quant.tflite")
    found = convert_and_align(several, file="*_full_integer_quant.tflite", verify=False)
    assert found.data == result.data


@pytest.mark.parametrize(
    ("converter", "said"),
    [
        (_writes("a.tflite", "b.tflite"), "2 of what the converter wrote fit '*.tflite'"),
        (_writes(), "it wrote no .tflite file at all"),
        (3, "found a value of type int"),
    ],
)
def test_converters_that_do_not_give_one_file_are_refused(converter: Any, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        convert_and_align(converter)


def test_reports_compare_by_value(result: AlignResult) -> None:
    assert isinstance(result.report, Report)
    assert align(MODEL, verify=False, compare=True, name="concat").report == result.report
