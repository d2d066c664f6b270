# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of depmod keeps for the next: the facts of each module, and whether there is anything to do at all.

Format of ``modules.depmod-py.cache``::

    file    = MAGIC SPACE digest of what follows in the line SPACE header NEWLINE body
    header  = JSON: {"run": fingerprint, "files": {name: digest}, "messages": [[priority, text]],
                     "body": [length, CRC-32]}
    body    = COUNT, then for each module the lengths of its strings, then all the strings     (4 bytes each number)
    strings = path, key, failure, and the other fields of ModuleFacts

A module's facts are taken from here where its *key* is the same: device, inode, size, time of modification, time of
change.  Nothing is done at all where the *fingerprint* is the same, in which everything is that the run depends on: the
program, the options, the keys of all modules, configuration files and other inputs, with their names.  And where the
files that were written then still have the contents that they had.

Times of files advance in steps.  So a file that was changed within two seconds before the run could change once more
and keep its times; it gets no key, and what has no key is read again the next time.  A damaged cache is as good as
none.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from array import array
from collections.abc import Iterable, Mapping
from hashlib import blake2b, sha256

from modpost_py.kmod.depmod_reading import ModuleFacts

CACHE_NAME = "modules.depmod-py.cache"

#: Raised with each change of what is stored or of what depmod makes of it.
_FORMAT = 1
_MAGIC = b"depmod-py-cache-%d-%s" % (_FORMAT, sys.byteorder.encode("ascii"))

# A file changed less than this long before it is looked at may change again unnoticed; FAT counts in these steps
UNSETTLED_SECONDS = 2.0

_STRINGS = 2 + len(ModuleFacts._fields)


class FileKeys:
    """The keys of files as seen from the moment at which this object is made."""

    def __init__(self) -> None:
        self._settled = time.time_ns() - int(UNSETTLED_SECONDS * 1e9)
        #: Whether a file was met that has no key.
        self.is_unsettled = False

    def key(self, path: str) -> str | None:
        """What changes when the file does, ``"-"`` where there is none; ``None`` where that cannot be told yet."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return "-"
        if max(status.st_mtime_ns, status.st_ctime_ns) >= self._settled:
            self.is_unsettled = True
            return None
        return (
            f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} "
            f"{status.st_mode}"
        )


def program_key() -> str:
    """What changes when the program does: sizes and times of its files, which tell more than its version."""
    directory = os.path.dirname(os.path.abspath(__file__))
    parts = [sys.version]
    try:
        for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
            if entry.name.endswith(".py"):
                status = entry.stat()
                parts.append(f"{entry.name} {status.st_size} {status.st_mtime_ns}")
    except OSError:  # another program each time
        parts.append(str(time.time_ns()))
    return "\n".join(parts)


def fingerprint(parts: Iterable[str]) -> str:
    """A digest of texts, none of which has a NUL."""
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def contents_digest(data: bytes) -> str:
    """A digest of the contents of a file."""
    return blake2b(data, digest_size=16).hexdigest()


class DepmodCache:
    """The cache of one modules directory.

    ``run`` is the fingerprint of the last run, ``""`` for none; ``messages`` what it said after it had found the
    modules, with priorities.
    """

    def __init__(self, directory: str) -> None:
        self._path = f"{directory}/{CACHE_NAME}"
        self._directory = directory
        self.run = ""
        self.messages: list[tuple[int, str]] = []
        self._files: dict[str, str] = {}
        self._body: tuple[int, int] = (0, 0)
        self._body_at = 0

    @classmethod
    def read(cls, directory: str) -> DepmodCache:
        """The cache of a directory; an empty one where there is none that can be trusted."""
        cache = cls(directory)
        try:
            with open(cache._path, "rb") as stream:
                line = stream.readline(64 << 20)
            magic, digest, header = line.rstrip(b"\n").split(b" ", 2)
            if magic == _MAGIC and digest.decode("ascii") == contents_digest(header):
                cache._take(header, len(line))
        except (OSError, ValueError, KeyError, TypeError):
            return cls(directory)
        return cache

    def _take(self, header: bytes, body_at: int) -> None:
        import json

        known = json.loads(header)
        self.run = known["run"]
        self._files = known["files"]
        self.messages = [(priority, text) for priority, text in known["messages"]]
        self._body = (known["body"][0], known["body"][1])
        self._body_at = body_at

    def files_are_unchanged(self) -> bool:
        """Whether the files that the last run wrote are as it left them."""
        for name, digest in self._files.items():
            try:
                with open(f"{self._directory}/{name}", "rb") as stream:
                    if contents_digest(stream.read()) != digest:
                        return False
            except OSError:
                return False
        return bool(self._files)

    def facts(self) -> dict[tuple[str, str], ModuleFacts]:
        """The facts of modules by path and key."""
        length, check = self._body
        try:
            with open(self._path, "rb") as stream:
                stream.seek(self._body_at)
                body = stream.read()
        except OSError:
            return {}
        if len(body) != length or zlib.crc32(body) != check or not body:
            return {}
        return _unpacked(body)

    def write(
        self,
        run: str,
        messages: list[tuple[int, str]],
        files: Mapping[str, bytes],
        facts: Mapping[tuple[str, str], ModuleFacts],
    ) -> None:
        """Keep a run; a cache that cannot be written is no error."""
        import json

        from genksyms_py.atomic_output import write_atomically

        body = _packed(facts)
        header = {
            "run": run,
            "files": {name: contents_digest(data) for name, data in files.items()},
            "messages": messages,
            "body": [len(body), zlib.crc32(body)],
        }
        line = json.dumps(header).encode("ascii")
        try:
            write_atomically(self._path, b"%s %s %s\n%s" % (_MAGIC, contents_digest(line).encode("ascii"), line, body))
        except OSError:
            return


def _packed(facts: Mapping[tuple[str, str], ModuleFacts]) -> bytes:
    strings: list[bytes] = []
    for (path, key), of_module in facts.items():
        strings += [path.encode("utf-8", "surrogateescape"), key.encode("ascii"), b"%d" % of_module.failure]
        strings += of_module[1:]
    numbers = array("I", [len(facts), *map(len, strings)])
    return numbers.tobytes() + b"".join(strings)


def _unpacked(body: bytes) -> dict[tuple[str, str], ModuleFacts]:
    width = array("I").itemsize
    count = int.from_bytes(body[:width], sys.byteorder)
    lengths = array("I", body[width : width * (1 + _STRINGS * count)])
    strings = []
    at = width * (1 + len(lengths))
    for length in lengths:
        strings.append(body[at : at + length])
        at += length
    facts = {}
    for start in range(0, len(strings), _STRINGS):
        path, key, failure, exported, exported_crcs, needed, needed_crcs, weak, modinfo = strings[
            start : start + _STRINGS
        ]
        facts[path.decode("utf-8", "surrogateescape"), key.decode("ascii")] = ModuleFacts(
            int(failure), exported, exported_crcs, needed, needed_crcs, weak, modinfo
        )
    return facts
