"""The driver `bare`: up, down and status of the cluster without Docker."""

import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from modelyard_cluster import apt, cgroups, golang, registry, tools
from modelyard_cluster.bare import names, network, preflight, teardown
from modelyard_cluster.bare.node import Node
from modelyard_cluster.command import end_children, output
from modelyard_cluster.daemons import Daemons
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.images import pipeline, prefetch, prune, specs
from modelyard_cluster.images.targets import LocalRegistry
from modelyard_cluster.paths import Paths
from modelyard_cluster.progress import Progress, Step
from modelyard_cluster.settings import Settings

_STEPS = 5 + len(tools.ALL_TOOLS)


class BareDriver:
    """A cluster on this machine, from packages and Go modules alone."""

    name = "bare"

    def __init__(self, settings: Settings, paths: Paths) -> None:
        self._settings = settings
        self._paths = paths
        self._daemons = Daemons(paths.pids, paths.logs)
        self._target = LocalRegistry(settings, paths)

    def steps(self, *, images: bool) -> int:
        """How many steps `up` has."""
        return _STEPS + (self.image_steps() if images else 0)

    def image_steps(self) -> int:
        """How many steps `images` has."""
        return pipeline.STEPS + 2

    def up(self, progress: Progress, *, images: bool) -> None:
        """Bring the cluster up, or leave it alone if it works; build images meanwhile."""
        preflight.check_machine(
            self._paths,
            tools_built=all(golang.is_built(tool, self._paths) for tool in tools.ALL_TOOLS),
            images_built=registry.has_data(
                self._paths.registry_data, f"{specs.REPOSITORY}/{specs.RUNTIME.name}"
            ),
        )
        preflight.check_ports(self._settings, self._daemons, names.KUBELET, ours=bool(cgroups.members()))
        self._paths.driver.parent.mkdir(parents=True, exist_ok=True)
        self._paths.driver.write_text(f"{self.name}\n")
        with progress.step("Debian packages") as step:
            apt.ensure_packages(self._paths, step)
        network.check_ranges(self._settings)
        with progress.step("Go toolchain") as step:
            go_folder = golang.ensure_go(self._paths, step)
        image_lane = pipeline.ImagePipeline(self._paths, self._target, progress)
        with ThreadPoolExecutor(max_workers=2) as lanes:
            lane = _GoLane(lanes, go_folder, self._paths, progress)
            registry_up: Future[None] = Future()
            published: Future[None] | None = None
            if images:
                published = lanes.submit(_build_and_publish, image_lane, registry_up)
            try:
                lane.wait(tools.REGISTRY)
                with progress.step("Image registry") as step:
                    self._ensure_registry()
                    step.outcome = f"answers on {self._settings.registry_host}"
                registry_up.set_result(None)
                for tool in tools.BARE_TOOLS:
                    lane.wait(tool)
                self._ensure_node(progress)
                if published is not None:
                    published.result()
                    with progress.step("Images on the node") as step:
                        self._fetch(image_lane.names, step)
                for tool in tools.CLIENT_TOOLS:
                    lane.wait(tool)
                self._link_clients()
                if images:
                    self._put_into_use(image_lane.finish(), progress)
            except BaseException:
                lane.cancel()
                if not registry_up.done():
                    registry_up.set_exception(ClusterError("Another step has failed."))
                lanes.shutdown(wait=False, cancel_futures=True)
                end_children()
                raise

    def images(self, progress: Progress) -> None:
        """Build and push the images that changed."""
        if not registry.answers(self._settings.registry_host):
            raise ClusterError(
                "The cluster is not up: there is no registry to push to. Run `make cluster` first."
            )
        image_lane = pipeline.ImagePipeline(self._paths, self._target, progress)
        image_lane.build_python_images()
        image_lane.publish()
        with progress.step("Images on the node") as step:
            self._fetch(image_lane.names, step)
        self._put_into_use(image_lane.finish(), progress)

    def down(self, progress: Progress) -> None:
        """Leave nothing behind but caches."""
        with progress.step("Taking the cluster down"):
            teardown.tear_down(self._paths, self._daemons)
            for name in self._daemons.names():
                self._daemons.stop(name)
            teardown.unmount_builds(self._paths)
            teardown.remove_groups()
            shutil.rmtree(self._paths.pids, ignore_errors=True)
            self._paths.driver.unlink(missing_ok=True)
            teardown.check_gone(self._paths)

    def purge(self) -> None:
        """Nothing: `down` keeps nothing outside our folders."""

    def problem(self) -> str:
        """What is wrong with the cluster; empty if nothing is."""
        if not golang.is_built(tools.KUBERNETES, self._paths):
            return "the cluster's programs are not built"
        if not registry.answers(self._settings.registry_host):
            return "the image registry does not answer"
        return self._node().problem()

    def _node(self) -> Node:
        return Node(self._settings, self._paths, self._daemons)

    def _ensure_registry(self) -> None:
        cgroups.prepare()
        registry.ensure(
            golang.program(tools.REGISTRY, self._paths),
            self._paths.registry_data,
            self._paths.registry_config,
            self._settings.registry_host,
            self._daemons,
        )

    def _ensure_node(self, progress: Progress) -> None:
        node = self._node()
        with progress.step("Container runtime") as step:
            problem = node.problem()
            repairable = bool(problem) and node.is_repairable(lambda text: step.say_sometimes(text, every=5))
            if not problem or repairable:
                step.skip("is running" if not problem else "is kept")
            else:
                if teardown.owned_marker(self._paths):
                    step.say("the API server of an earlier cluster does not answer: creating it again")
                self._start_runtime(node, step)
        with progress.step("Kubernetes") as step:
            if not problem:
                step.skip(f"is healthy, kubeconfig {self._paths.kubeconfig}")
                if node.is_outdated():
                    step.say(
                        "it was created with another version or other address ranges than those set now; "
                        "`make cluster-down cluster` creates it again"
                    )
                return
            if repairable:
                step.say(f"the cluster exists, but {problem}: repairing it")
                if node.repair(step.say_sometimes):
                    step.outcome = f"repaired in {step.seconds:.1f} s, kubeconfig {self._paths.kubeconfig}"
                    return
                step.say("it cannot be repaired: removing it and creating it again")
                self._start_runtime(node, step)
            step.say("kubeadm init")
            node.initialise()
            node.wait(lambda text: step.say_sometimes(text, every=5), patience=120, new=True)
            node.complete()
            step.outcome = f"node is ready after {step.seconds:.1f} s, kubeconfig {self._paths.kubeconfig}"

    def _start_runtime(self, node: Node, step: Step) -> None:
        """Clear whatever is left of a former node, and start containerd with the control plane's images."""
        teardown.tear_down(self._paths, self._daemons)
        imported = node.prepare_runtime(step.say)
        step.outcome = f"containerd is up, {imported} images imported, {step.seconds:.1f} s"

    def _put_into_use(self, names_by_image: dict[str, str], progress: Progress) -> None:
        """Fetch what is not on the node yet, and remove what is not needed any more."""
        with progress.step("Old images") as step:
            self._fetch(names_by_image, step)
            self._prune(set(names_by_image.values()), step)

    def _prune(self, current: set[str], step: Step) -> None:
        """Remove images of former code that nothing in the cluster names, so that the disk does not fill."""
        node = self._node()
        manifests = output(prune.manifests_command(node.health.kubectl()))
        if not manifests:
            step.skip("left alone, because the cluster does not say which it uses")
            return
        in_use = prune.references_in(manifests, self._target.repositories)
        kept = self._target.prune(current, in_use, time.time())
        removed = node.containerd.prune(self._target.repositories, kept | in_use)
        step.outcome = f"{removed} removed, {len(kept)} kept"

    def _fetch(self, names_by_image: dict[str, str], step: Step) -> None:
        """Pull new images on the node, so that the first pod does not wait for it."""
        node = self._node()
        present = node.containerd.images()
        wanted = {
            spec: names_by_image[spec.name]
            for spec in specs.ALL_IMAGES
            if spec.name in names_by_image and names_by_image[spec.name] not in present
        }
        problems = prefetch.fetch(node.health.kubectl(), wanted, step)
        if problems:
            raise ClusterError("; ".join(problems))
        if not wanted:
            step.skip("all there")

    def _link_clients(self) -> None:
        golang.link_clients(
            self._paths,
            {
                "kubectl": golang.program(tools.KUBERNETES, self._paths, "kubectl"),
                "helm": golang.program(tools.HELM, self._paths),
            },
        )


