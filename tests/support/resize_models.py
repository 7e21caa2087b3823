"""One-operator models of RESIZE_BILINEAR: as `arithmetic_models` has them."""

from __future__ import annotations

import numpy as np

from tests.support.arithmetic_models import KernelCase, affine, signature, single_operator, tensor
from tflite_align.numerics import INTEGER_LIMITS, to_float32

_CHANNELS = 37  # vector instructions leave some of them over


def resize_case(type_name: str, aligned: str, rng: np.random.Generator, name: str) -> KernelCase:
    """Random sizes; random integers, and in some channels only the ends of the range. `aligned`:
    the option that is set, by the functions' word for it. `type_name`: integer type; `name`: of the
    model.
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
