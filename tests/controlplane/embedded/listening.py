"""Who listens where, as the kernel tells it: no tool needed."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import struct
from collections.abc import Iterable
from pathlib import Path

LISTEN = "0A"


def addresses_of(pids: Iterable[int]) -> set[tuple[str, int]]:
    """The TCP addresses on which these processes listen, IPv4 and IPv6."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(FileNotFoundError):
                    inodes.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == LISTEN and f"socket:[{words[9]}]" in inodes:
                    host, _, port = words[1].partition(":")
                    found.add((_host(host), int(port, 16)))
    return found


def _host(text: str) -> str:
    """An address as /proc writes it: 32-bit words in the machine's byte order."""
    raw = bytes.fromhex(text)
    words = struct.unpack(f"={len(raw) // 4}I", raw)
    return str(ipaddress.ip_address(b"".join(struct.pack(">I", word) for word in words)))
