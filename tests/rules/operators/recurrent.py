"""Recurrent operators in floating point. A quantized case cannot be made from their row alone.

Every state starts at zero. Shapes are [batch, time, features] = 2 x 3 x 4, with 3 units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tests.rules.operators.operands import Array, Form, Operand, constant, data, maker, output

BATCH, STEPS, FEATURES, UNITS = 2, 3, 4, 3
TANH = 4  # ActivationFunctionType of the schema

Cell = Callable[[Array], Array]


def _absent(count: int = 1) -> tuple[Operand, ...]:
    return (Operand(role="absent"),) * count


def _part(*shape: int) -> Operand:
    return constant(*shape, span=(-1.0, 1.0))


def _state() -> Operand:
    return Operand(role="state", shape=(BATCH, UNITS))


# --- simple ---------------------------------------------------------------------------------------

_RNN = (_part(UNITS, FEATURES), _part(UNITS, UNITS), _part(UNITS), _state())


def _rnn_cell(weights: Array, recurrent: Array, bias: Array, state: Array) -> Cell:
    def step(x: Array) -> Array:
        nonlocal state
        state = np.tanh(x @ weights.T + state @ recurrent.T + bias)
        return state

    return step


def _sequence(cell: Cell, x: Array) -> Array:
    return np.stack([cell(x[:, t]) for t in range(x.shape[1])], axis=1)


def _backwards(cell: Cell, x: Array) -> Array:
    return _sequence(cell, x[:, ::-1])[:, ::-1]


@maker("RNN", types=())
def _rnn(_: str) -> Form:
    return Form(
        inputs=(data(BATCH, FEATURES), *_RNN),
        outputs=(output(BATCH, UNITS),),
        reference=lambda x, *rest: _rnn_cell(*rest)(x),
        options=("RNNOptions", {"fusedActivationFunction": TANH}),
    )


@maker("UNIDIRECTIONAL_SEQUENCE_RNN", types=())
def _unidirectional_rnn(_: str) -> Form:
    return Form(
        inputs=(data(BATCH, STEPS, FEATURES), *_RNN),
        outputs=(output(BATCH, STEPS, UNITS),),
        reference=lambda x, *rest: _sequence(_rnn_cell(*rest), x),
        options=("SequenceRNNOptions", {"fusedActivationFunction": TANH}),
    )


@maker("BIDIRECTIONAL_SEQUENCE_RNN", types=())
def _bidirectional_rnn(_: str) -> Form:
    def both(x: Array, *rest: Array) -> list[Array]:
        return [_sequence(_rnn_cell(*rest[:4]), x), _backwards(_rnn_cell(*rest[4:]), x)]

    return Form(
        inputs=(data(BATCH, STEPS, FEATURES), *_RNN, *_RNN, *_absent(3)),
        outputs=(output(BATCH, STEPS, UNITS), output(BATCH, STEPS, UNITS)),
        reference=both,
        options=("BidirectionalSequenceRNNOptions", {"fusedActivationFunction": TANH}),
    )


# --- long short-term memory -----------------------------------------------------------------------

# Of the input, forget, cell and output gates: weights, recurrent weights, (peepholes,) biases,
# (projection).
_LSTM = (
    *(_part(UNITS, FEATURES) for _ in range(4)),
    *(_part(UNITS, UNITS) for _ in range(4)),
    *_absent(3),
    *(_part(UNITS) for _ in range(4)),
    *_absent(2),
)
_PRESENT = 12  # number of these operands


def _sigmoid(x: Array) -> Array:
    result: Array = 1.0 / (1.0 + np.exp(-x))
    return result


def _lstm_cell(parts: Sequence[Array], state: Array, memory: Array) -> Cell:
    def step(x: Array) -> Array:
        nonlocal state, memory
        given, forget, cell, out = (
            x @ parts[gate].T + state @ parts[4 + gate].T + parts[8 + gate] for gate in range(4)
        )
        memory = _sigmoid(forget) * memory + _sigmoid(given) * np.tanh(cell)
        state = _sigmoid(out) * np.tanh(memory)
        return state

    return step


@maker("LSTM", types=())
def _lstm(_: str) -> Form:
    return Form(
        inputs=(data(BATCH, FEATURES), *_LSTM, _state(), _state()),
        outputs=(output(BATCH, UNITS),),
        reference=lambda x, *rest: _lstm_cell(rest[:_PRESENT], *rest[_PRESENT:])(x),
        options=("LSTMOptions", {"fusedActivationFunction": TANH}),
    )


@maker("UNIDIRECTIONAL_SEQUENCE_LSTM", types=())
def _unidirectional_lstm(_: str) -> Form:
    return Form(
        inputs=(data(BATCH, STEPS, FEATURES), *_LSTM, _state(), _state()),
        outputs=(output(BATCH, STEPS, UNITS),),
        reference=lambda x, *rest: _sequence(_lstm_cell(rest[:_PRESENT], *rest[_PRESENT:]), x),
        options=("UnidirectionalSequenceLSTMOptions", {"fusedActivationFunction": TANH}),
    )


@maker("BIDIRECTIONAL_SEQUENCE_LSTM", types=())
def _bidirectional_lstm(_: str) -> Form:
    def both(x: Array, *rest: Array) -> list[Array]:
        states = rest[2 * _PRESENT :]
        forth = _lstm_cell(rest[:_PRESENT], *states[:2])
        back = _lstm_cell(rest[_PRESENT : 2 * _PRESENT], *states[2:])
        return [_sequence(forth, x), _backwards(back, x)]

    return Form(
        inputs=(
            data(BATCH, STEPS, FEATURES),
            *_LSTM,
            *_LSTM,
            *(_state() for _ in range(4)),
            *_absent(9),
        ),
        outputs=(output(BATCH, STEPS, UNITS), output(BATCH, STEPS, UNITS)),
        reference=both,
        options=(
            "BidirectionalSequenceLSTMOptions",
            {"fusedActivationFunction": TANH, "timeMajor": False},
        ),
    )
