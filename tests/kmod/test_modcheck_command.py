# SPDX-License-Identifier: GPL-2.0-or-later
"""The command modcheck-py: whole outputs, several modules, several kernels, bad input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modpost_py.kmod import modcheck_cli
from tests.kmod import made_up_kernels as kernels
from tests.kmod.loadable_modules import Exported, Loadable

LAYOUT = {"module_layout": 0x10000001}
LED = Loadable(
    "led", modinfo=["retpoline=Y"], undefined=["printk", "led_register"],
    versions={**LAYOUT, "printk": 0x10000002, "led_register": 0x10000006},
)  # fmt: skip
EXPORTER = Loadable("exporter", versions=LAYOUT, exports=[Exported("shared", 0x77)])
USER = Loadable("user", undefined=["shared"], versions={**LAYOUT, "shared": 0x77})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the made-up kernel's headers and modules, the current one."""
    monkeypatch.chdir(tmp_path)
    kernels.headers(tmp_path / "headers")
    kernels.modules_directory(tmp_path / "modules", [("fs/fat.ko", Loadable("fat", versions=LAYOUT))])
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = modcheck_cli.main(words)
    printed = capfd.readouterr()
    return status, printed.out, printed.err


def test_loads(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a module that loads has one verdict line, and what to load first."""
    LED.write(here)
    assert run(capfd, "led.ko", "--against", "headers", "modules") == (
        0,
        "led.ko: 6.1.0-test would load it and taint it OE (unsigned: it is not signed; out of tree)\n"
        "  load first: led_core\n",
        "",
    )


def test_refused(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a refused module has the verdict, all reasons, the kernel's line, and what to do."""
    replace(LED, undefined=["prink", "led_register"], versions={**LAYOUT, "led_register": 1}).write(here)
    assert run(capfd, "led.ko", "--against", "headers") == (
        1,
        "led.ko: 6.1.0-test would refuse it: Invalid argument (EINVAL)\n"
        "  prink is exported neither by the kernel nor by one of its modules; alike: printk (vmlinux)\n"
        "  led_register has the CRC 0x10000006 in the kernel, the module was built for 0x00000001\n"
        "  kernel log: led: disagrees about version of symbol led_register\n"
        "  do: load the module that has it first, or find what replaced it in this kernel\n"
        "  do: build it with the headers of this kernel\n",
        "",
    )


def test_many_reasons(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that many reasons of a kind are cut short unless all are wanted."""
    replace(LED, undefined=[f"absent_{n}" for n in range(12)]).write(here)
    status, output, _ = run(capfd, "led.ko", "--against", "headers")
    assert (status, output.splitlines()[7:9]) == (
        1,
        [
            "  absent_6 is exported neither by the kernel nor by one of its modules",
            "  ... and 5 more like that (--all shows them)",
        ],
    )
    assert len(run(capfd, "led.ko", "--against", "headers", "--all")[1].splitlines()) == len(output.splitlines()) + 4


def test_unknown_facts(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that what a Module.symvers does not tell is said to be unknown."""
    LED.write(here)
    assert run(capfd, "led.ko", "--against", "headers/Module.symvers") == (
        0,
        "led.ko: headers/Module.symvers would load it, as far as is known and taint it O (out of tree)\n"
        "  load first: led_core\n"
        "  not known: whether the kernel asks for signatures (CONFIG_MODULE_SIG); the module has none\n"
        "  not known: which machine the kernel is for; the module is for x86_64 (64 bit, little-endian)\n"
        "  not known: the size of the kernel's struct module; the module has 896 bytes\n"
        "  not known: the kernel's version magic; the module has '6.1.0-test SMP mod_unload modversions '\n",
        "",
    )


def test_modules_directory_alone(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that the modules of a kernel tell the CRCs of what they import, and that vmlinux may have more."""
    replace(LED, undefined=["printk", "led_register", "spaced"]).write(here)
    status, output, _ = run(capfd, "led.ko", "--against", "modules")
    assert (status, [line for line in output.splitlines() if "symbol" in line or "spaced" in line]) == (
        0, ["  not known: whether the kernel itself exports spaced"],
    )  # fmt: skip


def test_json(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check the whole JSON document."""
    replace(LED, license="BSD").write(here)
    (here / "rules").write_text("experimental symbol led_*\nstable symbol *\n")
    status, output, _ = run(capfd, "led.ko", "--against", "headers", "--json", "--stability", "rules")
    assert (status, json.loads(output)) == (
        1,
        {
            "schema": "modcheck-1",
            "kernel": {
                "name": "6.1.0-test",
                "places": ["headers"],
                "release": "6.1.0-test",
                "vermagic": "6.1.0-test SMP mod_unload modversions ",
                "machine": "x86_64 (64 bit, little-endian)",
                "struct_module_size": None,
                "modversions": True,
                "exports": 6,
                "all_exports": True,
            },
            "modules": [
                {
                    "path": "led.ko",
                    "name": "led",
                    "loads": False,
                    "errno": "ENOENT",
                    "reasons": [
                        {
                            "kind": "gpl-only",
                            "errno": "ENOENT",
                            "text": "led_register is for GPL-compatible modules only",
                            "symbol": "led_register",
                            "module": "led_core",
                            "log": "led: Unknown symbol led_register (err -2)",
                            "advice": "only a module with a GPL-compatible MODULE_LICENSE gets it",
                            "near": [],
                        }
                    ],
                    "remarks": [],
                    "taints": "POE",
                    "taint_details": [
                        {
                            "letter": "E",
                            "text": "unsigned: it is not signed",
                            "log": "led: module verification failed: signature and/or required key missing - "
                            "tainting kernel",
                        },
                        {
                            "letter": "O",
                            "text": "out of tree",
                            "log": "led: loading out-of-tree module taints kernel.",
                        },
                        {
                            "letter": "P",
                            "text": "proprietary: its licence is 'BSD'",
                            "log": "led: module license 'BSD' taints kernel.",
                        },
                    ],
                    "unknown": [],
                    "needs": [],
                    "stability": {
                        "stable": 1,
                        "unlisted": 0,
                        "experimental": [
                            {
                                "symbol": "led_register",
                                "module": "drivers/leds/led-core",
                                "rule": "experimental symbol led_*",
                                "place": "rules:1",
                            }
                        ],
                    },
                }
            ],
            "errors": [],
        },
    )


def test_stability(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that experimental symbols are warned of, whatever the verdict."""
    LED.write(here)
    (here / "rules").write_text("experimental module led_core\n")
    assert run(capfd, "led.ko", "--against", "headers", "--stability", "rules") == (
        0,
        "led.ko: 6.1.0-test would load it and taint it OE (unsigned: it is not signed; out of tree)\n"
        "  warning: leans on the experimental led_register (drivers/leds/led-core), rules:1\n"
        "  stability: of 2 symbols 0 are stable, 1 experimental, 1 in no rule\n"
        "  load first: led_core\n",
        "",
    )


def test_modules_that_need_each_other(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that modules of one call give each other symbols, in any order; under --insmod in the order given."""
    for module in (EXPORTER, USER):
        module.write(here)
    taint = "would load it and taint it E (unsigned: it is not signed)"
    assert run(capfd, "user.ko", "exporter.ko", "--against", "headers") == (
        0, f"user.ko: 6.1.0-test {taint}\n  load first: exporter\nexporter.ko: 6.1.0-test {taint}\n", "",
    )  # fmt: skip
    assert run(capfd, "user.ko", "exporter.ko", "--against", "headers", "--insmod")[:2] == (
        1,
        "user.ko: 6.1.0-test would refuse it: Unknown symbol in module (ENOENT)\n"
        "  shared is exported neither by the kernel nor by one of its modules\n"
        "  kernel log: user: Unknown symbol shared (err -2)\n"
        "  do: load the module that has it first, or find what replaced it in this kernel\n"
        f"exporter.ko: 6.1.0-test {taint}\n",
    )
    assert run(capfd, "exporter.ko", "user.ko", "--against", "headers", "--insmod")[0] == 0


def test_insmod_loads_nothing_else(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that under --insmod the module that has a symbol is named."""
    LED.write(here)
    status, output, _ = run(capfd, "led.ko", "--against", "headers", "--insmod")
    assert (status, output.splitlines()[1:4]) == (
        1,
        [
            "  led_register is exported by drivers/leds/led-core, which is not loaded",
            "  kernel log: led: Unknown symbol led_register (err -2)",
            "  do: load led_core first, or use modprobe",
        ],
    )


def test_proprietary_providers(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that the taint of a proprietary module is inherited, or its symbols refused to users of GPL-only ones."""
    replace(EXPORTER, license="BSD").write(here)
    USER.write(here)
    versions = {**USER.versions, "gpl_function": 0x10000003}  # type: ignore[dict-item]
    replace(USER, name="mixed", undefined=["gpl_function", "shared"], versions=versions).write(here)
    status, output, _ = run(capfd, "exporter.ko", "user.ko", "mixed.ko", "--against", "headers", "--json")
    verdicts = {module["name"]: module for module in json.loads(output)["modules"]}
    assert status == 1
    assert {name: verdict["taints"] for name, verdict in verdicts.items()} == {
        "exporter": "PE", "user": "PE", "mixed": "E",
    }  # fmt: skip
    assert verdicts["user"]["taint_details"][-1]["log"] == (
        "user: module uses symbols shared from proprietary module exporter, inheriting taint."
    )
    assert [reason["log"] for reason in verdicts["mixed"]["reasons"]] == [
        "mixed: module using GPL-only symbols uses symbols shared from proprietary module exporter."
    ]


def test_a_dependency_that_is_refused(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a module fails with the modules that it needs, and names them where they are absent."""
    replace(kernels.LED_CORE, versions={"module_layout": 5, "printk": 0x10000002}).write(
        here / "modules/kernel/drivers/leds", "led-core.ko"
    )
    LED.write(here)
    status, output, _ = run(capfd, "led.ko", "--against", "headers", "modules")
    assert (status, output.splitlines()[:2]) == (
        1,
        [
            "led.ko: 6.1.0-test would refuse it: Invalid module format (ENOEXEC)",
            "  it needs led_register of the module led_core, which the kernel would refuse: module_layout has the CRC "
            "0x10000001 in the kernel, the module was built for 0x00000005",
        ],
    )
    (here / "modules/kernel/drivers/leds/led-core.ko").unlink()
    status, output, _ = run(capfd, "led.ko", "--against", "headers", "modules")
    assert (status, output.splitlines()[1]) == (
        1, "  it needs led_register of the module led_core, which is not in the modules directory",
    )  # fmt: skip


def test_absent_dependencies(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a module in depends= that the kernel lacks is noted, and one that is given or there is not."""
    replace(USER, modinfo=["intree=Y", "retpoline=Y", "depends=led-core,exporter,snd"]).write(here)
    EXPORTER.write(here)
    status, output, _ = run(capfd, "exporter.ko", "user.ko", "--against", "headers", "modules")
    assert (status, output.splitlines()[2:]) == (
        0,
        ["  note: it says that it depends on snd, which is not in the modules directory", "  load first: exporter"],
    )


def test_loaded_twice(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a name is loaded once."""
    EXPORTER.write(here)
    status, output, _ = run(capfd, "exporter.ko", "exporter.ko", "--against", "headers")
    assert (status, "a module named exporter is loaded already" in output) == (1, True)


def test_modprobe_configuration(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a blacklisting in modprobe.d is a note."""
    EXPORTER.write(here)
    (here / "modprobe.d").mkdir()
    (here / "modprobe.d/some.conf").write_text("blacklist exporter\n")
    status, output, _ = run(capfd, "exporter.ko", "--against", "headers", "-C", "modprobe.d")
    assert (status, output.splitlines()[1:]) == (
        0,
        ["  note: modprobe.d blacklists it: it is loaded when asked for by its name, but not by an alias (a device)"],
    )


def test_closest(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that kernels are ranked: first what loads, then by matching symbols."""
    LED.write(here)
    crcs = {name: (crc + (name == "printk"), *rest) for name, (crc, *rest) in kernels.EXPORTS.items()}
    kernels.headers(here / "all/6.1.2", "6.1.2", exports=crcs)  # type: ignore[arg-type]
    kernels.headers(here / "all/6.1.1", "6.1.1")
    other = {name: (crc + 1, *rest) for name, (crc, *rest) in kernels.EXPORTS.items() if name != "printk"}
    kernels.headers(here / "all/6.0.9", "6.0.9", exports=other)  # type: ignore[arg-type]
    (here / "all/nothing").mkdir()
    assert run(capfd, "led.ko", "--closest", "all") == (
        0,
        "led.ko:\n"
        "  6.1.1  would load    3 of 3 symbols match\n"
        "  6.1.2  would refuse  2 of 3 symbols match, 1 differ; Invalid argument (EINVAL): printk has the CRC "
        "0x10000003 in the kernel, the module was built for 0x10000002\n"
        "  6.0.9  would refuse  0 of 3 symbols match, 2 differ, 1 missing or not known; Invalid module format "
        "(ENOEXEC): module_layout has the CRC 0x10000002 in the kernel, the module was built for 0x10000001\n",
        "",
    )
    status, output, _ = run(capfd, "led.ko", "--closest", "all/6.1.2", "--json")
    assert (status, json.loads(output)["modules"][0]["kernels"]) == (
        1,
        [
            {
                "kernel": "6.1.2", "place": "all/6.1.2", "loads": False, "errno": "EINVAL", "needed": 3, "matching": 2,
                "differing": 1, "reasons": ["crc"],
            }
        ],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.ko", "--against", "headers"], "absent.ko: No such file or directory"),
        (["led.ko", "--against", "absent"], "absent: No such file or directory"),
        (["led.ko", "--against", "led.txt"],
         "led.txt: not known what this is; expected a headers directory, a modules directory (/lib/modules/RELEASE), "
         "a Module.symvers, a vmlinux, a vmlinuz, a System.map or a config-RELEASE"),
        (["led.ko", "--against", "empty"], "empty: it is empty"),
        (["led.ko", "--against", "broken.symvers"],
         "broken.symvers:2: no line of a symbol dump (CRC, symbol, module, kind of export)"),
        (["led.ko", "--against", "headers", "--stability", "led.txt"],
         "led.txt:1: 'hello' is neither stable nor experimental"),
        (["led.ko.xz", "--against", "headers"], None),
    ],
)  # fmt: skip
def test_bad_input(words: list[str], message: str | None, here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that what cannot be read is one line and status 2, and that other modules are judged all the same."""
    LED.write(here)
    (here / "led.txt").write_text("hello\n")
    (here / "empty").write_bytes(b"")
    (here / "broken.symvers").write_text("0x1\ta\tvmlinux\tEXPORT_SYMBOL\t\nhello\n")
    (here / "led.ko.xz").write_bytes(b"\xfd7zXZ\0" + bytes(40))
    status, output, errors = run(capfd, words[0], *(["led.ko"] if words[0] != "led.ko" else []), *words[1:])
    assert (status, len(errors.splitlines())) == (2, 1)
    assert message is None or errors == f"modcheck-py: {message}\n"
    assert bool(output) == (words[0] != "led.ko")


def test_wrong_command_lines(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a command line without a kernel is refused."""
    with pytest.raises(SystemExit) as exit_:
        modcheck_cli.main(["led.ko"])
    assert exit_.value.code == 2
    assert capfd.readouterr().err.endswith("error: give either --against KERNEL or --closest DIR\n")


def test_damaged_modules_together(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that no changed byte of a module keeps the next one from its verdict."""
    whole = EXPORTER.content()
    for place in range(0, len(whole), 61):
        (here / "exporter.ko").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        replace(USER, undefined=[]).write(here)
        status, output, _ = run(capfd, "exporter.ko", "user.ko", "--against", "headers")
        assert (status in (0, 1), "user.ko: 6.1.0-test would" in output) == (True, True), place


def test_closed_output(here: Path) -> None:
    """Check that a pipe that is closed is no traceback."""
    LED.write(here)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "modpost_py.kmod.modcheck_cli", "led.ko", "--against", "headers"]
    environment = {**os.environ, "PYTHONPATH": str(Path(modcheck_cli.__file__).parents[2])}
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (2, b"")
