# SPDX-License-Identifier: GPL-2.0-or-later
"""Modules built in a headers tree whose programs are for another machine: first the well-known failure, then the shim.

On this machine, against Debian's headers of another architecture with that architecture's linux-kbuild in place, and a
cross compiler:

1. ``make`` fails with ``scripts/basic/fixdep: Exec format error``;
2. ``kbuild-py shim`` puts launchers in, and the samples build; every file that the build makes is, byte for byte, the
   one of a build in the same place with this machine's C programs;
3. ``--undo`` gives back the tree exactly: names, contents, modes, times;
4. a tree that may not be changed gets an overlay, and the samples build in that, to the same bytes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from modpost_py.kbuild.overlay import overlaid_tree
from tests.conformance.debian import NotAvailable
from tests.conformance.headers_copy import build_variables, usable_headers
from tests.conformance.kernels import KERNELS, KernelPackages

_REPOSITORY = Path(__file__).absolute().parents[2]
#: Those that build; a later one may use what an earlier one exports.
_SAMPLES = ("exporter", "exporter-user", "device-table", "name-space")
# What a build in the repository itself may have left
_BUILT = shutil.ignore_patterns(".*", "*.o", "*.ko", "*.mod", "*.mod.c", "*.symvers", "modules.order", "*.symtypes")
_KERNELS = ("6.1-arm64", "6.12-arm64", "7.x-arm64")
# The kernel that all samples are built for; for the others one has to do, for the time's sake
_WHOLE = "6.1"
_HOST_ARCHITECTURE = "amd64"
_SECONDS = 300


class Difference(Exception):  # noqa: N818 (an outcome that is reported)
    """Something is not as it must be; the text says what."""


class Proof:
    """The four steps for one kernel and architecture, in a directory of their own; raises NotAvailable, Difference."""

    def __init__(self, label: str, architecture: str, directory: Path) -> None:
        if shutil.which("make") is None:
            raise NotAvailable("make is not installed")
        if os.uname().machine != "x86_64":
            raise NotAvailable("the proof is for x86-64 machines")
        self.packages = KernelPackages(KERNELS[label], architecture)
        self.architecture = architecture
        self.name = f"{label} {architecture}"
        self.root = directory / "root"
        self.samples = directory / "samples"
        self.overlay = directory / "overlay"
        # Without BTF: that would need pahole, and the tree's resolve_btfids
        self.variables = [*build_variables(self.packages), "CONFIG_DEBUG_INFO_BTF_MODULES="]
        self.names = _SAMPLES if label == _WHOLE else _SAMPLES[:1]
        self.files = 0

    def reference(self) -> dict[str, bytes]:
        """What the builds make with this machine's C programs."""
        headers = self._headers(_HOST_ARCHITECTURE)
        made = self._build(headers)
        shutil.rmtree(self.root)
        return made

    def run(self) -> None:
        """All four steps."""
        expected = self.reference()
        headers = self._headers(self.architecture)
        before = _snapshot(self.root)
        self._expect_exec_format_error(headers)
        self._shim("--headers", str(headers))
        self._expect_same("with the shim", expected, self._build(headers))
        self._shim("--headers", str(headers), "--undo")
        _expect_unchanged("--undo", before, _snapshot(self.root))
        try:
            with _unchangeable(self.root):
                self._build_in_overlay(headers, expected)
        except NotAvailable as error:
            print(f"NOT RUN: {self.name}: {error}; the overlay is made on request instead", flush=True)
            self._build_in_overlay(headers, expected, "--overlay", str(self._overlay_of(headers)))
        _expect_unchanged("the overlay's build", before, _snapshot(self.root))

    def _build_in_overlay(self, headers: Path, expected: dict[str, bytes], *options: str) -> None:
        self._shim("--headers", str(headers), *options)
        self._expect_same("in the overlay", expected, self._build(self._overlay_of(headers)))
        self._shim("--headers", str(headers), "--undo")
        if self._overlay_of(headers).exists():
            raise Difference("--undo left the overlay")

    def _headers(self, kbuild_architecture: str) -> Path:
        return usable_headers(self.packages, self.root, kbuild_architecture)

    def _expect_exec_format_error(self, headers: Path) -> None:
        self._fresh_samples()
        result = self._make(headers, "exporter")
        if result.returncode == 0:
            raise NotAvailable(f"this machine runs the programs of {self.architecture} (binfmt_misc?)")
        if "scripts/basic/fixdep: Exec format error" not in result.stdout:
            raise Difference(f"not the well-known failure, but:\n{result.stdout[-1500:]}")

    def _shim(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "modpost_py.kbuild.cli", "shim", *arguments]
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.overlay), "PYTHONPATH": str(_REPOSITORY)}
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS
        )
        # 1: resolve_btfids of 6.12 stays foreign; these builds do without
        if result.returncode != (1 if "NEEDED and foreign: tools/bpf/resolve_btfids" in result.stdout else 0):
            raise Difference(f"{' '.join(command)}: {result.returncode}\n{result.stdout}{result.stderr}")
        if "--undo" not in arguments and result.stdout.count(": ok") != 3:
            raise Difference(f"the self-check does not say ok three times:\n{result.stdout}")

    def _build(self, headers: Path) -> dict[str, bytes]:
        """Build the samples anew; returns the contents of all files that this made, by path."""
        self._fresh_samples()
        sources = {path for path in self.samples.rglob("*") if path.is_file()}
        for sample in self.names:
            result = self._make(headers, sample)
            if result.returncode != 0:
                raise Difference(f"{sample} in {headers} failed:\n{result.stdout[-1500:]}")
        made = sorted(path for path in self.samples.rglob("*") if path.is_file() and path not in sources)
        contents = {str(path.relative_to(self.samples)): path.read_bytes() for path in made}
        # Since 6.13 the commands name the headers by absolute path; an overlay's is another
        directory = overlaid_tree(headers) or headers
        tree, overlay = os.fsencode(directory), os.fsencode(self._overlay_of(directory))
        return {path: data.replace(overlay, tree) if path.endswith(".cmd") else data for path, data in contents.items()}

    def _fresh_samples(self) -> None:
        shutil.rmtree(self.samples, ignore_errors=True)
        for sample in self.names:
            shutil.copytree(_REPOSITORY / "samples" / sample, self.samples / sample, ignore=_BUILT)

    def _make(self, headers: Path, sample: str) -> subprocess.CompletedProcess[str]:
        # The overlay's path must not show in the debugging information
        tree = overlaid_tree(headers) or headers
        maps = " ".join(f"-ffile-prefix-map={path}=/headers" for path in (tree, self._overlay_of(tree)))
        command = [
            "make", "-C", str(headers), f"M={self.samples / sample}", *self.variables, f"KCFLAGS={maps}",
            f"KBUILD_EXTRA_SYMBOLS={self.samples}/exporter/Module.symvers" if sample == "exporter-user" else "V=0",
        ]  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(
            command, env={**environment, "LC_ALL": "C"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=_SECONDS,
        )  # fmt: skip

    def _overlay_of(self, headers: Path) -> Path:
        """Where the documents say that the overlay goes."""
        return self.overlay / "modversions/overlays" / str(headers).strip("/").replace("/", "-")

    def _expect_same(self, what: str, expected: dict[str, bytes], found: dict[str, bytes]) -> None:
        if not any(path.endswith(".ko") for path in expected):
            raise Difference("the C programs made no .ko")
        different = sorted(path for path in {*expected, *found} if expected.get(path) != found.get(path))
        if different:
            raise Difference(f"{what}: {len(different)} of {len(expected)} files differ: {' '.join(different[:10])}")
        self.files += len(expected)
        modules = sum(path.endswith(".ko") for path in expected)
        print(f"{self.name}: {what}: {len(expected)} files, {modules} of them .ko, equal", flush=True)


_Facts = tuple[int, int, bytes]


def _snapshot(root: Path) -> dict[str, _Facts]:
    """Mode, time of change and contents (or target) of everything below ``root``; links are not followed."""
    facts = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            contents = os.readlink(os.fsencode(path))
        else:
            contents = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        facts[str(path.relative_to(root))] = (status.st_mode, status.st_mtime_ns, contents)
    return facts


def _expect_unchanged(what: str, before: dict[str, _Facts], after: dict[str, _Facts]) -> None:
    changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
    if changed:
        raise Difference(f"after {what} the tree differs from what it was: {' '.join(changed[:10])}")
    print(f"after {what}: {len(before)} files and directories of the tree as they were", flush=True)


@contextmanager
def _unchangeable(root: Path) -> Iterator[None]:
    """No directory below ``root`` can be changed meanwhile; raises NotAvailable where this user always may."""
    directories = [path for path in root.rglob("*") if path.is_dir() and not path.is_symlink()]
    if os.geteuid() == 0:  # permissions mean nothing to root; the immutable flag does
        lock, unlock = ["chattr", "+i"], ["chattr", "-i"]
    else:
        lock, unlock = ["chmod", "a-w"], ["chmod", "u+w"]
    try:
        result = subprocess.run([*lock, *map(str, directories)], capture_output=True, text=True)
        if result.returncode != 0:
            raise NotAvailable(f"a tree that may not be changed: {result.stderr.splitlines()[0]}")
        yield
    except OSError as error:
        raise NotAvailable(f"a tree that may not be changed: {error}") from None
    finally:
        if shutil.which(unlock[0]):
            subprocess.run([*unlock, *map(str, directories)], capture_output=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof for each KERNEL-ARCHITECTURE; exit status 1 where something differs."""
    parser = argparse.ArgumentParser(prog="tests.conformance.foreign_headers", description=__doc__.splitlines()[0])
    parser.add_argument("kernels", nargs="*", default=_KERNELS, metavar="KERNEL-ARCHITECTURE")
    parsed = parser.parse_args(arguments)
    proofs = files = differences = 0
    for kernel in parsed.kernels:
        label, _, architecture = kernel.rpartition("-")
        # Not below the repository, whose path may hold a space
        with tempfile.TemporaryDirectory(prefix="foreign-headers-") as directory:
            try:
                proof = Proof(label, architecture, Path(directory).resolve())
                proof.run()
            except NotAvailable as error:
                print(f"NOT RUN: {kernel}: {error}", flush=True)
            except Difference as error:
                print(f"DIFFERENT: {kernel}: {error}", flush=True)
                differences += 1
            else:
                proofs += 1
                files += proof.files
    print(f"{proofs} foreign headers trees, {files} files of builds in them equal, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
