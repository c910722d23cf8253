"""The programs that the bare cluster needs, and how each is built from its Go module."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from modelyard_cluster.settings import KUBERNETES_VERSION

_KUBERNETES_LABEL = "k8s.io/component-base/version"
_GCFLAGS = "all=-dwarf=false"
"""The linker drops debug information (-w), so the compiler need not make it: a tenth of the build's time."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One Go module below cluster/tools and the programs that come out of it."""

    name: str
    title: str
    programs: tuple[str, ...]
    package: str = "tool"
    """What is built: the module's `tool` lines, or `.` for a main package of our own."""
    ldflags: str = "-s -w"
    folder: str = ""
    """The module's folder below cluster/tools, if it is not the name."""

    def module(self, modules: Path) -> Path:
        """The folder of the module."""
        return modules / (self.folder or self.name)

    def key(self, modules: Path) -> str:
        """Names one content of the module: the same key, the same programs."""
        digest = hashlib.sha256(f"{self.package} {self.ldflags} {_GCFLAGS}".encode())
        folder = self.module(modules)
        for file in sorted([*folder.glob("go.*"), *folder.glob("*.go")]):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return f"{self.name}-{digest.hexdigest()[:12]}"

    def list_command(self) -> list[str]:
        """Lists every package that the build compiles."""
        return ["go", "list", "-deps", self.package]

    def build_command(self, target: Path) -> list[str]:
        """Builds the programs into the folder `target`, a line for each package compiled."""
        return [
            *("go", "build", "-v", "-trimpath", "-buildvcs=false"),
            *("-gcflags", _GCFLAGS, "-ldflags", self.ldflags, "-o", f"{target}/", self.package),
        ]


def _kubernetes_ldflags() -> str:
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    values = {"gitVersion": KUBERNETES_VERSION, "gitMajor": major, "gitMinor": minor}
    return " ".join(["-s -w", *(f"-X {_KUBERNETES_LABEL}.{key}={value}" for key, value in values.items())])


def _helm_ldflags() -> str:
    # As Helm's own build does: without them `helm template` and `helm lint` take the cluster for 1.20.
    major, minor, _ = KUBERNETES_VERSION.removeprefix("v").split(".")
    packages = ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules")
    values = {"k8sVersionMajor": major, "k8sVersionMinor": minor}
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in values.items()]
    return " ".join(["-s -w", *flags])


REGISTRY = Tool(name="registry", title="image registry", programs=("registry",), package=".")
KUBERNETES = Tool(
    name="kubernetes",
    title=f"Kubernetes {KUBERNETES_VERSION}",
    programs=(
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubeadm",
        "kubectl",
        "kubelet",
    ),
    ldflags=_kubernetes_ldflags(),
)
ETCD = Tool(name="etcd", title="etcd", programs=("server",))
COREDNS = Tool(name="coredns", title="CoreDNS", programs=("coredns",), package=".")
PAUSE = Tool(name="pause", title="pause", programs=("pause",), package=".")
PROVISIONER = Tool(name="provisioner", title="volume provisioner", programs=("provisioner",), package=".")
HELM = Tool(name="helm", title="Helm", programs=("helm",), ldflags=_helm_ldflags())
KUBECTL = Tool(
    name="kubectl",
    title="kubectl",
    programs=("kubectl",),
    package="k8s.io/kubernetes/cmd/kubectl",
    ldflags=_kubernetes_ldflags(),
    folder="kubernetes",
)
"""Only the client, for clusters that bring the rest themselves."""
KIND = Tool(name="kind", title="kind", programs=("kind",))
VERSITYGW = Tool(name="versitygw", title="VersityGW", programs=("versitygw",), package=".")
KWOK = Tool(name="kwok", title="kwok", programs=("kwok",))
"""Simulated nodes, for measurements only."""

BARE_TOOLS = (REGISTRY, KUBERNETES, ETCD, COREDNS, PAUSE, PROVISIONER)
"""What the bare cluster cannot start without, in the order in which it is needed."""
CLIENT_TOOLS = (VERSITYGW, HELM)
"""What the images and the chart need; built while the cluster starts."""
ALL_TOOLS = (*BARE_TOOLS, *CLIENT_TOOLS)
"""Everything that the bare cluster needs."""
KNOWN_TOOLS = (*ALL_TOOLS, KUBECTL, KIND, KWOK)
"""Everything that is built here for any purpose."""
