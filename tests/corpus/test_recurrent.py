"""Faults inserted into a real integer LSTM are repaired: it computes the original outputs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as fb

from tflite_align import AlignOptions, align

MODEL = "tflm/trained_lstm_int8.tflite"
RUN = """
import sys, numpy as np
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1])
interpreter.allocate_tensors()
given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
rng = np.random.default_rng(5)
out = []
for _ in range(8):
    interpreter.reset_all_variables()
    data = rng.integers(-128, 128, given["shape"]).astype(given["dtype"])
    interpreter.set_tensor(given["index"], data)
    interpreter.invoke()
    out.append(interpreter.get_tensor(result["index"]).astype(int))
np.save(sys.argv[2], np.array(out))
"""


def lstm(model: fb.ModelT) -> tuple[fb.SubGraphT, fb.OperatorT]:
    codes = [max(c.builtinCode, c.deprecatedBuiltinCode) for c in model.operatorCodes]
    graph = model.subgraphs[0]
    wanted = fb.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    return graph, next(op for op in graph.operators if codes[op.opcodeIndex] == wanted)


def scale(tensor: fb.TensorT, factor: float) -> None:
    tensor.quantization.scale = np.array(tensor.quantization.scale, dtype=np.float32) * factor


def cell_scale(graph: fb.SubGraphT, op: fb.OperatorT, model: fb.ModelT) -> None:
    scale(graph.tensors[op.inputs[19]], 0.7)


def hidden(graph: fb.SubGraphT, op: fb.OperatorT, model: fb.ModelT) -> None:
    scale(graph.tensors[op.intermediates[4]], 1.7)


def bias_scale(graph: fb.SubGraphT, op: fb.OperatorT, model: fb.ModelT) -> None:
    """Make the scales of the gate biases three times as large; the integers are changed so that
    real values stay.
    """
    for index in (12, 13, 14, 15):
        tensor = graph.tensors[op.inputs[index]]
        scale(tensor, 3.0)
        buffer = model.buffers[tensor.buffer]
        values = np.asarray(buffer.data, dtype=np.uint8).view("<i4") / 3.0
        buffer.data = np.round(values).astype("<i4").view(np.uint8)


def weight_zero_point(graph: fb.SubGraphT, op: fb.OperatorT, model: fb.ModelT) -> None:
    """Give the input weights zero point 2 and add 2 to the integers, so that real values stay."""
    for index in (1, 2, 3, 4):
        tensor = graph.tensors[op.inputs[index]]
        buffer = model.buffers[tensor.buffer]
        values = np.asarray(buffer.data, dtype=np.uint8).view(np.int8).astype(int)
        buffer.data = np.clip(values + 2, -128, 127).astype(np.int8).view(np.uint8)
        tensor.quantization.zeroPoint = np.array([2], dtype=np.int64)


def output(graph: fb.SubGraphT, op: fb.OperatorT, model: fb.ModelT) -> None:
    """Make the scale of the output, and of the RESHAPE behind it, 1.7 times as large; the state is
    unchanged.
    """
    result = op.outputs[0]
    for other in graph.operators:
        if len(other.inputs) and other.inputs[0] == result and len(other.inputs) == 2:
            scale(graph.tensors[other.outputs[0]], 1.7)
    scale(graph.tensors[result], 1.7)


Fault = Callable[[fb.SubGraphT, fb.OperatorT, fb.ModelT], None]


@pytest.mark.backends
@pytest.mark.parametrize("fault", [cell_scale, hidden, bias_scale, weight_zero_point, output])
def test_a_fault_inside_an_lstm_is_repaired(fault: Fault, corpus_dir: Path, tmp_path: Path) -> None:
    data = (corpus_dir / MODEL).read_bytes()
    model = fb.ModelT.InitFromObj(fb.Model.GetRootAs(data))
    graph, op = lstm(model)
    fault(graph, op, model)
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    result = align(bytes(builder.Output()), AlignOptions(verify=False))
    assert result.report.findings
    assert result.report.remaining == ()
    before, after = run(data, tmp_path / "before"), run(result.data, tmp_path / "after")
    # A cell state with twice the scale and weights rounded again change the output by a few steps.
    assert np.max(np.abs(after - before)) <= 6
    assert np.mean(np.abs(after - before)) < 0.5


def run(data: bytes, path: Path) -> np.ndarray:
    path.write_bytes(data)
    subprocess.run([sys.executable, "-c", RUN, str(path), f"{path}.npy"], check=True)
    found: np.ndarray = np.load(f"{path}.npy")
    return found
