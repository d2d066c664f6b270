# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a file is an ELF object that the kernel can read, in the kernel's order of checks.

The kernel reads the header in its own word size and byte order and looks at ``e_type`` and ``e_machine``; the
bytes that tell word size and byte order it does not look at.
"""

from __future__ import annotations

import struct

from modpost_py.elf_constants import (
    ET_REL,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_WRITE,
    SHT_NOBITS,
    SHT_SYMTAB,
)
from modpost_py.elf_names import file_type_name
from modpost_py.kmod.kernel_facts import Machine
from modpost_py.kmod.load_rules_findings import Findings, LoadCase, Reason, Unknown
from modpost_py.kmod.load_rules_signature import without_signature

THIS_MODULE = ".gnu.linkonce.this_module"
_MAGIC = b"\x7fELF"
_HEADERS = {64: "HHIQQQIHHHHHH", 32: "HHIIIIIHHHHHH"}
_HEADER_SIZE = {64: 64, 32: 52}
_SECTIONS = {64: "IIQQQQIIQQ", 32: "10I"}
_ORDER = {"little": "<", "big": ">"}
_TAKE_AGAIN = "copy the module again, or build it again: it is cut off or damaged"
_NO_NAME = "(missing .modinfo section or name field)"


class _Header:
    """The ELF header and section headers as a kernel for ``machine`` reads them; ``struct.error`` if there are none."""

    def __init__(self, data: bytes, machine: Machine) -> None:
        prefix = _ORDER[machine.byteorder]
        fields = struct.unpack_from(prefix + _HEADERS[machine.bits], data, 16)
        self.type, self.machine = fields[0], fields[1]
        self.section_offset = fields[5]
        self.section_size, self.section_count, self.names = fields[10:13]
        self.section_format = struct.Struct(prefix + _SECTIONS[machine.bits])

    def sections(self, data: bytes) -> list[tuple[int, ...]]:
        """name type flags addr offset size link info addralign entsize of each section."""
        size = self.section_format.size
        end = self.section_offset + self.section_count * size
        return list(self.section_format.iter_unpack(data[self.section_offset : end]))


def _own_machine(data: bytes) -> Machine | None:
    """What the file says that it is for."""
    bits, order = {1: 32, 2: 64}.get(data[4]), {1: "little", 2: "big"}.get(data[5])
    if bits is None or order is None:
        return None
    return Machine(int.from_bytes(data[18:20], order), bits, order)  # type: ignore[arg-type]


def elf_rule(case: LoadCase) -> Findings:
    """Everything from the magic number to the symbol table."""
    data = without_signature(case.data)
    own = _own_machine(data) if data[:4] == _MAGIC and len(data) >= 20 else None
    machine = case.kernel.machine or own
    if machine is None or len(data) < _HEADER_SIZE[machine.bits] or data[:4] != _MAGIC:
        yield _no_elf(case, data)
        return
    header = _Header(data, machine)
    refusal = _wrong_header(case, header, machine, own) or _wrong_sections(case, header, data)
    if refusal is not None:
        yield refusal
        return
    if case.kernel.machine is None:
        yield Unknown("machine", f"which machine the kernel is for; the module is for {machine}")
    yield from _wrong_contents(case, header.sections(data))


def _no_elf(case: LoadCase, data: bytes) -> Reason:
    if not case.data:
        return Reason("damaged", "EINVAL", "it is empty", advice=_TAKE_AGAIN)
    if data[:4] == _MAGIC:
        line = f"Invalid ELF header len {len(data)}"
        return _damaged(case, "its ELF header is cut off", line)
    line = f"Invalid ELF header magic: != {_MAGIC.decode('latin-1')}"
    return _damaged(case, "it is no ELF file", line)


def _damaged(case: LoadCase, text: str, line: str, advice: str = _TAKE_AGAIN) -> Reason:
    return Reason("damaged", "ENOEXEC", text, log_line=case.elf_log(line), advice=advice)


def _wrong_header(case: LoadCase, header: _Header, machine: Machine, own: Machine | None) -> Reason | None:
    """Type and machine, as the kernel reads them; where they are wrong, word size or byte order may be the cause."""
    line = None
    if header.type != ET_REL:
        line = f"Invalid ELF header type: {header.type} != {ET_REL}"
    elif header.machine != machine.number:
        line = f"Invalid architecture in ELF header: {header.machine}"
    elif header.section_size != header.section_format.size:
        line = "Invalid ELF section header size"
    if line is None:
        return None
    build = "build it for the kernel's architecture"
    if own is not None and own != machine:
        kind = _differing(own, machine)
        text = f"it is for {own}, the kernel for {machine}"
        return Reason(kind, "ENOEXEC", text, log_line=case.elf_log(line), advice=build)
    if header.type != ET_REL:
        text = f"it is no relocatable object but {file_type_name(header.type)}"
        return _damaged(case, text, line, "give the .ko that the build made")
    return _damaged(case, "its ELF header is damaged", line)


def _differing(own: Machine, machine: Machine) -> str:
    if own.byteorder != machine.byteorder:
        return "byte-order"
    return "machine" if own.number != machine.number else "class"


def _wrong_sections(case: LoadCase, header: _Header, data: bytes) -> Reason | None:
    """Section headers and their contents lie in the file."""
    line = _section_line(header, data)
    return None if line is None else _damaged(case, "its sections do not lie in the file", line)


def _section_line(header: _Header, data: bytes) -> str | None:
    size = header.section_format.size
    if header.section_offset >= len(data) or header.section_count * size > len(data) - header.section_offset:
        return "Invalid ELF section header overflow"
    if not 0 < header.names < header.section_count:
        return (
            f"Invalid ELF section name index: {header.names} || e_shstrndx ({header.names}) >= "
            f"e_shnum ({header.section_count})"
        )
    sections = header.sections(data)
    names = sections[header.names]
    if names[4] + names[5] > len(data):
        return f"Invalid ELF section hdr(type {names[1]})"
    if names[5] == 0:
        return "empty section name table"
    if data[names[4] + names[5] - 1] != 0:
        return "ELF Spec violation: section name table isn't null terminated"
    first = sections[0]
    if first[1] or first[5] or first[3]:
        return f"ELF Spec violation: section 0 type({first[1]})!=SH_NULL or non-zero len or addr"
    for number, section in enumerate(sections[1:], 1):
        line = _one_section_line(number, section, header.section_count, names[5], len(data))
        if line is not None:
            return line
    return None


def _one_section_line(number: int, section: tuple[int, ...], count: int, names: int, size: int) -> str | None:
    name, kind, flags, _, offset, length, link, *_ = section
    if kind in (0, SHT_NOBITS):
        return None
    if kind == SHT_SYMTAB and not 0 < link < count:
        return f"Invalid ELF sh_link!=SHN_UNDEF({link}) or (sh_link({link}) >= hdr->e_shnum({count})"
    if offset + length > size:
        return f"Invalid ELF section in module (section {number} type {kind})"
    if flags & SHF_ALLOC and name >= names:
        return f"Invalid ELF section name in module (section {number} type {kind})"
    return None


def _wrong_contents(case: LoadCase, sections: list[tuple[int, ...]]) -> Findings:
    """The sections that every module has."""
    name = (case.module.value("name") if case.module is not None else None) or _NO_NAME
    no_symbols = Reason(
        "stripped",
        "ENOEXEC",
        "it has no symbol table",
        log_line=f"{name}: module has no symbols (stripped?)",
        advice="strip modules with 'strip --strip-debug' at most",
    )
    tables = [section for section in sections if section[1] == SHT_SYMTAB]
    of_symbols: list[Reason | Unknown] = [] if len(tables) == 1 else [no_symbols]
    of_this_module = _this_module(case, name)
    # Since 6.4 the section of __this_module comes first
    yield from of_this_module + of_symbols if case.dialect.checks_struct_module else of_symbols + of_this_module
    if case.object_file is None and len(tables) == 1:
        yield Reason("damaged", "ENOEXEC", "its symbol table is damaged", advice=_TAKE_AGAIN)


def _this_module(case: LoadCase, name: str) -> list[Reason | Unknown]:
    header = case.module.section_header(THIS_MODULE) if case.module is not None else None
    if header is None:
        line = f"{name}: No module found in object"
        if case.dialect.checks_struct_module:
            line = f"module {name}: Exactly one {THIS_MODULE} section must exist."
        text = f"it has no {THIS_MODULE}: it was not linked as a module"
        return [Reason("no-this-module", "ENOEXEC", text, log_line=line, advice="give the .ko, not the .o")]
    if not case.dialect.checks_struct_module:
        return []
    return _struct_module(case, name, header)


def _struct_module(case: LoadCase, name: str, header: tuple[int, ...]) -> list[Reason | Unknown]:
    start = f"module {name}: {THIS_MODULE}"
    if header[1] == SHT_NOBITS:
        line = f"{start} section must have a size set"
        return [Reason("struct-module", "ENOEXEC", f"its {THIS_MODULE} has no contents", log_line=line)]
    if not header[2] & SHF_ALLOC:
        line = f"{start} must occupy memory during process execution"
        return [Reason("struct-module", "ENOEXEC", f"its {THIS_MODULE} takes no memory", log_line=line)]
    size = case.kernel.module_struct_size
    if size is None:
        return [Unknown("struct-module", f"the size of the kernel's struct module; the module has {header[5]} bytes")]
    if header[5] == size:
        return []
    line = f"{start} section size must match the kernel's built struct module size at run time"
    text = f"its struct module has {header[5]} bytes, the kernel's {size}"
    return [Reason("struct-module", "ENOEXEC", text, log_line=line, advice="build it with the headers of this kernel")]


def writable_code_rule(case: LoadCase) -> Findings:
    """No section may be writable and executable (CONFIG_STRICT_MODULE_RWX)."""
    if case.object_file is None or case.kernel.config("STRICT_MODULE_RWX") == "n":
        return
    both = SHF_WRITE | SHF_EXECINSTR
    for number, section in enumerate(case.object_file.sections):
        if section.flags & both == both:
            line = f"{case.name}: section {section.name} (index {number}) has invalid WRITE|EXEC flags"
            text = f"its section {section.name} is writable and executable"
            advice = "put code and data into sections apart"
            yield Reason("writable-code", "ENOEXEC", text, log_line=line, advice=advice)
