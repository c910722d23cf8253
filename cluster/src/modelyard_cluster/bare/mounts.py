"""Mounts that pods leave behind."""

import re
from pathlib import Path

from modelyard_cluster.command import run


def mounts_below(mountinfo: str, folders: list[Path]) -> list[str]:
    """Mount points at or below the folders, the innermost and newest first."""
    found = []
    for line in mountinfo.splitlines():
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), line.split()[4])
        if any(point == str(folder) or point.startswith(f"{folder}/") for folder in folders):
            found.append(point)
    return found[::-1]


def remaining(folders: list[Path]) -> list[str]:
    """Mount points that are there now."""
    return mounts_below(Path("/proc/self/mountinfo").read_text(), folders)


def unmount(folders: list[Path]) -> None:
    """Unmount everything at or below the folders; what is busy goes away with its last user."""
    for _ in range(5):
        points = remaining(folders)
        if not points:
            return
        for start in range(0, len(points), 100):
            run(["umount", "--lazy", *points[start : start + 100]], timeout=60, check=False)
