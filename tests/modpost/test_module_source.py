# SPDX-License-Identifier: GPL-2.0-or-later
"""The emitted sources, whole, in every layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.modpost.module_writer import ExportSpec, ModuleSpec
from tests.modpost.running import ALL, SINCE_6_1, SINCE_6_12, run_in, run_modules

HEADER = {
    "5.10": """\
#include <linux/module.h>
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/vermagic.h>
#include <linux/compiler.h>

BUILD_SALT;

MODULE_INFO(vermagic, VERMAGIC_STRING);
MODULE_INFO(name, KBUILD_MODNAME);

__visible struct module __this_module
__section(".gnu.linkonce.this_module") = {
	.name = KBUILD_MODNAME,
""",
    "6.1": """\
#include <linux/module.h>
#define INCLUDE_VERMAGIC
#include <linux/build-salt.h>
#include <linux/elfnote-lto.h>
#include <linux/export-internal.h>
#include <linux/vermagic.h>
#include <linux/compiler.h>

BUILD_SALT;
BUILD_LTO_INFO;

MODULE_INFO(vermagic, VERMAGIC_STRING);
MODULE_INFO(name, KBUILD_MODNAME);

__visible struct module __this_module
__section(".gnu.linkonce.this_module") = {
	.name = KBUILD_MODNAME,
""",
    "6.12": """\
#include <linux/module.h>
#include <linux/export-internal.h>
#include <linux/compiler.h>

MODULE_INFO(name, KBUILD_MODNAME);

__visible struct module __this_module
__section(".gnu.linkonce.this_module") = {
	.name = KBUILD_MODNAME,
""",
}
HEADER["7.2"] = HEADER["7.3"] = HEADER["6.12"]
INIT_AND_EXIT = "\t.init = init_module,\n#ifdef CONFIG_MODULE_UNLOAD\n\t.exit = cleanup_module,\n#endif\n"
STRUCT_END = "\t.arch = MODULE_ARCH_INIT,\n};\n"
RETPOLINE = '\n#ifdef CONFIG_RETPOLINE\nMODULE_INFO(retpoline, "Y");\n#endif\n'
AFTER_STRUCT = {"5.10": RETPOLINE, "6.1": RETPOLINE, "6.12": "", "7.2": "", "7.3": ""}
VERSIONS = '\nstatic const struct modversion_info ____versions[]\n__used __section("__versions") = {\n'
DUMP = """\
0x12345678\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t
0x0000abcd\tprintk\tvmlinux\tEXPORT_SYMBOL\t
0x00000001\thelper\tlib/helper\tEXPORT_SYMBOL_GPL\t
0x00000000\tzero\tdrivers/zero\tEXPORT_SYMBOL\t
"""
MODVERSIONS = {"5.10": "-m", "6.1": "-m", "6.12": "-M -m", "7.2": "-M -m -b -x", "7.3": "-M -m -b -x"}
MODULES = {"5.10": "", "6.1": "", "6.12": "-M", "7.2": "-M", "7.3": "-M"}


def source(tmp_path: Path, dialect: str, module: ModuleSpec, options: str) -> str:
    """The source of one module, which must come without diagnostics."""
    outcome = run_modules(tmp_path, dialect, [module], f"{options} -i dump", {"dump": DUMP})
    assert (outcome.status, outcome.stderr) == (0, "")
    return outcome.files[f"{module.name}.mod.c"]


@pytest.mark.parametrize("dialect", ALL)
def test_smallest_module(dialect: str, tmp_path: Path) -> None:
    """Check the source of a module with nothing in it, in the tree and without symbol versions."""
    exports = "\n" if dialect in SINCE_6_12 else ""
    assert source(tmp_path, dialect, ModuleSpec("foo"), MODULES[dialect]) == (
        HEADER[dialect]
        + STRUCT_END
        + '\nMODULE_INFO(intree, "Y");\n'
        + AFTER_STRUCT[dialect]
        + exports
        + '\nMODULE_INFO(depends, "");\n\n'
    )


FULL = ModuleSpec(
    "drivers/foo",
    exports=[
        ExportSpec("open", "GPL", "NS", 0xABCD),
        ExportSpec("data", "", "", 0x12345678, is_function=False),
    ],
    undefined=["printk", "helper", "zero", "helper.12"],
    weak=["absent"],
    defined=["init_module", "cleanup_module"],
    export_order=[1, 0],
)
# 5.10 keeps its list of unresolved symbols newest first
VERSION_LINES = {
    "5.10": """\
	{ 0x12345678, "module_layout" },
	{      0x1, "helper" },
	{        0, "zero" },
	{      0x1, "helper" },
	{   0xabcd, "printk" },
};
""",
    "6.1": """\
	{   0xabcd, "printk" },
	{      0x1, "helper" },
	{        0, "zero" },
	{      0x1, "helper" },
	{ 0x12345678, "module_layout" },
};
""",
    "7.2": """\
	{ 0x0000abcd, "printk" },
	{ 0x00000001, "helper" },
	{ 0x00000000, "zero" },
	{ 0x00000001, "helper" },
	{ 0x12345678, "module_layout" },
};

