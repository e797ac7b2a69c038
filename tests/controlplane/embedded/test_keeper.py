"""Nothing of a part outlives the supervisor, the part or the keeper, however each of them ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.embedded.parts import KEEPER
from tests.controlplane.embedded.family import STUBBORN, descendants, is_alive, members, wait_for, wait_gone

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl and /proc are Linux's")

SUPERVISOR = """
import os, subprocess, sys, threading, time
keeper, grace, thread, command = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
def start():
    family = sys.argv[4:][-2]
    subprocess.Popen([sys.executable, "-I", "-S", keeper, str(os.getpid()), "-1", grace, *command], start_new_session=True)
    while thread == "thread" and not os.path.exists(family + "/daemon.pid"):
        time.sleep(0.01)
if thread == "thread":
    starter = threading.Thread(target=start)
    starter.start()
    starter.join()
else:
    start()
time.sleep(600)
"""


def keep(folder: Path, *words: str, grace: float = 0.3) -> subprocess.Popen[bytes]:
    """A keeper of a stubborn family, with this process as the supervisor."""
    command = [sys.executable, "-c", STUBBORN, str(folder), *words]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), "-1", str(grace), *command], start_new_session=True
    )


@pytest.fixture
def supervisor(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor in a process of its own, so that it can be killed."""
    part = [sys.executable, "-c", STUBBORN, str(tmp_path), "deaf"]
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(KEEPER), "0.3", getattr(request, "param", "main"), *part])
    yield process
    below = descendants(process.pid)
    process.kill()
    process.wait()
    wait_gone(below)


def test_a_killed_supervisor_takes_the_whole_family_with_it(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    family = members(tmp_path)
    below = descendants(supervisor.pid)
    assert set(family.values()) < below, "the daemon too: its orphan came to the keeper"
    supervisor.kill()
    supervisor.wait()
    wait_gone({*below, *family.values()})


@pytest.mark.parametrize("supervisor", ["thread"], indirect=True)
def test_the_end_of_the_thread_that_started_it_is_not_the_end(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    # The kernel's signal goes out when that thread ends. Whoever takes it for an order ends within the grace of 0.3 s.
    family = members(tmp_path)
    with pytest.raises(AssertionError):
        wait_for(lambda: not is_alive(family["part"]), what="an end that must not come", within_seconds=1.5)


def test_a_killed_keeper_takes_its_part_with_it(tmp_path: Path) -> None:
    keeper = keep(tmp_path)
    family = members(tmp_path)
    keeper.kill()
    keeper.wait()
    wait_gone([family["part"]])
    for orphan in (family["child"], family["daemon"]):  # the supervisor's business, which is not running here
        os.kill(orphan, signal.SIGKILL)


def test_a_part_that_ends_leaves_nobody_and_its_status_is_told(tmp_path: Path) -> None:
    keeper = keep(tmp_path, "brief")
    family = members(tmp_path)
    assert keeper.wait(20) == 7
    assert not [pid for pid in family.values() if is_alive(pid)]


def test_a_part_that_is_deaf_to_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    keeper = keep(tmp_path, "deaf", grace=0.3)
    family = members(tmp_path)
    keeper.terminate()
    assert keeper.wait(20) == 128 + signal.SIGKILL
    assert not [pid for pid in family.values() if is_alive(pid)]


def test_sigint_leaves_no_grace(tmp_path: Path) -> None:
    keeper = keep(tmp_path, "deaf", grace=600)
    family = members(tmp_path)
    keeper.send_signal(signal.SIGTERM)
    keeper.send_signal(signal.SIGINT)
    assert keeper.wait(20) == 128 + signal.SIGKILL
    assert not [pid for pid in family.values() if is_alive(pid)]


def test_a_command_that_does_not_exist_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(KEEPER), str(os.getpid()), "-1", "1", str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 127
    assert "cannot start" in done.stderr


def test_a_keeper_whose_supervisor_is_already_gone_starts_nothing(tmp_path: Path) -> None:
    somebody_else = 1
    command = [sys.executable, "-c", STUBBORN, str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(KEEPER), str(somebody_else), "-1", "1", *command], check=False, timeout=20
    )
    assert done.returncode == 0
    assert not list(tmp_path.iterdir())
