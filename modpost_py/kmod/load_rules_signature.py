# SPDX-License-Identifier: GPL-2.0-or-later
"""The first thing that a kernel looks at: the signature behind the module (``kernel/module/signing.c``).

A signature is verified where the kernel's keys are known, that is from its image; otherwise it is looked at.
"""

from __future__ import annotations

import re

from modpost_py.kmod.kernel_facts_keys import is_true_signature
from modpost_py.kmod.load_rules_command_line import is_set, value_of
from modpost_py.kmod.load_rules_findings import Findings, LoadCase, Reason, Remark, Taint, Unknown
from modpost_py.kmod.signature import MARKER, Signature

# struct module_signature: algorithm hash id_type signer_len key_id_len, 3 of padding, sig_len (big-endian)
_TRAILER = 12
_PKCS7 = 2
_LOCKDOWN_OPTIONS = ("LOCK_DOWN_KERNEL_FORCE_INTEGRITY", "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY")
_SIGN_ADVICE = (
    "sign it with a key that the kernel trusts (scripts/sign-file; Debian, Ubuntu: the machine owner key of DKMS, "
    "enrolled with mokutil), or boot without enforcement"
)


class _Bytes:
    """What :class:`Signature` reads from: the end of a file."""

    def __init__(self, data: bytes) -> None:
        self.size = len(data)
        self._data = data

    def tail(self, size: int) -> bytes:
        return self._data[-size:]


def signature_rule(case: LoadCase) -> Findings:
    """Damage, absence under enforcement, the taint E."""
    checks = case.kernel.config("MODULE_SIG")
    if checks is None and case.kernel.signers:
        checks = "y"  # its own modules are signed
    if checks == "n":
        return
    if not case.data.endswith(MARKER):
        if checks is None:
            yield Unknown("unsigned", "whether the kernel asks for signatures (CONFIG_MODULE_SIG); the module has none")
        else:
            yield from _not_trusted(case, "unsigned module", "unsigned", "it is not signed")
        return
    damage = _damage(case.data)
    if damage is not None:
        yield Reason(
            "signature",
            "EBADMSG",
            f"its signature is damaged: {damage}; the kernel refuses that even where it asks for none",
            log_line=_damage_log(case.data),
            advice="take the module from its package again, or remove the signature (strip --strip-debug drops it)",
        )
        return
    if case.data[-len(MARKER) - _TRAILER + 2] != _PKCS7:
        yield from _not_trusted(
            case, "module with unsupported crypto", "signature", "its signature is no PKCS#7 message"
        )
        return
    yield from _signer(case)


def _signer(case: LoadCase) -> Findings:
    signature = Signature.of(_Bytes(case.data))  # type: ignore[arg-type]  # it reads nothing but the end
    if signature is None:
        yield Unknown("signature", "who signed the module: its PKCS#7 message has an unusual form")
        return
    content = without_signature(case.data)
    message = case.data[len(content) : -len(MARKER) - _TRAILER]
    truth = is_true_signature(
        case.kernel.keys or {}, signature.key_id, signature.hash_algorithm, signature.signature, message, content
    )
    if truth is False:
        text = f"it was changed after '{signature.signer}' signed it; the kernel refuses that even if it asks for none"
        advice = "take the module from its package again, or sign it anew"
        yield Reason("signature", "EKEYREJECTED", text, advice=advice)
    if truth is not None:
        return
    signer = f"{signature.signer} {signature.key_id.hex()}"
    if case.kernel.signers is not None and signer in case.kernel.signers:
        return
    yield Unknown("signature", f"whether the kernel trusts the key of '{signature.signer}' that signed the module")


