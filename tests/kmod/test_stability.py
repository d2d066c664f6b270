# SPDX-License-Identifier: GPL-2.0-or-later
"""Stability lists: reading, which rule decides, rules that do nothing, what a module leans on."""

from __future__ import annotations

from pathlib import Path

import pytest

from modpost_py.kmod import symvers_cli
from modpost_py.kmod.kernel_facts import Offer
from modpost_py.kmod.stability import Reliance, StabilityError, StabilityList, reliance_on, uses_of_rules

RULES = """\
# what this kernel promises
stable symbol led_classdev_* module led_class
experimental module drivers/staging/*      # all of it
experimental namespace DMA_* symbol dma_*
stable symbol *
"""
LED = Offer("led_classdev_register", "drivers/leds/led-class", 1, True, "")
STAGED = Offer("vchiq_open", "drivers/staging/vc04/vchiq", 2, False, "")
SPACED = Offer("dma_buf_get", "vmlinux", 3, True, "DMA_BUF")
PLAIN = Offer("printk", "vmlinux", 4, False, "")


def rules(tmp_path: Path, text: str = RULES) -> StabilityList:
    (tmp_path / "rules").write_text(text)
    return StabilityList.read(tmp_path / "rules")


@pytest.mark.parametrize(
    ("offer", "line"),
    [
        (LED, 2),
        (LED._replace(module="drivers/net/led-core"), 5),
        (STAGED, 3),
        (SPACED, 4),
        (SPACED._replace(namespace=None), 5),
        (SPACED._replace(symbol="buffer"), 5),
        (PLAIN, 5),
    ],
)
def test_the_first_rule_that_fits_decides(offer: Offer, line: int, tmp_path: Path) -> None:
    """Check that all conditions of a rule have to hold, and that the first rule of which they do decides."""
    rule = rules(tmp_path).rule_for(offer)
    assert rule is not None
    assert rule.line == line


def test_module_names(tmp_path: Path) -> None:
    """Check that a module is compared by its path and by the kernel's name for it."""
    for pattern, fits in (("led_class", True), ("drivers/leds/*", True), ("led-class", False), ("leds", False)):
        assert rules(tmp_path, f"stable module {pattern}\n").rules[0].fits(LED) == fits, pattern


def test_no_name_space(tmp_path: Path) -> None:
    """Check that "" stands for symbols without name space."""
    rule = rules(tmp_path, 'stable namespace ""\n').rules[0]
    assert (rule.fits(PLAIN), rule.fits(SPACED), rule.fits(PLAIN._replace(namespace=None))) == (True, False, False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("unstable symbol x", "'unstable' is neither stable nor experimental"),
        ("stable", "a rule needs a condition: symbol, module or namespace, and a pattern"),
        ("stable sybol x", "'sybol' is none of symbol, module, namespace"),
        ("stable symbol", "'symbol' needs a pattern"),
        ("stable symbol a module", "'module' needs a pattern"),
    ],
)
def test_lines_that_are_no_rules(line: str, message: str, tmp_path: Path) -> None:
    """Check that a line that is no rule is named."""
    with pytest.raises(StabilityError) as error:
        rules(tmp_path, f"# first\n{line}\n")
    assert str(error.value) == f"{tmp_path}/rules:2: {message}"


def test_rules_that_do_nothing(tmp_path: Path) -> None:
    """Check that rules that are shadowed, or fit no export, are found."""
    text = """\
stable symbol led_*
stable symbol led_class*
experimental symbol led_* module drivers/*
stable symbol usb_?
experimental symbol vchiq_open
stable module drivers/staging/*
stable symbol pr[i]ntk
stable symbol print*
"""
    uses = uses_of_rules(rules(tmp_path, text), [LED, STAGED, SPACED, PLAIN])
    assert [(use.fitting, use.deciding, use.fault) for use in uses] == [
        (1, 1, ""),
        (1, 0, "never decides: line 1 (stable symbol led_*) fits everything that it fits"),
        (1, 0, "never decides: line 1 (stable symbol led_*) fits everything that it fits"),
        (0, 0, "fits no exported symbol"),
        (1, 1, ""),
        (1, 0, "never decides: rules before it fit all that it fits"),
        (1, 1, ""),
        (1, 0, "never decides: rules before it fit all that it fits"),
    ]


def test_reliance(tmp_path: Path) -> None:
    """Check that the experimental symbols that are used are listed, and the others counted."""
    stability = rules(tmp_path, "experimental module */staging/*\nstable symbol led_*\n")
    assert reliance_on(stability, [LED, STAGED, SPACED, PLAIN]) == Reliance([(STAGED, stability.rules[0])], 1, 2)


def test_command(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that the command shows what each rule does for a kernel, and that rules that do nothing make status 1."""
    (tmp_path / "rules").write_text("stable symbol print*\nexperimental symbol spaced\n")
    (tmp_path / "dump").write_text("0x1\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n0x2\tled\tvmlinux\tEXPORT_SYMBOL\t\n")
    path = str(tmp_path / "rules")
    assert symvers_cli.main(["stability", path, "--against", str(tmp_path / "dump")]) == 1
    assert capfd.readouterr() == (
        f"{path}:1: stable symbol print*: decides for 1 symbols\n"
        f"{path}:2: experimental symbol spaced: decides for 0 symbols\n"
        f"{path}:2: warning: fits no exported symbol\n"
        "1 of 2 symbols are in no rule\n",
        "",
    )
