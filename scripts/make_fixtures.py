#!/usr/bin/env python3
"""Makes the test models: small random networks, converted by the real TFLiteConverter, and
de-aligned copies.

Trains nothing, downloads nothing. For every net of `fixture_nets.NETS`:

    NET_float.tflite             the converter's float model
    NET_int8.tflite              int8 throughout
    NET_uint8io.tflite           int8 inside, uint8 graph inputs and outputs
    NET_int16x8.tflite           int16 activations, int8 weights
    NET_KIND_dealigned.tflite    the same file with another scale for each inner activation
    NET_int8_dealigned_io.tflite, NET_int8_dealigned_fixed.tflite
                                 also for graph inputs and outputs; also for fixed outputs
    NET.x.npy                    32 float32 inputs that were not used for calibration
    INDEX.json                   names, sizes, digests, and how the files were made

The same version of TensorFlow gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import sys
import zlib
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from fixture_nets import NETS, NOT_CONVERTED

SAMPLES = {"calibration": 40, "held out": 32}
DEALIGNED = {
    "dealigned": {},
    "dealigned_io": {"io": True},
    "dealigned_fixed": {"fixed": True},
}
# Converter variant -> the de-aligned files made from it.
VARIANTS = {
    "float": (),
    "int8": ("dealigned", "dealigned_io", "dealigned_fixed"),
    "uint8io": ("dealigned",),
    "int16x8": ("dealigned",),
}
LARGEST = 60_000


def variants(net: str) -> dict[str, tuple[str, ...]]:
    """The variants that the converter can make of the net."""
    return {v: broken for v, broken in VARIANTS.items() if (net, v) not in NOT_CONVERTED}


def file_names(net: str) -> list[str]:
    """File names for one net, computed without TensorFlow."""
    names = []
    for variant, broken in variants(net).items():
        names.append(f"{net}_{variant}.tflite")
        names += [f"{net}_{variant}_{kind}.tflite" for kind in broken]
    return names


def smooth_inputs(shape: tuple[int, ...], count: int, seed: int) -> np.ndarray:
    """`count` float32 images: coarse noise, enlarged and blurred, plus a little fine noise."""
    random = np.random.default_rng(seed)
    _, height, width, channels = shape
    coarse = random.normal(size=(count, -(-height // 4) + 1, -(-width // 4) + 1, channels))
    images = coarse.repeat(4, axis=1).repeat(4, axis=2)
    for axis in (1, 2):
        images = np.mean([np.roll(images, step, axis=axis) for step in range(4)], axis=0)
    images = images[:, :height, :width] + random.normal(scale=0.1, size=(count, *shape[1:]))
    return np.clip(images / 2, -1, 1).astype(np.float32)


def build(net: str) -> Any:
    """The Keras model with seeded weights and batch statistics like a trained network's."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(zlib.crc32(net.encode()) % 2**31)
    model = NETS[net]()
    random = np.random.default_rng(zlib.crc32(net.encode()))
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            size = layer.gamma.shape[0]
            spread = random.uniform(0.5, 1.5, size), random.normal(scale=0.3, size=size)
            seen = random.normal(scale=0.2, size=size), random.uniform(0.3, 1.2, size)
            layer.set_weights([*spread, *seen])
        elif getattr(layer, "bias", None) is not None:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, random.normal(scale=0.2, size=bias.shape)])
    return model


def convert(model: Any, variant: str, calibration: np.ndarray) -> bytes:
    """Run the converter once."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if variant == "float":
        return bytes(converter.convert())
    wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    narrow = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    ends = {"int8": tf.int8, "uint8io": tf.uint8, "int16x8": tf.int16}[variant]
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image[None]] for image in calibration)
    converter.target_spec.supported_ops = [wide if variant == "int16x8" else narrow]
    converter.inference_input_type = converter.inference_output_type = ends
    return bytes(converter.convert())


def make_net(net: str, wanted: dict[str, tuple[str, ...]]) -> dict[str, bytes]:
    """File name -> bytes, for the given variants of one net."""
    from dealign import dealign

    model = build(net)
    shape = tuple(model.inputs[0].shape)
    seed = zlib.crc32(net.encode())
    calibration = smooth_inputs(shape, SAMPLES["calibration"], seed)
    made = {}
    for variant, broken in wanted.items():
        data = convert(model, variant, calibration)
        made[f"{net}_{variant}.tflite"] = data
        for kind in broken:
            made[f"{net}_{variant}_{kind}.tflite"] = dealign(data, seed, **DEALIGNED[kind])
    return made


def held_out(net: str) -> np.ndarray:
    """Inputs for evaluating a net's files, with another seed than the calibration's."""
    shape = tuple(NETS[net]().inputs[0].shape)
    return smooth_inputs(shape, SAMPLES["held out"], zlib.crc32(net.encode()) + 1)


def write_all(out: pathlib.Path, nets: list[str]) -> None:
    """Write the files of these nets and INDEX.json to the folder `out`; SystemExit if a file is
    larger than LARGEST bytes.
    """
    import tensorflow as tf

    out.mkdir(parents=True, exist_ok=True)
    index: dict[str, Any] = {"tensorflow": tf.__version__, "files": {}}
    for net in nets:
        for name, data in make_net(net, variants(net)).items():
            if len(data) > LARGEST:
                msg = f"{name}: {len(data)} bytes; a fixture has at most {LARGEST}"
                raise SystemExit(msg)
            (out / name).write_bytes(data)
            digest = hashlib.sha256(data).hexdigest()
            index["files"][name] = {"bytes": len(data), "sha256": digest}
        np.save(out / f"{net}.x.npy", held_out(net))
    (out / "INDEX.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")


def write_sample(out: pathlib.Path) -> None:
    """The two files in tests/data: the sound model and its de-aligned copy."""
    made = make_net("sample", {"int8": ("dealigned",)})
    out.mkdir(parents=True, exist_ok=True)
    (out / "sample_origin.tflite").write_bytes(made["sample_int8.tflite"])
    (out / "sample_dealigned.tflite").write_bytes(made["sample_int8_dealigned.tflite"])


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write into")
    parser.add_argument(
        "--only", action="append", choices=sorted(NETS), help="only this net; repeatable"
    )
    parser.add_argument("--sample", action="store_true", help="only the shipped sample")
    given = parser.parse_args()
    # Suppress the converter's many messages on stderr; only the CPU is used.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if given.sample:
        write_sample(given.out)
    else:
        write_all(given.out, given.only or list(NETS))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
