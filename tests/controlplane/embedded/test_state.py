"""The state folder: private, one stack at a time, the same ports and secrets at the next start."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.embedded.state import LOOPBACK, StateFolder, StateFolderError, StateInUseError, is_port_free


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    state = StateFolder(tmp_path / "state")
    state.acquire()
    state.secrets(("django",))
    state.ports(("web",))
    state.write_text("up.env", "A=b\n")
    assert mode(state.root) == 0o700
    assert mode(state.folder("logs")) == 0o700
    files = [path for path in state.root.iterdir() if path.is_file()]
    assert {path.name for path in files} == {"lock", "secrets.json", "ports.json", "up.env"}
    assert {path.name: oct(mode(path)) for path in files} == {path.name: "0o600" for path in files}


def test_secrets_are_long_differ_and_stay(tmp_path: Path) -> None:
    first = StateFolder(tmp_path).secrets(("django", "audit"))
    second = StateFolder(tmp_path).secrets(("django", "audit", "valkey"))
    assert first == {name: second[name] for name in first}
    assert len(set(second.values())) == 3
    assert min(map(len, second.values())) >= 50


def test_ports_stay_while_they_are_free_and_change_when_not(tmp_path: Path) -> None:
    first = StateFolder(tmp_path).ports(("web", "valkey"))
    assert StateFolder(tmp_path).ports(("web", "valkey")) == first
    with socket.socket() as taken:
        taken.bind((LOOPBACK, first["web"]))
        taken.listen()
        assert not is_port_free(first["web"])
        second = StateFolder(tmp_path).ports(("web", "valkey"))
    assert second["web"] != first["web"]
    assert second["valkey"] == first["valkey"]
    assert is_port_free(first["web"])


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_port_is_no_free_port(port: int) -> None:
    assert not is_port_free(port)


def test_a_second_stack_is_refused_with_the_process_that_has_the_folder(tmp_path: Path) -> None:
    first = StateFolder(tmp_path)
    first.acquire()
    with pytest.raises(StateInUseError, match=f"process {os.getpid()}"):
        StateFolder(tmp_path).acquire()
    first.release()
    again = StateFolder(tmp_path)
    again.acquire()
    again.release()


def test_a_folder_whose_holder_is_dead_is_waited_for(tmp_path: Path) -> None:
    program = "import fcntl, os, sys; file = open(sys.argv[1], 'r+'); fcntl.flock(file, fcntl.LOCK_EX); os.write(1, b'x'); sys.stdin.read()"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "lock").write_text(f"{dead.pid}\n")
    keeper = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )  # as a keeper that still ends its part
    assert keeper.stdout is not None
    assert keeper.stdout.read(1) == b"x"
    heard: list[str] = []

    def hear(text: str) -> None:
        heard.append(text)
        keeper.kill()
        keeper.wait()

    state = StateFolder(tmp_path)
    state.acquire(notice=hear)
    assert heard == ["The last run was killed; waiting for its parts to end"]
    with pytest.raises(BlockingIOError), (tmp_path / "lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{")
    with pytest.raises(StateFolderError, match=r"ports\.json is damaged"):
        StateFolder(tmp_path).ports(("web",))


def test_a_link_or_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    for name in ("link", "file"):
        with pytest.raises(StateFolderError):
            StateFolder(tmp_path / name)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    state.write("ports.json", {"web": "1"})
    state.write("ports.json", {"web": "2"})
    assert state.read("ports.json") == {"web": "2"}
    assert [path.name for path in tmp_path.iterdir()] == ["ports.json"]
