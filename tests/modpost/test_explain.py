# SPDX-License-Identifier: GPL-2.0-or-later
"""What --explain says of each kind of diagnostic, and the formats for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modpost_py.cli import parse
from modpost_py.diagnostic_formats import document, github_annotations, sarif_document
from modpost_py.dialects import dialect_of
from modpost_py.explain import explained, explanation_text
from modpost_py.near_names import near_names
from modpost_py.whole_run import Run, RunResult
from tests.modpost.elf_writer import EM_PPC, ET_EXEC, ElfWriter
from tests.modpost.module_writer import ExportSpec, ModuleSpec, write_files
from tests.modpost.running import inside

KERNEL = "0x1\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n0x2\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"


def run_and_explain(
    tmp_path: Path, kernel: str, modules: list[ModuleSpec], arguments: str, files: dict[str, str] | None = None
) -> str:
    """The text of --explain after a run in a directory."""
    dialect = dialect_of(kernel)
    for module in modules:
        module.write(tmp_path, dialect.name)
    write_files(tmp_path, {path: text.encode() for path, text in {"dump": KERNEL, **(files or {})}.items()})
    with inside(tmp_path):
        options = parse([*arguments.split(), *(f"{module.name}.o" for module in modules)], dialect)
        return explanation_text(explained(Run(options, dialect).execute(), options, dialect))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("pritnk", ["printk"]),
        ("prink", ["printk"]),
        ("printkk", ["printk"]),
        ("_printk", ["printk"]),
        ("__printk__", ["printk"]),
        ("kmaloc", ["kmalloc"]),
        ("printk", []),
        ("zzz", []),
        ("a", []),
    ],
)
def test_near_names(wanted: str, found: list[str]) -> None:
    """Check which names count as near: few edits for the length, or underscores only."""
    assert near_names(wanted, ["printk", "kmalloc", "vmalloc", "bcd", "sprintf"]) == found


def test_misspelt_symbol(tmp_path: Path) -> None:
    """Check the advice for a misspelt name."""
    text = run_and_explain(tmp_path, "6.12", [ModuleSpec("d/foo", undefined=["pritnk"])], "-i dump")
    assert text.splitlines()[:2] == [
        'explain: "pritnk" [d/foo.ko] undefined!',
        "    misspelt? near names: printk (vmlinux, EXPORT_SYMBOL)",
    ]


def test_dump_of_a_neighbour(tmp_path: Path) -> None:
    """Check that a Module.symvers nearby that has the symbol and was not read is named."""
    files = {"lib/Module.symvers": "0x5\tshared_thing\tlib/lib\tEXPORT_SYMBOL\t\n"}
    modules = [ModuleSpec("foo/foo", undefined=["shared_thing"])]
    text = run_and_explain(tmp_path, "6.12", modules, "-i dump", files)
    assert text == (
        'explain: "shared_thing" [foo/foo.ko] undefined!\n'
        "    lib/Module.symvers has it, and was not read: "
        f"add KBUILD_EXTRA_SYMBOLS={tmp_path}/lib/Module.symvers\n"
    )


def test_kernel_not_known(tmp_path: Path) -> None:
    """Check the advice where no dump of the kernel was read; symbols with the same advice share it."""
    text = run_and_explain(tmp_path, "6.12", [ModuleSpec("foo", undefined=["aaaaaaa", "bbbbbbb"])], "")
    assert text.splitlines()[:4] == [
        'explain: "aaaaaaa" [foo.ko] undefined!',
        'explain: "bbbbbbb" [foo.ko] undefined!',
        "    the kernel's exports are unknown: no symbol dump was read",
        "    build the kernel (make modules does, make modules_prepare does not) or give -i KDIR/Module.symvers",
    ]


@pytest.mark.parametrize(("kernel", "line"), [
    ("6.1", "MODULE_IMPORT_NS(USB);"), ("6.12", "MODULE_IMPORT_NS(USB);"), ("6.13", 'MODULE_IMPORT_NS("USB");'),
    ("7.x", 'MODULE_IMPORT_NS("USB");')])  # fmt: skip
def test_namespace(kernel: str, line: str, tmp_path: Path) -> None:
    """Check that the line to add is spelt as the kernel wants it."""
    dump = KERNEL.replace("printk\tvmlinux\tEXPORT_SYMBOL\t", "printk\tvmlinux\tEXPORT_SYMBOL\tUSB")
    text = run_and_explain(tmp_path, kernel, [ModuleSpec("foo", undefined=["printk"])], "-i dump", {"dump": dump})
    assert text.splitlines()[1:] == [
        "    vmlinux exports it in the name space USB",
        f"    add to the module's source: {line}",
    ]


def test_module_namespace(tmp_path: Path) -> None:
    """Check that a ``module:`` name space is not advised to be imported."""
    modules = [
        ModuleSpec("lib", exports=[ExportSpec("x", namespace="module:a,b*")]),
        ModuleSpec("foo", undefined=["x"]),
    ]
    text = run_and_explain(tmp_path, "7.x", modules, "-M -i dump")
    assert text.splitlines()[1:] == [
        "    lib exports it for these modules only: a,b*",
        "    such a name space cannot be imported; use another interface, or add the module to the export",
    ]


def test_gpl_only(tmp_path: Path) -> None:
    """Check that the licence at fault and the exporter are named."""
    module = ModuleSpec("foo", undefined=["printk"], modinfo=["license=Proprietary", "description=x"])
    dump = KERNEL.replace("printk\tvmlinux\tEXPORT_SYMBOL", "printk\tvmlinux\tEXPORT_SYMBOL_GPL")
    text = run_and_explain(tmp_path, "6.12", [module], "-i dump", {"dump": dump})
    assert text.splitlines()[1:3] == [
        '    the module says MODULE_LICENSE("Proprietary"), which is not GPL-compatible',
        "    vmlinux exports the symbol with EXPORT_SYMBOL_GPL",
    ]


@pytest.mark.parametrize(
    ("first", "second", "line"),
    [
        ("a", "b", "a and b both export it, so that only one of them could be loaded"),
        ("vmlinux", "b", "the kernel itself exports it: the driver may be built in already, or the name is taken"),
        ("a", None, "the module exports it twice: in two of its objects, or it is listed twice"),
    ],
)
def test_exported_twice(first: str, second: str | None, line: str, tmp_path: Path) -> None:
    """Check what is said of a duplicate, by who exports it."""
    modules = [ModuleSpec(first, exports=[ExportSpec("x")])]
    modules += [ModuleSpec(second, exports=[ExportSpec("x")])] if second else []
    arguments = "-M -i dump" + ("" if second else f" {first}.o")
    if second is None:
        modules[0].exports = [ExportSpec("x"), ExportSpec("x")]
    assert f"    {line}\n" in run_and_explain(tmp_path, "6.12", modules, arguments)


def test_no_crc(tmp_path: Path) -> None:
    """Check the advice for an export without CRC and for its user."""
    modules = [ModuleSpec("lib", exports=[ExportSpec("x", crc=None)]), ModuleSpec("foo", undefined=["x"])]
    lines = run_and_explain(tmp_path, "6.12", modules, "-M -m -i dump").splitlines()
    assert "    genksyms gave no CRC for x: no line '#SYMVER x 0x...' in the module's .cmd files" in lines
    assert "    lib exports it without a CRC; the module will not be checked for it when it is loaded" in lines


def test_wrong_file(tmp_path: Path) -> None:
    """Check that an executable in an object's place is called by its kind."""
    write_files(tmp_path, {"foo.o": ElfWriter(32, "big", EM_PPC, ET_EXEC).bytes()})
    dialect = dialect_of("6.12")
    with inside(tmp_path):
        options = parse(["foo.o"], dialect)
        text = explanation_text(explained(Run(options, dialect).execute(), options, dialect))
    assert text.splitlines()[:2] == [
        "explain: foo.o: not relocatable object.",
        "    the file is ET_EXEC for EM_PPC, 32 bits, big-endian; "
        "modpost takes the relocatable object of a module (foo.o),",
    ]


