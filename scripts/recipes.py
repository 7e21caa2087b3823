"""Runs the recipes of docs/recipes.md, each block in its environment."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
from dataclasses import dataclass

import converters

__all__ = ["ENVIRONMENTS", "StepFailedError", "recipe", "run_recipe"]

SCRIPTS = pathlib.Path(__file__).resolve().parent
PAGE = SCRIPTS.parent / "docs/recipes.md"
OWN = ""  # this environment, which has tflite_align
# Heading of the page -> environments of its blocks.
ENVIRONMENTS = {
    "Keras": (OWN,),
    "TensorFlow SavedModel": (OWN,),
    "onnx2tf": ("pytorch", "onnx2tf", OWN, "onnx2tf"),
    "TinyNeuralNetwork": ("tinynn", OWN),
    "litert-torch": ("litert-torch", OWN),
    "ai-edge-quantizer": ("litert-torch", "ai-edge-quantizer", OWN),
}
_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class StepFailedError(Exception):
    """A block of a recipe failed; its text and the end of its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One block of a recipe and its environment's name."""

    language: str
    code: str
    environment: str


def recipe(name: str) -> list[Step]:
    """The blocks under a heading of the page."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    found = _BLOCK.findall(section)
    return [
        Step(language=language, code=code, environment=environment)
        for (language, code), environment in zip(found, ENVIRONMENTS[name], strict=True)
    ]


def run_recipe(name: str, net: str, folder: pathlib.Path, environments: pathlib.Path) -> None:
    """Run a recipe; writes `model.tflite` (not for TensorFlow's recipes) and `aligned.tflite` to
    `folder`.

    Also writes `inputs.npy` and `float.npy`: held-out inputs and the float network's outputs for
    them, [samples, elements]. Raises converters.NotInstalledError, StepFailedError. `net`: name of
    the network.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for step in recipe(name):
        python = _python(step.environment, environments)
        _run(step, net, folder, python)


def _python(environment: str, environments: pathlib.Path) -> pathlib.Path:
    """The interpreter of an environment."""
    if environment == OWN:
        return pathlib.Path(sys.executable)
    return converters.environment(environment, environments)


def _run(step: Step, net: str, folder: pathlib.Path, python: pathlib.Path) -> None:
    """Run one block. Raises StepFailedError if it fails. `net`: name of the network."""
    if step.language == "sh":
        command = ["bash", "-eu", "-c", step.code]
    else:
        (folder / "step.py").write_text(step.code, encoding="utf-8")
        command = [str(python), str(SCRIPTS / "recipe_step.py"), net, "step.py"]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ["PATH"] = os.pathsep.join([str(python.parent), environ.get("PATH", "")])
    if step.environment == OWN or step.environment in converters.WITH_TFLITE_ALIGN:
        environ["PYTHONPATH"] = str(SCRIPTS.parent)
    ran = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    if ran.returncode != 0:
        raise StepFailedError(f"{step.code}\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}")
