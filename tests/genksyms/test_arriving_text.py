# SPDX-License-Identifier: GPL-2.0-or-later
"""Text that is cut at line markers while it arrives."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from hypothesis import given
from hypothesis import strategies as st

from genksyms_py.arriving_text import ArrivingText
from genksyms_py.dialects import dialect_of
from genksyms_py.versions import Versioner

UNIT = (
    b'# 1 "a.c"\n# 1 "a.h" 1\nstruct a { int x; };\ntypedef struct a\n# 3 "a.h"\n a_t;\n# 2 "a.c" 2\n'
    b"int f(a_t *a);\n__GENKSYMS_EXPORT_SYMBOL(f);\n"
)


def _chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(st.lists(st.sampled_from([b"\n# ", b"\n#", b" ", b"\n", b"x", b"# "]), max_size=20).map(b"".join), st.data())
def test_cut_anywhere(data: bytes, drawn: st.DataObject) -> None:
    """Check that the texts between markers do not depend on how the bytes arrive."""
    text = ArrivingText(_chunks(data, drawn.draw(st.lists(st.integers(0, 60), max_size=12))))
    while text.more():
        pass
    assert (text.texts, text.whole()) == (data.split(b"\n# "), data)


def test_nul_ends_the_text() -> None:
    """Check that what stands behind a NUL byte is no text, and is in the whole."""
    text = ArrivingText([b"a\n# b", b"\0c\n# d", b"e"])
    while text.more():
        pass
    assert (text.texts, text.whole()) == ([b"a", b"b"], b"a\n# b\0c\n# de")


@given(st.lists(st.integers(0, len(UNIT)), max_size=8))
def test_versions_do_not_depend_on_the_chunks(cuts: list[int]) -> None:
    """Check that a unit has the same versions whichever way it arrives, from one byte a time on."""
    versioner = Versioner(dialect_of("6.1"), remembers=False)
    expected = [(version.name, version.crc) for version in Versioner(dialect_of("6.1")).unit_versions(UNIT).versions]
    for chunks in (_chunks(UNIT, cuts), [UNIT[place : place + 1] for place in range(len(UNIT))]):
        versions = versioner.unit_versions(ArrivingText(chunks)).versions
        assert [(version.name, version.crc) for version in versions] == expected
    assert [name for name, _ in expected] == ["f"]


def test_the_writer_is_not_cut_off() -> None:
    """Check that all input is read, behind a NUL byte and an error of the syntax too, however slowly it comes."""
    command = [sys.executable, "-m", "genksyms_py", "--kernel", "6.1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for middle in (b"\0", b"int (;\n"):
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            for piece in (UNIT, middle, b"x" * 300_000 + b";\n"):
                process.stdin.write(piece)
                process.stdin.flush()
                time.sleep(0.05)
            process.stdin.close()
            assert process.stdout.read() == b"#SYMVER f 0x%08x\n" % _crc_of_f()
            assert process.wait() == 0


def _crc_of_f() -> int:
    return Versioner(dialect_of("6.1")).unit_versions(UNIT).versions[0].crc
