# SPDX-License-Identifier: GPL-2.0-or-later
"""Source versions (digest and files) and CRCs (symbols and .cmd files)."""

from __future__ import annotations

from pathlib import Path

import pytest

from modpost_py.md4 import md4_hex
from modpost_py.srcversion import digested_text
from tests.modpost.module_writer import ExportSpec, ModuleSpec
from tests.modpost.running import ALL, SINCE_6_1, Outcome, run_modules

KERNEL = "0x1\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
MODULES = {"5.10": "", "6.1": "", "6.12": "-M", "7.2": "-M", "7.3": "-M"}

# --- digest -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"intmain(void){return0;}", "1693DE22C7D4803A01BDBD8"),
        (b'intx="a b\\"c /* no */";//linecommentinty=1;z;\'"\' tail "q;x*/endhA', "04E29EA28B6540605809C96"),
    ],
)
def test_digest(text: bytes, digest: str) -> None:
    """Check the digest of two texts against the C tool's."""
    assert md4_hex(text)[:23] == digest


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_digest_of_every_padding(size: int) -> None:
    """Check that digests have 32 digits and differ for texts around the block size."""
    digests = {md4_hex(b"x" * size), md4_hex(b"x" * (size + 1)), md4_hex(b"x" * size + b"\0")}
    assert len(digests) == 3 and all(len(digest) == 32 for digest in digests)


@pytest.mark.parametrize(
    ("source", "digested"),
    [
        ("int main(void) { return 0; }\n", "intmain(void){return0;}"),
        ("a\\\nb", "ab"),
        ("a \t\v\f\r\n b", "ab"),
        ("a /* b */ c", "ac"),
        ("a /* b", "a"),
        ("a /*/ b */ c", "ab*/c"),
        ("a // b c", "a//bc"),
        ('x = "a  b\\"c /* no */" y', 'x="a  b\\"c /* no */"y'),
        ('"" x "a b', '""x"a b'),
        ("'\"' a b \" c", "'\"' a b \"c"),
        ('"\\\\" a b" c', '"\\\\" a b"c'),
        ('"a\\\nb" c', '"a\\\nb"c'),
        ("a\\b / c", "a\\b/c"),
    ],
)
def test_what_is_digested(source: str, digested: str) -> None:
    """Check what of a source counts: strings whole, comments and white space not."""
    assert digested_text(source) == digested


# --- files --------------------------------------------------------------------------------

SOURCE = "int main(void) { return 0; }\n"
DIGEST = "1693DE22C7D4803A01BDBD8"
CMD = "cmd_d/foo.o := cc\n\nsource_d/foo.o := d/foo.c\n\ndeps_d/foo.o := \\\n{}\nd/foo.o: $(deps_d/foo.o)\n"


def versioned(
    tmp_path: Path, dialect: str, dependencies: str, files: dict[str, str], options: str = "-a", mod: str | None = None
) -> Outcome:
    """A run with a module d/foo whose source, and .cmd file, are given."""
    module = ModuleSpec("d/foo")
    texts = {"d/foo.c": SOURCE, "d/.foo.o.cmd": CMD.format(dependencies), "dump": KERNEL, **files}
    if mod is not None:
        texts["d/foo.mod"] = mod
    return run_modules(tmp_path, dialect, [module], f"{options} -i dump", texts)


def source_version(outcome: Outcome) -> str | None:
    """The source version in the emitted source."""
    assert (outcome.status, outcome.stderr) == (0, "")
    _, marker, rest = outcome.files["d/foo.mod.c"].partition('MODULE_INFO(srcversion, "')
    return rest[:-4] if marker else None


@pytest.mark.parametrize("dialect", ALL)
def test_source_alone(dialect: str, tmp_path: Path) -> None:
    """Check the source version of one source."""
    assert source_version(versioned(tmp_path, dialect, "", {})) == DIGEST


