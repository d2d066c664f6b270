# SPDX-License-Identifier: GPL-2.0-or-later
"""Exports read back from images, System.maps and modules."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from modpost_py.kmod import symvers_cli
from modpost_py.kmod.errors import KmodError
from modpost_py.kmod.kernel_facts import KernelFacts, Offer
from modpost_py.kmod.kernel_facts_image import image_contents
from modpost_py.kmod.symvers_from_image import module_exports, system_map_exports
from modpost_py.object_file import ObjectFile
from tests.kmod import made_up_kernels as kernels
from tests.kmod.loadable_modules import Exported, Loadable

EXPORTS = [
    Exported("printk", 0x10000002),
    Exported("spaced", 0xFFFFFFF4, namespace="SPACE"),
    Exported("gpl_function", 0x80000003, is_gpl=True),
    Exported("gpl_spaced", 5, is_gpl=True, namespace="module:kvm,kvm-amd"),
]
OFFERS = [Offer(e.name, "vmlinux", e.crc, e.is_gpl, e.namespace) for e in EXPORTS]


def exports_of(tmp_path: Path, data: bytes) -> list[Offer]:
    (tmp_path / "image").write_bytes(data)
    return image_contents(str(tmp_path / "image"))[1]


@pytest.mark.parametrize("form", ["prel32", "pointers"])
@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("flags", [False, True], ids=["two tables", "flags"])
def test_vmlinux(form: str, byteorder: str, bits: int, flags: bool, tmp_path: Path) -> None:
    """Check that a stripped vmlinux of every form of the tables gives its exports back."""
    image = kernels.vmlinux(EXPORTS, form=form, byteorder=byteorder, bits=bits, flags=flags)
    assert exports_of(tmp_path, image) == OFFERS


def test_vmlinux_before_name_spaces(tmp_path: Path) -> None:
    """Check that entries without name spaces (up to 5.3) are read."""
    plain = [replace(export, namespace="") for export in EXPORTS]
    image = kernels.vmlinux(plain, form="short")
    assert exports_of(tmp_path, image) == [offer._replace(namespace="") for offer in OFFERS]


def test_vmlinux_without_versions(tmp_path: Path) -> None:
    """Check that the CRCs of a kernel without symbol versions are none."""
    image = kernels.vmlinux([replace(export, crc=None) for export in EXPORTS])
    assert exports_of(tmp_path, image) == [offer._replace(crc=None) for offer in OFFERS]


def test_packed_images(tmp_path: Path) -> None:
    """Check that images are unpacked: bzImage, EFI zboot, gzip, zstd with a size behind it."""
    image = kernels.vmlinux(EXPORTS)
    packed = gzip.compress(image)
    zboot = b"MZ\0\0zimg" + (64).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + b"gzip".ljust(48, b"\0")
    for data in (
        kernels.bzimage(kernels.packed(image)),
        kernels.bzimage(zstandard.compress(image) + len(image).to_bytes(4, "little")),
        zboot + packed,
        packed,
    ):
        assert exports_of(tmp_path, data) == OFFERS


def flat_image(exports: list[Exported], flags: bool) -> bytes:
    """arm64's Image: tables and texts one behind the other, nothing that says where."""
    plain = sorted((e for e in exports if flags or not e.is_gpl), key=lambda e: e.name)
    ordered = plain + sorted((e for e in exports if e not in plain), key=lambda e: e.name)
    start = 4096
    crcs = start + 12 * len(ordered)
    texts = crcs + 4 * len(ordered) + (len(ordered) if flags else 0)
    # A name may be the end of another text, and no name space is the end of any
    spelt = [text for e in ordered for text in ([e.name, e.namespace] if e.namespace else [e.name])]
    strings = b"".join(text.encode() + b"\0" for text in spelt)
    table = b""
    for number, export in enumerate(ordered):
        name = texts + strings.index(export.name.encode() + b"\0")
        space = texts + strings.index(export.namespace.encode() + b"\0")
        place = start + 12 * number
        table += b"".join(
            ((target - place - 4 * field) & 0xFFFFFFFF).to_bytes(4, "little")
            for field, target in enumerate((100, name, space))
        )
    head = bytearray(start)
    head[0x38:0x3C] = b"ARMd"
    words = b"".join((e.crc or 0).to_bytes(4, "little") for e in ordered)
    marks = bytes(int(e.is_gpl) for e in ordered) if flags else b""
    return bytes(head) + table + words + marks + strings + b"Linux version 6.1.0-flat (a@b) 1\n\0" + bytes(64)


@pytest.mark.parametrize("flags", [False, True], ids=["two tables", "flags"])
def test_flat_image(flags: bool, tmp_path: Path) -> None:
    """Check that tables are found in a memory image without sections."""
    exports = [Exported(f"export_{n}", n * 0x01010101 & 0xFFFFFFFF, n % 3 == 0, "SPACE" if n % 7 == 0 else "")
               for n in range(600)] + [Exported("port_599", 9)]  # fmt: skip
    data = flat_image(exports, flags)
    expected = {Offer(e.name, "vmlinux", e.crc, e.is_gpl, e.namespace) for e in exports}
    assert set(exports_of(tmp_path, data)) == expected
    facts = KernelFacts.read([tmp_path / "image"])
    assert (facts.release, str(facts.machine)) == ("6.1.0-flat", "aarch64 (64 bit, little-endian)")


