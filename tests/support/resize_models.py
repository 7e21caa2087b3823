"""One-operator models of RESIZE_BILINEAR, as `KernelCase` of `arithmetic_models`."""

from __future__ import annotations

import numpy as np

from tests.support.arithmetic_models import KernelCase, affine, signature, single_operator, tensor
from tflite_align.numerics import INTEGER_LIMITS, to_float32

_CHANNELS = 37  # no multiple of the width of vector instructions


def resize_case(type_name: str, aligned: str, rng: np.random.Generator, name: str) -> KernelCase:
    """Random sizes and integers; in some channels only the smallest and largest integer. `aligned`:
    the option that is set, "align_corners" or "half_pixel"; neither for another word.
    """
    low, high = INTEGER_LIMITS[type_name]
    given = tuple(int(size) for size in rng.integers(1, 20, 2))
    taken = tuple(int(size) for size in rng.integers(1, 60, 2))
    image = rng.integers(low, high + 1, (*given, _CHANNELS))
    image[..., ::3] = rng.choice([low, high], image[..., ::3].shape)
    zero = 0 if type_name == "int16" else int(rng.integers(low, high + 1))
    by = affine(type_name, to_float32(10 ** rng.uniform(-3, 0)), zero)
    shapes = (1, *given, _CHANNELS), (1, *taken, _CHANNELS)
    x, y = (
        tensor(letter, type_name, shape, by.scale, zero)
        for letter, shape in zip("xy", shapes, strict=True)
    )
    inputs = [x, tensor("size", "int32", (2,), data=list(taken))]
    flags = {"align_corners": aligned == "align_corners", "half_pixel": aligned == "half_pixel"}
    options = {"alignCorners": flags["align_corners"], "halfPixelCenters": flags["half_pixel"]}
    return KernelCase(
        name=name,
        data=single_operator("RESIZE_BILINEAR", inputs, y, ("ResizeBilinearOptions", options), 3),
        inputs=[image[None].astype(type_name)],
        operator="RESIZE_BILINEAR",
        types=signature(inputs, y),
        arguments=(image, taken),
        output=by,
        facts={"eightfold": False, "half_pixel_centers": flags["half_pixel"]},
        keywords=flags,
    )
