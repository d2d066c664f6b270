# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages of any release and architecture, unpacked into a cache.

The conformance tests compare with the programs that distributions ship (genksyms,
modpost) on the inputs that distributions ship (kernel sources, generated headers,
modules).  This file fetches them without touching the system's own package state:
an :class:`Archive` has an apt configuration of its own whose sources are the system's
with the suite exchanged, so mirrors, keys and proxies stay those of the machine.

``python -m tests.conformance.debian fetch SUITE ARCHITECTURE PATTERN`` prints where the
newest package whose name matches the regular expression PATTERN was unpacked.

The cache is ``$MODVERSIONS_CACHE``, else ``${XDG_CACHE_HOME:-~/.cache}/modversions``.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LISTS_VALID_SECONDS = 24 * 3600
APT_TIMEOUT_SECONDS = 600
_REFUSAL_REMEMBERED_SECONDS = 300

# Debian's own suffixes of a release's name: the suites that make up the release for its users.
_SUITE_SUFFIXES = ("", "-updates", "-security", "-backports")
_ROLLING_SUITES = ("sid", "unstable", "experimental")


class NotAvailable(Exception):  # noqa: N818 (not an error: the runner turns it into a loud "NOT RUN")
    """Something the machine or the package index did not give; the text says what."""


@dataclass(frozen=True, slots=True)
class Package:
    """One binary package of an archive."""

    name: str
    version: str
    architecture: str
    depends: str

    def depended(self, pattern: str) -> str:
        """The first package name among ``Depends`` that matches the whole regular expression; raises NotAvailable."""
        for alternative in re.split(r"[,|]", self.depends):
            name = alternative.strip().split(" ")[0].split(":")[0]
            if re.fullmatch(pattern, name):
                return name
        raise NotAvailable(f"{self.name} {self.version} depends on nothing like {pattern}")


def cache_directory(*parts: str) -> Path:
    """A directory inside the cache, created if need be."""
    configured = os.environ.get("MODVERSIONS_CACHE")
    base = Path(configured) if configured else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "modversions"
    directory = base.expanduser().absolute().joinpath(*parts)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@contextmanager
