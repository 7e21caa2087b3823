"""convert_and_align with the real TFLiteConverter and every form of representative dataset."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import CHECKOUT, NO_TENSORFLOW, TF_PYTHON, TF_VERSION
from tflite_align import AlignOptions, NotAlignedError, UsageError, convert_and_align

FAST = AlignOptions(verify=False)

# In a process of its own: TensorFlow takes seconds and gigabytes.
EXPORT = """
import json, sys
import make_fixtures, tensorflow as tf
from tflite_align import convert_and_align

model = make_fixtures.build("inception")
images = make_fixtures.smooth_inputs((1, 16, 16, 3), 40, 1)
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([image[None]] for image in images)
converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
types = {"input_type": "int8", "output_type": "int8"}
result = convert_and_align(converter, calibrate=True, name="inception", **types)
result.raise_for_status()
verification = result.report.verification
print(json.dumps([result.report.outcome, verification.word, verification.inputs, len(result.data)]))
"""


def test_a_real_conversion_is_aligned() -> None:
    """The converter writes float inputs and outputs, the alignment makes them int8. The
    representative dataset serves as calibration.
    """
    asked = subprocess.run(
        [TF_PYTHON, "-c", TF_VERSION], capture_output=True, text=True, check=False
    )
    if not asked.stdout.strip():
        pytest.skip(NO_TENSORFLOW)
    ran = subprocess.run(
        [TF_PYTHON, "-c", EXPORT],
        cwd=CHECKOUT,
        env={"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'scripts'}", **_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    outcome, word, inputs, size = json.loads(ran.stdout.splitlines()[-1])
    assert (outcome, word, inputs) == ("aligned", "verified", "40 calibration, 24 mixtures of it")
    assert size > 1000


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class Exported:
    """A converter that returns the shipped sample, with a representative dataset."""

    def __init__(self, data: bytes, dataset: Any = None) -> None:
        self.data = data
        self.representative_dataset = dataset

    def convert(self) -> bytes:
        return self.data


def _images(count: int = 5) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=(1, 12, 12, 3)).astype(np.float32) for _ in range(count)]


class Wrapped:
    """Has the generator function in the same attribute as tf.lite.RepresentativeDataset."""

    def __init__(self) -> None:
        self.input_gen = lambda: ([image] for image in _images())


def test_every_form_of_a_dataset_is_the_same_calibration(sample: bytes) -> None:
    name = "serving_default_image:0"
    forms: list[Any] = [
        lambda: ([image] for image in _images()),
        lambda: ({name: image} for image in _images()),
        lambda: (("serving_default", {name: image}) for image in _images()),
        Wrapped(),
    ]
    found = {convert_and_align(Exported(sample, form), FAST, calibrate=True).data for form in forms}
    assert len(found) == 1


def test_without_calibration_no_dataset_is_needed(sample: bytes) -> None:
    found = convert_and_align(Exported(sample), FAST, name="net")
    assert found.report.outcome == "aligned"
    assert found.report.name == "net"


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (
            None,
            (
                "calibrate=True needs the converter's representative_dataset;"
                " of other converters, give the inputs themselves: calibration=images"
            ),
        ),
        (list, "the converter's representative_dataset yields no samples"),
        (
            lambda: ([image] for image in (*_images(1), np.zeros((1, 2)))),
            "the converter's representative_dataset yields inputs of several shapes",
        ),
        (
            lambda: iter([[1.0], [1.0, 2.0]]),
            "the converter's representative_dataset yields samples of several inputs",
        ),
    ],
)
def test_a_representative_dataset_that_yields_no_arrays_is_refused(
    sample: bytes, dataset: Any, why: str
) -> None:
    with pytest.raises(UsageError) as caught:
        convert_and_align(Exported(sample, dataset), FAST, calibrate=True)
    assert str(caught.value) == why


def test_a_failed_alignment_raises(sample: bytes, tmp_path: Path) -> None:
    refused = convert_and_align(
        Exported(sample), AlignOptions(verify=False, require=("numbers",)), name="net"
    )
    with pytest.raises(NotAlignedError) as caught:
        refused.raise_for_status()
    assert str(caught.value) == ("net: not aligned: numbers are required, but no judge was run")
    good = convert_and_align(Exported(sample), FAST)
    assert good.raise_for_status() is good