def _build_and_publish(images: pipeline.ImagePipeline, registry_up: Future[None]) -> None:
    """Beside the builds of programs: a push waits for the disk and the network, those for the processors."""
    images.build_python_images()
    registry_up.result()
    images.publish()


class _GoLane:
    """Builds all tools one after the other, beside everything else: it is what takes the processors."""

    def __init__(self, lanes: ThreadPoolExecutor, go_folder: Path, paths: Paths, progress: Progress) -> None:
        self._built: dict[str, Future[None]] = {tool.name: Future() for tool in tools.ALL_TOOLS}
        self._cancelled = False
        self._done = lanes.submit(self._run, go_folder, paths, progress)

    def wait(self, tool: tools.Tool) -> None:
        """Wait until a tool is built."""
        self._built[tool.name].result()

    def cancel(self) -> None:
        """Begin no further build."""
        self._cancelled = True

    def _run(self, go_folder: Path, paths: Paths, progress: Progress) -> None:
        error: BaseException | None = None
        new = [tool for tool in tools.ALL_TOOLS if not golang.is_built(tool, paths)]
        # While one is compiled, the sources of the next are downloaded; a failure shows in its own build.
        ahead = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sources")
        for tool in new[1:]:
            ahead.submit(golang.fetch_sources, tool, paths, go_folder)
        for tool in tools.ALL_TOOLS:
            if error is None:
                try:
                    if self._cancelled:
                        raise ClusterError("Another step has failed.")
                    with progress.step(f"Building {tool.title}") as step:
                        golang.build_tool(tool, paths, go_folder, step)
                except BaseException as failure:
                    error = failure
            if error is None:
                self._built[tool.name].set_result(None)
            else:
                self._built[tool.name].set_exception(error)
        ahead.shutdown(cancel_futures=True)
        if new and error is None:
            golang.forget_sources(paths)
            golang.forget_old_tools(paths, tools.KNOWN_TOOLS, time.time())
