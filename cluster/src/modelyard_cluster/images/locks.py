"""The part of requirements.lock that one image needs."""

import os
import re
import tempfile
from pathlib import Path

from modelyard_cluster.command import run
from modelyard_cluster.errors import ClusterError

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==")


def entries(lock: str) -> dict[str, str]:
    """The lock file's entries by normalised name, each with its hashes."""
    found: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        start = _PINNED.match(line)
        if start:
            name = normalise(start[1])
            found[name] = found.get(name, "") + line
        elif name and line.startswith((" ", "\t")):
            found[name] += line
        else:
            name = ""
    return found


def normalise(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def part(lock: str, names: set[str]) -> str:
    """The entries of some packages, in the lock file's order."""
    known = entries(lock)
    unknown = names - known.keys()
    if unknown:
        raise ClusterError(
            f"requirements.lock has no entry for {', '.join(sorted(unknown))}; run `make lock` and try again."
        )
    return "".join(text for name, text in known.items() if name in names)


def resolve_command(uv: Path, requirements: Path, constraints: Path, python: str) -> list[str | Path]:
    """Lists which of the locked packages some requirements need."""
    return [
        *(uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--universal"),
        *("--python-version", python, "--constraint", constraints, requirements),
    ]


def resolve(uv: Path, cache: Path, checkout: Path, requirements: list[str], python: str = "3.11") -> set[str]:
    """The names of all packages that some requirements need, ours left out."""
    lock = checkout / "requirements.lock"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.in"
        file.write_text("".join(f"{requirement_line(line, checkout)}\n" for line in requirements))
        env = {**os.environ, "UV_CACHE_DIR": str(cache)}
        text = run(resolve_command(uv, file, lock, python), timeout=600, env=env, cwd=Path(folder)).stdout
    return {normalise(start[1]) for line in text.splitlines() if (start := _PINNED.match(line))}


def requirement_line(requirement: str, checkout: Path) -> str:
    """A folder of the checkout is named by its path, as `algorithms[torch]`; everything else stays."""
    folder, bracket, extras = requirement.partition("[")
    project = checkout / folder / "pyproject.toml"
    if not project.is_file():
        return requirement
    return f"modelyard-{folder}{bracket}{extras} @ {(checkout / folder).as_uri()}"
