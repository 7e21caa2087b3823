"""Structural checks of a model after reading: indices are valid, operators are in topological
order.

Runtimes refuse a model that is refused here, or could not run it. Quantization parameters are
checked in `checks`.
"""

from __future__ import annotations

from ..errors import FormatError
from .enums import constant_size
from .model import Model, Operator, QuantParams, Subgraph, Tensor

__all__ = ["check_structure"]

# Option fields with the index, or indices, of subgraphs that the operator calls.
_CALLS: tuple[str, ...] = (
    "body_subgraph_index",
    "branch_subgraph_indices",
    "comparator_subgraph_index",
    "cond_subgraph_index",
    "decomposition_subgraph_index",
    "else_subgraph_index",
    "init_subgraph_index",
    "subgraph",
    "then_subgraph_index",
    "update_computation_subgraph_index",
)
_LISTS: tuple[str, ...] = ("branch_subgraph_indices",)  # options that are lists of subgraph indices
_CALLED = frozenset(_CALLS)
_MAX_RANK = 255


def check_structure(model: Model) -> None:
    """Raise FormatError with the place of the first violation of a structural rule."""
    if not model.subgraphs:
        msg = "the model has no subgraph"
        raise FormatError(msg, offset=model.pos)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if problem := _tensor_problem(model, graph, tensor):
                address = f"subgraph[{graph.index}]/tensor[{tensor.index}] {tensor.name!r}"
                raise FormatError(f"{address}: {problem}", offset=tensor.pos)
        _check_indices(graph)
        _check_computed(model, graph)
        _check_order(model, graph)
    _check_calls(model)
    _check_signatures(model)
    for metadata in model.metadata:
        if metadata.buffer >= len(model.buffers):
            msg = (
                f"metadata {metadata.name!r} names buffer {metadata.buffer} of {len(model.buffers)}"
            )
            raise FormatError(msg, offset=model.pos)


def _tensor_problem(model: Model, graph: Subgraph, tensor: Tensor) -> str:
    """The error in a tensor's buffer, shape or parameters; "" if there is none."""
    if tensor.buffer and tensor.buffer >= len(model.buffers):
        return f"buffer {tensor.buffer} of {len(model.buffers)} does not exist"
    if len(tensor.shape) > _MAX_RANK:
        return f"{len(tensor.shape)} dimensions"
    if tensor.shape and min(tensor.shape) < -1:
        return f"dimension {min(tensor.shape)}"
    problem = "" if tensor.quant is None else _quant_problem(tensor, tensor.quant)
    return problem or (_size_problem(model, graph, tensor) if tensor.buffer else "")


def _quant_problem(tensor: Tensor, quant: QuantParams) -> str:
    """The error in the lengths of a tensor's parameters; "" if there is none."""
    if quant.details:
        return ""
    scales, points = len(quant.scale), len(quant.zero_point)
    if points and points != scales:
        return f"{scales} scales and {points} zero points"
    # Old converters wrote quantized_dimension 3 for rank-one biases, so any matching dimension is
    # accepted.
    if scales > 1 and scales not in tensor.shape and min(tensor.shape, default=1) > 0:
        return f"{scales} scales for a shape of {list(tensor.shape)}"
    return ""


def _size_problem(model: Model, graph: Subgraph, tensor: Tensor) -> str:
    """The error if a constant's size does not match its shape and type; "" if either is unknown."""
    data = model.constant(graph.index, tensor.index)
    if data is None or tensor.sparse or (tensor.quant is not None and tensor.quant.details):
        return ""
    needed = constant_size(tensor.shape, tensor.type)
    if needed is None or len(data) == needed:
        return ""
    return f"{len(data)} bytes of constant data where shape and type need {needed}"


def _check_indices(graph: Subgraph) -> None:
    """Raise FormatError if a subgraph's inputs or outputs, or an operator's operands, name a tensor
    that does not exist.
    """
    count = len(graph.tensors)
    for slot_kind, indices in (("inputs", graph.inputs), ("outputs", graph.outputs)):
        for position, tensor in enumerate(indices):
            if not 0 <= tensor < count:
                address = f"subgraph[{graph.index}]/{slot_kind}[{position}]"
                msg = f"{address}: tensor {tensor} of {count} does not exist"
                raise FormatError(msg, offset=graph.pos)
    for operator in graph.operators:
        operands = operator.inputs + operator.outputs + operator.intermediates
        if operands and (min(operands) < -1 or max(operands) >= count):
            _raise_operand(graph, operator)


