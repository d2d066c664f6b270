# SPDX-License-Identifier: GPL-2.0-or-later
"""Other contents for sections of an ELF file, of which every other byte stays where it is.

Contents of the same length replace the old ones in place.  Others go to the end of the file, at the section's
alignment, and its header is pointed there: nothing that comes behind the old place has to move, so no offset, address
or relocation of any other section changes.  The old bytes stay behind, unused.

The fields of a section header that change, as offset and size in bytes:

    field       32 bits   64 bits
    sh_offset   16, 4     24, 8
    sh_size     20, 4     32, 8
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from modpost_py.elf_constants import SHT_NOBITS
from modpost_py.elf_image import ElfImage
from modpost_py.errors import ObjectFileError

_HEADER_OFFSET_FIELD = {32: (32, "I"), 64: (40, "Q")}
_SECTION_HEADER_SIZE = {32: 40, 64: 64}
# Beyond a page alignments mean nothing in a module; a damaged one must not fill the disk with padding
_LARGEST_ALIGNMENT = 1 << 16
_PLACE_FIELDS = {32: (16, "II"), 64: (24, "QQ")}


def with_section_contents(image: ElfImage, contents: Mapping[int, bytes]) -> bytes:
    """The file's bytes with other contents for some sections, given by their index.

    Raises :class:`ObjectFileError` for a section that has no bytes in the file or shares them with another one.
    """
    data = bytearray(image.file_bytes(0, image.file_size))
    for index, content in contents.items():
        _check(image, index)
        section = image.sections[index]
        if len(content) == section.size:
            data[section.offset : section.offset + section.size] = content
        else:
            _move_to_end(image, data, index, content)
    return bytes(data)


def _check(image: ElfImage, index: int) -> None:
    section = image.sections[index]
    if section.type == SHT_NOBITS:
        raise ObjectFileError(image.path, f"section {index} ({section.name}) has no contents")
    end = section.offset + section.size
    if end > image.file_size:
        raise ObjectFileError(image.path, f"section {index} ({section.name}) reaches beyond the end of the file")
    for number, other in enumerate(image.sections):
        if number in (0, index) or other.type == SHT_NOBITS or not other.size:
            continue
        if section.offset < other.offset + other.size and other.offset < end:
            raise ObjectFileError(image.path, f"the sections {section.name} and {other.name} share bytes")


def _move_to_end(image: ElfImage, data: bytearray, index: int, content: bytes) -> None:
    section = image.sections[index]
    if section.alignment > _LARGEST_ALIGNMENT:
        raise ObjectFileError(image.path, f"section {index} ({section.name}) has the alignment {section.alignment}")
    data += bytes(-len(data) % max(section.alignment, 1))
    offset_of_headers, word = _HEADER_OFFSET_FIELD[image.bits]
    (headers,) = struct.unpack_from(image.prefix + word, data, offset_of_headers)
    place, fields = _PLACE_FIELDS[image.bits]
    where = headers + index * _SECTION_HEADER_SIZE[image.bits] + place
    try:
        struct.pack_into(image.prefix + fields, data, where, len(data), len(content))
    except struct.error:
        raise ObjectFileError(image.path, "too large for another section") from None
    data += content
