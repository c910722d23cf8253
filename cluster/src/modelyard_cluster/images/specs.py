"""The images of this project: what goes into each, and the tag that follows from it."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = "modelyard"
STAGES: dict[str, tuple[str, ...]] = {"python": (), "build-tools": ("hatchling", "uv")}
"""Images that the Python images are built from and with, and what each installs; they are never published."""


def stage_reference(name: str) -> str:
    """The name of a stage, as Containerfiles have it."""
    return f"localhost/{REPOSITORY}/{name}:bookworm"


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """One image: the packages of this repository that it holds, and the locks that it installs from."""

    name: str
    packages: tuple[str, ...]
    """Folders of the source packages, relative to the checkout."""
    requirements: tuple[str, ...] = ()
    """What to install, as requirements; the lock file says which versions."""
    bottom: tuple[str, ...] = ()
    """Requirements that get a layer of their own below the others, because they are huge."""
    lowest: str = ""
    """Those of them whose names begin so get the lowest layer: building a layer takes four times its size."""
    probe: tuple[str, ...]
    """A command that ends at once: it shows that the image runs."""

    def containerfile(self, checkout: Path) -> Path:
        """The recipe."""
        return checkout / "images" / self.name / "Containerfile"

    def missing(self, checkout: Path) -> list[str]:
        """Packages whose source is not in this checkout."""
        return [name for name in self.packages if not (checkout / name / "pyproject.toml").is_file()]

    def inputs(self, checkout: Path) -> list[Path]:
        """Every file that goes into the image, in a fixed order."""
        files = [self.containerfile(checkout)]
        if self.requirements:
            files += [checkout / "images" / name / "Containerfile" for name in STAGES]
            files.append(checkout / "requirements.lock")
        for package in self.packages:
            files += sorted(source_files(checkout / package))
        return files

    def tag(self, checkout: Path, extra: str = "") -> str:
        """A hash of everything that goes into the image: the same tag, the same image."""
        digest = hashlib.sha256(extra.encode())
        for file in self.inputs(checkout):
            digest.update(f"{file.relative_to(checkout)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return digest.hexdigest()[:16]


OPERATOR = ImageSpec(
    name="operator",
    packages=("algorithms", "operator"),
    requirements=("operator", "algorithms"),
    probe=("/opt/modelyard/bin/python", "-c", "import modelyard_operator"),
)
RUNTIME = ImageSpec(
    name="runtime",
    packages=("algorithms",),
    requirements=("algorithms[torch]",),
    bottom=("torch", "torchvision"),
    lowest="nvidia-",
    probe=("/opt/modelyard/bin/python", "-c", "import modelyard_algorithms"),
)
STORE = ImageSpec(name="store", packages=(), probe=("/usr/bin/versitygw", "--version"))

PYTHON_IMAGES = (OPERATOR, RUNTIME)
ALL_IMAGES = (*PYTHON_IMAGES, STORE)


def repositories(prefix: str) -> set[str]:
    """The names of all images below a registry, without a tag."""
    return {f"{prefix}/{REPOSITORY}/{spec.name}" for spec in ALL_IMAGES}


def source_files(package: Path) -> Iterator[Path]:
    """The files of a source package that are installed: no caches, no tests."""
    for name in ("pyproject.toml", "README.md"):
        if (package / name).is_file():
            yield package / name
    for file in (package / "src").rglob("*"):
        parts = file.relative_to(package).parts
        if file.is_file() and not any(part == "__pycache__" or part.endswith(".egg-info") for part in parts):
            yield file


def stage_packages(spec: ImageSpec, checkout: Path, target: Path) -> None:
    """Copy the source packages into a build context."""
    for package in spec.packages:
        for file in source_files(checkout / package):
            copy = target / package / file.relative_to(checkout / package)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            copy.chmod(0o644)
