"""Types and parameters of graph inputs and outputs after a conversion."""

from __future__ import annotations

from typing import Any

from tflite_align import AlignOptions, AlignResult, align
from tflite_align.format.reader import read


def converted(data: bytes, inputs: Any = None, outputs: Any = None, **more: Any) -> AlignResult:
    return align(data, AlignOptions(input_type=inputs, output_type=outputs, **more))


def border(data: bytes) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """(type, label) of the graph inputs and of the graph outputs."""
    graph = read(data).subgraphs[0]

    def type_and_label(index: int) -> tuple[str, Any]:
        tensor = graph.tensors[index]
        return tensor.type, tensor.quant.label if tensor.quant else None

    return [type_and_label(i) for i in graph.inputs], [type_and_label(i) for i in graph.outputs]
