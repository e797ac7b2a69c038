"""What could make the edge's bench give a wrong number without anybody noticing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.edge import machine
from bench.edge.beside import goals
from bench.edge.cast import make_cast, zipf
from bench.edge.load import Load, Seen, read
from bench.edge.neighbours import Heard, _between
from bench.edge.peers.all import DRF, LUA, OURS, PEERS
from tenants.keys.tokens import parse_token

REPORT = """Running 3s test @ http://127.0.0.1:8100/v1/nginx
  1 threads and 50 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms    2.00ms  30.00ms   95.00%
    Req/Sec    50.00k     1.00k   60.00k    70.00%
  Latency Distribution
     50%  350.00us
     75%    0.90ms
     90%    1.10ms
     99%    1.20s
  150000 requests in 3.00s, 20.00MB read
{more}Requests/sec:  50000.00
Transfer/sec:      6.67MB
"""


def seen(rate: float, server_us: float = 10, redis_us: float = 0) -> Seen:
    return Seen(rate, 1, 2, 0, server_us, redis_us, 0.5, 1)


class TestReading:
    def test_units_and_what_one_request_costs(self) -> None:
        found = read(REPORT.format(more=""), server=1.5, redis=0.3, client=2.7)
        assert (found.requests_per_second, found.p50, found.p99, found.refused) == (50_000, pytest.approx(0.35), 1_200, 0)
        assert found.server_us == pytest.approx(10)
        assert found.redis_us == pytest.approx(2)
        assert (found.client, found.core) == (pytest.approx(0.9), pytest.approx(0.6))

    @pytest.mark.parametrize(("told", "milliseconds"), [("750.00us", 0.75), ("1.20ms", 1.2), ("1.20s", 1_200), ("1.00m", 60_000)])
    def test_each_unit_of_the_client(self, told: str, milliseconds: float) -> None:
        assert read(REPORT.format(more="").replace("1.20s", told), 1, 0, 1).p99 == pytest.approx(milliseconds)

    def test_refusals_are_counted(self) -> None:
        assert read(REPORT.format(more="  Non-2xx or 3xx responses: 15000\n"), 1, 0, 1).refused == 0.1

    def test_a_server_that_hangs_up_is_not_measured(self) -> None:
        with pytest.raises(RuntimeError, match="not every request was answered"):
            read(REPORT.format(more="  Socket errors: connect 0, read 7, write 0, timeout 0\n"), 1, 0, 1)

    def test_nothing_answered_is_not_a_speed(self) -> None:
        with pytest.raises(RuntimeError, match="nothing was answered"):
            read(REPORT.format(more="").replace("150000 requests", "0 requests"), 1, 0, 1)


class TestCallers:
    def test_zipf_asks_for_the_first_twice_as_often_as_for_the_second(self) -> None:
        counts = Counter(zipf(1_000, picks=100_000))
        assert counts[0] / counts[1] == pytest.approx(2, rel=0.1)
        assert set(counts) <= set(range(1_000))
        assert zipf(10) == zipf(10)

    def test_keys_are_of_our_shape_and_their_dotted_form_differs_for_each(self) -> None:
        cast = make_cast()
        assert all(parse_token(caller.text) for caller in cast.everybody)
        assert len({caller.dotted.partition(".")[0] for caller in cast.everybody}) == len(cast.everybody)

    def test_the_script_sends_each_key_as_the_peer_knows_it(self, tmp_path: Path) -> None:
        cast = make_cast()
        peer = SimpleNamespace(path="/throttled", key_of=lambda caller: caller.dotted)
        Load("zipf", "", cast.many[:3], picks=[0, 2]).write(tmp_path / "wrk.lua", peer)
        text = (tmp_path / "wrk.lua").read_text()
        assert all(f"X-Api-Key: {caller.dotted}\\r\\n" in text for caller in cast.many[:3])
        assert "local picks = {1,3}" in text
        assert "place % 2 + 1" in text


def test_goals_are_ratios_to_ours_by_throughput_and_by_cpu() -> None:
    runs = {
        ("busy", OURS): [seen(100_000, 8, 2), seen(90_000, 8, 2), seen(10, 8, 2)],
        ("busy", DRF): [seen(750, 900, 100)],
        ("busy", LUA): [seen(15_000, 30, 20)],
    }
    found = {goal.what: round(goal.measured, 3) for goal in goals(runs)}
    assert found == {
        "DRF + API key + throttle, times 100: requests/s, over ours": 0.833,
        "DRF + API key + throttle, times 100: requests a second of CPU, over ours": 1.0,
        "nginx + Lua + Redis, times 5: requests/s, over ours": 0.833,
        "nginx + Lua + Redis, times 5: requests a second of CPU, over ours": 1.0,
    }


def test_without_ours_there_are_no_goals() -> None:
    assert list(goals({("busy", DRF): [seen(750)]})) == []


def test_a_refusal_counts_also_outside_of_the_time_that_is_measured() -> None:
    heard = _between(Heard([0.1, 1.0, 2.0, 9.0], [90.0, 1.0, 2.0, 90.0], refused=1, flood=5.0), 0.5, 5.0)
    assert (heard.due, heard.latencies, heard.refused) == ([1.0, 2.0], [1.0, 2.0], 1)


def test_cpu_of_children_is_counted() -> None:
    busy = "import subprocess,sys,time\nsubprocess.Popen([sys.executable,'-c','while True: pass']).wait()"
    with subprocess.Popen([sys.executable, "-c", busy], start_new_session=True) as parent:
        try:
            give_up_at = time.monotonic() + 20
            while len(machine.family(parent.pid)) < 2 or machine.cpu_seconds(parent.pid) < 0.2:
                assert time.monotonic() < give_up_at
                time.sleep(0.02)  # a real process is watched
        finally:
            os.killpg(parent.pid, signal.SIGKILL)  # whether the family was found or not


@pytest.mark.parametrize("name", PEERS)
def test_every_peer_says_whether_it_can_be_had(name: str) -> None:
    assert isinstance(PEERS[name].why_not(), str)