def test_nothing_to_explain(tmp_path: Path) -> None:
    """Check that a run without diagnostics has no explanations."""
    assert run_and_explain(tmp_path, "6.12", [ModuleSpec("foo")], "-i dump") == ""


# --- formats ------------------------------------------------------------------------------


def _result(tmp_path: Path) -> RunResult:
    dialect = dialect_of("6.12")
    ModuleSpec("d/foo", undefined=["missing"], modinfo=["license=GPL"]).write(tmp_path, dialect.name)
    write_files(tmp_path, {"d/foo.c": b"int x;\n"})
    with inside(tmp_path):
        return Run(parse(["-W", "-w", "d/foo.o", "caf\udcc3\udca9.o"], dialect), dialect).execute()


def test_json(tmp_path: Path) -> None:
    """Check the whole JSON document."""
    result = _result(tmp_path)
    found = result.diagnostics[0]
    with inside(tmp_path):
        parsed = json.loads(document("json", result, dialect_of("6.12"), [(found, ["why"])]))
    assert parsed == {
        "schema": 1,
        "tool": "modpost-py",
        "dialect": "6.12",
        "exit_status": 1,
        "undefined": 0,
        "written": [],
        "diagnostics": [
            {
                "severity": "warning",
                "rule": "missing-description",
                "text": "missing MODULE_DESCRIPTION() in d/foo.o",
                "module": "d/foo",
                "object": "d/foo.o",
                "values": {},
                "explanation": ["why"],
            },
            {
                "severity": "failure",
                "rule": "unusable-file",
                "text": "caf\xe9.o: No such file or directory",
                "module": None,
                "object": "caf\xe9.o",
                "values": {},
                "explanation": [],
            },
        ],
    }


def test_sarif(tmp_path: Path) -> None:
    """Check the results of the SARIF log; the source beside an object is its place."""
    result = _result(tmp_path)
    with inside(tmp_path):
        (only,) = sarif_document(result, dialect_of("6.12"))["runs"]
    assert only["results"] == [
        {
            "ruleId": "missing-description",
            "level": "warning",
            "message": {"text": "missing MODULE_DESCRIPTION() in d/foo.o"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": "d/foo.c"}}}],
        },
        {
            "ruleId": "unusable-file",
            "level": "error",
            "message": {"text": "caf\xe9.o: No such file or directory"},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": "caf\xe9.o"}}}],
        },
    ]
    assert only["tool"]["driver"]["rules"] == [{"id": "missing-description"}, {"id": "unusable-file"}]
    assert only["invocations"] == [{"exitCode": 1, "executionSuccessful": False}]


def test_github(tmp_path: Path) -> None:
    """Check the annotations, with the characters that their syntax needs escaped."""
    result = _result(tmp_path)
    result.diagnostics[0] = result.diagnostics[0]._replace(text="50% of\nit: a, b\n", path="d/a,b:c.o")
    with inside(tmp_path):
        assert github_annotations(result.diagnostics) == (
            "::warning file=d/a%2Cb%3Ac.o,title=missing-description::50%25 of%0Ait: a, b\n"
            "::error file=caf\xe9.o,title=unusable-file::caf\xe9.o: No such file or directory\n"
        )
