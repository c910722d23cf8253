"""Addresses on which the processes of a group listen, by the kernel's tables."""

from __future__ import annotations

import os
import socket
from pathlib import Path

LISTEN = "0A"


def listening(group: int) -> set[str]:
    """Addresses (without ports) of all TCP sockets on which a process of the group listens."""
    own = {inode for process in _processes(group) for inode in _sockets(process)}
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and fields[9] in own:
                found.add(_address(fields[1].split(":")[0], family))
    return found


def _processes(group: int) -> list[Path]:
    return [path for path in Path("/proc").glob("[0-9]*") if _group(path) == group]


def _group(process: Path) -> int | None:
    try:
        return os.getpgid(int(process.name))
    except ProcessLookupError:
        return None


def _sockets(process: Path) -> set[str]:
    found = set()
    try:
        for descriptor in (process / "fd").iterdir():
            target = str(descriptor.readlink())
            if target.startswith("socket:["):
                found.add(target[len("socket:[") : -1])
    except OSError:
        pass
    return found


def _address(text: str, family: socket.AddressFamily) -> str:
    """The kernel prints addresses in words of four bytes, each in the machine's order."""
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(words))
