"""A Secret's folder as the kubelet writes it into a pod: the keys are links through ``..data``."""

from __future__ import annotations

import shutil
from pathlib import Path

FILES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class MountedSecret:
    """Both keys change at once: a new folder is written, ``..data`` is swapped, the old folder goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).symlink_to(Path("..data") / name)

    def write(self, access: str, secret: str) -> None:
        """Mount these keys in place of those before."""
        self._count += 1
        link = self.folder / "..data"
        before = link.readlink() if link.is_symlink() else None
        payload = self.folder / f"..version-{self._count}"
        payload.mkdir()
        for name, text in zip(FILES, (access, secret), strict=True):
            (payload / name).write_text(text)
        swap = self.folder / "..data_tmp"
        swap.symlink_to(payload.name)
        swap.rename(link)
        if before is not None:
            shutil.rmtree(self.folder / before)

    def remove(self) -> None:
        """Both keys are gone."""
        link = self.folder / "..data"
        before = link.readlink()
        link.unlink()
        shutil.rmtree(self.folder / before)
