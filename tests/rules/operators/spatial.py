"""Operators that move values between height, width, depth and batch, or pad them."""

from __future__ import annotations

import numpy as np

from tests.rules.operators.operands import (
    BYTES,
    PLAIN_ANY,
    PLAIN_MOVED,
    PLAIN_NUMBERS,
    Array,
    Form,
    constant,
    data,
    maker,
    output,
    plain,
)


def _to_batch(x: Array, block: int) -> Array:
    """NHWC space to batch, no padding."""
    n, h, w, c = x.shape
    parts = x.reshape(n, h // block, block, w // block, block, c)
    moved = parts.transpose(2, 4, 0, 1, 3, 5)
    result: Array = moved.reshape(n * block * block, h // block, w // block, c)
    return result


@maker("BATCH_TO_SPACE_ND", plain=PLAIN_ANY)
def _batch_to_space(_: str) -> Form:
    def back(x: Array, _block: Array, _crops: Array) -> Array:
        parts = x.reshape(2, 2, 1, 2, 3, 2).transpose(2, 3, 0, 4, 1, 5)
        result: Array = parts.reshape(1, 4, 6, 2)
        return result

    return Form(
        inputs=(data(4, 2, 3, 2), plain([2, 2]), plain([[0, 0], [0, 0]])),
        outputs=(output(1, 4, 6, 2),),
        reference=back,
        options=("BatchToSpaceNDOptions", {}),
    )


@maker("SPACE_TO_BATCH_ND", plain=PLAIN_ANY)
def _space_to_batch(_: str) -> Form:
    return Form(
        inputs=(data(1, 4, 6, 2), plain([2, 2]), plain([[0, 0], [0, 0]])),
        outputs=(output(4, 2, 3, 2),),
        reference=lambda x, _block, _pads: _to_batch(x, 2),
        options=("SpaceToBatchNDOptions", {}),
    )


@maker("SPACE_TO_DEPTH", types=BYTES, plain=PLAIN_NUMBERS)
def _space_to_depth(_: str) -> Form:
    def move(x: Array) -> Array:
        parts = x.reshape(1, 2, 2, 3, 2, 2).transpose(0, 1, 3, 2, 4, 5)
        result: Array = parts.reshape(1, 2, 3, 8)
        return result

    return Form(
        inputs=(data(1, 4, 6, 2),),
        outputs=(output(1, 2, 3, 8),),
        reference=move,
        options=("SpaceToDepthOptions", {"blockSize": 2}),
    )


@maker("DEPTH_TO_SPACE", types=BYTES, plain=PLAIN_NUMBERS)
def _depth_to_space(_: str) -> Form:
    def move(x: Array) -> Array:
        parts = x.reshape(1, 2, 3, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5)
        result: Array = parts.reshape(1, 4, 6, 2)
        return result

    return Form(
        inputs=(data(1, 2, 3, 8),),
        outputs=(output(1, 4, 6, 2),),
        reference=move,
        options=("DepthToSpaceOptions", {"blockSize": 2}),
    )


PADS = [[0, 0], [1, 1], [1, 2], [0, 0]]


@maker("PAD", plain=PLAIN_MOVED)
def _pad(_: str) -> Form:
    return Form(
        inputs=(data(1, 3, 4, 2), plain(PADS)),
        outputs=(output(1, 5, 7, 2),),
        reference=np.pad,
        options=("PadOptions", {}),
    )


@maker("PADV2", plain=PLAIN_MOVED)
def _padv2(_: str) -> Form:
    def pad(x: Array, pads: Array, value: Array) -> Array:
        return np.pad(x, pads, constant_values=float(value.reshape(())))

    return Form(
        inputs=(data(1, 3, 4, 2), plain(PADS), constant(span=(1.0, 2.0))),
        outputs=(output(1, 5, 7, 2),),
        reference=pad,
        options=("PadV2Options", {}),
    )


@maker("MIRROR_PAD", plain=PLAIN_ANY)
def _mirror_pad(_: str) -> Form:
    return Form(
        inputs=(data(1, 3, 4, 2), plain([[0, 0], [1, 1], [1, 2], [0, 0]])),
        outputs=(output(1, 5, 7, 2),),
        reference=lambda x, pads: np.pad(x, pads, mode="reflect"),
        options=("MirrorPadOptions", {"mode": 0}),
    )
