# SPDX-License-Identifier: GPL-2.0-or-later
"""The signature appended to a module, as far as kmod shows it: who signed it, with which key, the bytes.

What ``scripts/sign-file`` appends to a module:

    signature        PKCS#7 (DER), or in old kernels the bytes of an RSA signature behind name and key id
    signer's name    ) empty with PKCS#7
    key id           )
    12 bytes         algorithm, hash, type of the id (0 PGP, 1 X.509, 2 PKCS#7), length of the name,
                     length of the key id, 3 of padding, length of the signature (4, big endian)
    28 bytes         "~Module signature appended~\\n"

The parts of the PKCS#7 message that are shown:

    ContentInfo ::= SEQUENCE { contentType OBJECT IDENTIFIER (signedData), content [0] { SignedData } }
    SignedData  ::= SEQUENCE { version INTEGER, digestAlgorithms SET, encapContentInfo SEQUENCE,
                               certificates [0] OPTIONAL, crls [1] OPTIONAL, signerInfos SET OF SignerInfo }
    SignerInfo  ::= SEQUENCE { version INTEGER, sid SignerIdentifier, digestAlgorithm AlgorithmIdentifier,
                               signedAttrs [0] OPTIONAL, signatureAlgorithm AlgorithmIdentifier,
                               signature OCTET STRING, unsignedAttrs [1] OPTIONAL }
    SignerIdentifier ::= CHOICE { SEQUENCE { issuer Name, serialNumber INTEGER }, [0] subjectKeyIdentifier }
    Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value string }
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modpost_py.kmod.module_file import ModuleFile

MARKER = b"~Module signature appended~\n"
_TRAILER = 12

# By the numbers of struct module_signature
_ALGORITHMS = ("DSA", "RSA")
_HASHES = ("md4", "md5", "sha1", "rmd160", "sha256", "sha384", "sha512", "sha224", "sm3")
_ID_TYPES = ("PGP", "X509", "PKCS#7")
_PKCS7 = 2

# Object identifiers as DER has them
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_COMMON_NAME = bytes.fromhex("550403")
_HASH_OF_IDENTIFIER = {
    bytes.fromhex("2a864886f70d0204"): "md4",
    bytes.fromhex("2a864886f70d0205"): "md5",
    bytes.fromhex("2b0e03021a"): "sha1",
    bytes.fromhex("2b24030201"): "rmd160",
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
    bytes.fromhex("608648016503040204"): "sha224",
    bytes.fromhex("608648016503040207"): "sha3-224",
    bytes.fromhex("608648016503040208"): "sha3-256",
    bytes.fromhex("608648016503040209"): "sha3-384",
    bytes.fromhex("60864801650304020a"): "sha3-512",
    bytes.fromhex("2a811ccf55018311"): "sm3",
}

_INTEGER, _OCTETS, _NULL, _IDENTIFIER, _SEQUENCE, _SET = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31
_CONTEXT_0, _CONTEXT_1 = 0xA0, 0xA1
# What the value of a name may be: UTF8String, NumericString, PrintableString, T61String, IA5String, UniversalString...
_UTF8 = 0x0C
_STRINGS = frozenset((0x03, _UTF8, 0x12, 0x13, 0x14, 0x16, 0x1C, 0x1E))
_END = -1


class Signature:
    """What a signature says of itself; nothing is verified.

    ``id_type`` is ``"PKCS#7"``, ``"X509"`` or ``"PGP"``; ``signer`` a name (a certificate's common name);
    ``key_id`` the bytes that name the key (with PKCS#7 the certificate's serial number); ``hash_algorithm``
    such as ``"sha256"``, empty for one that is not known here; ``signature`` the bytes of the signature itself.
    """

    __slots__ = ("hash_algorithm", "id_type", "key_id", "signature", "signer")

    def __init__(self, id_type: str, signer: str, key_id: bytes, hash_algorithm: str, signature: bytes) -> None:
        self.id_type = id_type
        self.signer = signer
        self.key_id = key_id
        self.hash_algorithm = hash_algorithm
        self.signature = signature

    @staticmethod
    def is_appended(module: ModuleFile) -> bool:
        """Whether there is any signature, well formed or not: the kernel looks for the marker first."""
        return module.tail(len(MARKER)) == MARKER

    @classmethod
    def of(cls, module: ModuleFile) -> Signature | None:
        """The signature of a module; ``None`` where there is none, or none that is well formed."""
        trailer = module.tail(_TRAILER + len(MARKER))
        if not trailer.endswith(MARKER) or len(trailer) < _TRAILER + len(MARKER):
            return None
        algorithm, hash_, id_type, name_length, key_length = trailer[:5]
        length = int.from_bytes(trailer[8:12], "big")
        known = algorithm < len(_ALGORITHMS) and hash_ < len(_HASHES) and id_type < len(_ID_TYPES)
        whole = name_length + key_length + length
        if not known or not length or whole > module.size - len(trailer):
            return None
        appended = module.tail(whole + len(trailer))[: -len(trailer)]
        signature = appended[name_length + key_length :]
        if id_type == _PKCS7:
            return _pkcs7(signature)
        name, key = appended[:name_length], appended[name_length : name_length + key_length]
        return cls(_ID_TYPES[id_type], _text(name), key, _HASHES[hash_], signature)


def _text(data: bytes) -> str:
    """A name as C prints it: up to the first NUL."""
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


class _MalformedError(Exception):
    """The message is not what it should be."""


class _Reader:
    """Reads one DER value after the other out of the contents of another."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def peek(self) -> int:
        """The tag of the next value; -1 at the end."""
        return self.data[self.position] if self.position < len(self.data) else -1

    def take(self, tag: int) -> bytes:
        """The contents of the next value, which must have this tag."""
        data, position = self.data, self.position
        if len(data) < position + 2 or data[position] != tag:
            raise _MalformedError
        length = data[position + 1]
        position += 2
        if length >= 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size], "big")
            position += size
            if not 1 <= size <= 4:
                raise _MalformedError
        self.position = position + length
        if self.position > len(data):
            raise _MalformedError
        return data[position : self.position]

    def inside(self, tag: int) -> _Reader:
        """The next value, to be read in turn."""
        return _Reader(self.take(tag))


