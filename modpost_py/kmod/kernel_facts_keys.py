# SPDX-License-Identifier: GPL-2.0-or-later
"""The keys that a kernel image trusts, and whether a module's signature was made with one of them.

A kernel carries its certificates (``system_certificate_list``) one behind the other, X.509 in DER::

    Certificate    ::= SEQUENCE { TBSCertificate, AlgorithmIdentifier, BIT STRING }
    TBSCertificate ::= SEQUENCE { version [0], serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE,
                                  validity SEQUENCE, subject SEQUENCE, SubjectPublicKeyInfo, ... }
    SubjectPublicKeyInfo ::= SEQUENCE { SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL },
                                        BIT STRING { SEQUENCE { modulus INTEGER, publicExponent INTEGER } } }

A signature is RSA with the padding of PKCS#1 v1.5: ``00 01 FF ... FF 00`` and, in DER, hash algorithm and hash of the
module's bytes.  Signed attributes, which sign-file never makes, and keys of other kinds are not judged.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import NamedTuple

# A certificate begins so: two lengths of two bytes, version 3, a serial number
_CERTIFICATE = re.compile(rb"\x30\x82..\x30\x82..\xa0\x03\x02\x01\x02\x02", re.DOTALL)
_RSA = bytes.fromhex("2a864886f70d010101")
_MESSAGE_DIGEST = bytes.fromhex("2a864886f70d010904")
_INTEGER, _BITS, _IDENTIFIER, _SEQUENCE = 0x02, 0x03, 0x06, 0x30
# AlgorithmIdentifier of the hash: SEQUENCE { OBJECT IDENTIFIER, NULL }, without what stands around it
_HASHES = {
    "sha1": "2b0e03021a",
    "sha224": "608648016503040204",
    "sha256": "608648016503040201",
    "sha384": "608648016503040202",
    "sha512": "608648016503040203",
}


class Key(NamedTuple):
    """An RSA key: modulus and public exponent."""

    modulus: int
    exponent: int


def keys_in(image: bytes) -> dict[bytes, Key]:
    """The RSA keys of the certificates in a kernel image, by serial number without leading zeros."""
    keys: dict[bytes, Key] = {}
    for match in _CERTIFICATE.finditer(image):
        length = int.from_bytes(match[0][2:4], "big") + 4
        found = _key(image[match.start() : match.start() + length])
        if found is not None:
            keys.setdefault(*found)
    return keys


def _key(certificate: bytes) -> tuple[bytes, Key] | None:
    try:
        [(_, body)] = _values(certificate)
        fields = _values(_values(body)[0][1])
        serial = fields[1][1].lstrip(b"\0")
        algorithm, bits = _values(fields[6][1])
        if _values(algorithm[1])[0] != (_IDENTIFIER, _RSA) or bits[0] != _BITS:
            return None
        [(_, numbers)] = _values(bits[1][1:])
        modulus, exponent = (int.from_bytes(value, "big") for _, value in _values(numbers))
    except (IndexError, ValueError):
        return None
    return serial, Key(modulus, exponent)


def _values(data: bytes) -> list[tuple[int, bytes]]:
    """The DER values one behind the other: tag, contents; raises ValueError or IndexError for what is none."""
    found = []
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        if position + length > len(data):
            raise ValueError("cut off")
        found.append((tag, data[position : position + length]))
        position += length
    return found


def is_true_signature(
    keys: Mapping[bytes, Key], key_id: bytes, algorithm: str, signature: bytes, message: bytes, content: bytes
) -> bool | None:
    """Whether ``signature`` was made of ``content`` with the key of that serial number; ``None`` where it takes more.

    ``message`` is the whole PKCS#7 message.
    """
    key = keys.get(key_id)
    if key is None or algorithm not in _HASHES or _MESSAGE_DIGEST in message:
        return None
    digest = hashlib.new(algorithm, content).digest()
    identifier = bytes.fromhex(_HASHES[algorithm])
    name = bytes((_SEQUENCE, len(identifier) + 4, _IDENTIFIER, len(identifier))) + identifier + b"\x05\0"
    info = bytes((_SEQUENCE, len(name) + len(digest) + 2)) + name + bytes((4, len(digest))) + digest
    size = (key.modulus.bit_length() + 7) // 8
    expected = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    value = int.from_bytes(signature, "big")
    return value < key.modulus and pow(value, key.exponent, key.modulus) == int.from_bytes(expected, "big")
