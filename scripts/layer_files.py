#!/usr/bin/env python3
"""Converts the nets of layer_nets.py with TensorFlow's converter in each of its modes.

    scripts/layer_files.py FOLDER            every net
    scripts/layer_files.py FOLDER NET...     these

Writes NET-WAY.tflite, or NET-WAY.refused with the converter's message. Existing files are kept.
Weights and calibration are seeded.
"""

from __future__ import annotations

import os
import pathlib
import re
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from layer_nets import LAYER_NETS, layer_net

__all__ = ["file_names", "ways"]

CALIBRATION = 12  # number of calibration inputs
WAYS = ("float32", "int8", "int16x8", "dynamic")
# Modes in which weights matter: types of graph inputs and outputs, and per-tensor weights.
WEIGHTED = (*WAYS, "uint8_io", "float16", "per_tensor", "dynamic_per_tensor")
_WEIGHTED_NETS = re.compile(
    r"(conv|depthwise|transposed|dense|matmul|multi_head|embedding|separable)\w*"
)


def ways(net: str) -> tuple[str, ...]:
    """The modes in which the net is converted."""
    return WEIGHTED if _WEIGHTED_NETS.fullmatch(net) else WAYS


def file_names() -> list[str]:
    """The names, without ending, of all files that may exist."""
    return [f"{net}-{way}" for net in LAYER_NETS for way in ways(net)]


def _inputs(model: Any, seed: int) -> Iterator[list[np.ndarray]]:
    """Calibration inputs: for each sample one array per model input, normally distributed or small
    integers.
    """
    random = np.random.default_rng(seed)
    for _ in range(CALIBRATION):
        values = []
        for wanted in model.inputs:
            if str(wanted.dtype) == "int32":
                values.append(random.integers(0, 10, wanted.shape).astype(np.int32))
            else:
                values.append(random.normal(size=wanted.shape).astype(np.float32))
        yield values


def _convert(model: Any, way: str, seed: int) -> bytes:
    """The model's .tflite file in mode `way`. Raises the converter's error."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    sets = tf.lite.OpsSet
    if way != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if way in ("per_tensor", "dynamic_per_tensor"):
        converter._experimental_disable_per_channel = True  # noqa: SLF001 - it has no public name
    if way == "float16":
        converter.target_spec.supported_types = [tf.float16]
    elif way not in ("float32", "dynamic", "dynamic_per_tensor"):
        wide = way.startswith("int16x8")
        converter.representative_dataset = lambda: _inputs(model, seed)
        kernels = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [kernels if wide else sets.TFLITE_BUILTINS_INT8]
        integers = {
            "int8": tf.int8,
            "per_tensor": tf.int8,
            "uint8_io": tf.uint8,
            "int16x8": tf.int16,
        }
        if way in integers and str(model.inputs[0].dtype) != "int32":
            converter.inference_input_type = integers[way]
        if way in integers:
            converter.inference_output_type = integers[way]
    return bytes(converter.convert())


def _make(net: str, folder: pathlib.Path) -> None:
    """Convert one net in every mode of which no file exists yet; an error is written to a .refused
    file.
    """
    import keras

    seed = zlib.crc32(net.encode())
    left = [way for way in ways(net) if not any(folder.glob(f"{net}-{way}.*"))]
    if not left:
        return
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed % 2**31)
    try:
        model = layer_net(net)
    except Exception as error:  # noqa: BLE001 - a layer that this Keras does not have
        for way in left:
            (folder / f"{net}-{way}.refused").write_text(f"net: {error}", encoding="utf-8")
        return
    random = np.random.default_rng(seed)
    for layer in model.layers:
        layer.set_weights(
            [value + 0.1 * random.normal(size=value.shape) for value in layer.get_weights()]
            if not isinstance(layer, keras.layers.BatchNormalization)
            else layer.get_weights()
        )
    for way in left:
        try:
            data = _convert(model, way, seed)
        except Exception as error:  # noqa: BLE001 - whatever the converter raises is its refusal
            words = " ".join(str(error).split())[:300]
            (folder / f"{net}-{way}.refused").write_text(words, encoding="utf-8")
        else:
            (folder / f"{net}-{way}.tflite").write_bytes(data)


def main() -> int:
    """Convert the nets named on the command line, each in a process of its own; returns the exit
    status.
    """
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for net in sys.argv[2:] or LAYER_NETS:
        # The converter may crash the process.
        child = os.fork()
        if child == 0:
            _make(net, folder)
            os._exit(0)
        os.waitpid(child, 0)
        print(net, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
