"""When the stack repairs, without the product: a stand-in that is new, emptied, or was not ended in good order; never a healthy one."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.embedded import processes, stack
from controlplane.embedded.environment import Given
from controlplane.embedded.parts import Part, PartError
from controlplane.embedded.stack import SettlingError, Stack, running
from controlplane.embedded.state import StateFolder, StateInUseError
from tests.controlplane.embedded.family import descendants, is_alive, wait_for, wait_gone


class Services(Stack):
    """A stack whose product is processes that sleep; what it would settle is written down."""

    settled: list[bool]

    def start(self) -> None:
        self.settled = []
        super().start()

    def settle(self) -> None:
        self.settled.append(self.needs_repair)
        self.needs_repair = False

    def _product(self) -> tuple[Part, ...]:
        return tuple(
            Part(part.name, ("sleep", "600"), part.environment, part.folder, lambda: "", floor=part.floor)
            for part in super()._product()
        )

    def _command(self, name: str, *arguments: str, within_seconds: float = 300.0) -> Part:
        return Part(name, ("true",), self.environment, processes.PROJECT, lambda: "", ready_within_seconds=10.0)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[list[Stack]]:
    stacks: list[Stack] = []
    yield stacks
    for each in stacks:
        each.stop()


@pytest.fixture
def begin(tmp_path: Path, made: list[Stack]) -> Services:
    return next_on(tmp_path, made)


def next_on(folder: Path, made: list[Stack]) -> Services:
    fresh = Services(StateFolder(folder / "state"))
    made.append(fresh)
    fresh.start()
    fresh.settle()
    return fresh


def reset(running_stack: Stack) -> None:
    url = f"{processes.http_url(running_stack.ports['standin'])}/_ministack/reset"
    urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).close()


def keys_of(running_stack: Stack) -> set[str]:
    """The access keys that the product's processes hold."""
    pids = [pid for name in ("web", "worker") for pid in descendants(running_stack.supervisor.keepers()[name])]
    environments = [Path(f"/proc/{pid}/environ").read_text().split("\0") for pid in pids]
    return {line.partition("=")[2] for lines in environments for line in lines if line.startswith("AWS_ACCESS_KEY_ID=")}


def test_it_repairs_what_is_new_emptied_or_torn_and_nothing_else(begin: Services, made: list[Stack], tmp_path: Path) -> None:
    assert begin.settled == [True], "a new one; there are no tenants to repair yet"
    begin.stop()

    healthy = next_on(tmp_path, made)
    assert healthy.settled == [False]
    assert healthy.ports == begin.ports
    assert healthy.footing is not None
    assert begin.footing is not None
    assert healthy.footing.access_key_id == begin.footing.access_key_id
    reset(healthy)
    healthy.stop()

    emptied = next_on(tmp_path, made)
    assert emptied.settled == [True]
    assert emptied.footing is not None
    assert emptied.footing.made_anew
    emptied.stop()
    (emptied.state.root / "standin" / "state" / "complete").unlink()  # as after a power cut

    assert next_on(tmp_path, made).settled == [True]


def test_a_stand_in_that_is_emptied_while_it_runs_is_noticed_and_the_product_gets_its_new_key(
    begin: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "ASK_SECONDS", 0.1)
    before = begin.footing
    assert before is not None
    wait_for(lambda: keys_of(begin) == {before.access_key_id}, what="the product with the key")
    reset(begin)
    heard: list[str] = []
    begin.notice = heard.append

    def settle_and_end() -> None:
        begin.settled.append(begin.needs_repair)
        begin.supervisor.finished.set()

    monkeypatch.setattr(begin, "settle", settle_and_end)
    begin.wait()
    assert heard == ["The stand-in has lost its state; preparing and repairing it"]
    assert begin.settled == [True, True]
    assert begin.footing is not None
    assert begin.footing.access_key_id != before.access_key_id
    after = begin.footing.access_key_id
    wait_for(lambda: keys_of(begin) == {after}, what="the product with its new key")


def test_a_stand_in_that_dies_comes_back_and_is_repaired(begin: Services) -> None:
    keeper = begin.supervisor.keepers()["standin"]
    (pid,) = descendants(keeper)
    os.kill(pid, 9)
    wait_for(lambda: begin.settled == [True, True], what="the repair")
    wait_gone([pid, keeper])


def test_given_parts_are_not_started(tmp_path: Path, redis_url: str) -> None:
    given = Services(StateFolder(tmp_path / "state"), Given(redis_url=redis_url, aws_endpoint_url="http://127.0.0.1:9"))
    try:
        given.start()
        assert set(given.supervisor.keepers()) == {"web", "worker", "edge"}
        assert given.environment["REDIS_URL"] == redis_url
        assert given.footing is None
    finally:
        given.stop()


def test_a_block_that_fails_ends_the_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack, "Stack", Services)
    family: set[int] = set()

    def block() -> None:
        with running(tmp_path / "state") as current:
            keepers = set(current.supervisor.keepers().values())
            wait_for(lambda: len(keepers.union(*map(descendants, keepers))) == 10, what="five keepers and their parts")
            family.update(keepers.union(*map(descendants, keepers)))
            with pytest.raises(StateInUseError):
                Stack(StateFolder(tmp_path / "state")).start()
            raise RuntimeError("in the block")

    with pytest.raises(RuntimeError, match="in the block"):
        block()
    assert not [pid for pid in family if is_alive(pid)]


UNSETTLED = """
import sys
print('{"event": "notice", "text": "one"}')
print('plain')
print('{"event": "unsettled", "text": "no cell"}')
sys.exit(1)
"""


def test_what_could_not_be_settled_is_said_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    unsettled = Stack(StateFolder(tmp_path / "state"), Given("", "redis://127.0.0.1:9/0", "http://127.0.0.1:9"), tell=told.append)
    unsettled.ports = {"valkey": 1, "standin": 2, "web": 3, "edge": 4, "edge-operators": 5}
    part = Part("settle", (sys.executable, "-c", UNSETTLED), dict(os.environ), tmp_path, lambda: "")
    monkeypatch.setattr(unsettled, "_command", lambda *_, **__: part)
    with pytest.raises(SettlingError, match=r"^no cell$"):
        unsettled.settle()
    assert told == [{"event": "notice", "text": "one"}, {"event": "notice", "text": "plain"}]
    assert issubclass(SettlingError, PartError)
