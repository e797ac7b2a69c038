"""What a Python team would take: Django with djangorestframework-api-key and a throttle, under gunicorn, counters in Redis, keys in SQLite."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from bench.edge.cast import Caller
from bench.edge.peers.peer import ROOT, Peer
from tests.services import LOOPBACK

THREADS = 4


class Framework(Peer):
    """One gunicorn worker with threads, which keeps connections alive; its default worker does not."""

    needs_packages = ("gunicorn", "rest_framework_api_key", "django_ratelimit")

    def key_of(self, caller: Caller) -> str:
        return caller.dotted

    def prepare(self) -> list[str]:
        rows = [
            (caller.tenant_id, caller.dotted, caller.limits.rate_per_second, caller.limits.quota_per_day)
            for caller in self.cast.everybody
        ]
        self.environment = {
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "bench.edge.framework.settings",
            "BENCH_DATABASE": str(self.folder / "keys.sqlite3"),
            "BENCH_REDIS": f"unix://{self.store.socket}?db=1",
        }
        fill = [sys.executable, "-m", "bench.edge.framework.fill", str(self.write("rows.json", json.dumps(rows)))]
        subprocess.run(fill, env={**os.environ, **self.environment}, check=True, timeout=120)
        options = ["--workers", "1", "--worker-class", "gthread", "--threads", str(THREADS), "--keep-alive", "60"]
        place = ["--bind", f"{LOOPBACK}:{self.port.number}", "--chdir", str(self.folder), "--config", "/dev/null"]
        return [sys.executable, "-m", "gunicorn", *options, *place, "--log-level", "error", "bench.edge.framework.wsgi"]


class Throttled(Framework):
    path = "/throttled"
    does = "no daily quota: its throttle keeps the times of all requests of the period"


class Ratelimited(Framework):
    path = "/ratelimited"
    does = "fixed windows"