def _pkcs7(message: bytes) -> Signature | None:
    try:
        return _first_signer(message)
    except _MalformedError:
        return None


def _first_signer(message: bytes) -> Signature | None:
    """The first signer of a message; None for one who names the key otherwise than by issuer and serial number."""
    content = _Reader(message).inside(_SEQUENCE)
    if content.take(_IDENTIFIER) != _SIGNED_DATA:
        return None
    signed = content.inside(_CONTEXT_0).inside(_SEQUENCE)
    signed.take(_INTEGER)
    digest_algorithms = signed.inside(_SET)
    while digest_algorithms.peek() != _END:
        _algorithm(digest_algorithms)
    _identifier(signed.inside(_SEQUENCE))
    while signed.peek() & 0xE0 == _CONTEXT_0:  # certificates and revocation lists
        signed.take(signed.peek())
    signer = signed.inside(_SET).inside(_SEQUENCE)
    signer.take(_INTEGER)
    if signer.peek() != _SEQUENCE:
        return None
    identity = signer.inside(_SEQUENCE)
    name = _name(identity.inside(_SEQUENCE))
    number = int.from_bytes(identity.take(_INTEGER), "big", signed=True)
    serial_number = abs(number).to_bytes((abs(number).bit_length() + 7) // 8, "big")
    hash_algorithm = _HASH_OF_IDENTIFIER.get(_algorithm(signer), "")
    if signer.peek() == _CONTEXT_0:
        signer.take(_CONTEXT_0)
    _algorithm(signer)
    signature = signer.take(_OCTETS)
    if signer.peek() == _CONTEXT_1:
        signer.take(_CONTEXT_1)
    if signer.peek() != _END or identity.peek() != _END:
        return None
    return Signature(_ID_TYPES[_PKCS7], _text(name), serial_number, hash_algorithm, signature)


def _identifier(reader: _Reader) -> bytes:
    """The next value, an OBJECT IDENTIFIER: numbers in base 128, shortest form, the last byte of each below 128."""
    identifier = reader.take(_IDENTIFIER)
    is_start = True
    for byte in identifier:
        if is_start and byte == 0x80:
            raise _MalformedError
        is_start = byte < 0x80
    if not identifier or not is_start:
        raise _MalformedError
    return identifier


def _algorithm(reader: _Reader) -> bytes:
    """The next value, an AlgorithmIdentifier: SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }."""
    inside = reader.inside(_SEQUENCE)
    identifier = _identifier(inside)
    tag = inside.peek()
    if (tag != _END and inside.take(tag) and tag == _NULL) or inside.peek() != _END:
        raise _MalformedError
    return identifier


def _name(name: _Reader) -> bytes:
    """The first common name, else the last value."""
    found: bytes | None = None
    value = b""
    while name.peek() != _END:
        parts = name.inside(_SET)
        while parts.peek() != _END:
            part = parts.inside(_SEQUENCE)
            identifier = _identifier(part)
            tag = part.peek()
            value = part.take(tag)
            if tag not in _STRINGS or part.peek() != _END or (tag == _UTF8 and not _is_utf8(value)):
                raise _MalformedError
            if identifier == _COMMON_NAME and found is None:
                found = value
    return value if found is None else found


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