def test_facts_of_an_image(tmp_path: Path) -> None:
    """Check that an image tells release, version magic, machine and distribution."""
    (tmp_path / "vmlinuz").write_bytes(kernels.bzimage(kernels.packed(kernels.vmlinux(EXPORTS))))
    facts = KernelFacts.read([tmp_path / "vmlinuz"])
    assert (facts.release, facts.vermagic, str(facts.machine), facts.distribution) == (
        "6.1.0-test", "6.1.0-test SMP mod_unload modversions ", "x86_64 (64 bit, little-endian)", "",
    )  # fmt: skip
    debian = kernels.vmlinux(EXPORTS, version="Linux version 6.1.0-37-amd64 (debian-kernel@lists.debian.org) (gcc)")
    (tmp_path / "vmlinux").write_bytes(debian)
    assert KernelFacts.read([tmp_path / "vmlinux"]).distribution == "debian"


@pytest.mark.parametrize("with_flags", [False, True], ids=["two tables", "flags"])
@pytest.mark.parametrize(("bits", "byteorder"), [(64, "little"), (64, "big"), (32, "little"), (32, "big")])
def test_module(with_flags: bool, bits: int, byteorder: str, tmp_path: Path) -> None:
    """Check that a module's exports are read through its relocations."""
    module = Loadable("led", exports=EXPORTS, with_flags=with_flags, bits=bits, byteorder=byteorder)
    read = ObjectFile.read(module.write(tmp_path))
    assert module_exports(read, "led") == [offer._replace(module="led") for offer in OFFERS]


SYSTEM_MAP = """\
ffffffff81000000 T _text
ffffffff82000000 r __start___ksymtab
ffffffff82000000 r __ksymtab_printk
ffffffff8200000c r __ksymtab_spaced
ffffffff82000018 r __start___ksymtab_gpl
ffffffff82000018 r __stop___ksymtab
ffffffff82000018 r __ksymtab_gpl_function
ffffffff82000024 r __stop___ksymtab_gpl
0000000010000002 A __crc_printk
"""


def test_system_map(tmp_path: Path) -> None:
    """Check that a System.map tells names, kinds by address, CRCs of absolute symbols, and nothing else."""
    (tmp_path / "System.map").write_text(SYSTEM_MAP)
    assert system_map_exports(str(tmp_path / "System.map")) == [
        Offer("printk", "vmlinux", 0x10000002, False, None),
        Offer("spaced", "vmlinux", None, False, None),
        Offer("gpl_function", "vmlinux", None, True, None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "ffffffffffffffff B The real System.map is in the package with debugging symbols\n",
        "ffffffff81000000 T _text\n",
    ],
)
def test_empty_system_map(text: str, tmp_path: Path) -> None:
    """Check that a System.map without exports, such as Debian's, is refused with what to do."""
    path = tmp_path / "System.map"
    path.write_text(text)
    with pytest.raises(KmodError) as error:
        system_map_exports(str(path))
    assert str(error.value) == (
        f"{path}: lists no exports (no __ksymtab_NAME symbols); give the vmlinux or vmlinuz instead"
    )


def write_kernel(directory: Path) -> tuple[str, str]:
    """A vmlinux and its modules: led-core exports, ledtrig imports."""
    (directory / "vmlinux").write_bytes(kernels.vmlinux([*EXPORTS, Exported("module_layout", 0x10000001)]))
    importer = Loadable(
        "ledtrig", license="BSD", undefined=["printk", "led_register"],
        versions={"module_layout": 0x10000001, "printk": 0x10000002, "led_register": 0x10000006},
    )  # fmt: skip
    kernels.modules_directory(directory / "modules", [("drivers/leds/ledtrig.ko", importer)])
    return str(directory / "vmlinux"), str(directory / "modules")


