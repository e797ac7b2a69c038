"""The process of the AWS stand-in: ``python -m controlplane.embedded.standin_server``, with the environment of ``standin.environment``.

A module of its own because importing ministack costs memory and reads the environment, which only this process may do.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from hypercorn.asyncio import serve as serve_hypercorn
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import persistence

from controlplane.embedded.standin import COMPLETE, Saver


def save() -> None:
    """Write the state of every service as ministack does at its end; there is no public call for it (ministack is pinned)."""
    persistence.save_all(ministack._build_persistence_save_dict())


async def serve() -> None:
    """Serve until SIGTERM or SIGINT."""
    saver = Saver(ministack.app, Path(os.environ["STATE_DIR"]) / COMPLETE, save)
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ["LOG_LEVEL"]
    saving = asyncio.create_task(saver.run())
    try:
        await serve_hypercorn(saver, config)
    finally:
        saving.cancel()


if __name__ == "__main__":
    asyncio.run(serve())
