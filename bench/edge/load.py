"""The client: ``wrk`` with fifty connections on a core of its own, closed loop, and what it saw of one server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.edge.cast import Caller
from bench.edge.machine import cpu_seconds, on_core
from bench.edge.peers.peer import HEADER, Peer
from tests.services import LOOPBACK

CONNECTIONS = 50
UNLIKE = ' .. "\\r\\nX-Request-Id: request-" .. number .. "\\r\\n\\r\\n"'
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


@dataclass(frozen=True, slots=True)
class Seen:
    """One run. Latencies in milliseconds, CPU in microseconds a request. ``client`` is the part of its core that the client was
    busy, ``core`` that of the server's core which server and Redis had: on a busy machine neither can have all of it."""

    requests_per_second: float
    p50: float
    p99: float
    refused: float
    server_us: float
    redis_us: float
    client: float
    core: float


@dataclass(frozen=True, slots=True)
class Load:
    """Requests of these callers, picked in this order (over and over). ``is_refused`` says which answer is to be expected of nearly all.

    With ``is_unlike`` each request has an id of its own, so that none comes again. ``only`` names the one peer that is asked.
    """

    name: str
    title: str
    callers: Sequence[Caller]
    picks: Sequence[int] = (0,)
    is_refused: bool = False
    is_unlike: bool = False
    only: str = ""

    def write(self, script: Path, peer: Peer) -> None:
        """Write wrk's script: every request is text that is made before the load begins, so that picking one costs the client next to nothing."""
        head = f"GET {peer.path} HTTP/1.1\\r\\nHost: {LOOPBACK}\\r\\n{HEADER}: "
        end = "" if self.is_unlike else "\\r\\n\\r\\n"
        requests = ",\n".join(f'"{head}{peer.key_of(caller)}{end}"' for caller in self.callers)
        picks = ",".join(str(pick + 1) for pick in self.picks)
        script.write_text(
            f"local requests = {{{requests}}}\nlocal picks = {{{picks}}}\nlocal place = 0\n"
            f"local number = 0\nrequest = function()\n  place = place % {len(self.picks)} + 1\n"
            f"  number = number + 1\n  return requests[picks[place]]{UNLIKE if self.is_unlike else ''}\nend\n"
        )


def run(load: Load, peer: Peer, seconds: float, *, script: Path, core: int, redis: int) -> Seen:
    """Load a peer (and its Redis, by process id) and say what came of it. Raises RuntimeError when requests fail to be answered."""
    url = f"http://{LOOPBACK}:{peer.port.number}{peer.path}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "--latency"]
    if len(load.callers) == 1 and not load.is_unlike:  # a request that never changes is sent as it is: no script runs
        command += ["-H", f"{HEADER}: {peer.key_of(load.callers[0])}", url]
    else:
        command += ["-s", str(script), url]
    servers, redises = cpu_seconds(peer.pid), cpu_seconds(redis)
    with subprocess.Popen(on_core(core, command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    servers, redises = cpu_seconds(peer.pid) - servers, cpu_seconds(redis) - redises
    if process.returncode:
        raise RuntimeError(f"wrk failed: {text}")
    return read(text, servers, redises, usage.ru_utime + usage.ru_stime)


def read(text: str, server: float, redis: float, client: float) -> Seen:
    """Read wrk's report; the others are seconds of CPU."""
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m),", text)
    if total is None or int(total[1]) == 0:
        raise RuntimeError(f"nothing was answered: {text}")
    if (errors := re.search(r"Socket errors: (.*)", text)) and set(re.findall(r"\d+", errors[1])) != {"0"}:
        raise RuntimeError(f"not every request was answered: {errors[0]}")
    requests, seconds = int(total[1]), float(total[2]) * _UNITS[total[3]] / 1e3
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return Seen(
        requests_per_second=requests / seconds,
        p50=_quantile(text, 50),
        p99=_quantile(text, 99),
        refused=int(refused[1]) / requests if refused else 0.0,
        server_us=server / requests * 1e6,
        redis_us=redis / requests * 1e6,
        client=client / seconds,
        core=(server + redis) / seconds,
    )


def _quantile(text: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    if found is None:
        raise RuntimeError(f"wrk told no latencies: {text}")
    return float(found[1]) * _UNITS[found[2]]
