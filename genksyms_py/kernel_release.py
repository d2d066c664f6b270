# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel releases: reading them, and finding the one that a build is for.

Shared by genksyms_py and modpost_py, whose dialects are chosen the same way:
``--kernel``, then the tool's own environment variable, then the variables that kbuild
exports, then ``include/config/kernel.release`` of the current directory.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

# release = MAJOR "." (MINOR | "x") [ any suffix ], with an optional leading "v"
# e.g. 6.1, 5.10.0-32-amd64, 6.12.107+deb13-arm64, 7.x, v6.1-rc3
_RELEASE = re.compile(r"v?(\d{1,4})\.(\d{1,4}|x)(?![0-9])")

_KBUILD_VARIABLES = ("KERNELRELEASE", "KERNELVERSION")
_KBUILD_RELEASE_FILE = Path("include/config/kernel.release")


class KernelRelease(NamedTuple):
    """The part of a kernel release that decides about file formats; orders like the releases do."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> KernelRelease:
        """Read ``6.1``, ``7.x``, ``6.12.107+deb13-arm64``...; raises :class:`ValueError` for anything else."""
        match = _RELEASE.match(text.strip())
        if match is None:
            raise ValueError(f"not a kernel version: {text!r} (expected e.g. 6.1, 7.x or 6.12.107+deb13-arm64)")
        minor = 9999 if match[2] == "x" else int(match[2])
        return cls(int(match[1]), minor)


class NamedRelease(NamedTuple):
    """A release text and where it was found, for messages: ``--kernel``, ``KERNELRELEASE``..."""

    text: str
    origin: str


def find_release(own_variable: str, environment: Mapping[str, str], directory: Path) -> NamedRelease | None:
    """The release of the build under way, or ``None`` where nothing tells.

    ``own_variable`` is the tool's own environment variable (``GENKSYMS_KERNEL``,
    ``MODPOST_KERNEL``); empty variables count as unset, as in make.
    """
    for variable in (own_variable, *_KBUILD_VARIABLES):
        text = environment.get(variable, "").strip()
        if text:
            return NamedRelease(text, variable)
    try:
        text = (directory / _KBUILD_RELEASE_FILE).read_text(encoding="latin-1").strip()
    except OSError:
        return None
    return NamedRelease(text, str(_KBUILD_RELEASE_FILE)) if text else None


class Dated(Protocol):
    """A dialect: what holds from one release on."""

    @property
    def since(self) -> KernelRelease:
        """The first release that it holds for."""


AnyDialect = TypeVar("AnyDialect", bound=Dated)


def dialect_for(release: str, dialects: Sequence[AnyDialect], beginning: str) -> AnyDialect:
    """The last of ``dialects`` (oldest first) whose ``since`` the release has reached.

    ``beginning`` says what a release older than all of them lacks, for the text of the
    :class:`ValueError` that such a one, or a text that is no release, raises.
    """
    parsed = KernelRelease.parse(release)
    found = [dialect for dialect in dialects if dialect.since <= parsed]
    if not found:
        raise ValueError(f"kernel {release} is older than {beginning}")
    return found[-1]


def dialect_of_build(
    own_variable: str,
    environment: Mapping[str, str] | None,
    directory: Path | None,
    dialects: Sequence[AnyDialect],
    beginning: str,
) -> AnyDialect:
    """The dialect of the build under way (see :func:`find_release`), else the newest.

    Without ``environment`` and ``directory`` those of the process serve.  Raises
    :class:`ValueError`, whose text names where the unreadable release came from.
    """
    found = find_release(own_variable, os.environ if environment is None else environment, directory or Path())
    if found is None:
        return dialects[-1]
    try:
        return dialect_for(found.text, dialects, beginning)
    except ValueError as error:
        raise ValueError(f"{found.origin}: {error}") from None
