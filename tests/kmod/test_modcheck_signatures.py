# SPDX-License-Identifier: GPL-2.0-or-later
"""Signatures verified with the keys in a kernel image."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from modpost_py.kmod.kernel_facts import KernelFacts
from modpost_py.kmod.modcheck import Circumstances, Verdict, judge
from tests.kmod import made_up_kernels as kernels
from tests.kmod.loadable_modules import Exported, Loadable

# Two Mersenne primes make a key that needs no generating
P, Q, EXPONENT = 2**521 - 1, 2**607 - 1, 65537
MODULUS = P * Q
SECRET = pow(EXPONENT, -1, (P - 1) * (Q - 1))
SERIAL = bytes.fromhex("00c0ffee")
SHA256, RSA = bytes.fromhex("608648016503040201"), bytes.fromhex("2a864886f70d010101")
MODULE = Loadable("led", versions={"module_layout": 0x10000001})


def der(tag: int, *contents: bytes) -> bytes:
    """One DER value."""
    data = b"".join(contents)
    if len(data) < 128:
        return bytes((tag, len(data))) + data
    size = (len(data).bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + len(data).to_bytes(size, "big") + data


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def name(common_name: str) -> bytes:
    return der(0x30, der(0x31, der(0x30, der(6, b"\x55\x04\x03"), der(12, common_name.encode()))))


def certificate(algorithm: bytes = RSA) -> bytes:
    key = der(0x30, der(0x30, der(6, algorithm), der(5)), der(3, b"\0", der(0x30, number(MODULUS), number(EXPONENT))))
    body = der(0x30, der(0xA0, number(2)), der(2, SERIAL), der(0x30), name("Key"), der(0x30), name("K" * 300), key)
    return der(0x30, body, der(0x30), der(3, b"\0"))


def signed(content: bytes, serial: bytes = SERIAL) -> bytes:
    """A module with its signature."""
    info = der(0x30, der(0x30, der(6, SHA256), der(5)), der(4, hashlib.sha256(content).digest()))
    size = (MODULUS.bit_length() + 7) // 8
    padded = b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
    value = pow(int.from_bytes(padded, "big"), SECRET, MODULUS).to_bytes(size, "big")
    algorithms = der(0x30, der(6, SHA256)), der(0x30, der(6, RSA))
    signer = der(0x30, number(1), der(0x30, name("Key"), der(2, serial)), *algorithms, der(4, value))
    data = der(0x30, number(1), der(0x31), der(0x30, der(6, b"\x2a")), der(0x31, signer))
    message = der(0x30, der(6, bytes.fromhex("2a864886f70d010702")), der(0xA0, data))
    trailer = bytes((0, 0, 2, 0, 0, 0, 0, 0)) + len(message).to_bytes(4, "big")
    return content + message + trailer + b"~Module signature appended~\n"


def judged(module: bytes, image: bytes, tmp_path: Path) -> Verdict:
    """The verdict of a kernel whose image ends with ``image``, under enforcement."""
    (tmp_path / "vmlinux").write_bytes(kernels.vmlinux([Exported("module_layout", 0x10000001)]) + image)
    (tmp_path / "led.ko").write_bytes(module)
    headers = kernels.headers(tmp_path / "headers")
    kernel = KernelFacts.read([headers, tmp_path / "vmlinux"])
    return judge(str(tmp_path / "led.ko"), kernel, Circumstances(sig_enforce=True))


def test_a_true_signature(tmp_path: Path) -> None:
    """Check that a module that was signed with a key of the image loads, with nothing unknown."""
    verdict = judged(signed(MODULE.content()), certificate(), tmp_path)
    assert (verdict.reasons, verdict.unknown, verdict.taints) == ([], [], "")


@pytest.mark.parametrize("change", ["identification", "text", "signature"])
def test_a_changed_module(change: str, tmp_path: Path) -> None:
    """Check that a module that was changed after it was signed is refused, whatever of it was changed."""
    module = bytearray(signed(MODULE.content()))
    place = {"text": module.index(bytes(64)) + 32, "identification": 12, "signature": len(module) - 41}[change]
    module[place] ^= 1
    verdict = judged(bytes(module), certificate(), tmp_path)
    assert [(reason.kind, reason.errno, reason.log_line) for reason in verdict.reasons] == [
        ("signature", "EKEYREJECTED", None)
    ]


@pytest.mark.parametrize(
    "image",
    [
        b"", certificate(bytes.fromhex("2a8648ce3d0201")), certificate()[:-100],
        certificate().replace(SERIAL, b"\0\xc0\xff\xef"),
    ],
    ids=["no certificate", "another kind of key", "cut off", "another number"],
)  # fmt: skip
def test_other_keys(image: bytes, tmp_path: Path) -> None:
    """Check that nothing is claimed of a key that the image does not have."""
    verdict = judged(signed(MODULE.content()), image, tmp_path)
    assert (verdict.reasons, verdict.unknown) == (
        [], ["whether the kernel trusts the key of 'Key' that signed the module"],
    )  # fmt: skip


def test_signed_modules_of_the_directory(tmp_path: Path) -> None:
    """Check that the key of a kernel's own modules is trusted where its image is not at hand, and no other."""
    for path, module in (("a", kernels.LED_CORE), ("b", replace(MODULE, name="b"))):
        (tmp_path / "modules/kernel").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"modules/kernel/{path}.ko").write_bytes(signed(module.content()))
    kernel = KernelFacts.read([kernels.headers(tmp_path / "headers"), tmp_path / "modules"])
    assert kernel.signers == frozenset({"Key c0ffee"})
    doubt = "whether the kernel trusts the key of 'Key' that signed the module"
    for serial, unknown in ((SERIAL, []), (b"\x07", [doubt])):
        (tmp_path / "led.ko").write_bytes(signed(MODULE.content(), serial))
        verdict = judge(str(tmp_path / "led.ko"), kernel, Circumstances(sig_enforce=True))
        assert (verdict.reasons, verdict.unknown) == ([], unknown)
