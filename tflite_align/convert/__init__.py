"""What a finished file is asked to become before it is aligned: int8 inside, other
types at its border.

In: a model and what is asked. Out: the converted bytes and what was done, or why it cannot be.
"""

from .border import IO_TYPES, convert_border
from .records import Conversion
from .signed import convert_to_int8
from .stage import Asked, Converted, convert

__all__ = [
    "IO_TYPES",
    "Asked",
    "Conversion",
    "Converted",
    "convert",
    "convert_border",
    "convert_to_int8",
]
