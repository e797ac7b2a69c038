"""The supervisor with made-up parts: readiness, restarts, the order of the end."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controlplane.embedded import supervisor as module
from controlplane.embedded.parts import Part, PartError
from controlplane.embedded.state import StateFolder
from controlplane.embedded.supervisor import Supervisor
from tests.controlplane.embedded.family import STUBBORN, descendants, is_alive, members, wait_for, wait_gone

SLEEP = "import time; time.sleep(600)"


class Bench:
    """A supervisor on a folder of its own, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.restarted: list[str] = []
        self.supervisor = Supervisor(StateFolder(folder / "state"), notice=self.said.append, restarted=self.restarted.append)

    def part(self, name: str, program: str, *words: str, is_ready: Callable[[], str] = lambda: "", **more: float) -> Part:
        command = (sys.executable, "-c", program, *words)
        return Part(name, command, dict(os.environ), self.folder, is_ready, **more)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.supervisor.stop()


def test_a_part_that_is_never_ready_is_named_with_its_reason_and_the_end_of_its_log(bench: Bench) -> None:
    part = bench.part(
        "slow", f"print('I am here', flush=True); {SLEEP}", is_ready=lambda: "it answered 503", ready_within_seconds=1.0
    )
    bench.supervisor.start(part)
    with pytest.raises(PartError) as caught:
        bench.supervisor.wait_ready("slow")
    assert "slow was not ready within 1 s: it answered 503" in caught.value.detail
    assert "I am here" in caught.value.detail
    assert str(bench.supervisor.state.log("slow")) in caught.value.detail


def test_a_part_that_ends_before_it_is_ready_is_told_at_once(bench: Bench) -> None:
    bench.supervisor.start(bench.part("broken", "raise SystemExit('no such table')", is_ready=lambda: "nothing"))
    with pytest.raises(PartError, match="broken ended with status 1 before it was ready") as caught:
        bench.supervisor.wait_ready("broken")
    assert "no such table" in caught.value.detail


def test_stop_ends_families_and_the_upper_floor_first(bench: Bench) -> None:
    program = f"import signal, sys, time; signal.signal(15, lambda *_: (open({str(bench.folder / 'order')!r}, 'a').write(sys.argv[1]), sys.exit()))"
    program += f"; open(sys.argv[2], 'w').close(); {SLEEP}"
    for name, floor in (("a", 0), ("b", 1)):
        bench.supervisor.start(bench.part(name, program, name, str(bench.folder / f"up-{name}"), floor=floor))
        wait_for((bench.folder / f"up-{name}").exists, what=name)
    (bench.folder / "family").mkdir()
    bench.supervisor.start(bench.part("family", STUBBORN, str(bench.folder / "family"), "deaf", grace_seconds=0.3))
    family = members(bench.folder / "family")
    keepers = set(bench.supervisor.keepers().values())
    below = keepers.union(*map(descendants, keepers))
    bench.supervisor.stop()
    assert not [pid for pid in (*below, *family.values()) if is_alive(pid)]
    assert (bench.folder / "order").read_text() == "ba"


def test_a_part_that_ends_is_started_again_and_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.supervisor.start(bench.part("web", SLEEP))
    bench.supervisor.wait_ready("web")
    bench.supervisor.watch()
    first = bench.supervisor.keepers()["web"]
    (part,) = wait_for(lambda: descendants(first), what="the part")
    os.kill(part, signal.SIGKILL)
    wait_for(lambda: bench.restarted == ["web"], what="the restart")
    assert bench.supervisor.keepers()["web"] != first
    assert bench.said == ["web ended with status 137; starting it again in 1 s.", "web is ready again."]


def test_a_killed_keepers_family_is_ended_before_the_part_is_started_again(bench: Bench) -> None:
    bench.supervisor.start(bench.part("family", STUBBORN, str(bench.folder), "deaf"))
    family = members(bench.folder)
    bench.supervisor.watch()
    os.kill(bench.supervisor.keepers()["family"], signal.SIGKILL)
    wait_gone([family["part"], family["child"]])
    os.kill(family["daemon"], signal.SIGKILL)  # in a session of its own, and its keeper is gone: nobody can find it


def test_a_part_that_never_stays_up_ends_the_stack(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENDINGS", 2)
    bench.supervisor.start(bench.part("web", "import os, time; time.sleep(0.3); print('out of luck', flush=True); os._exit(3)"))
    bench.supervisor.watch()
    assert bench.supervisor.finished.wait(20)
    assert bench.supervisor.failure is not None
    assert "web ended 2 times" in bench.supervisor.failure.detail
    assert "out of luck" in bench.supervisor.failure.detail


def test_run_once_gives_lines_as_they_come_and_refuses_failure(bench: Bench) -> None:
    lines: list[str] = []
    bench.supervisor.run_once(bench.part("task", "print('one'); print('two')"), on_line=lines.append)
    assert lines == ["one", "two"]
    with pytest.raises(PartError, match="task failed with status 4") as caught:
        bench.supervisor.run_once(
            bench.part("task", "import sys; sys.stderr.write('disk full'); sys.exit(4)"), on_line=lines.append
        )
    assert "disk full" in caught.value.detail
    with pytest.raises(PartError, match="task did not end within 1 s"):
        bench.supervisor.run_once(bench.part("task", SLEEP, ready_within_seconds=1.0))


def test_whoever_waits_gives_up_when_the_stack_is_interrupted(bench: Bench) -> None:
    bench.supervisor.start(bench.part("slow", SLEEP, is_ready=lambda: "nothing"))
    threading.Timer(0.3, bench.supervisor.interrupt).start()
    with pytest.raises(PartError, match="when the stack was ended"):
        bench.supervisor.wait_ready("slow")
    with pytest.raises(PartError, match="the stack is ending"):
        bench.supervisor.start(bench.part("late", SLEEP))


def test_a_replaced_part_gets_its_new_environment(bench: Bench) -> None:
    program = f"import os; print(os.environ['KEY'], flush=True); {SLEEP}"
    part = bench.part("web", program)
    for key in ("first", "second"):
        changed = Part(part.name, part.command, {**os.environ, "KEY": key}, part.folder, part.is_ready)
        (bench.supervisor.replace if key == "second" else bench.supervisor.start)(changed)
        wait_for(lambda wanted=key: wanted in bench.supervisor.state.log("web").read_text(), what=key)


def test_the_folder_stays_taken_until_the_last_keeper_has_ended(bench: Bench) -> None:
    state = bench.supervisor.state
    state.acquire()
    bench.supervisor.start(bench.part("family", STUBBORN, str(bench.folder)))
    family = members(bench.folder)
    state.release()
    lock = (state.root / "lock").open()
    with pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    held_by_part = [os.readlink(fd) for fd in Path(f"/proc/{family['part']}/fd").iterdir()]
    assert str(state.root / "lock") not in held_by_part, "a part that leaked would hold the folder for ever"
    bench.supervisor.stop()
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.close()