@pytest.mark.parametrize("dialect", ALL)
def test_only_on_request(dialect: str, tmp_path: Path) -> None:
    """Check that a module has no source version without -a and without MODULE_VERSION."""
    assert source_version(versioned(tmp_path, dialect, "", {}, options="-w")) is None


@pytest.mark.parametrize("dialect", ALL)
def test_module_with_version(dialect: str, tmp_path: Path) -> None:
    """Check that MODULE_VERSION asks for a source version."""
    module = ModuleSpec("foo", modinfo=["license=GPL", "description=x", "version=1"])
    files = {"foo.c": SOURCE, ".foo.o.cmd": "source_foo.o := foo.c\n", "dump": KERNEL}
    outcome = run_modules(tmp_path, dialect, [module], "-i dump", files)
    assert f'MODULE_INFO(srcversion, "{DIGEST}");' in outcome.files["foo.mod.c"]


@pytest.mark.parametrize(
    ("dependencies", "counts"),
    [
        ("  d/part.h \\\n", True),
        ("  x/d/part.h \\\n", True),
        ("  include/other.h \\\n  d/part.h \\\n", True),
        ("  d/sub/part.h \\\n", False),
        ("  include/other.h \\\n", False),
        ("  $(wildcard include/config/X) \\\n", False),
        ("  end\n  d/part.h \\\n", False),
        ("\n  d/part.h \\\n", False),
    ],
)
def test_local_headers(dependencies: str, counts: bool, tmp_path: Path) -> None:
    """Check that headers of the object's own directory are digested, and where the dependencies end."""
    headers = dict.fromkeys(("d/part.h", "x/d/part.h", "d/sub/part.h", "include/other.h"), "; }")
    found = source_version(versioned(tmp_path, "6.1", dependencies, headers))
    with_header = md4_hex(digested_text(SOURCE + "; }").encode())[:23]
    assert found == (with_header if counts else DIGEST)


@pytest.mark.parametrize(
    ("dialect", "mod"),
    [
        ("5.10", "d/foo.o d/lib.a\nsymbols\n"),
        ("5.10", " d/foo.o"),
        ("6.1", "d/foo.o\nd/lib.a\n"),
        ("6.12", "\n\nd/foo.o"),
    ],
)
def test_parts_of_the_module(dialect: str, mod: str, tmp_path: Path) -> None:
    """Check how the parts of a module stand in its .mod file; archives do not count."""
    assert source_version(versioned(tmp_path, dialect, "", {}, mod=mod)) == DIGEST


@pytest.mark.parametrize(
    ("files", "line"),
    [
        ({"d/.foo.o.cmd": "source_d/foo.o := d/missing.c\n"}, "d/missing.c: No such file or directory\n"),
        ({"d/foo.mod": "d/none.o\n"}, "d/.none.o.cmd: No such file or directory\n"),
    ],
)
def test_missing_files(files: dict[str, str], line: str, tmp_path: Path) -> None:
    """Check that a file that cannot be read ends the run."""
    outcome = versioned(tmp_path, "6.1", "", files)
    assert (outcome.status, outcome.stderr) == (1, line)


# --- CRCs ---------------------------------------------------------------------------------


def crc_of(tmp_path: Path, cmd: str, dialect: str = "6.1", **files: str) -> int | None:
    """The CRC that a module's export ``foo`` gets from the .cmd file of its object."""
    module = ModuleSpec("m", exports=[ExportSpec("foo", crc=None), ExportSpec("bar", crc=None)])
    texts = {".m.o.cmd": cmd, "dump": KERNEL, **files}
    outcome = run_modules(tmp_path, dialect, [module], f"-m {MODULES[dialect]} -i dump", texts)
    assert outcome.status == 0, outcome.stderr
    export = outcome.result.exports.find("foo")
    assert export is not None
    return export.crc


