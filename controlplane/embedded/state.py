"""The one folder that the embedded stack keeps: lock, ports, secrets, logs, and the folders of its parts.

The folder is 0700 and every file 0600: it holds the keys of the stack. It belongs to one running stack at a time, held by an ``flock``
on ``lock`` that the keepers inherit, so that it is free only when the last of their parts has ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import socket
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from core.errors import DomainError

LOOPBACK = "127.0.0.1"
ENDING_SECONDS = 30.0


class StateFolderError(DomainError):
    """The state folder cannot be used as it is."""

    code = "state-folder"
    title = "The state folder cannot be used"


class StateInUseError(StateFolderError):
    """Another stack runs on this folder."""

    code = "state-in-use"
    title = "The state folder is in use"


class StateFolder:
    """Paths and small files below one folder. Opening it makes it; nothing else is written before :meth:`acquire`."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        if self.root.is_symlink() or (self.root.exists() and not self.root.is_dir()):
            raise StateFolderError(f"{self.root} is not a folder of its own.")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.root.stat()
        if found.st_uid != os.geteuid():
            raise StateFolderError(f"{self.root} belongs to another user (uid {found.st_uid}).")
        if stat.S_IMODE(found.st_mode) != 0o700:
            self.root.chmod(0o700)
        self.lock_fd = -1

    def folder(self, name: str) -> Path:
        """A subfolder, made when missing."""
        path = self.root / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, part: str) -> Path:
        """Where a part's output goes; the run before is kept beside it as ``<part>.log.1``."""
        return self.folder("logs") / f"{part}.log"

    def acquire(self, *, notice: Callable[[str], None] = lambda _text: None) -> None:
        """Take the folder, or raise StateInUseError with the process that has it.

        When that process is already dead, only its parts are still ending (the stand-in writes its state then): wait for them, at
        most ENDING_SECONDS.
        """
        fd = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        give_up_at = time.monotonic() + ENDING_SECONDS
        told = False
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = _read_pid(fd)
                if _is_alive(holder):
                    os.close(fd)
                    raise StateInUseError(
                        f"Another `manage.py up` (process {holder}) already runs on {self.root}. "
                        "Stop it first, or give this one another folder in CONTROLPLANE_STATE_DIR."
                    ) from None
                if time.monotonic() > give_up_at:
                    os.close(fd)
                    raise StateInUseError(
                        f"Parts of an earlier run on {self.root} have not ended within {ENDING_SECONDS:.0f} s."
                    ) from None
                if not told:
                    notice("The last run was killed; waiting for its parts to end")
                    told = True
                time.sleep(0.1)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self.lock_fd = fd

    def release(self) -> None:
        """Give the folder back; parts that still run keep it taken."""
        if self.lock_fd >= 0:
            with contextlib.suppress(OSError):
                os.ftruncate(self.lock_fd, 0)
            os.close(self.lock_fd)
            self.lock_fd = -1

    def read(self, name: str) -> dict[str, str]:
        """A small JSON file of strings; empty when it is missing."""
        try:
            return {str(key): str(value) for key, value in json.loads((self.root / name).read_text("utf-8")).items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError) as error:
            raise StateFolderError(f"{self.root / name} is damaged ({error}); remove it to have it made anew.") from error

    def write(self, name: str, content: Mapping[str, str]) -> None:
        """Replace a small JSON file, whole or not at all, mode 0600."""
        self.write_text(name, json.dumps(dict(content), indent=1, sort_keys=True))

    def write_text(self, name: str, content: str) -> Path:
        """Replace a small file, whole or not at all, mode 0600; gives its path."""
        target = self.root / name
        fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return fresh.replace(target)

    def remove(self, name: str) -> None:
        """Remove a small file; missing is fine."""
        (self.root / name).unlink(missing_ok=True)

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """Each name's secret: 384 bits from the system's CSPRNG, made once and kept."""
        known = self.read("secrets.json")
        missing = [name for name in names if name not in known]
        if missing:
            known.update({name: secrets.token_urlsafe(48) for name in missing})
            self.write("secrets.json", known)
        return known

    def ports(self, names: Iterable[str]) -> dict[str, int]:
        """A free loopback port for each name: last run's where it is still free, so that addresses stay the same."""
        wanted = tuple(names)
        known = {name: int(port) for name, port in self.read("ports.json").items()}
        chosen: dict[str, int] = {}
        for name in wanted:
            port = known.get(name, 0)
            if port in chosen.values() or not is_port_free(port):
                port = _free_port(taken={*chosen.values(), *known.values()})
            chosen[name] = port
        self.write("ports.json", {name: str(port) for name, port in {**known, **chosen}.items()})
        return chosen


def is_port_free(port: int) -> bool:
    """Say whether a server could listen on this loopback port now. Without SO_REUSEADDR a port in TIME_WAIT would look taken."""
    if not 0 < port < 65536:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _free_port(*, taken: set[int]) -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port


def _read_pid(fd: int) -> int:
    try:
        return int(os.pread(fd, 32, 0).strip() or b"0")
    except ValueError:
        return 0


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
