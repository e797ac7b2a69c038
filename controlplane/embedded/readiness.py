"""One readiness question a part. Each gives an empty text when the part is ready, and otherwise what is missing, in words.

A process that runs, or a port that is open, is not enough: each question needs the answer that the part exists to give.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import redis
from celery import Celery
from kombu.exceptions import OperationalError

ANSWER_SECONDS = 2.0
WEB_PATH = "/readyz"
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Asks without a proxy, whatever the environment says: everything asked here is on this machine."""


def of_redis(url: str) -> str:
    """Redis is ready when it takes a write: while it loads or is read-only it answers PING all the same."""
    try:
        with redis.Redis.from_url(url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS) as client:
            client.set("controlplane:ready", "1", ex=5)
    except redis.RedisError as error:
        return f"it did not take a write ({error})"
    return ""


def of_standin(url: str) -> str:
    """The stand-in is ready when its state is loaded and it says that it enforces IAM: without that no refusal would mean anything."""
    status, body = _get(f"{url}/_ministack/ready")
    if status != 200:
        return f"{url}/_ministack/ready answered {status or body}"
    status, body = _get(f"{url}/_ministack/health")
    if status != 200 or json.loads(body).get("auth") != "enabled":
        return "it does not enforce IAM"
    return ""


def of_web(url: str, path: str) -> str:
    """The web server is ready when its own readiness page says so."""
    status, body = _get(url + path)
    return "" if status == 200 else f"{url}{path} answered {status or body}"


def of_worker(redis_url: str, node: str, log: Path) -> str:
    """A worker is ready when it answers a ping by its own name, and its clock (beat) has started."""
    try:
        with Celery(broker=redis_url, set_as_current=False) as asking:
            answers = asking.control.ping(timeout=0.5, destination=[node])
    except (OperationalError, redis.RedisError, OSError) as error:
        return f"the broker could not be asked ({error})"
    if not answers:
        return "it did not answer a ping"
    return "" if "beat: Starting" in log.read_text("utf-8", errors="replace") else "its clock has not started"


def _get(url: str) -> tuple[int, str]:
    try:
        with _DIRECT.open(url, timeout=ANSWER_SECONDS) as answer:
            return int(answer.status), answer.read(65536).decode("utf-8", errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code), ""
    except OSError as error:
        return 0, str(getattr(error, "reason", error))