def test_from_image_and_modules(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that image and modules give a whole Module.symvers."""
    assert symvers_cli.main(["from-image", *write_kernel(tmp_path)]) == 0
    assert capfd.readouterr() == (
        "0x10000002\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0xfffffff4\tspaced\tvmlinux\tEXPORT_SYMBOL\tSPACE\n"
        "0x10000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x80000003\tgpl_function\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x00000005\tgpl_spaced\tvmlinux\tEXPORT_SYMBOL_GPL\tmodule:kvm,kvm-amd\n"
        "0x10000006\tled_register\tdrivers/leds/led-core\tEXPORT_SYMBOL_GPL\t\n",
        "",
    )


def test_from_modules_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that modules alone tell the CRCs of what they import, and that the rest is said to be unknown."""
    _, modules = write_kernel(tmp_path)
    report = tmp_path / "unknown"
    assert symvers_cli.main(["from-image", modules, "--report", str(report)]) == 1
    assert capfd.readouterr() == (
        "0x10000006\tled_register\tdrivers/leds/led-core\tEXPORT_SYMBOL_GPL\t\n"
        "0x10000002\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n",
        "symvers-py: of 3 symbols 1 are not wholly known (kind of 1) and left out (--keep-unknown writes them)\n",
    )
    assert report.read_text() == "module_layout\tvmlinux\tkind\tleft out\n"


def test_modules_without_their_dependencies(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that of a module whose dependencies are not at hand nobody knows whose symbols it imports."""
    importer = Loadable("user", modinfo=["depends=led-core"], undefined=["f"], versions={"f": 1}, license="BSD")
    other = Loadable("other", modinfo=["depends="], undefined=["g"], versions={"g": 2}, license="BSD")
    paths = [importer.write(tmp_path), other.write(tmp_path)]
    assert symvers_cli.main(["from-image", *paths, "--keep-unknown", "--report", str(tmp_path / "report")]) == 1
    assert capfd.readouterr().out == (
        "0x00000001\tf\tvmlinux\tEXPORT_SYMBOL\t\n0x00000002\tg\tvmlinux\tEXPORT_SYMBOL\t\n"
    )
    assert (tmp_path / "report").read_text() == "f\t(unknown)\tmodule\twritten\n"
    # One whose dependencies are all there settles it, whichever is read first
    third = Loadable("third", modinfo=["depends=other"], undefined=["f"], versions={"f": 1}, license="GPL")
    for order in ([third.write(tmp_path), *paths], [*paths, third.write(tmp_path)]):
        assert symvers_cli.main(["from-image", *order]) == 0
        lines = sorted(capfd.readouterr().out.splitlines())
        assert lines == ["0x00000001\tf\tvmlinux\tEXPORT_SYMBOL\t", "0x00000002\tg\tvmlinux\tEXPORT_SYMBOL\t"]


def test_from_system_map_and_modules(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that modules fill in what a System.map does not tell, and --keep-unknown writes the rest."""
    _, modules = write_kernel(tmp_path)
    (tmp_path / "System.map").write_text(SYSTEM_MAP.replace("0000000010000002 A __crc_printk\n", ""))
    output = tmp_path / "Module.symvers"
    command = ["from-image", str(tmp_path / "System.map"), modules, "--keep-unknown", "-o", str(output)]
    assert symvers_cli.main(command) == 1
    assert output.read_text() == (
        "0x10000002\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x00000000\tspaced\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x00000000\tgpl_function\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"
        "0x10000006\tled_register\tdrivers/leds/led-core\tEXPORT_SYMBOL_GPL\t\n"
    )
    assert capfd.readouterr().err == (
        "symvers-py: of 4 symbols 2 are not wholly known (crc of 2, namespace of 2) and written all the same; "
        "--report FILE lists them\n"
    )


def test_modules_of_another_kernel(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that modules that do not belong to the image are noticed."""
    image, modules = write_kernel(tmp_path)
    Path(image).write_bytes(kernels.vmlinux([Exported("printk", 77), Exported("module_layout", 0x10000001)]))
    symvers_cli.main(["from-image", image, modules])
    assert capfd.readouterr().err == (
        "symvers-py: 1 symbols have another CRC in the image than modules want, such as printk "
        "(0x0000004d, not 0x10000002): are these the modules of this kernel?\n"
    )


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is empty"),
        (b"no kernel\n" * 9, "no table of exported symbols in it; is it a kernel image with modules enabled?"),
        (cut(kernels.vmlinux(EXPORTS)), None),
        (kernels.bzimage(cut(kernels.packed(kernels.vmlinux(EXPORTS)))), None),
        (cut(kernels.bzimage(kernels.packed(kernels.vmlinux(EXPORTS)))),
         "the packed kernel reaches beyond the end of the file: is it cut off?"),
        (kernels.bzimage(b"\x02!L\x18" + bytes(64)),
         "the kernel in it is packed in a way that is not known (02214c18); unpack it with the kernel's "
         "scripts/extract-vmlinux"),
    ],
    ids=["empty", "text", "cut ELF", "cut payload", "cut bzImage", "lz4"],
)  # fmt: skip
def test_damaged_images(data: bytes, message: str | None, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that an image that cannot be read is one line and status 2, and no file is written."""
    path = tmp_path / "vmlinuz"
    path.write_bytes(data)
    assert symvers_cli.main(["from-image", str(path), "-o", str(tmp_path / "out")]) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"symvers-py: {path}: ")
    assert message is None or lines == [f"symvers-py: {path}: {message}"]
    assert not (tmp_path / "out").exists()


def test_every_damage_of_a_table(tmp_path: Path) -> None:
    """Check that no changed byte of an image makes anything but exports or an error."""
    whole = kernels.vmlinux(EXPORTS)
    for place in range(0, len(whole), 5):
        try:
            exports_of(tmp_path, whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        except KmodError as error:
            assert "\n" not in str(error)
