"""From sources to images that a cluster can pull: only what has changed is built and sent."""

import json
import shutil
import tempfile
from pathlib import Path

from modelyard_cluster import golang, tools
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.images import locks, specs
from modelyard_cluster.images.specs import ImageSpec
from modelyard_cluster.images.targets import Target
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress, Step

STEPS = 2 + len(specs.ALL_IMAGES)


class ImagePipeline:
    """Builds the images of one checkout for one target."""

    def __init__(self, paths: Paths, target: Target, progress: Progress) -> None:
        self._paths = paths
        self._target = target
        self._progress = progress
        self.names: dict[str, str] = {}
        """The full name of each image that is built, or was before."""
        self._to_publish: list[str] = []

    def build_python_images(self) -> None:
        """Build the operator's and the runtime's image; nothing of the cluster is needed yet."""
        with self._progress.step("Base image") as step:
            if all(self._is_published(spec) for spec in specs.PYTHON_IMAGES):
                step.skip("not needed, no image has changed")
            else:
                self._target.prepare(step)
                for name in specs.STAGES:
                    self._build_stage(name, step)
                step.outcome = f"done in {step.seconds:.1f} s"
        for spec in specs.PYTHON_IMAGES:
            with self._progress.step(f"Image {spec.name}") as step:
                if self._build(spec, step):
                    self._to_publish.append(spec.name)

    def publish(self) -> None:
        """Bring the Python images to where the cluster pulls them from; the registry must be up."""
        with self._progress.step("Publishing images") as step:
            for name in self._to_publish:
                step.say(f"pushing {name}")
                self._target.publish(self.names[name])
            if not self._to_publish:
                step.skip("nothing has changed")

    def finish(self) -> dict[str, str]:
        """Build and publish what needs the cluster's programs, and write the names of all images down."""
        with self._progress.step(f"Image {specs.STORE.name}") as step:
            if self._build(specs.STORE, step):
                self._target.publish(self.names[specs.STORE.name])
        names = dict(sorted(self.names.items()))
        self._paths.images_json.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._paths.images_json.with_suffix(".new")
        fresh.write_text(json.dumps(names, indent=2) + "\n")
        fresh.replace(self._paths.images_json)
        return names

    def _is_published(self, spec: ImageSpec) -> bool:
        return not spec.missing(self._paths.checkout) and self._target.has(spec.name, self._tag(spec))

    def _tag(self, spec: ImageSpec) -> str:
        extra = tools.VERSITYGW.key(self._paths.tool_modules) if spec is specs.STORE else ""
        return spec.tag(self._paths.checkout, extra)

    def _build(self, spec: ImageSpec, step: Step) -> bool:
        """Build an image unless it is published already; whether it was built."""
        missing = spec.missing(self._paths.checkout)
        if missing:
            step.skip(f"left out: this checkout has no {' and no '.join(missing)}")
            return False
        tag = self._tag(spec)
        reference = self._target.reference(spec.name, tag)
        self.names[spec.name] = reference
        if self._target.has(spec.name, tag):
            step.skip("unchanged")
            return False
        with tempfile.TemporaryDirectory(dir=self._build_tmp(), prefix=f"context-{spec.name}-") as folder:
            context = Path(folder)
            self._stage(spec, context)
            self._target.build(reference, spec.containerfile(self._paths.checkout), context, step)
        return True

    def _build_stage(self, name: str, step: Step) -> None:
        step.say(f"image {name}")
        with tempfile.TemporaryDirectory(dir=self._build_tmp(), prefix=f"context-{name}-") as folder:
            context = Path(folder)
            if specs.STAGES[name]:
                (context / f"{name}.lock").write_text(self._locked(self._needed(specs.STAGES[name])))
            containerfile = self._paths.checkout / "images" / name / "Containerfile"
            self._target.build(specs.stage_reference(name), containerfile, context, step)

    def _build_tmp(self) -> Path:
        self._paths.build_tmp.mkdir(parents=True, exist_ok=True)
        return self._paths.build_tmp

    def _stage(self, spec: ImageSpec, context: Path) -> None:
        """Lay out what the Containerfile copies."""
        checkout = self._paths.checkout
        if spec is specs.STORE:
            binary = golang.program(tools.VERSITYGW, self._paths)
            if not binary.is_file():
                raise ClusterError("VersityGW is not built yet; run `make cluster` first.")
            shutil.copy(binary, context / "versitygw")
            return
        specs.stage_packages(spec, checkout, context / "packages")
        needed = self._needed(spec.requirements)
        if spec.bottom:
            bottom = self._needed(spec.bottom)
            lowest = {name for name in bottom if name.startswith(spec.lowest)}
            (context / "cuda.lock").write_text(self._locked(lowest))
            (context / "torch.lock").write_text(self._locked(bottom - lowest))
            needed = needed - bottom
        (context / "dependencies.lock").write_text(self._locked(needed))

    def _needed(self, requirements: tuple[str, ...]) -> set[str]:
        paths = self._paths
        return locks.resolve(paths.uv, paths.uv_cache, paths.checkout, list(requirements))

    def _locked(self, names: set[str]) -> str:
        return locks.part((self._paths.checkout / "requirements.lock").read_text(), names)
