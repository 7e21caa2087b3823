"""URLs of stores, and their form without secrets."""

from __future__ import annotations

import re

from ..errors import UsageError

__all__ = ["check_writable", "is_url", "local_path", "looks_like_url", "shown"]

# Two letters at least: `C:` is a drive.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
_FILE = "file://"
_READ_ALONE = {"data", "git", "github", "http", "https", "jar", "libarchive", "tar", "zip"}
_USER = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"\?(?=[^\s:]*=)[^\s]*")


def looks_like_url(name: str) -> bool:
    """Whether a name has the form of a URL."""
    return bool(_URL.match(name))


def is_url(name: str) -> bool:
    """Whether a name is a URL of a store; `file:///a` is the local path `/a`."""
    return looks_like_url(name) and not _is_file_url(name)


def _is_file_url(name: str) -> bool:
    """Whether a name is a `file://` URL of a local path."""
    return name.startswith(_FILE) and "::" not in name


def local_path(name: str) -> str:
    """The local path of a name; a `file://` URL without its scheme."""
    return name.removeprefix(_FILE) if _is_file_url(name) else name


def check_writable(folder: str) -> None:
    """Raise UsageError for a store in which nothing can be written."""
    if "::" in folder or folder.partition(":")[0].lower() in _READ_ALONE:
        raise UsageError(
            f"{shown(folder)}: this URL cannot be written: give a folder or an object store"
        )


def shown(name: str) -> str:
    """The name without credentials: user name, password and signed query are removed."""
    return _QUERY.sub("?***", _USER.sub("***@", name)) if looks_like_url(name) else name
