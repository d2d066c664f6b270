# SPDX-License-Identifier: GPL-2.0-or-later
"""What differs between kernels in how they judge a module, as data."""

from __future__ import annotations

from typing import NamedTuple

from genksyms_py.kernel_release import KernelRelease


class LoadDialect(NamedTuple):
    """How the kernels from one release on judge; every field names one behaviour."""

    since: KernelRelease
    elf_line: str
    """The line in the log for everything that is wrong with an ELF file; empty where each thing has its own."""
    names_inherited_symbol: bool
    """The line about an inherited proprietary taint names the symbol."""
    has_test_taint: bool
    """A module of tests (modinfo ``test``) taints with N."""
    checks_struct_module: bool
    """The section of ``__this_module`` has to be as large as the kernel's ``struct module``."""
    reads_extended_versions: bool
    """``__version_ext_crcs`` counts, and where it is there, ``__versions`` does not."""


#: Distributions that refuse a module without an entry for a symbol that it uses; the kernel itself only warns.
#: (Debian: "module: Disable matching missing version CRC".)
REFUSING_MISSING_VERSIONS = frozenset({"debian"})


_5_10 = LoadDialect(KernelRelease(2, 5), "Module has invalid ELF structures", False, False, False, False)
_5_16 = _5_10._replace(since=KernelRelease(5, 16), elf_line="", names_inherited_symbol=True)
_6_0 = _5_16._replace(since=KernelRelease(6, 0), has_test_taint=True)
_6_4 = _6_0._replace(since=KernelRelease(6, 4), checks_struct_module=True)
_6_14 = _6_4._replace(since=KernelRelease(6, 14), reads_extended_versions=True)

#: Oldest first; a kernel belongs to the last one whose ``since`` it has reached.
DIALECTS = (_5_10, _5_16, _6_0, _6_4, _6_14)


def load_dialect(release: str | None) -> LoadDialect:
    """The dialect of a kernel release; the newest where it is unknown or no release."""
    try:
        parsed = KernelRelease.parse(release or "")
    except ValueError:
        return DIALECTS[-1]
    return next((dialect for dialect in reversed(DIALECTS) if dialect.since <= parsed), DIALECTS[0])
