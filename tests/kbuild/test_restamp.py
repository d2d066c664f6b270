# SPDX-License-Identifier: GPL-2.0-or-later
"""The stamp of a module: what changes in the file, what does not, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from modpost_py.elf_image import ElfImage
from modpost_py.errors import ModpostError, ObjectFileError
from modpost_py.kbuild.elf_rewriting import with_section_contents
from modpost_py.kbuild.errors import KbuildError
from modpost_py.kbuild.layout_comparison import LayoutVerdict
from modpost_py.kbuild.restamp import Restamping, Stamp, VersionChange, read_exports, read_module, restamp
from modpost_py.kbuild.restamp_modinfo import with_value
from modpost_py.kmod.module_file import ModuleFile
from modpost_py.symvers import DumpLine
from tests.kbuild.restamp_modules import BuiltModule, symvers
from tests.modpost.elf_writer import SHT_NOBITS, ElfWriter

LAYOUTS = [(bits, order) for bits in (64, 32) for order in ("little", "big")]
VERSIONS = {"printk": 0x11111111, "foo_open": 0xF2222222, "module_layout": 0x33333333}
LONG_VERMAGIC = "6.1.0-something-longer-than-before"
UNCHANGED = ("0x11111111 printk", "0xf2222222 foo_open bus/foo-core", "0x33333333 module_layout")
CHANGED = ("0x11111111 printk", "0xfedcba98 foo_open bus/foo-core", "0x00000007 module_layout")


def exports(tmp_path: Path, *lines: str) -> dict[str, DumpLine]:
    (tmp_path / "Module.symvers").write_text(symvers(*lines))
    return read_exports([tmp_path / "Module.symvers"])


def restamped(tmp_path: Path, module: BuiltModule, lines: tuple[str, ...], **stamp: object) -> Restamping:
    path = module.write(tmp_path / "foo.ko")
    return restamp(read_module(str(path)), Stamp(exports(tmp_path, *lines), **stamp))  # type: ignore[arg-type]


def sections(data: bytes) -> dict[str, tuple[dict[str, int], bytes]]:
    """The sections as pyelftools reads them: header fields and contents by name."""
    return {
        section.name: (dict(section.header), section.data()) for section in ELFFile(io.BytesIO(data)).iter_sections()
    }


def differing_sections(old: bytes, new: bytes) -> list[str]:
    before, after = sections(old), sections(new)
    assert list(before) == list(after)
    return [name for name in before if before[name] != after[name]]


@pytest.mark.parametrize("tables", [("basic",), ("extended",), ("basic", "extended")])
@pytest.mark.parametrize(("bits", "byteorder"), LAYOUTS)
def test_versions(tmp_path: Path, bits: int, byteorder: str, tables: tuple[str, ...]) -> None:
    """Check that exactly the changed CRCs change, in each table, word size and byte order."""
    module = BuiltModule(VERSIONS, bits=bits, byteorder=byteorder, tables=tables)
    found = restamped(tmp_path, module, CHANGED, accepted=["*"])
    assert found.changes == (
        VersionChange("foo_open", 0xF2222222, 0xFEDCBA98, "accepted (*)"),
        VersionChange("module_layout", 0x33333333, 7, "accepted (*)"),
    )
    assert (found.total, found.refusals) == (3, ())
    expected = {"printk": 0x11111111, "foo_open": 0xFEDCBA98, "module_layout": 7}
    assert found.data == replace(module, versions=expected).bytes()


def test_nothing_to_do(tmp_path: Path) -> None:
    """Check that a module with the right versions stays as it is, to the byte, even a signed one."""
    module = BuiltModule(VERSIONS, is_signed=True)
    found = restamped(tmp_path, module, UNCHANGED)
    assert (found.changes, found.refusals, found.is_changed, found.data) == ((), (), False, module.bytes())


def test_comparison_before_word(tmp_path: Path) -> None:
    """Check that a proof is the reason where there is one, and someone's word where there is not."""
    verdicts = {
        "foo_open": LayoutVerdict(True, ("foo_open: b", "foo_open, c: d")),
        "module_layout": LayoutVerdict(False, ("e: f",)),
    }
    found = restamped(tmp_path, BuiltModule(VERSIONS), CHANGED, accepted=["module_*"], compare=verdicts.__getitem__)
    assert [change.allowed for change in found.changes] == ["same layout (b, and 1 more)", "accepted (module_*)"]
    assert found.refusals == ()


