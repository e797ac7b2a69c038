"""Keeps the AWS stand-in's state (ministack 1.5.33) so that it outlives its process; ``standin_server`` runs it with this.

ministack alone writes its state only when it ends in good order. Here it is also written while it runs, soon after something changed,
so that a machine that dies costs at most ``SAVE_EVERY_SECONDS`` of it. The file ``complete`` in the state folder exists exactly while
what is on disk is all there is; a start that does not find it knows that something may be missing (``was_complete``).

Loopback only: the listeners that ministack opens beside its gateway (SFTP, MQTT) are off, because they would bind every interface.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Any

SAVE_AFTER_SECONDS = 1.0
SAVE_EVERY_SECONDS = 5.0
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
COMPLETE = "complete"


def environment(folder: Path, port: int) -> dict[str, str]:
    """What the stand-in's process sees: nothing of ours, above all no key of the control plane, since its Lambda workers inherit it."""
    for name in ("state", "s3", "tmp"):
        (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(folder / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "SFTP_ENABLED": "0",
        "SFTP_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
        "LOG_LEVEL": "WARNING",
    }


def was_complete(folder: Path) -> bool:
    """Say whether the state on disk is all that the last run had. Ask before the start: the run removes the mark at its first change."""
    return (folder / "state" / COMPLETE).exists()


class Saver:
    """Wraps ministack's ASGI application, notices what may have changed, and has the state written."""

    def __init__(self, application: Any, mark: Path, save: Any) -> None:
        self.application = application
        self.mark = mark
        self.save = save
        self.changing = 0
        self.changed_at = 0.0
        self.saved_at = time.monotonic()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass the request on; anything but a safe method may change something, at any time until it is answered."""
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await self.application(scope, receive, send)
            if scope["type"] == "lifespan":
                self.mark.touch(mode=0o600)  # ministack has saved everything and ended in good order
            return
        self.changing += 1
        self.mark.unlink(missing_ok=True)
        try:
            await self.application(scope, receive, send)
        finally:
            self.changing -= 1
            self.changed_at = time.monotonic()

    async def run(self) -> None:
        """Write the state when nothing has changed for a second, or every five seconds under load."""
        while True:
            await asyncio.sleep(SAVE_AFTER_SECONDS / 2)
            now = time.monotonic()
            if self.changed_at and (now - self.changed_at >= SAVE_AFTER_SECONDS or now - self.saved_at >= SAVE_EVERY_SECONDS):
                self.changed_at = 0.0
                self.save()
                self.saved_at = time.monotonic()
                if not self.changing:
                    self.mark.touch(mode=0o600)
