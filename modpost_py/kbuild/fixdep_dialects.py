# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between the fixdeps of kernel releases, as data.

A plain class and tuples: fixdep runs once an object, and what usually serves for this costs more than its work.
"""

from __future__ import annotations

import os

_OWN_VARIABLE = "FIXDEP_KERNEL"


class Dialect:
    """The fixdep of the releases from ``since`` (major, minor) on."""

    __slots__ = (
        "checks_at_end",
        "checks_each_write",
        "ignored",
        "is_make_syntax",
        "lists_once",
        "lower_case",
        "since",
        "unread",
        "variable",
    )

    def __init__(
        self,
        since: tuple[int, int],
        *,
        variable: bytes,
        lower_case: bool,
        is_make_syntax: bool,
        lists_once: bool,
        ignored: tuple[bytes, ...],
        unread: tuple[bytes, ...],
        checks_each_write: bool,
        checks_at_end: bool,
    ) -> None:
        self.since = since
        #: What the first line sets: ``cmd`` or ``savedcmd``
        self.variable = variable
        #: Option files are ``foo/bar.h``, not ``FOO_BAR``
        self.lower_case = lower_case
        #: Comments, escapes and line ends in a depfile mean what they mean to make
        self.is_make_syntax = is_make_syntax
        #: A header that occurs again is not listed again
        self.lists_once = lists_once
        #: Files whose names end so are no dependencies
        self.ignored = ignored
        #: Files whose names end so are no text
        self.unread = unread
        #: Ends at the first output that cannot be written
        self.checks_each_write = checks_each_write
        #: Complains at the end about output that was not written
        self.checks_at_end = checks_at_end


_AUTOCONF = b"include/generated/autoconf.h"
_AUTOKSYMS = b"include/generated/autoksyms.h"

#: Oldest first.  5.10, 6.1, 6.12, 7.2 and 7.3 were compared with the programs.  That savedcmd_ came with 6.3 follows
#: from its commit's date (December 2022); that the other changes came with 5.13, 5.18, 6.3 and 6.5 is recollection.
DIALECTS = (
    Dialect(
        (2, 6), variable=b"cmd", lower_case=True, is_make_syntax=False, lists_once=False,
        ignored=(_AUTOCONF, _AUTOKSYMS), unread=(), checks_each_write=True, checks_at_end=False,
    ),
    Dialect(
        (5, 13), variable=b"cmd", lower_case=False, is_make_syntax=False, lists_once=False,
        ignored=(_AUTOCONF, _AUTOKSYMS), unread=(), checks_each_write=True, checks_at_end=False,
    ),
    Dialect(
        (5, 18), variable=b"cmd", lower_case=False, is_make_syntax=False, lists_once=False,
        ignored=(_AUTOCONF, _AUTOKSYMS), unread=(), checks_each_write=False, checks_at_end=True,
    ),
    Dialect(
        (6, 3), variable=b"savedcmd", lower_case=False, is_make_syntax=True, lists_once=True,
        ignored=(_AUTOCONF, _AUTOKSYMS), unread=(b".rlib", b".rmeta", b".so"), checks_each_write=False,
        checks_at_end=True,
    ),
    Dialect(
        (6, 5), variable=b"savedcmd", lower_case=False, is_make_syntax=True, lists_once=True,
        ignored=(_AUTOCONF,), unread=(b".rlib", b".rmeta", b".so"), checks_each_write=False, checks_at_end=True,
    ),
)  # fmt: skip


def dialect_of(release: str) -> Dialect:
    """The dialect of a kernel release such as ``6.1`` or ``6.12.107+deb13-arm64``; raises :class:`ValueError`."""
    major, _, rest = release.partition(".")
    minor = rest.partition(".")[0]
    if release.isascii() and major.isdecimal() and minor.isdecimal() and len(major) + len(minor) <= 4:
        wanted = int(major), int(minor)
        found = [dialect for dialect in DIALECTS if dialect.since <= wanted]
        if found:
            return found[-1]
    from genksyms_py.kernel_release import KernelRelease

    parsed = KernelRelease.parse(release)  # every other spelling, and the error
    found = [dialect for dialect in DIALECTS if dialect.since <= parsed]
    if not found:
        raise ValueError(f"kernel {release} is older than the first whose fixdep is known, 2.6")
    return found[-1]


def dialect_of_build() -> Dialect:
    """The dialect of the build under way, else the newest; raises :class:`ValueError`.

    ``FIXDEP_KERNEL``, ``KERNELRELEASE``, ``KERNELVERSION`` or ``include/config/kernel.release`` tell.
    """
    found = _release_from_environment() or _release_from_file()
    if found is None:
        return DIALECTS[-1]
    text, origin = found
    try:
        return dialect_of(text)
    except ValueError as error:
        raise ValueError(f"{origin}: {error}") from None


def _release_from_environment() -> tuple[str, str] | None:
    """The release and the variable that tells it: as find_release, but without loading that in kbuild's usual case."""
    for variable in (_OWN_VARIABLE, "KERNELRELEASE", "KERNELVERSION"):
        text = os.environ.get(variable, "").strip()
        if text:
            return text, variable
    return None


def _release_from_file() -> tuple[str, str] | None:
    from pathlib import Path

    from genksyms_py.kernel_release import find_release

    return find_release(_OWN_VARIABLE, {}, Path())
