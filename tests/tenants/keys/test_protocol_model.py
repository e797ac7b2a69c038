"""The keys' protocol as a model (``tenants/keys/rotation.pml``), looked through whole by Spin: the true one holds, and each mistake is found.

A mistake that is not found would mean that the model has stopped saying anything. Needs ``spin`` and a C compiler.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1_800)]
MODEL = Path(__file__).parents[3] / "tenants" / "keys" / "rotation.pml"
PROMISES, REST = "promises", "comes_to_rest"
MISTAKES = {
    "FRESH_TEXT": PROMISES,
    "TWO_CALLS": PROMISES,
    "LATE_OVERLAP": PROMISES,
    "EARLY_END": PROMISES,
    "NO_CATCH_UP": PROMISES,
    "ROWS_FIRST": PROMISES,
    "ONE_LOOK": PROMISES,
    "NO_LAST_LOOK": REST,
}


def errors_of(folder: Path, formula: str, *defined: str) -> int:
    """Look through every order of steps that the model allows; gives how many errors were found."""
    missing = [tool for tool in ("spin", "cc") if shutil.which(tool) is None]
    if missing:
        complaint = f"no {' and no '.join(missing)}: the protocol's model was NOT checked (apt-get install spin gcc)"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)

    def run(*words: str) -> str:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=1_500, check=False)
        assert done.returncode == 0, f"{words}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}"
        return done.stdout

    run("spin", "-a", *(f"-D{name}" for name in defined), str(MODEL))
    run("cc", "-O2", "-w", "-DNOFAIR", "-o", "pan", "pan.c")
    found = run("./pan", *(["-a"] if formula == REST else []), "-m100000", "-N", formula)
    assert "max search depth too small" not in found
    assert "unreached" in found or "pan: wrote" in found, found
    number = re.search(r"errors: (\d+)", found)
    assert number is not None, found
    return int(number[1])


@pytest.mark.parametrize("formula", [PROMISES, REST])
@pytest.mark.parametrize("defined", [("CRASHES=3",), ("CRASHES=2", "REVOKED")])
def test_the_protocol_keeps_its_promises_in_every_order_of_steps(tmp_path: Path, formula: str, defined: tuple[str, ...]) -> None:
    assert errors_of(tmp_path, formula, *defined) == 0


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_found(tmp_path: Path, mistake: str) -> None:
    assert errors_of(tmp_path, MISTAKES[mistake], "CRASHES=2", "REVOKED", mistake) > 0