static const u32 ____version_ext_crcs[]
__used __section("__version_ext_crcs") = {
	0x0000abcd,
	0x00000001,
	0x00000000,
	0x00000001,
	0x12345678,
};
static const char ____version_ext_names[]
__used __section("__version_ext_names") =
	"printk\\0"
	"helper\\0"
	"zero\\0"
	"helper\\0"
	"module_layout\\0"
;
""",
}
VERSION_LINES["6.12"] = VERSION_LINES["6.1"]
VERSION_LINES["7.3"] = VERSION_LINES["7.2"]
EXPORTS = {
    "5.10": "",
    "6.1": """
SYMBOL_CRC(open, 0x0000abcd, "_gpl");
SYMBOL_CRC(data, 0x12345678, "");
""",
    "6.12": """
KSYMTAB_DATA(data, "", "");
KSYMTAB_FUNC(open, "_gpl", "NS");

SYMBOL_CRC(data, 0x12345678, "");
SYMBOL_CRC(open, 0x0000abcd, "_gpl");
""",
    "7.2": """
KSYMTAB_DATA(data, "");
SYMBOL_FLAGS(data, 0x00);
KSYMTAB_FUNC(open, "NS");
SYMBOL_FLAGS(open, 0x01);

SYMBOL_CRC(data, 0x12345678);
SYMBOL_CRC(open, 0x0000abcd);
""",
}
EXPORTS["7.3"] = EXPORTS["7.2"]


@pytest.mark.parametrize("dialect", ALL)
def test_full_module(dialect: str, tmp_path: Path) -> None:
    """Check a module with exports, versions of all widths, dependencies and init and exit, outside of the tree."""
    assert source(tmp_path, dialect, FULL, f"{MODVERSIONS[dialect]} -e") == (
        HEADER[dialect]
        + INIT_AND_EXIT
        + STRUCT_END
        + AFTER_STRUCT[dialect]
        + EXPORTS[dialect]
        + VERSIONS
        + VERSION_LINES[dialect]
        + '\nMODULE_INFO(depends, "helper,zero");\n\n'
    )


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(("name", "tag"), [("drivers/staging/x", "staging"), ("tools/testing/x", "test")])
def test_marked_directories(name: str, tag: str, dialect: str, tmp_path: Path) -> None:
    """Check the marks of staging drivers and of test modules (since 6.1)."""
    text = source(tmp_path, dialect, ModuleSpec(name), MODULES[dialect])
    has_mark = tag == "staging" or dialect in SINCE_6_1
    assert (f'\n\nMODULE_INFO({tag}, "Y");\n' in text) == has_mark
    place = text.find(f"MODULE_INFO({tag}")
    assert not has_mark or text.find("MODULE_INFO(intree") < place < text.find("MODULE_INFO(depends")


@pytest.mark.parametrize("dialect", ALL)
def test_aliases_and_source_version_come_last(dialect: str, tmp_path: Path) -> None:
    """Check aliases, which 7.x writes once each, and the source version after them."""
    entry = b"one".ljust(32, b"\0") + bytes(8)
    table = entry + entry + bytes(40)
    name = "__mod_device_table__kmod_foo__spi__x" if dialect in ("7.2", "7.3") else "__mod_spi__x_device_table"
    module = ModuleSpec(
        "foo", tables=[(name, table)], extra={"foo.c": "int x;", ".foo.o.cmd": "source_foo.o := foo.c\n"}
    )
    text = source(tmp_path, dialect, module, f"{MODULES[dialect]} -a")
    aliases = 'MODULE_ALIAS("spi:one");\n' * (1 if dialect in ("7.2", "7.3") else 2)
    assert text.endswith(f'MODULE_INFO(depends, "");\n\n{aliases}\nMODULE_INFO(srcversion, "' + text[-27:-4] + '");\n')


VMLINUX = ModuleSpec("vmlinux", exports=[ExportSpec("printk", "GPL", "", 0x12345678)], modinfo=())


@pytest.mark.parametrize(
    ("dialect", "text"),
    [
        ("6.1", '#include <linux/export-internal.h>\n\nSYMBOL_CRC(printk, 0x12345678, "_gpl");\n'),
        (
            "6.12",
            '#include <linux/export-internal.h>\n\nKSYMTAB_FUNC(printk, "_gpl", "");\n'
            '\nSYMBOL_CRC(printk, 0x12345678, "_gpl");\n',
        ),
        (
            "7.3",
            '#include <linux/export-internal.h>\n\nKSYMTAB_FUNC(printk, "");\nSYMBOL_FLAGS(printk, 0x01);\n'
            "\nSYMBOL_CRC(printk, 0x12345678);\n"
            "#include <linux/module.h>\n#undef __MODULE_INFO_PREFIX\n#define __MODULE_INFO_PREFIX\n"
            'MODULE_INFO(builtin.alias, "spi:one");\n',
        ),
    ],
)
def test_vmlinux(dialect: str, text: str, tmp_path: Path) -> None:
    """Check the kernel's own source, with the aliases of built-in modules in 7.x; vmlinux needs no licence."""
    table = b"one".ljust(40, b"\0") + bytes(40)
    module = ModuleSpec("vmlinux", exports=VMLINUX.exports, modinfo=(), tables=[
        ("__mod_device_table__kmod_builtin__spi__x", table)])  # fmt: skip
    outcome = run_modules(tmp_path, dialect, [module], f"-m {MODULES[dialect]} -o Module.symvers")
    assert (outcome.status, outcome.stderr) == (0, "")
    assert outcome.files == {
        ".vmlinux.export.c": text,
        "Module.symvers": "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL_GPL\t\n",
    }


