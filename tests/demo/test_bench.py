# SPDX-License-Identifier: GPL-2.0-or-later
"""bench/genksyms.py on one small file, with stand-ins for the C program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIT = """\
# 1 "unit.c"
# 1 "unit.h" 1
struct page { int count; };
int page_count(struct page *page);
# 2 "unit.c" 2
__GENKSYMS_EXPORT_SYMBOL(page_count);
"""


def bench(directory: Path, filter_command: str) -> subprocess.CompletedProcess[str]:
    """Run the bench; the C program is genksyms-py with its output sent through a filter."""
    (directory / "units").mkdir()
    (directory / "units" / "unit.i").write_text(UNIT)
    program = directory / "genksyms"
    program.write_text(f"#!/bin/sh\n'{sys.executable}' -m genksyms_py --kernel 6.1 \"$@\" | {filter_command}\n")
    program.chmod(0o755)
    return subprocess.run(
        [
            sys.executable, str(ROOT / "bench" / "genksyms.py"), "--rounds", "1",
            "--files", str(directory / "units"), "--genksyms", str(program),
        ],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the bench binds itself to one core")
def test_equal_results_are_reported(tmp_path: Path) -> None:
    """Check that each row of the table has both programs' figure, must and aim, and that the status tells of a miss."""
    result = bench(tmp_path, "cat")
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "work",
        "batch, 1 files",
        "batch, 1 files: peak memory",
        "one file, one process, median",
        "expansion of unit.i (1 exports)",
    ]
    assert all(re.search(r"(aim reached|must reached|MUST MISSED)$", line) for line in lines[1:])
    assert result.returncode == int("MUST MISSED" in result.stdout), result.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the bench binds itself to one core")
def test_wrong_result_ends_the_bench(tmp_path: Path) -> None:
    """Check that another CRC than the C program's ends the run, whatever the speed."""
    result = bench(tmp_path, "sed s/0x.*/0x00000000/")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "bench: wrong result: the batch's CRCs are not those of the C program\n"
