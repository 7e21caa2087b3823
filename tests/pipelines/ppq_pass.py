"""Runs esp-ppq's QuantAlignmentPass on small graphs. Started in an environment that has esp-ppq.

    python ppq_pass.py GRAPHS.json ANSWERS.json

GRAPHS.json: {graph: {"tensors": {name: [scale, zero point]}, "inputs": [name], "operators":
[{"name", "type" (of ONNX), "inputs": [name], "outputs": [name]}], "rows": {row: {argument of the
pass: value}}}}. Zero points are of int8. Constants are left out: the pass does not touch them.
ANSWERS.json: {graph: {row: [{"op", "in": [[scale, zero point, state]], "out": ...}]}}; a string
instead of a list says how the pass refused.

As in esp-ppq's own pipeline, duplicate configurations are folded (QuantizeSimplifyPass) and
passive operators write at their input's parameters (QuantizeFusionPass) before the alignment.
"""

from __future__ import annotations

import json
import pathlib
import signal
import sys
from typing import Any

import torch
from esp_ppq.core import (
    OperationQuantizationConfig,
    QuantizationPolicy,
    QuantizationProperty,
    QuantizationStates,
    RoundingPolicy,
    TargetPlatform,
    TensorQuantizationConfig,
)
from esp_ppq.core.common import PASSIVE_OPERATIONS
from esp_ppq.IR import BaseGraph, QuantableOperation
from esp_ppq.quantization.optim import (
    QuantAlignmentPass,
    QuantizeFusionPass,
    QuantizeSimplifyPass,
)

# Like TFLite's activations: int8, one scale per tensor, any zero point.
POLICY = QuantizationPolicy(
    QuantizationProperty.PER_TENSOR
    | QuantizationProperty.ASYMMETRICAL
    | QuantizationProperty.LINEAR
)
# esp-ppq gives asymmetric configurations zero points of at least 0.
UNSIGNED = 128
# The pass never ends if operands refer to each other in a circle.
SECONDS = 5


def configuration(scale: float, zero_point: int) -> TensorQuantizationConfig:
    return TensorQuantizationConfig(
        policy=POLICY,
        rounding=RoundingPolicy.ROUND_HALF_EVEN,
        num_of_bits=8,
        quant_min=0,
        quant_max=255,
        scale=torch.tensor(scale, dtype=torch.float32),
        offset=torch.tensor(float(zero_point + UNSIGNED)),
        observer_algorithm="minmax",
        state=QuantizationStates.INITIAL,
    )


def quantized(graph: dict[str, Any]) -> BaseGraph:
    """The graph with a quantization configuration for each operand, as esp-ppq's quantizer makes
    it.
    """
    built = BaseGraph(name="graph")
    variables = {name: built.create_variable(name=name) for name in graph["tensors"]}
    for name in graph["inputs"]:
        built.mark_variable_as_graph_input(variables[name])
    for entry in graph["operators"]:
        made = built.create_operation(op_type=entry["type"], name=entry["name"])
        for side in ("inputs", "outputs"):
            for name in entry[side]:
                variable = variables[name]
                getattr(made, side).append(variable)
                if side == "inputs":
                    variable.dest_ops.append(made)
                else:
                    variable.source_op = made
        sides = [
            [configuration(*(graph["tensors"][name] or (1.0, 0))) for name in entry[side]]
            for side in ("inputs", "outputs")
        ]
        config = OperationQuantizationConfig(*sides)
        config.is_active_quant_op = entry["type"] not in PASSIVE_OPERATIONS
        for one, name in zip(sides[1], entry["outputs"], strict=True):
            if graph["tensors"][name] is None:
                one.state = QuantizationStates.FP32
        operation = QuantableOperation(made, config, TargetPlatform.PPL_CUDA_INT8)
        for variable in variables.values():
            variable.dest_ops[:] = [operation if one is made else one for one in variable.dest_ops]
            if variable.source_op is made:
                variable.source_op = operation
        built.operations[entry["name"]] = operation
    return built


def activate(graph: BaseGraph) -> None:
    """Set parameters, as calibration does, for every configuration that does not refer to another
    one.
    """
    for operation in graph.operations.values():
        for config, _ in operation.config_with_variable:
            if config.state == QuantizationStates.INITIAL:
                config.state = QuantizationStates.ACTIVATED


def answer(graph: dict[str, Any], arguments: dict[str, Any]) -> Any:
    built = quantized(graph)
    QuantizeSimplifyPass().optimize(graph=built, dataloader=None, executor=None)
    QuantizeFusionPass(activation_type=set(), fuse_relu_clip=False).optimize(graph=built)
    activate(built)
    signal.alarm(SECONDS)
    try:
        QuantAlignmentPass(**arguments).optimize(built)
        return answers_of(built)
    except AssertionError:
        return "refused by an assertion"
    except (RecursionError, TimeoutError, ValueError):
        return "operands that follow each other in a circle"
    finally:
        signal.alarm(0)


def answers_of(built: BaseGraph) -> list[dict[str, Any]]:
    return [
        {
            "op": operation.name,
            "in": [spoken(one) for one in operation.config.input_quantization_config],
            "out": [
                spoken(one)
                for one in operation.config.output_quantization_config
                if one.state != QuantizationStates.FP32
            ],
        }
        for operation in built.operations.values()
    ]


def spoken(config: TensorQuantizationConfig) -> list[Any]:
    scale, offset = float(config.scale.item()), round(float(config.offset.item())) - UNSIGNED
    return [float(f"{scale:.6g}"), offset, config.state.name]


def interrupt(*_: object) -> None:
    raise TimeoutError


def main() -> None:
    signal.signal(signal.SIGALRM, interrupt)
    graphs = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = {
        name: {row: answer(graph, arguments) for row, arguments in graph["rows"].items()}
        for name, graph in graphs.items()
    }
    pathlib.Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
