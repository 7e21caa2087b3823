#!/usr/bin/env python3
"""Exports the nets of torch_layer_nets.py, and converts them with onnx2tf and litert-torch.

    scripts/torch_layer_files.py onnx FOLDER [NET...]          export by PyTorch, for onnx2tf
    scripts/torch_layer_files.py onnx2tf FOLDER [NET...]
    scripts/torch_layer_files.py litert-torch FOLDER [NET...]

Runs in that tool's environment. Writes torch_NET-TOOL_WAY.tflite, or a .refused file with the
tool's message. Existing files are kept.
"""

from __future__ import annotations

import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from torch_layer_nets import IMAGE, TORCH_LAYERS, layer_net

CALIBRATION = 12  # number of calibration inputs
# Ending of a file that onnx2tf writes -> name of the mode; the longest match counts.
_ONNX2TF = {
    "full_integer_quant_with_int16_act": "int16x8",
    "integer_quant_with_int16_act": "int16x8_float_io",
    "full_integer_quant": "int8",
    "integer_quant": "int8_float_io",
    "dynamic_range_quant": "dynamic",
    "float16": "float16",
    "float32": "float32",
}


def _calibration(shape: tuple[int, ...]) -> np.ndarray:
    """Normally distributed float32 inputs [CALIBRATION, ...] of this shape, seeded."""
    return np.random.default_rng(1).normal(size=(CALIBRATION, *shape[1:])).astype(np.float32)


def _as_onnx(name: str, _: pathlib.Path) -> Mapping[str, bytes]:
    """File ending -> bytes: the net exported to ONNX by PyTorch."""
    import io

    import torch

    written = io.BytesIO()
    example = (torch.from_numpy(_calibration(TORCH_LAYERS[name])[:1]),)
    torch.onnx.export(layer_net(name), example, written, input_names=["image"], dynamo=False)
    return {"net.onnx": written.getvalue()}


def _by_onnx2tf(name: str, folder: pathlib.Path) -> Mapping[str, bytes]:
    """File ending -> bytes: the files that onnx2tf makes of the exported net in `folder`."""
    import onnx2tf

    shape = TORCH_LAYERS[name]
    last = (0, 2, 3, 1) if shape == IMAGE else (0, 1, 2)  # channels last, as in the .tflite
    one = np.ones((1,) * len(shape)).tolist()
    none = np.zeros((1,) * len(shape)).tolist()
    keep = {} if shape == IMAGE else {"keep_shape_absolutely_input_names": ["image"]}
    with tempfile.TemporaryDirectory() as scratch:
        place = pathlib.Path(scratch)
        np.save(place / "calibration.npy", _calibration(shape).transpose(last))
        onnx2tf.convert(
            input_onnx_file_path=str(folder / f"torch_{name}-onnx_net.onnx"),
            output_folder_path=str(place / "made"),
            output_integer_quantized_tflite=True,
            custom_input_op_name_np_data_path=[
                ["image", str(place / "calibration.npy"), none, one]
            ],
            non_verbose=True,
            **keep,
        )
        made = {}
        for path in (place / "made").glob("*.tflite"):
            way = next((w for end, w in _ONNX2TF.items() if path.stem.endswith(f"_{end}")), "")
            if way:
                made[f"{way}.tflite"] = path.read_bytes()
        return made


def _by_litert_torch(name: str, _: pathlib.Path) -> Mapping[str, bytes]:
    """File ending -> bytes: the float file and the quantized ones that litert-torch makes of the
    net.
    """
    import litert_torch
    import torch
    from litert_torch.quantize.pt2e_quantizer import (
        PT2EQuantizer,
        get_symmetric_quantization_config,
    )
    from litert_torch.quantize.quant_config import QuantConfig
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    inputs = torch.from_numpy(_calibration(TORCH_LAYERS[name]))
    example = (inputs[:1],)
    made = {"float32.tflite": bytes(litert_torch.convert(layer_net(name), example).model_content())}
    for way, options in {
        "int8": {"is_per_channel": True, "is_dynamic": False},
        "per_tensor": {"is_per_channel": False, "is_dynamic": False},
        "dynamic": {"is_per_channel": True, "is_dynamic": True},
    }.items():
        quantizer = PT2EQuantizer().set_global(get_symmetric_quantization_config(**options))
        try:
            observed = prepare_pt2e(
                torch.export.export(layer_net(name), example).module(), quantizer
            )
            for image in inputs:
                observed(image[None])
            integers = convert_pt2e(observed, fold_quantize=False)
            config = QuantConfig(pt2e_quantizer=quantizer)
            converted = litert_torch.convert(integers, example, quant_config=config)
            made[f"{way}.tflite"] = bytes(converted.model_content())
        except Exception as error:  # noqa: BLE001 - one way that it does not go
            print(f"{name}-{way}: {error}", file=sys.stderr)
    return made


_TOOLS: Mapping[str, Callable[[str, pathlib.Path], Mapping[str, bytes]]] = {
    "onnx": _as_onnx,
    "onnx2tf": _by_onnx2tf,
    "litert-torch": _by_litert_torch,
}


def _make(tool: str, name: str, folder: pathlib.Path) -> None:
    """Convert one net with one tool, unless its files exist; an error is written to a .refused
    file.
    """
    stem = f"torch_{name}-{tool.replace('-', '_')}"
    if any(folder.glob(f"{stem}_*")):
        return
    try:
        made: Mapping[str, Any] = _TOOLS[tool](name, folder)
    except BaseException as error:  # noqa: BLE001 - onnx2tf leaves by SystemExit
        words = " ".join(str(error).split())[:300]
        (folder / f"{stem}_none.refused").write_text(words, encoding="utf-8")
        return
    for way, data in made.items():
        (folder / f"{stem}_{way}").write_bytes(data)


def main() -> int:
    """Convert the nets named on the command line, each in a process of its own; returns the exit
    status.
    """
    tool, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[3:] or TORCH_LAYERS:
        child = os.fork()  # a converter may crash the process
        if child == 0:
            _make(tool, name, folder)
            os._exit(0)
        os.waitpid(child, 0)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
