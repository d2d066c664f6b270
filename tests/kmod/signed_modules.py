# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures as ``scripts/sign-file`` appends them to modules, with bytes of our choice for the signature itself.

signed(module, pkcs7("Build key", 0x66F5, "sha256", b"..."))
"""

from __future__ import annotations

import struct

MARKER = b"~Module signature appended~\n"

SEQUENCE, SET, INTEGER, OCTETS, NULL, IDENTIFIER, UTF8, CONTEXT_0 = 0x30, 0x31, 0x02, 0x04, 0x05, 0x06, 0x0C, 0xA0

IDENTIFIERS = {
    "signedData": "2a864886f70d010702",
    "data": "2a864886f70d010701",
    "rsaEncryption": "2a864886f70d010101",
    "commonName": "550403",
    "organizationName": "55040a",
    "sha1": "2b0e03021a",
    "sha256": "608648016503040201",
    "sha512": "608648016503040203",
    "sha3-256": "608648016503040208",
}


def der(tag: int, *parts: bytes) -> bytes:
    """A value of ASN.1 in DER."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def identifier(name: str) -> bytes:
    """An OBJECT IDENTIFIER by one of :data:`IDENTIFIERS`."""
    return der(IDENTIFIER, bytes.fromhex(IDENTIFIERS[name]))


def integer(value: int) -> bytes:
    """An INTEGER."""
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def name_of(signer: str | list[tuple[str, str]]) -> bytes:
    """A Name: one common name, or the parts as (type, text)."""
    parts = [("commonName", signer)] if isinstance(signer, str) else signer
    return der(
        SEQUENCE, *[der(SET, der(SEQUENCE, identifier(type_), der(UTF8, text.encode()))) for type_, text in parts]
    )


def pkcs7(
    signer: str | list[tuple[str, str]],
    serial_number: int,
    hash_algorithm: str,
    signature: bytes,
    *,
    identity: bytes | None = None,
    digest: bytes | None = None,
    certificates: bytes = b"",
    attributes: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A SignedData message with one signer.

    In its place may stand: another SignerIdentifier, another digest algorithm, certificates, signed attributes, and
    what follows the signature.
    """
    digest = digest or der(SEQUENCE, identifier(hash_algorithm))
    signer_info = der(
        SEQUENCE,
        integer(1),
        identity or der(SEQUENCE, name_of(signer), integer(serial_number)),
        digest,
        attributes,
        der(SEQUENCE, identifier("rsaEncryption"), der(NULL)),
        der(OCTETS, signature),
        after,
    )
    content = der(SEQUENCE, identifier("data"))
    signed_data = der(SEQUENCE, integer(1), der(SET, digest), content, certificates, der(SET, signer_info))
    return der(SEQUENCE, identifier("signedData"), der(CONTEXT_0, signed_data))


def signed(
    module: bytes, signature: bytes, algorithm: int = 0, hash_: int = 0, id_type: int = 2, name: int = 0, key: int = 0
) -> bytes:
    """A module with what ``sign-file`` appends.

    ``name`` and ``key`` are the lengths of the signer's name and the key's id, which stand before ``signature``: the
    last bytes of ``module``.
    """
    trailer = struct.pack(">8BI", algorithm, hash_, id_type, name, key, 0, 0, 0, len(signature))
    return module + signature + trailer + MARKER