def test_every_unproven_change_is_refused(tmp_path: Path) -> None:
    """Check that all changed symbols that nothing allows are listed, with the reason, and the data is the old."""
    module = BuiltModule(VERSIONS)
    found = restamped(tmp_path, module, CHANGED, accepted=["foo"])
    assert found.refusals == (
        "foo_open: its CRC was 0xf2222222, is 0xfedcba98: nothing tells that this is harmless",
        "module_layout: its CRC was 0x33333333, is 0x00000007: nothing tells that this is harmless",
    )
    assert found.data == module.bytes()
    different = LayoutVerdict(False, ("foo_open, parameter 1: x", "y"))
    found = restamped(tmp_path, module, CHANGED, accepted=["m*"], compare=lambda symbol: different)
    assert found.refusals == ("foo_open: its CRC was 0xf2222222, is 0xfedcba98: not the same layout: parameter 1: x",)


REFUSED = {
    "missing": (
        BuiltModule(VERSIONS),
        UNCHANGED[1:],
        ("printk: the new kernel does not export it (if another module does, give its dump too)",),
    ),
    "missing, without a version": (
        BuiltModule(VERSIONS, unversioned=["kfree"]),
        UNCHANGED,
        ("kfree: the new kernel does not export it (if another module does, give its dump too)",),
    ),
    "without a version": (
        BuiltModule(VERSIONS, unversioned=["kfree"]),
        (*UNCHANGED, "0x4 kfree"),
        ("kfree: the new kernel exports it, but the module has no version of it",),
    ),
    "weak, without a version": (
        BuiltModule(VERSIONS, weak=["kfree"]),
        (*UNCHANGED, "0x4 kfree"),
        ("kfree: the new kernel exports it, but the module has no version of it",),
    ),
    "weak and missing": (BuiltModule(VERSIONS, weak=["kfree"]), UNCHANGED, ()),
    "GPL only": (
        BuiltModule(VERSIONS, modinfo=["license=Proprietary", "name=foo"]),
        ("0x11111111 printk vmlinux EXPORT_SYMBOL_GPL", *UNCHANGED[1:]),
        ("printk: only for GPL modules in the new kernel, and this one is not",),
    ),
    "GPL only, GPL module": (
        BuiltModule(VERSIONS),
        ("0x11111111 printk vmlinux EXPORT_SYMBOL_GPL", *UNCHANGED[1:]),
        (),
    ),
    "name space": (
        BuiltModule(VERSIONS, modinfo=["license=GPL", "import_ns=BAR", "name=foo"]),
        ("0x11111111 printk vmlinux EXPORT_SYMBOL FOO", *UNCHANGED[1:]),
        ("printk: in the name space FOO in the new kernel, which the module does not import",),
    ),
    "name space imported": (
        BuiltModule(VERSIONS, modinfo=["license=GPL", "import_ns=BAR", "import_ns=FOO", "name=foo"]),
        ("0x11111111 printk vmlinux EXPORT_SYMBOL FOO", *UNCHANGED[1:]),
        (),
    ),
    "name space of named modules": (
        BuiltModule(VERSIONS, modinfo=["license=GPL", "name=foo_bar"]),
        ("0x11111111 printk vmlinux EXPORT_SYMBOL module:other,foo-*", *UNCHANGED[1:]),
        (),
    ),
    "name space of other modules": (
        BuiltModule(VERSIONS),
        ("0x11111111 printk vmlinux EXPORT_SYMBOL module:other,fo", *UNCHANGED[1:]),
        ("printk: in the name space module:other,fo in the new kernel, which the module does not import",),
    ),
    "signed": (
        BuiltModule(VERSIONS, is_signed=True),
        ("0x00000001 printk", *UNCHANGED[1:]),
        ("it is signed, and a change makes the signature invalid; --drop-signature removes it",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    """Check that what the new kernel would refuse anyway is refused though everything is accepted."""
    module, lines, refusals = REFUSED[case]
    found = restamped(tmp_path, module, lines, accepted=["*"])
    assert found.refusals == refusals
    if refusals:
        assert found.data == module.bytes()


def test_drop_signature(tmp_path: Path) -> None:
    """Check that the signature goes when told so, and only then, and nothing else with it."""
    signed, unsigned = BuiltModule(VERSIONS, is_signed=True), BuiltModule(VERSIONS)
    found = restamped(tmp_path, signed, UNCHANGED, drops_signature=True)
    assert (found.is_changed, found.data) == (True, unsigned.bytes())
    found = restamped(tmp_path, signed, CHANGED, accepted=["*"], drops_signature=True)
    assert found.data == restamped(tmp_path, unsigned, CHANGED, accepted=["*"]).data


def test_damaged_signature(tmp_path: Path) -> None:
    """Check that a signature that claims more bytes than there are is refused."""
    data = bytearray(BuiltModule(VERSIONS, is_signed=True).bytes())
    data[-32:-28] = b"\x7f\xff\xff\xff"
    path = tmp_path / "foo.ko"
    path.write_bytes(data)
    with pytest.raises(KbuildError, match=r"foo\.ko: its signature is damaged"):
        restamp(read_module(str(path)), Stamp(exports(tmp_path, *UNCHANGED), drops_signature=True))


@pytest.mark.parametrize(("bits", "byteorder"), LAYOUTS)
def test_longer_modinfo(tmp_path: Path, bits: int, byteorder: str) -> None:
    """Check that a longer .modinfo goes to the end of the file, aligned, and nothing else changes at all."""
    module = BuiltModule(VERSIONS, bits=bits, byteorder=byteorder)
    vermagic = "6.1.0-longer-release SMP mod_unload modversions "
    found = restamped(tmp_path, module, UNCHANGED, with_depends=True, vermagic=vermagic)
    assert found.modinfo == (
        ("depends", "", "foo-core"),
        ("vermagic", "6.1.0 SMP mod_unload modversions ", vermagic),
    )
    old, new = module.bytes(), found.data
    assert differing_sections(old, new) == [".modinfo"]
    (before, old_text), (after, new_text) = sections(old)[".modinfo"], sections(new)[".modinfo"]
    assert after["sh_offset"] % 8 == 0 and after["sh_offset"] >= len(old)
    assert {name for name in before if before[name] != after[name]} == {"sh_offset", "sh_size"}
    assert ModuleFile("foo.ko", new).modinfo() == [
        "license=GPL", "description=a test", "name=foo", "depends=foo-core", f"vermagic={vermagic}",
    ]  # fmt: skip
    # What symbols point at stays where it was
    assert old_text.index(b"description") == new_text.index(b"description")
    differing = [index for index, (first, second) in enumerate(zip(old, new, strict=False)) if first != second]
    assert len(differing) <= bits // 4  # two fields of one section header


def test_shorter_modinfo_stays_in_place(tmp_path: Path) -> None:
    """Check that a shorter value is filled up with NULs, and that the longer one finds its old place again."""
    module = BuiltModule(VERSIONS)
    found = restamped(tmp_path, module, UNCHANGED, vermagic="6.1 ")
    assert len(found.data) == len(module.bytes())
    assert ModuleFile("foo.ko", found.data).value("vermagic") == "6.1 "
    (tmp_path / "foo.ko").write_bytes(found.data)
    again = restamp(
        read_module(str(tmp_path / "foo.ko")),
        Stamp(exports(tmp_path, *UNCHANGED), vermagic="6.1.0 SMP mod_unload modversions "),
    )
    assert again.data == module.bytes()


def test_depends_in_order_of_use(tmp_path: Path) -> None:
    """Check that depends lists the owners once, in the order of first use, vmlinux left out, as modpost does."""
    versions = dict.fromkeys(("b1", "printk", "a1", "b2", "module_layout"), 1)
    lines = ("1 b1 drivers/b", "1 b2 drivers/b", "1 a1 a-b", "1 printk", "1 module_layout")
    module = BuiltModule(versions, unversioned=[], weak=[])
    assert restamped(tmp_path, module, lines, with_depends=True).modinfo == (("depends", "", "b,a-b"),)
    assert restamped(tmp_path, module, lines).notes == ("depends is '', would be 'b,a-b' (--depends)",)


def test_leading_dot(tmp_path: Path) -> None:
    """Check that a symbol with a leading dot (64-bit PowerPC) is found without it."""
    module = BuiltModule({".printk": 1, "module_layout": 2})
    found = restamped(tmp_path, module, ("0x00000005 printk", "0x00000002 module_layout"), accepted=["*"])
    assert found.changes == (VersionChange(".printk", 1, 5, "accepted (*)"),)


def test_btf_is_noted(tmp_path: Path) -> None:
    """Check that type information made for the old kernel is pointed out when versions change."""
    module = BuiltModule(VERSIONS, extra_sections=[".BTF"], modinfo=["license=GPL", "depends=foo-core"])
    assert restamped(tmp_path, module, UNCHANGED).notes == ()
    assert restamped(tmp_path, module, CHANGED, accepted=["*"]).notes == (
        "its .BTF was made for the old kernel; if the new one refuses it, remove it: objcopy -R .BTF",
    )


NO_MODULES = {
    "object": (
        BuiltModule(VERSIONS, without=["this_module"]),
        "an object that is not a module yet; modpost and the linker make one of it (.ko)",
    ),
    "without versions": (
        BuiltModule(VERSIONS, tables=[]),
        "it has no __versions: built without CONFIG_MODVERSIONS, so there is none to change",
    ),
    "executable": (BuiltModule(VERSIONS, e_type=2), "not a module (not a relocatable object)"),
}


@pytest.mark.parametrize("case", NO_MODULES)
def test_no_module(tmp_path: Path, case: str) -> None:
    """Check that what is no module with versions is refused in words."""
    module, message = NO_MODULES[case]
    with pytest.raises(KbuildError) as error:
        read_module(str(module.write(tmp_path / "foo.ko")))
    assert str(error.value) == f"{tmp_path}/foo.ko: {message}"


@pytest.mark.parametrize("magic", [b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b"])
def test_compressed(tmp_path: Path, magic: bytes) -> None:
    """Check that a compressed module is named as such, with what to do."""
    path = tmp_path / "foo.ko.xz"
    path.write_bytes(magic + bytes(64))
    with pytest.raises(KbuildError) as error:
        read_module(str(path))
    assert str(error.value) == f"{path}: it is compressed; unpack it first (unxz, unzstd or gunzip)"


def test_damaged_modules(tmp_path: Path) -> None:
    """Check that a module cut off anywhere is an error of this package, never another one."""
    data = BuiltModule(VERSIONS).bytes()
    stamp = Stamp(exports(tmp_path, *CHANGED), ["*"], vermagic=LONG_VERMAGIC)
    path = tmp_path / "foo.ko"
    for size in range(0, len(data), 7):
        path.write_bytes(data[:size])
        with pytest.raises(ModpostError, match=r"foo\.ko"):
            restamp(read_module(str(path)), stamp)


@given(st.data())
def test_altered_modules(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Check that altered bytes give a module or an error of this package."""
    original = bytearray(BuiltModule(VERSIONS).bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        original[data.draw(st.integers(0, len(original) - 1))] = data.draw(st.integers(0, 255))
    directory = tmp_path_factory.mktemp("altered")
    path = directory / "foo.ko"
    path.write_bytes(original)
    stamp = Stamp(exports(directory, *CHANGED), ["*"], vermagic=LONG_VERMAGIC, with_depends=True)
    try:
        restamp(read_module(str(path)), stamp)
    except ModpostError as error:
        assert "foo.ko" in str(error)


DUMPS = {
    "0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\nrubbish\n": (
        ":2: no line of a symbol dump (CRC, symbol, module, kind, name space)"
    ),
    "": ": it is empty",
    "0x00000000\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n": ": all CRCs are 0: a kernel without CONFIG_MODVERSIONS",
}


@pytest.mark.parametrize("text", DUMPS)
def test_bad_dumps(tmp_path: Path, text: str) -> None:
    """Check that a dump that tells no versions is refused, with the line."""
    (tmp_path / "Module.symvers").write_text(text)
    with pytest.raises(KbuildError) as error:
        read_exports([tmp_path / "Module.symvers"])
    assert str(error.value) == f"{tmp_path}/Module.symvers{DUMPS[text]}"


def test_later_dumps_count(tmp_path: Path) -> None:
    """Check that of two exports of a name the later dump's counts."""
    (tmp_path / "a").write_text(symvers("0x00000001 f", "0x00000002 g"))
    (tmp_path / "b").write_text(symvers("0x00000003 g other"))
    found = read_exports([tmp_path / "a", tmp_path / "b"])
    assert [(line.symbol, line.crc, line.module) for line in found.values()] == [("f", 1, "vmlinux"), ("g", 3, "other")]


MODINFO = {
    ("a=1\0b=2\0", "a", "3"): "a=3\0b=2\0",
    ("a=1\0b=2\0", "a", ""): "a=\0\0b=2\0",
    ("a=1\0b=2\0", "a", "33"): "\0\0\0\0b=2\0a=33\0",
    ("a=1\0\0\0b=2\0", "a", "333"): "a=333\0b=2\0",
    ("a=1\0\0\0b=2\0", "a", "3333"): "\0\0\0\0\0\0b=2\0a=3333\0",
    ("a=1\0b=2\0", "b", "33"): "a=1\0\0\0\0\0b=33\0",
    ("a=1\0b=2", "b", "3"): "a=1\0\0\0\0b=3\0",
    ("a=1\0b=2", "c", "3"): "a=1\0b=2\0c=3\0",
    ("", "a", "1"): "a=1\0",
    ("ba=1\0a=2\0a=3\0", "a", "4"): "ba=1\0a=4\0a=3\0",
}


@pytest.mark.parametrize("case", MODINFO)
def test_modinfo_value(case: tuple[str, str, str]) -> None:
    """Check that one entry changes and no other moves."""
    text, tag, value = case
    assert with_value(text.encode(), tag, value) == MODINFO[case].encode()


@given(
    st.lists(st.text("abc=", min_size=1, max_size=6), max_size=6), st.sampled_from("abc"), st.text("xyz", max_size=8)
)
def test_modinfo_property(entries: list[str], tag: str, value: str) -> None:
    """Check that the changed section reads as the old one with one entry changed, wherever that stands."""
    text = "".join(entry + "\0" for entry in entries).encode()
    read = [entry.decode() for entry in with_value(text, tag, value).split(b"\0") if entry]
    old = next((entry for entry in entries if entry.startswith(f"{tag}=")), None)
    expected = list(entries)
    if old is not None:
        expected.remove(old)
    assert sorted(read) == sorted([*expected, f"{tag}={value}"])


def test_rewriting_refuses_what_it_cannot_do() -> None:
    """Check that sections without bytes or with bytes of another section are not written."""
    elf = ElfWriter()
    elf.section(".bss", type=SHT_NOBITS, sh_size=8)
    first = elf.section(".first", data=b"12345678")
    elf.section(".second", data=b"", sh_offset=64, sh_size=200)
    image = ElfImage("foo.ko", elf.bytes())
    with pytest.raises(ObjectFileError, match=r"section 1 \(\.bss\) has no contents"):
        with_section_contents(image, {1: b"1"})
    elf = ElfWriter()
    elf.section(".first", data=b"12345678", sh_addralign=1 << 40)
    with pytest.raises(ObjectFileError, match=r"section 1 \(\.first\) has the alignment 1099511627776"):
        with_section_contents(ElfImage("foo.ko", elf.bytes()), {1: b"1"})
    with pytest.raises(ObjectFileError, match=r"the sections \.first and \.second share bytes"):
        with_section_contents(image, {first: b"1"})