@pytest.mark.parametrize("dialect", SINCE_6_1)
@pytest.mark.parametrize(
    ("cmd", "crc"),
    [
        ("cmd\n#SYMVER foo 0x12345678\n", 0x12345678),
        ("cmd\n#SYMVER foo 0X1f\n", 0x1F),
        ("cmd\n#SYMVER foo 12\n", 12),
        ("cmd\n#SYMVER foo 077\n", 0o77),
        ("cmd\n#SYMVER foo 0x123456789\n", 0x23456789),
        ("cmd\n#SYMVER foo 99999999999999999999999\n", 0xFFFFFFFF),
        ("cmd\n#SYMVER foo 0x1\n#SYMVER foo 0x2\n", 2),
        ("cmd\n#SYMVER bar 0x1\n", None),
        ("#SYMVER foo 0x12345678\n", None),
        ("cmd\n#SYMVER foo 0x12345678", None),
        ("cmd\n#SYMVER foo 0x12345678 \n", None),
        ("cmd\n#SYMVER foo x\n", None),
        ("cmd\n#SYMVER foo 09\n", None),
        ("cmd\n#SYMVER foo\n#SYMVER foo 0x1\n", None),
        ("cmd\n#SYMVER foo x\n#SYMVER foo 0x3\n", 3),
        ("cmd\n#SYMVER foo 0x4\n\0\n#SYMVER foo 0x5\n", 4),
    ],
)
def test_crc_lines(cmd: str, crc: int | None, dialect: str, tmp_path: Path) -> None:
    """Check which lines of a .cmd file give a CRC."""
    assert crc_of(tmp_path, cmd, dialect) == crc


def test_objects_up_to_the_first_empty_line(tmp_path: Path) -> None:
    """Check that CRCs come from the objects before the first empty line of the .mod file, whatever their suffix."""
    files = {
        "m.mod": "sub/a.o\nb.xy\n\nm.o\n",
        "sub/.a.o.cmd": "\n#SYMVER foo 0x1\n",
        ".b..o.cmd": "\n#SYMVER foo 0x2\n",
    }
    assert crc_of(tmp_path, "\n#SYMVER foo 0x3\n", **files) == 2


@pytest.mark.parametrize(("dialect", "file"), [("6.12", ".m.thinlto-native.o.cmd"), ("7.2", ".m.o.cmd")])
def test_objects_of_link_time_optimisation(dialect: str, file: str, tmp_path: Path) -> None:
    """Check that 7.x looks for the .cmd file of a ThinLTO object under the name before the optimisation."""
    files = {"m.mod": "m.thinlto-native.o\n", file: "\n#SYMVER foo 0x7\n"}
    assert crc_of(tmp_path, "", dialect, **files) == 7


def test_crcs_only_for_own_exports(tmp_path: Path) -> None:
    """Check that a .cmd file gives CRCs to the exports of its own module only."""
    modules = [
        ModuleSpec("a", exports=[ExportSpec("foo", crc=1)]),
        ModuleSpec("b", extra={".b.o.cmd": "\n#SYMVER foo 0x2\n"}),
    ]
    outcome = run_modules(tmp_path, "6.1", modules, "-m -i dump", {"dump": KERNEL})
    assert outcome.result.exports.by_name["foo"].crc == 1


@pytest.mark.parametrize("form", ["absolute", "stored"])
@pytest.mark.parametrize(("bits", "order"), [(64, "little"), (64, "big"), (32, "little"), (32, "big")])
def test_crc_symbols(bits: int, order: str, form: str, tmp_path: Path) -> None:
    """Check 5.10's CRCs: the value of an absolute symbol, or the word at its place, in both byte orders."""
    export = ExportSpec("foo", crc=0x89ABCDEF, crc_form=form)
    module = ModuleSpec("m", exports=[export], bits=bits, byteorder=order)
    outcome = run_modules(tmp_path, "5.10", [module], "-i dump -o out", {"dump": KERNEL})
    assert outcome.files["out"] == "0x89abcdef\tfoo\tm\tEXPORT_SYMBOL\t\n"
