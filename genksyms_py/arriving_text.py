# SPDX-License-Identifier: GPL-2.0-or-later
"""A unit's text while the preprocessor is still writing it, cut at the line markers.

kbuild starts genksyms behind a pipe from the preprocessor.  What has arrived is worked on while the rest is made, so
that most of the work is done when the text ends.
"""

from __future__ import annotations

from collections.abc import Iterable

# A line marker: ``# 12 "include/linux/types.h" 1``
_MARKER_BEGINS = b"\n# "
_OVERLAP = len(_MARKER_BEGINS) - 1


class ArrivingText:
    """The text that ``chunks`` make, read as far as is asked for.

    ``texts`` are those between two markers so far, each with the marker that it follows (less its ``# ``), complete but
    for the last one.  A NUL byte ends the text; only :meth:`whole` has what stands behind it.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.texts: list[bytes] = []
        self._chunks = iter(chunks)
        self._all: list[bytes] = []
        self._last: list[bytes] = []
        self._ended = False

    def more(self) -> bool:
        """Read until ``texts`` has grown; false where the text has ended."""
        count = len(self.texts)
        while len(self.texts) == count and not self._ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._end()
            else:
                self._all.append(chunk)
                self._take(chunk)
        return len(self.texts) > count

    def whole(self) -> bytes:
        """The whole text, to its very end."""
        self._all = [b"".join((*self._all, *self._chunks))]
        return self._all[0]

    def _take(self, chunk: bytes) -> None:
        text, nul, _ = chunk.partition(b"\0")
        if self._last and len(self._last[-1]) < _OVERLAP:
            text = self._last.pop() + text
        # A marker's beginning may be cut by the end of a chunk
        if _MARKER_BEGINS in (self._last[-1][-_OVERLAP:] if self._last else b"") + text:
            *complete, last = b"".join((*self._last, text)).split(_MARKER_BEGINS)
            self.texts += complete
            self._last = [last]
        else:
            self._last.append(text)
        if nul:
            self._end()

    def _end(self) -> None:
        self._ended = True
        self.texts.append(b"".join(self._last))
        self._last = []