def _check_computed(model: Model, graph: Subgraph) -> None:
    """Raise FormatError if an operator writes a tensor whose buffer holds data: what is written
    replaces a constant.
    """
    full = {buffer.index: len(buffer.data) for buffer in model.buffers if buffer.data}
    for operator in graph.operators if full else ():
        for position, tensor in enumerate(operator.outputs):
            number = graph.tensors[tensor].buffer if tensor >= 0 else -1
            if number in full and not graph.tensors[tensor].is_variable:
                address = f"{_place(graph, operator)}/outputs[{position}]"
                held = f"buffer {number}, which holds {full[number]} bytes, not none"
                msg = f"{address}: tensor {tensor} names {held}"
                raise FormatError(msg, offset=graph.tensors[tensor].pos)


def _raise_operand(graph: Subgraph, operator: Operator) -> None:
    """Raise FormatError for the operator's operand that names a tensor which does not exist."""
    count = len(graph.tensors)
    for slot_kind in ("inputs", "outputs", "intermediates"):
        for position, tensor in enumerate(getattr(operator, slot_kind)):
            if not -1 <= tensor < count:
                address = f"{_place(graph, operator)}/{slot_kind}[{position}]"
                msg = f"{address}: tensor {tensor} of {count} does not exist"
                raise FormatError(msg, offset=operator.pos)


def _check_order(model: Model, graph: Subgraph) -> None:
    """Raise FormatError unless each tensor has one producer, which precedes its readers. Variables
    may be written repeatedly.
    """
    producer: dict[int, int] = {}
    for operator in graph.operators:
        for tensor in operator.outputs:
            if tensor < 0 or graph.tensors[tensor].is_variable:
                continue
            earlier = producer.setdefault(tensor, operator.index)
            if earlier != operator.index:
                first = _place(graph, graph.operators[earlier])
                msg = f"{_place(graph, operator)} writes tensor {tensor}, as {first} does"
                raise FormatError(msg, offset=operator.pos)
    available = set(graph.inputs)
    for operator in graph.operators:
        for tensor in operator.inputs:
            source = producer.get(tensor, -1)
            if source < operator.index or tensor in available:
                continue
            if model.is_constant(graph.index, tensor):
                continue
            writer = _place(graph, graph.operators[source])
            msg = f"{_place(graph, operator)} reads tensor {tensor} before {writer} writes it"
            raise FormatError(msg, offset=operator.pos)


def _check_calls(model: Model) -> None:
    """Raise FormatError if an operator calls a subgraph that does not exist, or subgraphs call each
    other recursively.
    """
    count = len(model.subgraphs)
    calls: list[list[int]] = []
    for graph in model.subgraphs:
        callees = []
        for operator in graph.operators:
            if not _CALLED.isdisjoint(operator.options):
                fields = _CALLS
            else:
                fields = _LISTS if operator.numbers else ()
            for field in fields:
                for callee in operator.called(field):
                    if not 0 <= callee < count:
                        address = _place(graph, operator)
                        msg = f"{address}: {field} names subgraph {callee} of {count}"
                        raise FormatError(msg, offset=operator.pos)
                    callees.append(callee)
        calls.append(callees)
    _check_recursion(model, calls)


def _check_recursion(model: Model, calls: list[list[int]]) -> None:
    """Raise FormatError for recursive calls. `calls`: called subgraphs by subgraph."""
    callers = [0] * len(calls)
    for callees in calls:
        for callee in callees:
            callers[callee] += 1
    ready = [index for index, count in enumerate(callers) if count == 0]
    done = 0
    while ready:
        done += 1
        for callee in calls[ready.pop()]:
            callers[callee] -= 1
            if callers[callee] == 0:
                ready.append(callee)
    if done < len(calls):
        culprit = next(index for index, count in enumerate(callers) if count)
        msg = f"subgraph[{culprit}] is part of subgraphs that call each other without end"
        raise FormatError(msg, offset=model.subgraphs[culprit].pos)


def _check_signatures(model: Model) -> None:
    """Raise FormatError if a signature names a subgraph or tensor that does not exist."""
    for index, signature in enumerate(model.signatures):
        address = f"signature[{index}] {signature.key!r}"
        if signature.subgraph >= len(model.subgraphs):
            msg = (
                f"{address}: subgraph {signature.subgraph} of {len(model.subgraphs)} does not exist"
            )
            raise FormatError(msg, offset=model.pos)
        count = len(model.subgraphs[signature.subgraph].tensors)
        for name, tensor in signature.inputs + signature.outputs:
            if tensor >= count:
                msg = f"{address}: {name!r} names tensor {tensor} of {count}"
                raise FormatError(msg, offset=model.pos)


def _place(graph: Subgraph, operator: Operator) -> str:
    """The operator's address, as `subgraph[0]/operator[3] ADD`."""
    return f"subgraph[{graph.index}]/operator[{operator.index}] {operator.name}"