def locked(lock: Path, operation: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a lock file of the cache; raises BlockingIOError if the operation says not to wait and it is held."""
    with open(lock, "w") as file:
        fcntl.flock(file, operation)
        yield


def make_directory_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """Create ``target`` by filling a temporary directory beside it and renaming that: whole or not at all."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f".{target.name}.lock")):
        if target.is_dir():
            return target
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        try:
            temporary.chmod(0o755)
            fill(temporary)
            temporary.rename(target)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return target


class Archive:
    """The packages of one Debian release for one architecture.

    ``suite`` is a release's code name (``bookworm``; its -updates, -security and -backports
    suites belong to it where the mirror has them) or ``sid``; ``architecture`` is Debian's name
    (``amd64``, ``arm64``, ``armhf``, ``s390x``).
    """

    def __init__(self, suite: str, architecture: str) -> None:
        self.suite = suite
        self.architecture = architecture
        self._directory = cache_directory("archives", f"{suite}-{architecture}")
        self._ready = False
        self._found: dict[tuple[str, str], Package] = {}

    def find(self, pattern: str, version_pattern: str = ".*") -> Package:
        """The newest package whose name matches the whole regular expression; raises NotAvailable.

        Newest by version, so that ``linux-kbuild-6\\..*`` gives the latest kernel of a suite;
        ``version_pattern`` (a whole match too) can keep backports out.
        """
        key = pattern, version_pattern
        if key not in self._found:
            self._found[key] = self._look_up(pattern, version_pattern)
        return self._found[key]

    def _look_up(self, pattern: str, version_pattern: str) -> Package:
        self._update()
        literal_start = re.split(r"[\\.\[(*+?|]", pattern, maxsplit=1)[0]
        names = [name for name in self._apt_cache("pkgnames", literal_start).split() if re.fullmatch(pattern, name)]
        if not names:
            raise NotAvailable(f"no package like {pattern} in {self.suite} ({self.architecture})")
        found = [
            package
            for package in _parse_packages(self._apt_cache("show", "--all-versions", *sorted(names)))
            if re.fullmatch(pattern, package.name) and re.fullmatch(version_pattern, package.version)
        ]
        if not found:
            raise NotAvailable(f"no package like {pattern} {version_pattern} in {self.suite} ({self.architecture})")
        return max(found, key=lambda package: (_version_key(package.version), package.name))

    def unpack(self, package: Package | str) -> Path:
        """Download and unpack a package (or the newest that matches a pattern), once; raises NotAvailable."""
        if isinstance(package, str):
            package = self.find(package)
        wanted = package
        name = f"{wanted.name}_{wanted.version.replace(':', '%3a')}_{wanted.architecture}"
        return make_directory_once(cache_directory("packages") / name, lambda new: self._download(wanted, new))

    def _download(self, package: Package, target: Path) -> None:
        self._update()
        with tempfile.TemporaryDirectory(prefix=".deb-", dir=self._directory) as downloads:
            _run(
                ["apt-get", *self._options(), "download", f"{package.name}={package.version}"],
                directory=Path(downloads),
            )
            files = list(Path(downloads).glob("*.deb"))
            if len(files) != 1:
                raise NotAvailable(f"apt-get download {package.name} gave {len(files)} files")
            _run(["dpkg-deb", "-x", str(files[0]), str(target)])

    def _update(self) -> None:
        """Fetch the package lists unless that was done within a day."""
        if self._ready:
            return
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise NotAvailable("this machine has no apt-get and dpkg-deb")
        with locked(self._directory / ".lock"):
            stamp = self._directory / "updated"
            if not _younger(stamp, LISTS_VALID_SECONDS):
                self._fetch_lists(stamp)
        self._ready = True

    def _fetch_lists(self, stamp: Path) -> None:
        refused = self._directory / "refused"
        if _younger(refused, _REFUSAL_REMEMBERED_SECONDS):
            raise NotAvailable(refused.read_text())
        for name in ("lists/partial", "archives/partial", "state"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").touch()
        sources = self._directory / "sources.list"
        sources.write_text("".join(_sources_for(self.suite)))
        result = subprocess.run(
            ["apt-get", *self._options(), "update"],
            capture_output=True, text=True, timeout=APT_TIMEOUT_SECONDS, stdin=subprocess.DEVNULL, env=_environment(),
        )  # fmt: skip
        # A suite that a release does not have (sid-updates, an archived -backports) makes apt-get
        # fail though the others were fetched: what counts is whether any list came.
        if not any(self._directory.glob("lists/*_Packages*")):
            text = f"no package lists of {self.suite} ({self.architecture}): {_reason(result.stderr)}"
            refused.write_text(text)
            raise NotAvailable(text)
        stamp.touch()

    def _options(self) -> list[str]:
        state = self._directory
        settings = {
            "Dir::State": state / "state",
            "Dir::State::lists": state / "lists",
            "Dir::State::status": state / "status",
            "Dir::Cache": state,
            "Dir::Cache::archives": state / "archives",
            "Dir::Cache::pkgcache": "packages.bin",
            "Dir::Cache::srcpkgcache": "",
            "Dir::Etc::sourcelist": state / "sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",
            "APT::Default-Release": "",
            # Whole packages are looked up by name: that needs lists that can be read at any place.
            "Acquire::GzipIndexes": "false",
            "Acquire::Languages": "none",
            "Acquire::PDiffs": "false",
            "Acquire::Check-Valid-Until": "false",
            "Acquire::http::Timeout": "20",
            "Acquire::https::Timeout": "20",
            "Acquire::Retries": "1",
        }
        options = ["-q"]
        for key, value in settings.items():
            options += ["-o", f"{key}={value}"]
        return options

    def _apt_cache(self, *arguments: str) -> str:
        return _run(["apt-cache", *self._options(), *arguments])


def _sources_for(suite: str) -> Iterator[str]:
    """The one-line sources of a suite: the system's Debian sources with the suite exchanged."""
    own = _system_code_name()
    suffixes = ("",) if suite in _ROLLING_SUITES else _SUITE_SUFFIXES
    seen = set()
    for options, address, suffix, components in _system_sources(own):
        for wanted in suffixes if suffix == "" else (suffix,):
            # Security updates have a mirror of their own; rolling suites have none at all.
            if wanted not in suffixes or (suffix == "" and wanted == "-security"):
                continue
            line = f"deb {options}{address} {suite}{wanted} {components}\n"
            if line not in seen:
                seen.add(line)
                yield line
    if not seen:
        raise NotAvailable(f"this machine has no apt source for Debian {own}")


def _system_code_name() -> str:
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        text = ""
    match = re.search(r'^VERSION_CODENAME="?([\w-]+)', text, re.MULTILINE)
    if match is None or not re.search(r'^ID="?debian', text, re.MULTILINE):
        raise NotAvailable("this machine is no Debian release")
    return match[1]


def _system_sources(code_name: str) -> Iterator[tuple[str, str, str, str]]:
    """Options, address, suite suffix and components of each system source that serves the code name."""
    etc = Path("/etc/apt")
    lists = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*.list"))]
    for path in lists:
        if path.is_file():
            yield from _one_line_sources(path.read_text(), code_name)
    for path in sorted((etc / "sources.list.d").glob("*.sources")):
        yield from _stanza_sources(path.read_text(), code_name)


# deb [ option=value ... ] address suite component...
_ONE_LINE = re.compile(r"^deb\s+(\[[^]]*\]\s+)?(\S+)\s+(\S+)\s+([^#\n]+)", re.MULTILINE)


def _one_line_sources(text: str, code_name: str) -> Iterator[tuple[str, str, str, str]]:
    for options, address, suite, components in _ONE_LINE.findall(text):
        if suite.startswith(code_name):
            yield options, address, suite.removeprefix(code_name), components.strip()


def _stanza_sources(text: str, code_name: str) -> Iterator[tuple[str, str, str, str]]:
    """The deb822 form: stanzas of ``Field: values`` divided by empty lines, ``#`` comment lines."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
        if "deb" not in fields.get("Types", "").split() or fields.get("Enabled", "yes").lower() == "no":
            continue
        signer = fields.get("Signed-By", "")
        options = f"[signed-by={signer}] " if signer.startswith("/") else ""
        for address in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                if suite.startswith(code_name):
                    yield options, address, suite.removeprefix(code_name), fields.get("Components", "main")


def _parse_packages(text: str) -> Iterator[Package]:
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", stanza, re.MULTILINE))
        if "Package" in fields:
            yield Package(
                fields["Package"], fields["Version"], fields.get("Architecture", "all"), fields.get("Depends", "")
            )


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class _version_key:  # noqa: N801 (used as a key function)
    """Debian's order of versions, as dpkg knows it."""

    version: str

    def __lt__(self, other: _version_key) -> bool:
        command = ["dpkg", "--compare-versions", self.version, "lt", other.version]
        return subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0


def _younger(path: Path, seconds: float) -> bool:
    try:
        return time.time() - path.stat().st_mtime < seconds
    except FileNotFoundError:
        return False


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _run(command: Sequence[str], directory: Path | None = None) -> str:
    """Run a packaging tool; its refusal becomes NotAvailable."""
    try:
        result = subprocess.run(
            command, cwd=directory, env=_environment(), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=APT_TIMEOUT_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAvailable(f"{command[0]}: {error}") from None
    if result.returncode != 0:
        raise NotAvailable(f"{command[0]} {command[-1]}: {_reason(result.stderr)}")
    return result.stdout


def _reason(text: str) -> str:
    """The line of a packaging tool's messages that tells most: an error, a failure, the last."""
    lines = [line for line in text.splitlines() if line.strip()]
    telling = [line for start in ("E: ", "W: Failed") for line in lines if line.startswith(start)]
    return (telling or lines[-1:] or ["no message"])[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line: print where packages lie after fetching them."""
    parser = argparse.ArgumentParser(prog="tests.conformance.debian", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_text in (("fetch", "unpack the newest match, print the directory"), ("find", "print its version")):
        command = commands.add_parser(name, help=help_text)
        command.add_argument("suite")
        command.add_argument("architecture")
        command.add_argument("patterns", nargs="+", metavar="pattern")
    parsed = parser.parse_args(arguments)
    archive = Archive(parsed.suite, parsed.architecture)
    try:
        for pattern in parsed.patterns:
            package = archive.find(pattern)
            found = archive.unpack(package) if parsed.command == "fetch" else f"{package.name} {package.version}"
            print(found, flush=True)
    except NotAvailable as error:
        print(f"not available: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
