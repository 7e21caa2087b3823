"""Change the types of graph inputs and outputs: QUANTIZE and DEQUANTIZE are added, removed or
folded.

The same as the converter's inference_input_type and inference_output_type, on a finished file. Real
values are kept: between int8 and uint8 the integers shift by 128, an int16 input or output covers
the range of the tensor inside, a float input is quantized directly after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...checks.subgraph_calls import called_subgraphs
from ...format.model import Model, OperatorId, QuantParams, Slot, Tensor, TensorId
from ...format.wiring import quantized
from ...numerics import Label
from ...rules.rows import OperatorRow
from ...rules.targets import Target
from ..planner.draft import Draft
from ..planner.type_change import EIGHT_BITS, label_in_type
from .conversion import Conversion

__all__ = ["convert_border"]


def convert_border(
    model: Model,
    rows: Mapping[str, OperatorRow],
    targets: Sequence[Target],
    *,
    inputs: str | None = None,
    outputs: str | None = None,
) -> Conversion:
    """Give every real-valued graph input and output the requested type (None: unchanged).

    Applies to subgraph 0 and every subgraph that a signature names. Integers without parameters
    (indices, raw pixels) and other types are unchanged. `rows`: rules by operator name. `targets`:
    runtimes for which the result must be legal.
    """
    border = _Border(Draft(model), rows, targets)
    called = {call.subgraph for call in called_subgraphs(model, rows)}
    for subgraph in sorted(model.named_subgraphs):
        graph = model.subgraphs[subgraph]
        requests = [("inputs", i, inputs) for i in range(len(graph.inputs))]
        requests += [("outputs", i, outputs) for i in range(len(graph.outputs))]
        for slot_kind, index, to_type in requests:
            slot = Slot(subgraph, -1, slot_kind, index)  # type: ignore[arg-type]
            if to_type is None or not border.concerns(slot, to_type):
                continue
            if subgraph in called:
                border.refuse(slot, to_type, "its subgraph is called by another subgraph")
            elif slot_kind == "inputs":
                border.input(slot, to_type)
            else:
                border.output(slot, to_type)
    return border.conversion()


class _Border:
    """Changes the graph inputs and outputs of one model. `done`: new tensor of each converted one;
    `refused`: reasons.
    """

    def __init__(
        self, draft: Draft, rows: Mapping[str, OperatorRow], targets: Sequence[Target]
    ) -> None:
        self.draft = draft
        self.model = draft.model
        self.rows = rows
        self.targets = targets
        self.refused: list[str] = []
        self.done: dict[tuple[int, int, str], int] = {}  # (tensor, side) -> its replacement
        self.removed: set[OperatorId] = set()

    def conversion(self) -> Conversion:
        """The result: the plan, and the reasons against it."""
        return Conversion(plan=self.draft.plan(), refused=tuple(self.refused))

    def tensor(self, slot: Slot) -> Tensor:
        """The tensor of a graph input or output."""
        return self.draft.tensor(slot.subgraph, slot.tensor(self.model))

    def concerns(self, slot: Slot, to_type: str) -> bool:
        """Whether the input or output has another type than requested and holds real values."""
        tensor = self.tensor(slot)
        return tensor.type != to_type and (tensor.type == "float32" or quantized(tensor))

    def refuse(self, slot: Slot, to_type: str, why: str) -> None:
        """Record why an input or output cannot get the type."""
        tensor = self.tensor(slot)
        self.refused.append(
            f"{slot.address(self.model)} {tensor.name!r} cannot become {to_type}: {why}"
        )

    # --- inputs --------------------------------------------------------------------------------

    def input(self, slot: Slot, to_type: str) -> None:
        """Give one graph input the type: as the output of the QUANTIZE that reads it, or as a new
        tensor before a QUANTIZE.
        """
        tensor = self.tensor(slot)
        key = (slot.subgraph, tensor.index, "inputs")
        if key in self.done:
            self.draft.rewire(slot, self.done[key])
            return
        readers = self.draft.links(slot.subgraph).readers.get(tensor.index, [])
        if tensor.type != "float32" and not _simple(tensor):
            self.refuse(slot, to_type, "it has one scale per channel")
        elif tensor.type == "float32" or self._same_grid(slot, readers, to_type):
            self._input_behind(slot, to_type, readers)
        else:
            self._new_input(slot, to_type, readers)

    def _same_grid(self, slot: Slot, readers: Sequence[Slot], to_type: str) -> bool:
        """Whether only QUANTIZE operators to `to_type` read the input, and each keeps every real
        value: a graph input of `to_type` can then take their place. `readers`: slots that read the
        input.
        """
        ends = [self._requantized(reader) for reader in readers]
        return bool(ends) and all(
            end is not None and end.type == to_type and _shifted(self.tensor(slot), end)
            for end in ends
        )

    def _requantized(self, reader: Slot) -> Tensor | None:
        """The output of the QUANTIZE that reads in this slot; None for any other reader."""
        if reader.operator < 0:
            return None
        operator = self.model.subgraphs[reader.subgraph].operators[reader.operator]
        if operator.name != "QUANTIZE":
            return None
        written = self.draft.tensor(reader.subgraph, operator.outputs[0])
        return written if _simple(written) else None

    def _input_behind(self, slot: Slot, to_type: str, readers: Sequence[Slot]) -> None:
        """Give a float input the type by removing the QUANTIZE operators that read it: their output
        becomes the graph input or, if it has another type than `to_type`, they read a new graph
        input of `to_type` with the same label. `readers`: slots that read the input.
        """
        ends = {reader: self._requantized(reader) for reader in readers}
        for reader, end in ends.items():
            if end is None:
                why = f"{reader.address(self.model)} reads it and is not a QUANTIZE"
                return self.refuse(slot, to_type, why)
        labelled = [end for end in ends.values() if end is not None]
        if not labelled:
            return self.refuse(slot, to_type, "no QUANTIZE reads it")
        first = labelled[0]
        if any((end.type, _label(end)) != (first.type, _label(first)) for end in labelled):
            return self.refuse(slot, to_type, "the QUANTIZE operators that read it differ")
        if first.type == to_type:
            return self._without(slot, to_type, list(ends), labelled)
        label = _bordering(first, to_type)
        if label is None or not self._able(to_type, first.type):
            return self.refuse(slot, to_type, f"its QUANTIZE writes {first.type}")
        new = self._new(slot, to_type, label)
        for reader in ends:
            self.draft.rewire(reader, new)
        self._take(slot, "inputs", new, f"{to_type} {label}", "the application quantizes it")
        return None

    def _without(
        self, slot: Slot, to_type: str, readers: Sequence[Slot], ends: Sequence[Tensor]
    ) -> None:
        """Remove the QUANTIZE operators after an input; the first one's output (`ends`) becomes the
        graph input, and readers of the others read it. `to_type`: name of the new type.
        """
        new = ends[0].index
        for reader, end in zip(readers, ends, strict=True):
            self._remove(slot.subgraph, reader.operator)
            for other in self.draft.links(slot.subgraph).readers.get(end.index, []):
                if end.index != new:
                    self.draft.rewire(other, new)
        after = f"{to_type} {_label(ends[0])}"
        self._take(slot, "inputs", new, after, "its QUANTIZE is removed")

    def _new_input(self, slot: Slot, to_type: str, readers: Sequence[Slot]) -> None:
        """Add a new graph input of the type, and a QUANTIZE that writes the old one from it.
        `readers`: slots that read the input.
        """
        tensor = self.tensor(slot)
        label = _bordering(tensor, to_type)
        if to_type != "float32" and (label is None or not self._able(to_type, tensor.type)):
            return self.refuse(
                slot, to_type, f"it is {tensor.type}, which no QUANTIZE converts without loss"
            )
        new = self._new(slot, to_type, label)
        first = min((reader.operator for reader in readers if reader.operator >= 0), default=0)
        step = ("QUANTIZE", tensor.type)
        self.draft.add_step(slot.subgraph, new, tensor.index, step, first)
        after = to_type if label is None else f"{to_type} {label}"
        self._take(slot, "inputs", new, after, "a QUANTIZE is inserted behind it")
        return None

    # --- outputs -------------------------------------------------------------------------------

    def output(self, slot: Slot, to_type: str) -> None:
        """Give one graph output the type: as the input of the QUANTIZE or DEQUANTIZE that writes
        it, or as a new tensor.
        """
        tensor = self.tensor(slot)
        key = (slot.subgraph, tensor.index, "outputs")
        if key in self.done:
            self.draft.rewire(slot, self.done[key])
            return
        source = self._source(slot)
        if tensor.type == "float32":
            self._output_before(slot, to_type, source)
        elif not _simple(tensor):
            self.refuse(slot, to_type, "it has one scale per channel")
        elif source is not None and self._is_the_same(source, tensor, to_type):
            self._end_at(slot, to_type, source)
        else:
            self._new_output(slot, to_type, tensor)

    def _source(self, slot: Slot) -> Tensor | None:
        """The input of the QUANTIZE or DEQUANTIZE that writes this output; None without one."""
        producer = self.draft.links(slot.subgraph).producer.get(slot.tensor(self.model))
        if producer is None or producer.operator < 0:
            return None
        operator = self.model.subgraphs[slot.subgraph].operators[producer.operator]
        if operator.name not in {"QUANTIZE", "DEQUANTIZE"}:
            return None
        return self.draft.tensor(slot.subgraph, operator.inputs[0])

    def _is_the_same(self, source: Tensor, tensor: Tensor, to_type: str) -> bool:
        """Whether `source` holds the same real values as the output in the requested type, and can
        be the output.
        """
        if source.type != to_type or self._constant(source):
            return False
        if to_type == "float32":
            return True
        return _simple(source) and _shifted(source, tensor)

    def _constant(self, tensor: Tensor) -> bool:
        """Whether the tensor is a constant."""
        return any(
            graph.tensors[tensor.index] is tensor
            and self.model.is_constant(graph.index, tensor.index)
            for graph in self.model.subgraphs
            if tensor.index < len(graph.tensors)
        )

    def _output_before(self, slot: Slot, to_type: str, source: Tensor | None) -> None:
        """Give a float graph output an integer type: it ends at the input of the DEQUANTIZE that
        writes it, behind a QUANTIZE if that has another type. Refused without such a DEQUANTIZE.
        """
        if source is None or not _simple(source):
            return self.refuse(slot, to_type, "no DEQUANTIZE of a quantized tensor writes it")
        if source.type == to_type:
            return self._end_at(slot, to_type, source)
        return self._new_output(slot, to_type, source)

    def _end_at(self, slot: Slot, to_type: str, source: Tensor) -> None:
        """Make `source`, the input of the last operator, the graph output, and remove that operator
        if nothing else reads its result. `to_type`: name of the new type.
        """
        self._drop_writer(slot)
        after = to_type if source.type == "float32" else f"{to_type} {_label(source)}"
        self._take(slot, "outputs", source.index, after, "the operator behind it is removed")

    def _drop_writer(self, place: Slot) -> None:
        """Remove the operator that wrote the output, if no other operator reads it."""
        links = self.draft.links(place.subgraph)
        tensor = place.tensor(self.model)
        readers = [slot for slot in links.readers.get(tensor, []) if slot.operator >= 0]
        if not readers:
            self._remove(place.subgraph, links.producer[tensor].operator)

    def _new_output(self, slot: Slot, to_type: str, source: Tensor) -> None:
        """Add a QUANTIZE or DEQUANTIZE of `source` that writes a new output tensor of the type."""
        label = _bordering(source, to_type)
        if to_type != "float32" and (label is None or not self._able(source.type, to_type)):
            return self.refuse(
                slot, to_type, f"it is {source.type}, which no QUANTIZE converts without loss"
            )
        tensor = self.tensor(slot)
        new = self._new(slot, to_type, label)
        end = len(self.model.subgraphs[slot.subgraph].operators)
        name = "DEQUANTIZE" if to_type == "float32" else "QUANTIZE"
        type_name = source.type if to_type == "float32" else to_type
        self.draft.add_step(slot.subgraph, source.index, new, (name, type_name), end)
        if source.index != tensor.index:
            self._drop_writer(slot)
        after = to_type if label is None else f"{to_type} {label}"
        self._take(slot, "outputs", new, after, f"a {name} is inserted in front of it")
        return None

    # --- both ----------------------------------------------------------------------------------

    def _new(self, slot: Slot, to_type: str, label: Label | None) -> int:
        """Add a tensor of type `to_type` with this label (None: float) and the shape of the graph
        input or output; returns its index.
        """
        index = slot.tensor(self.model)
        ending = f"_{to_type}"
        return self.draft.add_tensor(
            slot.subgraph, index, ending, _params(label), type_name=to_type
        )

    def _able(self, source: str, result: str) -> bool:
        """Whether every target has a QUANTIZE from type `source` to type `result`."""
        return all(result in target.quantize.get(source, ()) for target in self.targets)

    def _remove(self, subgraph: int, operator: int) -> None:
        """Remove an operator, once. `subgraph`: its index."""
        if OperatorId(subgraph, operator) not in self.removed:
            self.removed.add(OperatorId(subgraph, operator))
            self.draft.graph(subgraph).remove(operator)

    def _take(self, slot: Slot, side: str, new: int, after: str, how: str) -> None:
        """Make the tensor `new` the graph input or output, and record the change. `side`: inputs or
        outputs; `after`: its type and label as text; `how`: end of the reason.
        """
        tensor = self.tensor(slot)
        self.done[slot.subgraph, tensor.index, side] = new
        self.draft.rewire(slot, new)
        before = tensor.type if tensor.type == "float32" else f"{tensor.type} {_label(tensor)}"
        key = TensorId(slot.subgraph, tensor.index)
        why = f"graph {side.removesuffix('s')} converted: {how}"
        self.draft.note("converted", key, before, after, why=why, readers=(slot,))


def _label(tensor: Tensor) -> Label:
    """The label of a per-tensor quantized tensor."""
    assert tensor.quant is not None
    return tensor.quant.label


def _shifted(first: Tensor, second: Tensor) -> bool:
    """Whether two 8-bit tensors stand for the same real values, with integers shifted by 128 if
    their types differ.
    """
    if first.type not in EIGHT_BITS or second.type not in EIGHT_BITS:
        return False
    return label_in_type(_label(first), first.type, second.type) == _label(second)


def _bordering(tensor: Tensor, to_type: str) -> Label | None:
    """The label with which a graph input or output of type `to_type` holds all values of `tensor`;
    None if it would lose some (from int16 to 8 bits) or the tensor is not of 8 bits.
    """
    if tensor.type not in EIGHT_BITS or to_type not in {*EIGHT_BITS, "int16"}:
        return None
    return label_in_type(_label(tensor), tensor.type, to_type)


def _params(label: Label | None) -> QuantParams | None:
    """Quantization parameters of one scale and zero point; None for None."""
    return None if label is None else QuantParams(scale=label[:1], zero_point=label[1:])


def _simple(tensor: Tensor) -> bool:
    """Whether the tensor has exactly one scale and zero point."""
    return quantized(tensor) and tensor.quant is not None and tensor.quant.per_tensor
