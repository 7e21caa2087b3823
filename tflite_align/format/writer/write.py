"""Write a changed model: the file it was read from, with what differs spliced in."""

from __future__ import annotations

from ..flatbuffer import Bytes
from ..model import Model
from .differences import differences
from .patch import Written
from .splice import splice

__all__ = ["write"]


def write(data: Bytes, before: Model, after: Model) -> Written:
    """The file `data`, of which `before` was read, as `after` has it.

    Where nothing differs the very same bytes come out. Raises UsageError for a state that the
    file cannot be brought to, UnsupportedError where that cannot be done without risk.
    """
    return splice(data, before, differences(before, after))
