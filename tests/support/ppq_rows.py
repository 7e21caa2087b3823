"""Rows of policies, and models in the input format of tests/pipelines/ppq_pass.py."""

from __future__ import annotations

import itertools
from typing import Any

from tflite_align.format.reader import read
from tflite_align.rules.families import FAMILY_POLICIES

__all__ = ["ONNX_TYPES", "as_ppq_graph", "policies_of_row", "rows"]

# TFLite operator -> the ONNX operator that esp-ppq knows it as.
ONNX_TYPES = {
    "ADD": "Add",
    "ADD_N": "Sum",
    "AVERAGE_POOL_2D": "AveragePool",
    "CONCATENATION": "Concat",
    "CONV_2D": "Conv",
    "LESS": "Less",
    "MAXIMUM": "Max",
    "MAX_POOL_2D": "MaxPool",
    "MEAN": "GlobalAveragePool",
    "MUL": "Mul",
    "PACK": "Concat",
    "RESHAPE": "Reshape",
    "RESIZE_BILINEAR": "Resize",
    "SCATTER_ND": "ScatterND",
    "SLICE": "Slice",
    "SPLIT": "Split",
    "SUB": "Sub",
}
_WORDS = {"none": "None", "input": "Align to Input", "output": "Align to Output"}
_WORDS["large"] = "Align to Large"
_ARGUMENTS = {
    "elementwise": "elementwise_alignment",
    "concat": "concat_alignment",
    "pooling": "pooling_alignment",
    "resize": "resize_alignment",
    "logical": "logical_elementwise_alignment",
}


def rows(families: tuple[str, ...]) -> list[str]:
    """Every policy of each family except "auto", with overlap forbidden and forced. `families`:
    operator families.
    """
    choices = [
        [f"{family}={policy}" for policy in FAMILY_POLICIES[family] if policy != "auto"]
        for family in families
    ]
    return [
        ",".join([*chosen, overlap])
        for chosen in itertools.product(*choices)
        for overlap in ("forbid", "force")
    ]


def policies_of_row(row: str) -> tuple[dict[str, Any], Any]:
    """`concat=large,force` as the options `policies` and `overlap`."""
    *chosen, overlap = row.split(",")
    return dict(entry.split("=") for entry in chosen), overlap


def as_ppq_graph(data: bytes, families: tuple[str, ...]) -> dict[str, Any]:
    """The model's activations, operators and rows, as tests/pipelines/ppq_pass.py reads them.
    `families`: operator families.
    """
    model = read(data)
    graph = model.subgraphs[0]
    tensors: dict[str, Any] = {}
    operators = []
    for operator in graph.operators:
        inputs = [i for i in operator.inputs if model.constant(0, i) is None]
        for index in (*inputs, *operator.outputs):
            quant = graph.tensors[index].quant
            known = quant is not None and quant.scale
            tensors[graph.tensors[index].name] = list(quant.label) if quant and known else None
        operators.append(
            {
                "name": f"{operator.name}_{operator.index}",
                "type": ONNX_TYPES[operator.name],
                "inputs": [graph.tensors[index].name for index in inputs],
                "outputs": [graph.tensors[index].name for index in operator.outputs],
            }
        )
    arguments = {row: _arguments(row) for row in rows(families)}
    return {"tensors": tensors, "inputs": ["x"], "operators": operators, "rows": arguments}


def _arguments(row: str) -> dict[str, Any]:
    policies, overlap = policies_of_row(row)
    given: dict[str, Any] = dict.fromkeys(_ARGUMENTS.values(), "None")
    given.update({_ARGUMENTS[family]: _WORDS[policy] for family, policy in policies.items()})
    return {**given, "rnn_alignment": "None", "force_overlap": overlap == "force"}
