# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules by which a kernel judges: one change to a good module each, and everything that is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modpost_py.kmod.kernel_facts import KernelFacts
from modpost_py.kmod.modcheck import Circumstances, Verdict, judge
from tests.kmod import made_up_kernels as kernels
from tests.kmod.loadable_modules import VERMAGIC, Exported, Loadable
from tests.modpost.elf_writer import EM_386, EM_AARCH64

LAYOUT = {"module_layout": 0x10000001}
GOOD = Loadable(
    "led",
    undefined=["printk", "led_register"],
    versions={**LAYOUT, "printk": 0x10000002, "led_register": 0x10000006},
)
# PKCS#7 signed data without anything in it
SIGNED_DATA = bytes.fromhex("300f06092a864886f70d010702a0023000")
SIGNATURE_MARK = b"~Module signature appended~\n"


def trailer(size: int, id_type: int = 2, first: int = 0) -> bytes:
    return bytes((first, 0, id_type, 0, 0, 0, 0, 0)) + size.to_bytes(4, "big") + SIGNATURE_MARK


def judged(
    module: Loadable, directory: Path, circumstances: Circumstances | None = None, release: str = kernels.RELEASE,
    **options: Any,
) -> Verdict:  # fmt: skip
    """The verdict of the made-up kernel."""
    kernel = KernelFacts.read([kernels.headers(directory / "headers", release, **options)])
    return judge(module.write(directory), kernel, circumstances or Circumstances())


def found(verdict: Verdict) -> dict[str, Any]:
    """Everything in a verdict that is not empty, short: kind, symbol, log line."""
    parts = {
        "reasons": [(r.kind, r.errno, r.symbol, r.log_line) for r in verdict.reasons],
        "errno": verdict.errno,
        "remarks": [(r.kind, r.symbol, r.log_line) for r in verdict.remarks],
        "taints": verdict.taints,
        "unknown": [(u.kind, u.symbol) for u in verdict.unknowns],
        "needs": verdict.needs,
    }
    return {name: value for name, value in parts.items() if value}


E_ONLY = {"taints": "E", "needs": ["led_core"]}


def refused(*reasons: tuple[str, str, str, str | None], **rest: Any) -> dict[str, Any]:
    return {"reasons": list(reasons), "errno": reasons[0][1], **E_ONLY, **rest}


