"""Licences and bill of materials of a release."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import constraints
import licences
import sbom
import vendor_js

CHECKOUT = Path(__file__).resolve().parents[2]
VENDOR = CHECKOUT / "tflite_align" / "report" / "html" / "vendor"


# --- licences -----------------------------------------------------------------------------------


@pytest.mark.promise("`LICENSES.txt` has the licences of everything that a release ships.")
def test_the_licences_are_of_everything_that_is_shipped() -> None:
    text = licences.FILE.read_text(encoding="utf-8")
    assert text == licences.text(), "scripts/licences.py writes it"
    for licence in VENDOR.glob("*.LICENSE"):
        assert licence.read_text(encoding="utf-8").strip() in text
    ours = {name for package in vendor_js.PACKAGES for _, name in package.files}
    assert {path.name for path in VENDOR.iterdir()} == ours, "nobody else's file lies there"
    for path in VENDOR.glob("*.js"):
        assert f"({path.relative_to(CHECKOUT).as_posix()})" in text
        for owner in re.findall(r"/\*!.*?[Cc]opyright (.*?)\.", path.read_text(encoding="utf-8")):
            assert owner in text, "a notice that the file itself holds"


def test_the_licences_are_shipped() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    assert {"LICENSE", "LICENSES.txt"} <= set(project["project"]["license-files"])
    assert "/LICENSES.txt" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]


# --- the bill of materials ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    pytest.importorskip("tflite_micro", reason="the judges' extras are not installed")
    pytest.importorskip("ethosu.vela", reason="the judges' extras are not installed")
    return sbom.bill()


def components(of: dict[str, Any]) -> list[dict[str, Any]]:
    found = list(of.get("components", ()))
    return [*found, *(inner for one in found for inner in components(one))]


@pytest.mark.promise(
    "`scripts/sbom.py` writes a bill of materials (CycloneDX) of what a release ships and needs."
)
def test_the_bill_is_valid(bill: dict[str, Any]) -> None:
    """Validated by CycloneDX's own library."""
    reason = "cyclonedx-python-lib is not installed"
    validation = pytest.importorskip("cyclonedx.validation.json", reason=reason)
    schema = pytest.importorskip("cyclonedx.schema", reason=reason)
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bill)) is None
    broken = {**bill, "components": [{"type": "nothing"}]}
    assert validator.validate_str(json.dumps(broken)) is not None


def test_the_bill_names_what_is_shipped_and_needed(bill: dict[str, Any]) -> None:
    listed = {one["name"]: one for one in components(bill)}
    for package in vendor_js.PACKAGES:
        assert listed[package.name]["hashes"][0]["content"] == package.sha256
    assert {fragment.name for fragment in licences.FRAGMENTS} <= set(listed)
    pins = constraints.parsed(constraints.FILE.read_text(encoding="utf-8"))
    python = {n: one for n, one in listed.items() if one.get("purl", "").startswith("pkg:pypi/")}
    assert {n: one["version"] for n, one in python.items()} == {n: pins[n] for n in python}
    assert python["numpy"]["scope"] == "required"
    assert python["tflite-micro"]["scope"] == "optional"
    assert {"click", "rich", "mdurl", "ethos-u-vela"} <= set(python), "what those need, too"
    assert {"pytest", "sphinx", "tensorflow"}.isdisjoint(listed), "what only developers need"


def test_the_dependency_graph_of_the_bill_is_complete(bill: dict[str, Any]) -> None:
    refs = [one["bom-ref"] for one in components(bill)]
    assert len(refs) == len(set(refs))
    known = {*refs, bill["metadata"]["component"]["bom-ref"]}
    for entry in bill["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= known
    own = next(e for e in bill["dependencies"] if e["ref"].startswith("pkg:pypi/tflite-align"))
    assert any(ref.startswith("pkg:npm/cytoscape@") for ref in own["dependsOn"])


def test_the_same_release_has_the_same_bill(bill: dict[str, Any]) -> None:
    assert sbom.bill() == bill
    assert bill["serialNumber"].startswith("urn:uuid:")
    assert "timestamp" not in bill["metadata"]
