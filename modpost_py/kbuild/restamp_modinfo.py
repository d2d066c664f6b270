# SPDX-License-Identifier: GPL-2.0-or-later
"""One entry of ``.modinfo`` with another value.

    .modinfo = ( entry NUL+ )*          entry = tag "=" value

Symbols and debugging information point at the entries, so none but the changed one may move.  Any number of NULs may
stand between entries (the kernel and kmod pass over them): a value that is not longer is written over the old one and
filled up with NULs; a longer one goes to the end of the section, and NULs take the old place.
"""

from __future__ import annotations


def with_value(modinfo: bytes, tag: str, value: str) -> bytes:
    """The section with ``value`` in the first entry of ``tag``, which is added at the end if there is none."""
    entry = f"{tag}={value}".encode("utf-8", "surrogateescape")
    place = _place(modinfo, tag)
    if place is None:
        return _terminated(modinfo) + entry + b"\0"
    start, end = place
    room = end + _zeros(modinfo, end) - start  # the terminating NUL and all that follow it
    if len(entry) < room:
        return modinfo[:start] + entry.ljust(room, b"\0") + modinfo[start + room :]
    return _terminated(modinfo[:start] + bytes(end - start) + modinfo[end:]) + entry + b"\0"


def _place(modinfo: bytes, tag: str) -> tuple[int, int] | None:
    """Where the first entry of a tag starts and where its NUL is."""
    wanted = f"{tag}=".encode()
    start = 0
    while start < len(modinfo):
        end = modinfo.find(b"\0", start)
        end = len(modinfo) if end < 0 else end
        if modinfo.startswith(wanted, start):
            return start, end
        start = end + 1
    return None


def _zeros(data: bytes, start: int) -> int:
    return len(data) - start - len(data[start:].lstrip(b"\0"))


def _terminated(modinfo: bytes) -> bytes:
    return modinfo if not modinfo or modinfo.endswith(b"\0") else modinfo + b"\0"