def test_vmlinux_of_5_10_has_no_source(tmp_path: Path) -> None:
    """Check that 5.10 writes nothing for vmlinux but the dump."""
    outcome = run_modules(tmp_path, "5.10", [VMLINUX], "-m -o Module.symvers")
    assert outcome.files == {"Module.symvers": "0x12345678\tprintk\tvmlinux\tEXPORT_SYMBOL_GPL\t\n"}


@pytest.mark.parametrize("dialect", ["5.10", "6.12"])
def test_long_pieces_are_padded(dialect: str, tmp_path: Path) -> None:
    """Check that a line of 500 bytes or more loses its end and keeps its length as NULs."""
    export = ExportSpec("l" * 600)
    outcome = run_modules(tmp_path, dialect, [ModuleSpec("foo", exports=[export])], "-w -o out " + MODULES[dialect])
    line = f"0x{0x12345678 if dialect == '5.10' else 0:08x}\t{'l' * 600}\tfoo\tEXPORT_SYMBOL\t\n"
    assert outcome.files["out"] == line[:499] + "\0" * (len(line) - 499)


@pytest.mark.parametrize("dialect", ALL)
def test_unchanged_source_is_not_touched(dialect: str, tmp_path: Path) -> None:
    """Check that a second run leaves the sources and their times alone, and that a changed one is replaced."""
    objects = [ModuleSpec("foo").write(tmp_path, dialect), ModuleSpec("bar").write(tmp_path, dialect)]
    first = run_in(tmp_path, dialect, ["-w", *objects, "-o", "out"])
    assert sorted(first.result.written) == ["bar.mod.c", "foo.mod.c", "out"]
    (tmp_path / "foo.mod.c").write_text(first.files["foo.mod.c"].replace("module", "MODULE"))
    before = (tmp_path / "bar.mod.c").stat().st_mtime_ns
    second = run_in(tmp_path, dialect, ["-w", *objects, "-o", "out"])
    assert sorted(second.result.written) == ["foo.mod.c", "out"]
    assert (tmp_path / "bar.mod.c").stat().st_mtime_ns == before
    assert (tmp_path / "foo.mod.c").read_text() == first.files["foo.mod.c"]


@pytest.mark.parametrize(
    ("dialect", "written"),
    [
        ("5.10", ["good.mod.c", "bad.mod.c", "last.mod.c", "out"]),
        ("6.1", ["good.mod.c"]),
        ("6.12", []),
        ("7.3", []),
    ],
)
def test_what_is_written_after_an_error(dialect: str, written: list[str], tmp_path: Path) -> None:
    """Check which files an undefined symbol in the second of three modules leaves unwritten."""
    modules = [ModuleSpec("good"), ModuleSpec("bad", undefined=["missing"]), ModuleSpec("last")]
    outcome = run_modules(tmp_path, dialect, modules, "-i dump -o out", {"dump": DUMP})
    assert outcome.status == 1
    assert sorted(outcome.result.written) == sorted(written)
    assert sorted(outcome.files) == sorted(written)
