"""The driver `existing`: a cluster of the user's, and a registry that it can pull from."""

import os
from pathlib import Path

from modelyard_cluster import clients, golang, tools
from modelyard_cluster.command import output, run
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.images import pipeline
from modelyard_cluster.images.docker import DockerTarget
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import Settings

_STEPS = 4


def view_command(kubectl: Path, settings: Settings) -> list[str | Path]:
    """Prints one context of the user's kubeconfig, with everything that it needs."""
    chosen = [f"--context={settings.context}"] if settings.context else []
    return [kubectl, "config", "view", "--minify", "--flatten", "--raw", *chosen]


def check_registry(settings: Settings) -> str:
    """The registry to push to, without a trailing slash; refuses if none is named."""
    registry = settings.registry.removeprefix("https://").strip("/")
    if not registry:
        raise ClusterError(
            "CLUSTER=existing needs a registry that you can push to and the cluster can pull from: "
            "make cluster CLUSTER=existing REGISTRY=<host>/<path>"
        )
    if registry.startswith("http://") or any(character.isspace() for character in registry):
        raise ClusterError(f"REGISTRY must look like <host>/<path>, not {settings.registry!r}.")
    return registry


def user_environment(environment: dict[str, str], paths: Paths) -> dict[str, str]:
    """The environment with the user's own kubeconfig, which the Makefile has put aside for ours."""
    passed = {name: value for name, value in environment.items() if name != "KUBECONFIG"}
    theirs = environment.get("MODELYARD_USER_KUBECONFIG") or environment.get("KUBECONFIG", "")
    if theirs and theirs != str(paths.kubeconfig):
        passed["KUBECONFIG"] = theirs
    return passed


class ExistingDriver:
    """Changes nothing about the cluster itself, neither up nor down."""

    name = "existing"

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths

    def steps(self, *, images: bool) -> int:
        """How many steps `up` has."""
        return _STEPS + (self.image_steps() if images else 0)

    def image_steps(self) -> int:
        """How many steps `images` has."""
        return pipeline.STEPS + 1

    def up(self, progress: Progress, *, images: bool) -> None:
        """Copy the context into our own kubeconfig, and push the images."""
        if images:
            check_registry(self._settings)
            _check_docker()
        clients.ensure([tools.KUBECTL, tools.HELM], self._paths, progress)
        with progress.step("Kubeconfig") as step:
            self._copy_kubeconfig()
            problem = self.problem()
            if problem:
                self._paths.kubeconfig.unlink(missing_ok=True)
                raise ClusterError(f"The cluster cannot be used: {problem}.")
            self._paths.driver.write_text(f"{self.name}\n")
            step.outcome = f"copied to {self._paths.kubeconfig}"
        clients.build(tools.VERSITYGW, self._paths, progress)
        golang.forget_sources(self._paths)
        if images:
            self.images(progress)

    def images(self, progress: Progress) -> None:
        """Build and push the images that changed."""
        target = DockerTarget(self._paths, check_registry(self._settings), local=False)
        _check_docker()
        images = pipeline.ImagePipeline(self._paths, target, progress)
        images.build_python_images()
        images.publish()
        names = images.finish()
        with progress.step("Old images") as step:
            step.outcome = f"{target.prune(set(names.values()))} removed from Docker"

    def down(self, progress: Progress) -> None:
        """Forget the cluster; what runs on it stays."""
        with progress.step("Forgetting the cluster") as step:
            self._paths.kubeconfig.unlink(missing_ok=True)
            self._paths.driver.unlink(missing_ok=True)
            step.outcome = (
                "done; the cluster itself was not touched (`helm uninstall` removes Modelyard from it)"
            )

    def purge(self) -> None:
        """Nothing: `down` keeps nothing outside our folders."""

    def problem(self) -> str:
        """What is wrong with the cluster; empty if nothing is."""
        if not self._paths.kubeconfig.exists():
            return "the kubeconfig was not copied"
        command: list[str | Path] = [
            self._kubectl(),
            f"--kubeconfig={self._paths.kubeconfig}",
            "--request-timeout=15s",
        ]
        return (
            ""
            if output([*command, "version", "--output=json"], timeout=30)
            else "the API server does not answer"
        )

    def _kubectl(self) -> Path:
        link = self._paths.bin / "kubectl"
        return link if link.exists() else Path("kubectl")

    def _copy_kubeconfig(self) -> None:
        env = user_environment(dict(os.environ), self._paths)
        text = run(view_command(self._kubectl(), self._settings), env=env, timeout=30).stdout
        if "server:" not in text:
            raise ClusterError(
                "Your kubeconfig has no current context. Name one with CONTEXT=<name>, or set KUBECONFIG."
            )
        self._paths.state.mkdir(parents=True, exist_ok=True)
        fresh = self._paths.kubeconfig.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text)
        fresh.replace(self._paths.kubeconfig)


def _check_docker() -> None:
    if not output(["docker", "version", "--format", "{{.Server.Version}}"], timeout=15).strip():
        raise ClusterError("Building images for CLUSTER=existing needs a Docker daemon, and none answers.")
