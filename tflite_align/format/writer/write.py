"""Writing a changed model: splices the difference into the file it was read from."""

from __future__ import annotations

from ..flatbuffer import Bytes
from ..model import Model
from .differences import differences
from .patch import Written
from .splice import splice

__all__ = ["write"]


def write(data: Bytes, before: Model, after: Model) -> Written:
    """The bytes of `data`, a file with model `before`, changed to model `after`.

    Identical bytes if nothing differs. Raises UsageError if `after` differs in something that
    the writer cannot change, UnsupportedError if the layout of this file does not allow a change.
    """
    return splice(data, before, differences(before, after))
