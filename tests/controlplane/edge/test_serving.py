"""The processes as an operator sees them: ready, counted together, started again, drained; real processes over the fake judge."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controlplane.conftest import ROOT
from tests.controlplane.edge.judges import key
from tests.controlplane.edge.proxies import free_port
from tests.controlplane.edge.wire import Answer, Client, exchange, get

WAIT_SECONDS = 20.0
ACME = get("/v1/nginx", key=key("acme"))
PROGRAM = """
import sys
from controlplane.edge import configuration, parent
from controlplane.env import Environment
import logging, os
logging.basicConfig(level="INFO", stream=sys.stderr, format="%(message)s")
command = [sys.executable, "-m", sys.argv[1], "--process"]
fd = int(sys.argv[2]) if len(sys.argv) > 2 else None
sys.exit(parent.run(configuration.read(Environment(os.environ)), fd, command))
"""
FAKE = "tests.controlplane.edge.program"


def wait_for(look: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not look():
        assert time.monotonic() < give_up_at, what
        time.sleep(0.05)


class Edge:
    """The parent and its processes. ``log`` is what they have said."""

    def __init__(self, folder: Path, module: str = FAKE, *, fd: int | None = None, **settings: str) -> None:
        self.port, self.operators_port = free_port(), free_port()
        self._folder = folder
        environment = {
            "PATH": os.environ["PATH"],
            "CONTROLPLANE_STATE_DIR": str(folder),
            "CONTROLPLANE_ENV_FILE": str(folder / "none"),
            "CONTROLPLANE_EDGE_PORT": str(self.port),
            "CONTROLPLANE_EDGE_OPERATORS_PORT": str(self.operators_port),
            "CONTROLPLANE_EDGE_PROCESSES": "2",
            "CONTROLPLANE_EDGE_DRAIN_SECONDS": "3",
            **settings,
        }
        self._file = (folder / "edge.log").open("w+b")
        words = [sys.executable, "-c", PROGRAM, module, *([str(fd)] if fd is not None else [])]
        handed = (fd,) if fd is not None else ()
        self.process = subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=self._file, stderr=subprocess.STDOUT, pass_fds=handed
        )

    @property
    def log(self) -> str:
        return (self._folder / "edge.log").read_text(errors="replace")

    def wait_ready(self) -> None:
        wait_for(lambda: "All 2 processes serve" in self.log or self.process.poll() is not None, "ready")
        assert self.process.poll() is None, self.log

    def operators(self, path: str) -> Answer:
        with Client(self.operators_port) as client:
            return client.ask(get(path))

    def number(self, name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.operators("/metrics").body.decode(), re.MULTILINE)
        return float(found[1]) if found else -1.0

    def children(self) -> list[int]:
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Edge]:
    edge = Edge(tmp_path)
    try:
        edge.wait_ready()
        yield edge
    finally:
        if edge.process.poll() is None:
            edge.stop()


def test_two_processes_share_a_port_and_are_counted_together(edge: Edge) -> None:
    assert len(edge.children()) == 2
    for _ in range(30):
        assert [answer.status for answer in exchange(edge.port, ACME)] == [204]
    wait_for(lambda: edge.number('edge_answers_total{door="nginx",code="VALID"}') == 30, "30 answers")
    assert edge.number("edge_processes") == 2
    assert edge.operators("/readyz").json() == {"status": "ok"}
    assert edge.operators("/healthz").status == 200
    assert edge.operators("/v1/nginx").status == 404
    text = edge.operators("/metrics").body.decode()
    assert "# TYPE edge_answers_total counter" in text
    assert 'edge_slow_answer_seconds_bucket{le="+Inf"}' in text
    assert not re.search(r"tnt_|key_|cpk", text)


def test_metrics_are_not_on_the_public_port(edge: Edge) -> None:
    assert [answer.status for answer in exchange(edge.port, get("/metrics"))] == [401]


def test_a_process_that_is_killed_is_started_again_and_nothing_counted_is_lost(edge: Edge) -> None:
    for _ in range(10):
        exchange(edge.port, ACME)
    wait_for(lambda: edge.number('edge_answers_total{door="nginx",code="VALID"}') == 10, "10 answers")
    before = edge.children()
    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: len(set(edge.children()) - set(before)) == 1, "another process")
    wait_for(lambda: edge.operators("/readyz").status == 200 and edge.number("edge_processes") == 2, "ready again")
    assert edge.number("edge_process_restarts_total") == 1
    assert edge.number('edge_answers_total{door="nginx",code="VALID"}') == 10
    assert "ended by itself with status -9" in edge.log


def test_sigterm_drains_what_is_under_way_and_takes_nothing_new(edge: Edge) -> None:
    with Client(edge.port) as client:
        client.send(ACME[:20])
        time.sleep(0.1)
        done: list[int] = []
        stopping = threading.Thread(target=lambda: done.append(edge.stop()))
        stopping.start()

        def is_shut() -> bool:
            try:
                socket.create_connection(("127.0.0.1", edge.port), 1).close()
            except OSError:
                return True
            return False

        wait_for(is_shut, "no new connections")
        client.send(ACME[20:])
        answer = client.read()
        assert (answer.status, answer.headers["connection"]) == (204, "close")
    stopping.join(WAIT_SECONDS)
    assert done == [0]
    assert "ended by itself" not in edge.log


def test_processes_do_not_outlive_a_killed_parent(edge: Edge) -> None:
    children = edge.children()
    edge.process.kill()
    edge.process.wait(5)
    wait_for(lambda: not [pid for pid in children if Path(f"/proc/{pid}").exists()], "the end of the processes")


def test_one_socket_that_was_handed_down(tmp_path: Path) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port = listening.getsockname()[1]
        edge = Edge(tmp_path, fd=listening.fileno())
        try:
            edge.wait_ready()
            assert [answer.status for answer in exchange(port, ACME)] == [204]
        finally:
            assert edge.stop() == 0


def test_an_edge_that_cannot_start_gives_up(tmp_path: Path) -> None:
    """Its port is another's, who does not share it."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        edge = Edge(tmp_path, CONTROLPLANE_EDGE_PORT=str(other.getsockname()[1]), CONTROLPLANE_EDGE_PROCESSES="1")
        assert edge.process.wait(60) == 1
        assert "The edge does not start" in edge.log


def test_without_a_judge_the_edge_is_not_ready_and_admits_nobody(tmp_path: Path) -> None:
    edge = Edge(tmp_path, "controlplane.edge", REDIS_URL="redis://127.0.0.1:9/0")
    try:
        wait_for(lambda: "All 2 processes serve" in edge.log or edge.process.poll() is not None, "serving")
        assert edge.operators("/readyz").status == 503
        assert [answer.status for answer in exchange(edge.port, get("/readyz") + ACME)] == [503, 503]
    finally:
        edge.stop()


def test_a_process_may_open_as_many_files_as_it_may_have_connections(tmp_path: Path) -> None:
    program = (
        "import resource; from controlplane.edge.serving import allow_connections; hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1];"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard)); allow_connections(500); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0]);"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 300)); allow_connections(500); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["564", "300"]
    assert "Only 300 files can be open" in done.stderr