def _not_trusted(case: LoadCase, what: str, kind: str, text: str) -> Findings:
    """No signature that counts: refused under enforcement or lockdown, else the taint E."""
    if _is_enforced(case):
        line = f"Loading of {what} is rejected"
        reason = f"{text}, and the kernel enforces signatures"
        yield Reason(kind, "EKEYREJECTED", reason, log_line=line, advice=_SIGN_ADVICE)
        return
    if _is_locked_down(case):
        line = "unsigned module loading is restricted; see man kernel_lockdown.7"
        line = f"Lockdown: {case.circumstances.process}: {line}"
        yield Reason(kind, "EPERM", f"{text}, and the kernel is locked down", log_line=line, advice=_SIGN_ADVICE)
        return
    yield Taint(
        "E",
        f"unsigned: {text}",
        f"{case.name}: module verification failed: signature and/or required key missing - tainting kernel",
    )
    if case.kernel.config("LOCK_DOWN_IN_EFI_SECURE_BOOT") == "y":
        yield Remark("secure-boot", "booted with UEFI Secure Boot, this kernel is locked down and refuses it (EPERM)")


def _is_enforced(case: LoadCase) -> bool:
    line = case.circumstances.command_line
    return (
        case.circumstances.sig_enforce
        or case.kernel.config("MODULE_SIG_FORCE") == "y"
        or is_set(line, "module.sig_enforce")
    )


def _is_locked_down(case: LoadCase) -> bool:
    if any(case.kernel.config(option) == "y" for option in _LOCKDOWN_OPTIONS):
        return True
    asked = value_of(case.circumstances.command_line, "lockdown") in ("integrity", "confidentiality")
    return asked and case.kernel.config("SECURITY_LOCKDOWN_LSM") != "n"


def without_signature(data: bytes) -> bytes:
    """The module itself, as the kernel goes on with it; the whole file where there is no whole signature."""
    if not data.endswith(MARKER):
        return data
    size = int.from_bytes(_trailer(data)[8:12], "big")
    end = len(data) - len(MARKER) - _TRAILER - size
    return data[:end] if end > 0 else data


def _trailer(data: bytes) -> bytes:
    end = len(data) - len(MARKER)
    return data[max(0, end - _TRAILER) : end]


def _damage(data: bytes) -> str | None:
    """What is wrong with the form of the signature; ``None`` for nothing."""
    trailer = _trailer(data)
    if len(trailer) < _TRAILER:
        return "there is nothing before its mark"
    size = int.from_bytes(trailer[8:12], "big")
    rest = len(data) - len(MARKER) - _TRAILER
    if size >= rest:
        return f"it says that it has {size} bytes, of a file with {rest}"
    if trailer[2] != _PKCS7:
        return None
    if any(trailer[:2]) or any(trailer[3:8]):
        return "fields that have to be zero are not"
    message = data[rest - size : rest]
    if not _is_der(message) or not _SIGNED_DATA.match(message):
        return "its PKCS#7 message is not well formed"
    return None


def _damage_log(data: bytes) -> str | None:
    trailer = _trailer(data)
    rest = len(data) - len(MARKER) - _TRAILER
    is_whole = len(trailer) == _TRAILER and int.from_bytes(trailer[8:12], "big") < rest
    if is_whole and trailer[2] == _PKCS7 and (any(trailer[:2]) or any(trailer[3:8])):
        return "module: PKCS#7 signature info has unexpected non-zero params"
    return None


# SEQUENCE { OBJECT IDENTIFIER pkcs7-signedData, [0] { SEQUENCE ... } }, each length of one byte or more
_SIGNED_DATA = re.compile(
    rb"\x30(?:[\0-\x7f]|[\x81-\x84].{1,4}?)\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0", re.DOTALL
)
_CONSTRUCTED = 0x20
_DEEPEST = 32


def _is_der(data: bytes, depth: int = 0) -> bool:
    """Whether bytes are a row of well-formed DER values (tag, length, contents)."""
    position = 0
    while position < len(data):
        header = data[position : position + 2]
        if len(header) < 2 or depth > _DEEPEST:
            return False
        start, length = position + 2, header[1]
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[start : start + size], "big")
            start += size
            if not 1 <= size <= 4:
                return False
        position = start + length
        if position > len(data):
            return False
        if header[0] & _CONSTRUCTED and not _is_der(data[start:position], depth + 1):
            return False
    return True