CASES: dict[str, tuple[Loadable, dict[str, Any]]] = {
    "good": (GOOD, E_ONLY),
    "out of tree": (replace(GOOD, modinfo=["retpoline=Y"]), {**E_ONLY, "taints": "OE"}),
    "staging, test": (
        replace(GOOD, modinfo=["intree=Y", "retpoline=Y", "staging=Y", "test=Y"]), {**E_ONLY, "taints": "CEN"},
    ),
    "livepatch": (replace(GOOD, modinfo=["intree=Y", "retpoline=Y", "livepatch=Y"]), {**E_ONLY, "taints": "EK"}),
    "no retpoline": (
        replace(GOOD, modinfo=["intree=Y"]),
        {**E_ONLY, "remarks": [("retpoline", "", "led: loading module not compiled with retpoline compiler.")]},
    ),
    "proprietary": (replace(GOOD, license="Proprietary", undefined=["printk"]), {"taints": "PE"}),
    "no licence": (replace(GOOD, license=None, undefined=["printk"]), {"taints": "PE"}),
    "caught lying": (replace(GOOD, name="lve", undefined=["printk"]), {"taints": "PE"}),
    "gpl only": (
        replace(GOOD, license="BSD", undefined=["printk", "led_register"]),
        {
            "reasons": [("gpl-only", "ENOENT", "led_register", "led: Unknown symbol led_register (err -2)")],
            "errno": "ENOENT", "taints": "PE",
        },
    ),
    "gpl only but weak": (replace(GOOD, license="BSD", undefined=["printk"], weak=["gpl_function"]), {"taints": "PE"}),
    "other release": (
        replace(GOOD, vermagic="5.0 SMP mod_unload modversions "),
        {**E_ONLY, "remarks": [("release", "", None)]},
    ),
    "other words": (
        replace(GOOD, vermagic="6.1.0-test SMP preempt modversions "),
        refused(
            ("vermagic", "ENOEXEC", "",
             f"led: version magic '6.1.0-test SMP preempt modversions ' should be '{VERMAGIC}'"),
        ),
    ),
    "trailing blank": (
        replace(GOOD, vermagic=VERMAGIC.rstrip()),
        refused(("vermagic", "ENOEXEC", "", f"led: version magic '{VERMAGIC.rstrip()}' should be '{VERMAGIC}'")),
    ),
    "layout": (
        replace(GOOD, undefined=["printk"], versions={**GOOD.versions, "module_layout": 7}),  # type: ignore[dict-item]
        {
            "reasons": [("crc", "ENOEXEC", "module_layout", "led: disagrees about version of symbol module_layout")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "crc": (
        replace(GOOD, undefined=["printk"], versions={**LAYOUT, "printk": 0x99}),
        {
            "reasons": [("crc", "EINVAL", "printk", "led: disagrees about version of symbol printk")],
            "errno": "EINVAL", "taints": "E",
        },
    ),
    "crc above 32 bits": (
        replace(GOOD, undefined=["printk"], versions={**LAYOUT, "printk": 0x1_1000_0002}),
        {
            "reasons": [("crc", "EINVAL", "printk", "led: disagrees about version of symbol printk")],
            "errno": "EINVAL", "taints": "E",
        },
    ),
    "no entry": (
        replace(GOOD, undefined=["printk"], versions=LAYOUT),
        {"remarks": [("crc", "printk", "led: no symbol version for printk")], "taints": "E"},
    ),
    "missing": (
        replace(GOOD, undefined=["prink"], versions=LAYOUT),
        {
            "reasons": [("missing-symbol", "ENOENT", "prink", "led: Unknown symbol prink (err -2)")],
            "errno": "ENOENT", "taints": "E",
        },
    ),
    "missing but weak": (replace(GOOD, undefined=[], weak=["prink"], versions=LAYOUT), {"taints": "E"}),
    "table of offsets": (replace(GOOD, undefined=["_GLOBAL_OFFSET_TABLE_"], versions=LAYOUT), {"taints": "E"}),
    "the last error counts": (
        replace(GOOD, undefined=["prink", "printk"], versions={**LAYOUT, "printk": 0x99}),
        {
            "reasons": [
                ("missing-symbol", "ENOENT", "prink", "led: Unknown symbol prink (err -2)"),
                ("crc", "EINVAL", "printk", "led: disagrees about version of symbol printk"),
            ],
            "errno": "EINVAL", "taints": "E",
        },
    ),
    "name space": (
        replace(GOOD, undefined=["spaced"], versions={**LAYOUT, "spaced": 0x10000004}),
        {
            "reasons": [
                ("name-space", "EINVAL", "spaced",
                 "led: module uses symbol (spaced) from namespace SPACE, but does not import it.")
            ],
            "errno": "EINVAL", "taints": "E",
        },
    ),
    "name space imported": (
        replace(GOOD, undefined=["spaced"], versions={**LAYOUT, "spaced": 0x10000004},
                modinfo=["intree=Y", "retpoline=Y", "import_ns=OTHER", "import_ns=SPACE"]),
        {"taints": "E"},
    ),
    "for other modules": (
        replace(GOOD, undefined=["for_kvm"], versions={**LAYOUT, "for_kvm": 0x10000005}),
        {
            "reasons": [
                ("name-space", "EINVAL", "for_kvm",
                 "led: module uses symbol (for_kvm) from namespace module:kvm,kvm-amd*, but does not import it.")
            ],
            "errno": "EINVAL", "taints": "E",
        },
    ),
    "for this module": (
        replace(GOOD, name="kvm", undefined=["for_kvm"], versions={**LAYOUT, "for_kvm": 0x10000005}), {"taints": "E"},
    ),
    "for this module by its beginning": (
        replace(GOOD, name="kvm_amd_sev", undefined=["for_kvm"], versions={**LAYOUT, "for_kvm": 0x10000005}),
        {"taints": "E"},
    ),
    "common symbol": (
        replace(GOOD, undefined=[], common=["buffer"]),
        {
            "reasons": [("common-symbol", "ENOEXEC", "buffer", "led: please compile with -fno-common")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "duplicate export": (
        replace(GOOD, undefined=[], exports=[Exported("printk", 5)]),
        {
            "reasons": [
                ("duplicate-export", "ENOEXEC", "printk", "led: exports duplicate symbol printk (owned by kernel)")
            ],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "writable code": (
        replace(GOOD, undefined=[], writable_code=True),
        {
            "reasons": [("writable-code", "ENOEXEC", "", "led: section .text (index 1) has invalid WRITE|EXEC flags")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "other machine": (
        replace(GOOD, machine=EM_AARCH64),
        {
            "reasons": [("machine", "ENOEXEC", "", "Invalid architecture in ELF header: 183")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "a 32-bit object": (
        replace(GOOD, machine=EM_386, bits=32),
        {
            "reasons": [("machine", "ENOEXEC", "", "Invalid architecture in ELF header: 3")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "a 32-bit object of the machine": (
        replace(GOOD, bits=32),
        {"reasons": [("class", "ENOEXEC", "", "Invalid ELF section header size")], "errno": "ENOEXEC", "taints": "E"},
    ),
    "a big-endian object": (
        replace(GOOD, byteorder="big"),
        {
            "reasons": [("byte-order", "ENOEXEC", "", "Invalid ELF header type: 256 != 1")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "no relocatable object": (
        replace(GOOD, type=3),
        {"reasons": [("damaged", "ENOEXEC", "", "Invalid ELF header type: 3 != 1")], "errno": "ENOEXEC", "taints": "E"},
    ),
    "stripped": (
        replace(GOOD, undefined=[], symbols=False),
        {
            "reasons": [("stripped", "ENOEXEC", "", "led: module has no symbols (stripped?)")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "not linked as a module": (
        replace(GOOD, undefined=[], this_module=None),
        {
            "reasons": [("no-this-module", "ENOEXEC", "", "led: No module found in object")],
            "errno": "ENOEXEC", "taints": "E",
        },
    ),
    "signature of nothing": (
        replace(GOOD, undefined=[], signature=trailer(1 << 20)),
        {"reasons": [("signature", "EBADMSG", "", None)], "errno": "EBADMSG"},
    ),
    "signature that is no DER": (
        replace(GOOD, undefined=[], signature=b"\x30\x05abc" + trailer(5)),
        {"reasons": [("signature", "EBADMSG", "", None)], "errno": "EBADMSG"},
    ),
    "signature with odd fields": (
        replace(GOOD, undefined=[], signature=b"\x30\x00" + trailer(2, first=1)),
        {
            "reasons": [
                ("signature", "EBADMSG", "", "module: PKCS#7 signature info has unexpected non-zero params")
            ],
            "errno": "EBADMSG",
        },
    ),
    "signature of another kind": (replace(GOOD, undefined=[], signature=b"\x30\x00" + trailer(2, 1)), {"taints": "E"}),
    "signature of nothing known": (
        replace(GOOD, undefined=[], signature=b"\x30\x00" + trailer(2)),
        {"reasons": [("signature", "EBADMSG", "", None)], "errno": "EBADMSG"},
    ),
    "signature whose first tag is damaged": (
        replace(GOOD, undefined=[], signature=b"\xcf" + SIGNED_DATA[1:] + trailer(len(SIGNED_DATA))),
        {"reasons": [("signature", "EBADMSG", "", None)], "errno": "EBADMSG"},
    ),
    "signature of an unusual form": (
        replace(GOOD, undefined=[], signature=SIGNED_DATA + trailer(len(SIGNED_DATA))),
        {"unknown": [("signature", "")]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_change(name: str, tmp_path: Path) -> None:
    """Check that each change to a module has the findings, the log lines and the error that the kernel has."""
    module, expected = CASES[name]
    assert found(judged(module, tmp_path)) == expected


def test_all_reasons_at_once(tmp_path: Path) -> None:
    """Check that one verdict has the reasons of all stages, in the kernel's order."""
    module = replace(
        GOOD, license="BSD", vermagic="5.0 ", versions={"module_layout": 1, "spaced": 2},
        undefined=["spaced", "gpl_function", "nothing"], exports=[Exported("printk", 1)], writable_code=True,
    )  # fmt: skip
    verdict = judged(module, tmp_path, Circumstances("quiet module_blacklist=other,led"))
    assert [(reason.kind, reason.symbol) for reason in verdict.reasons] == [
        ("blacklisted", ""),
        ("crc", "module_layout"),
        ("vermagic", ""),
        ("writable-code", ""),
        ("crc", "spaced"),
        ("gpl-only", "gpl_function"),
        ("missing-symbol", "nothing"),
        ("duplicate-export", "printk"),
    ]
    assert verdict.errno == "EPERM"
    assert verdict.reasons[0].log_line == "Module led is blacklisted"


def test_vermagic_word_by_word(tmp_path: Path) -> None:
    """Check that the words that differ are named."""
    module = replace(GOOD, vermagic="6.1.0-test preempt mod_unload modversions ", undefined=[])
    assert [reason.text for reason in judged(module, tmp_path).reasons] == [
        "its version magic differs: it lacks 'SMP'; it has 'preempt', the kernel has not"
    ]


def test_missing_symbols_have_neighbours(tmp_path: Path) -> None:
    """Check that what looks like a missing symbol is named with its module."""
    reason = judged(replace(GOOD, undefined=["led_registre"], versions=LAYOUT), tmp_path).reasons[0]
    assert reason.near == ("led_register",)
    assert reason.text.endswith("; alike: led_register (drivers/leds/led-core)")


@pytest.mark.parametrize(
    ("change", "what"), [({"versions": None}, "module_layout"), ({"vermagic": None}, "bad vermagic")]
)
def test_forced(change: dict[str, Any], what: str, tmp_path: Path) -> None:
    """Check that CONFIG_MODULE_FORCE_LOAD decides about modules without versions or version magic."""
    module = replace(GOOD, undefined=["printk"], **change)
    verdict = judged(module, tmp_path / "y", MODULE_FORCE_LOAD="y")
    assert (verdict.loads, verdict.taints) == (True, "FE")
    assert [taint.log_line for taint in verdict.taint_details if taint.letter == "F"] == [
        f"led: {what}: kernel tainted."
    ]
    verdict = judged(module, tmp_path / "n")
    assert {(reason.kind, reason.errno, reason.log_line) for reason in verdict.reasons} >= {
        ("force-disabled", "ENOEXEC", None)
    }


def test_exports_without_versions(tmp_path: Path) -> None:
    """Check that exports without CRCs need force."""
    module = replace(GOOD, undefined=[], exports=[Exported("fresh", None)])
    verdict = judged(module, tmp_path, MODULE_FORCE_LOAD="y")
    assert [taint.log_line for taint in verdict.taint_details if taint.letter == "F"] == [
        "led: no versions for exported symbols: kernel tainted."
    ]


def test_no_symbol_versions(tmp_path: Path) -> None:
    """Check that a kernel without CONFIG_MODVERSIONS compares the release and no CRC."""
    module = replace(GOOD, undefined=["printk"], versions={"module_layout": 1, "printk": 2})
    assert [(r.kind, r.text) for r in judged(module, tmp_path, MODVERSIONS=None).reasons] == [
        ("vermagic", "its version magic differs: it has 'modversions', the kernel has not")
    ]
    module = replace(module, vermagic="6.1.1-test SMP mod_unload ")
    assert [(r.kind, r.text) for r in judged(module, tmp_path / "2", MODVERSIONS=None).reasons] == [
        ("vermagic", "its version magic differs: it is for the release 6.1.1-test, the kernel is 6.1.0-test")
    ]


@pytest.mark.parametrize(
    ("circumstances", "options", "errno", "line"),
    [
        (Circumstances(sig_enforce=True), {}, "EKEYREJECTED", "Loading of unsigned module is rejected"),
        (Circumstances("module.sig_enforce=1"), {}, "EKEYREJECTED", "Loading of unsigned module is rejected"),
        (Circumstances("module.sig_enforce"), {}, "EKEYREJECTED", "Loading of unsigned module is rejected"),
        (Circumstances("module.sig-enforce=0"), {}, None, None),
        (Circumstances("-- module.sig_enforce=1"), {}, None, None),
        (Circumstances(), {"MODULE_SIG_FORCE": "y"}, "EKEYREJECTED", "Loading of unsigned module is rejected"),
        (Circumstances(sig_enforce=True), {"MODULE_SIG": None}, None, None),
        (
            Circumstances("lockdown=integrity", process="modprobe"), {}, "EPERM",
            "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
        ),
        (Circumstances("lockdown=integrity"), {"SECURITY_LOCKDOWN_LSM": None}, None, None),
        (
            Circumstances(), {"LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY": "y"}, "EPERM",
            "Lockdown: insmod: unsigned module loading is restricted; see man kernel_lockdown.7",
        ),
        (Circumstances("lockdown=none"), {}, None, None),
    ],
)  # fmt: skip
def test_enforcement(
    circumstances: Circumstances, options: dict[str, Any], errno: str | None, line: str | None, tmp_path: Path
) -> None:
    """Check who refuses unsigned modules, and with which error."""
    verdict = judged(replace(GOOD, undefined=[]), tmp_path, circumstances, **options)
    assert (verdict.errno, [reason.log_line for reason in verdict.reasons]) == (errno, [line] if line else [])


def test_debian_wants_every_version(tmp_path: Path) -> None:
    """Check that a module without the CRC of one symbol is refused by Debian's kernels."""
    module = replace(GOOD, undefined=["printk"], versions=LAYOUT)
    release = "6.1.0-1-amd64"
    verdict = judged(
        module, tmp_path, release=release, BUILD_SALT=release, CC_VERSION_TEXT="gcc-12 (Debian 12.2.0-14) 12.2.0"
    )
    assert [(r.kind, r.errno, r.log_line) for r in verdict.reasons] == [
        ("crc", "EINVAL", "led: no symbol version for printk")
    ]


def test_livepatches_need_support(tmp_path: Path) -> None:
    """Check that a livepatch is refused by a kernel without CONFIG_LIVEPATCH."""
    module = replace(GOOD, undefined=[], modinfo=["intree=Y", "livepatch=Y", "retpoline=Y"])
    assert [reason.kind for reason in judged(module, tmp_path, LIVEPATCH=None).reasons] == ["livepatch"]


def test_allowed_missing_imports(tmp_path: Path) -> None:
    """Check that a kernel may let missing imports pass."""
    module = CASES["name space"][0]
    verdict = judged(module, tmp_path, MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS="y")
    assert found(verdict) == {
        "remarks": [
            ("name-space", "spaced", "led: module uses symbol (spaced) from namespace SPACE, but does not import it.")
        ],
        "taints": "E",
    }


@pytest.mark.parametrize(("release", "line"), [("5.10.1", "Module has invalid ELF structures"), (
    "6.1.0", "Invalid ELF section header overflow")])  # fmt: skip
def test_cut_off(release: str, line: str, tmp_path: Path) -> None:
    """Check that a module that is cut off is refused with the line of that kernel, wherever it is cut."""
    kernel = KernelFacts.read([kernels.headers(tmp_path / "headers", release)])
    whole = GOOD.content()
    path = tmp_path / "led.ko"
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        verdict = judge(str(path), kernel)
        assert not verdict.loads, size
        assert verdict.reasons[0].kind == "damaged", size
    assert verdict.reasons[0].log_line == line
    path.write_bytes(b"")
    assert [(r.errno, r.text) for r in judge(str(path), kernel).reasons] == [("EINVAL", "it is empty")]


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("offset", 1 << 40, "Invalid ELF section in module (section 2 type 1)"),
        ("size", 1 << 40, "Invalid ELF section in module (section 2 type 1)"),
        ("name", 1 << 20, "Invalid ELF section name in module (section 2 type 1)"),
    ],
)
def test_sections_out_of_place(field: str, value: int, line: str, tmp_path: Path) -> None:
    """Check that a section outside the file is named, and that one without contents may lie anywhere."""
    kernel = KernelFacts.read([kernels.headers(tmp_path / "headers")])
    data = bytearray(replace(GOOD, undefined=["printk"]).content())
    headers = int.from_bytes(data[40:48], "little") + 2 * 64
    place = {"name": (0, 4), "offset": (24, 8), "size": (32, 8)}[field]
    data[headers + place[0] : headers + sum(place)] = value.to_bytes(place[1], "little")
    (tmp_path / "led.ko").write_bytes(data)
    assert [reason.log_line for reason in judge(str(tmp_path / "led.ko"), kernel).reasons] == [line]
    data[headers + 4 : headers + 8] = (8).to_bytes(4, "little")  # SHT_NOBITS
    (tmp_path / "led.ko").write_bytes(data)
    assert line not in [reason.log_line for reason in judge(str(tmp_path / "led.ko"), kernel).reasons]


def test_kernels_that_let_code_be_written(tmp_path: Path) -> None:
    """Check that without CONFIG_STRICT_MODULE_RWX no section is too much."""
    module = replace(GOOD, undefined=[], writable_code=True)
    assert judged(module, tmp_path, STRICT_MODULE_RWX=None).reasons == []


def test_common_symbols_of_link_time_optimisation(tmp_path: Path) -> None:
    """Check that the marks that LTO leaves are no common symbols."""
    assert judged(replace(GOOD, undefined=[], common=["__gnu_lto_slim"]), tmp_path).reasons == []


@pytest.mark.parametrize(
    "message",
    [SIGNED_DATA[:-1], SIGNED_DATA + b"\x30", SIGNED_DATA[:-2] + b"\x30\x85\x01\x01\x01\x01\x01", b"\x30" * 400],
    ids=["cut off", "a tag too much", "length of a length", "too deep"],
)
def test_signatures_that_do_not_parse(message: bytes, tmp_path: Path) -> None:
    """Check that a PKCS#7 message that is not well formed is refused."""
    verdict = judged(replace(GOOD, undefined=[], signature=message + trailer(len(message))), tmp_path)
    assert [(reason.kind, reason.errno) for reason in verdict.reasons] == [("signature", "EBADMSG")]


def test_every_damage_is_a_verdict(tmp_path: Path) -> None:
    """Check that no byte of a module, changed, makes anything but a verdict."""
    kernel = KernelFacts.read([kernels.headers(tmp_path / "headers")])
    whole = replace(GOOD, exports=[Exported("fresh", 1)]).content()
    path = tmp_path / "led.ko"
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        verdict = judge(str(path), kernel)
        assert verdict.loads == (not verdict.reasons)


def test_struct_module_size(tmp_path: Path) -> None:
    """Check that the size of struct module counts from 6.4 on, and that an in-tree module tells it."""
    kernels.modules_directory(tmp_path / "modules", [("fs/fat.ko", Loadable("fat", versions=LAYOUT))])
    module = replace(GOOD, undefined=[], this_module=888).write(tmp_path)
    for release, expected in (("6.1.0", []), ("6.4.0", ["its struct module has 888 bytes, the kernel's 896"])):
        kernel = KernelFacts.read([kernels.headers(tmp_path / release, release), tmp_path / "modules"])
        verdict = judge(module, kernel)
        assert [reason.text for reason in verdict.reasons if reason.kind == "struct-module"] == expected


def test_extended_versions(tmp_path: Path) -> None:
    """Check that extended versions count from 6.14 on, and then alone."""
    module = replace(
        GOOD, undefined=["printk"], versions={**LAYOUT, "printk": 9}, extended={**LAYOUT, "printk": 0x10000002}
    )
    old = judged(module, tmp_path / "old")
    new = judged(module, tmp_path / "new", release="6.14.0")
    assert [(reason.kind, reason.symbol) for reason in old.reasons] == [("crc", "printk")]
    assert new.reasons == []
    lacking = judged(replace(module, extended=LAYOUT), tmp_path / "lacking", release="6.14.0")
    assert [remark.log_line for remark in lacking.remarks if remark.kind == "crc"] == [
        "led: no extended symbol version for printk"
    ]
