"""Runs variants of a model (twin, declared reading, kernels) for tests of verification, and changes
models for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tflite_align.verify.frontier import cut_copy, frontier
from tflite_align.verify.object_api import pack, parse
from tflite_align.verify.process import workspace
from tflite_align.verify.samples import Samples, make_samples
from tflite_align.verify.sqnr import powers, sqnr
from tflite_align.verify.twin import declared, twin
from tflite_align.verify.variants import Form, Ran, run_forms, sample_records

Array = npt.NDArray[Any]


def readings(data: bytes, inputs: Array | None = None) -> tuple[dict[str, Ran], Samples]:
    """Twin, declared reading and builtin run of a model, on real values for its only input."""
    calibration: dict[str | int, Array] | None = None if inputs is None else {0: inputs}
    samples = make_samples(parse(data), calibration=calibration, count=32, seed=0, topped=False)
    found = frontier(parse(data))
    forms = [
        Form(name="twin", data=twin(data, found), kernels=("litert",)),
        Form(name="declared", data=declared(data, found), kernels=("litert",)),
    ]
    if not found.dropped:
        copy = pack(cut_copy(parse(data), found))
        forms.append(Form(name="run", data=copy, kernels=("litert",)))
    with workspace() as folder:
        records = sample_records(samples, folder)
        return run_forms(forms, samples, records, folder, lambda _: None)[0], samples


def level(reference: Array, values: Array) -> float:
    """SQNR in dB of `values` against `reference`, both [samples, elements]."""
    units = tuple((n, n + 1) for n in range(len(reference)))
    found = powers(reference, values, units)
    assert found is not None
    answer = sqnr(found)
    assert answer is not None
    return answer


def outputs(ran: dict[str, Ran], form: str) -> Array:
    """The first output of one variant. `ran`: results by variant; `form`: the variant's name."""
    values = ran[form].outputs
    assert values is not None, ran[form].why
    return values[0]


def run_float(data: bytes, inputs: Array) -> Array:
    """First output of a float model for each input, [samples, elements]."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    rows = []
    for one in inputs:
        shape = interpreter.get_input_details()[0]["shape"]
        interpreter.set_tensor(source, one.reshape(shape).astype(np.float32))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target).reshape(-1))
    return np.stack(rows)


def rescaled(data: bytes, operator: int, factor: float) -> bytes:
    """The model with the scale of one operator's first output multiplied. `operator`: its index;
    `factor`: of the scale.
    """
    model = parse(data)
    graph = model.subgraphs[0]
    quant = graph.tensors[graph.operators[operator].outputs[0]].quantization
    quant.scale = np.asarray(quant.scale, np.float32) * np.float32(factor)
    return pack(model)


def rebiased(data: bytes, name: bytes, source: bytes) -> bytes:
    """The bias of convolution `name` requantized to the current scale of its input `source`."""
    model = parse(data)
    tensors = {tensor.name: tensor for tensor in model.subgraphs[0].tensors}
    bias, weights = tensors[name + b".b"], tensors[name + b".w"]
    old = float(bias.quantization.scale[0])
    new = float(tensors[source].quantization.scale[0]) * float(weights.quantization.scale[0])
    integers = np.asarray(model.buffers[bias.buffer].data, np.uint8).view("<i4")
    model.buffers[bias.buffer].data = np.rint(integers * old / new).astype("<i4").view(np.uint8)
    bias.quantization.scale = np.array([new], np.float32)
    return pack(model)
