"""kubectl and helm for clusters that bring nothing themselves: the user's own, or built from source."""

import os
import shutil
from pathlib import Path

from modelyard_cluster import golang
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.tools import Tool


def on_path(name: str, paths: Paths) -> Path | None:
    """A program of the user's, not counting our own links to what we built."""
    folders = [
        folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != str(paths.bin)
    ]
    found = shutil.which(name, path=os.pathsep.join(folders))
    return Path(found) if found else None


def ensure(wanted: list[Tool], paths: Paths, progress: Progress) -> None:
    """Link each tool's program into the cache's bin folder: the user's if there is one, else built here."""
    go_folder: Path | None = None
    for tool in wanted:
        name = tool.programs[0]
        with progress.step(tool.title) as step:
            found = on_path(name, paths)
            if found:
                step.skip(f"uses {found}")
            else:
                go_folder = go_folder or golang.ensure_go(paths, step)
                golang.build_tool(tool, paths, go_folder, step)
                found = golang.program(tool, paths)
            golang.link_clients(paths, {name: found})


def build(tool: Tool, paths: Paths, progress: Progress) -> None:
    """Build a tool whose program goes into an image."""
    with progress.step(f"Building {tool.title}") as step:
        if golang.is_built(tool, paths):
            step.skip("built before")
            return
        golang.build_tool(tool, paths, golang.ensure_go(paths, step), step)
        step.outcome = f"done in {step.seconds:.1f} s"
