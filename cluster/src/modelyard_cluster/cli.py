"""The command line: up, down, status, images, kubeconfig, purge."""

import argparse
import shutil
import signal
import sys
from collections.abc import Sequence

from modelyard_cluster.command import end_children
from modelyard_cluster.drivers import Driver, detect, recorded
from modelyard_cluster.errors import ClusterError
from modelyard_cluster.lock import exclusive
from modelyard_cluster.paths import Paths, load_paths
from modelyard_cluster.progress import Progress
from modelyard_cluster.settings import load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status tells whether it worked."""
    options = _parser().parse_args(arguments)
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(options)
    except ClusterError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        end_children()
        print("Interrupted. Run the same command again to go on.", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_number: int, _frame: object) -> None:
    """Being ended by a program is like being interrupted by hand: nothing that was started goes on."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="modelyard-cluster", description=__doc__)
    parser.add_argument(
        "command",
        choices=("up", "down", "status", "images", "kubeconfig", "purge"),
        help="up: bring the cluster and the images up. down: leave nothing behind but caches. "
        "status: say whether it works. images: build and push the images that changed. "
        "kubeconfig: print the path of the kubeconfig. purge: down, and delete all images and caches.",
    )
    parser.add_argument(
        "--driver",
        choices=("bare", "kind", "existing"),
        help="which kind of cluster; by default kind if a Docker daemon answers, else bare",
    )
    parser.add_argument("--no-images", action="store_true", help="up: leave the images alone")
    return parser


def _run(options: argparse.Namespace) -> int:
    settings, paths = load_settings(), load_paths()
    if options.command == "kubeconfig":
        print(paths.kubeconfig)
        return 0 if paths.kubeconfig.exists() else 1
    if options.command == "status":
        driver = recorded(options.driver, settings, paths)
        problem = driver.problem()
        print(f"{driver.name}: {problem or 'healthy'}\nkubeconfig: {paths.kubeconfig}")
        return 1 if problem else 0
    with exclusive(paths.lock, _say):
        choose = detect if options.command in {"up", "images"} else recorded
        return _change(options, choose(options.driver, settings, paths), paths)


def _say(text: str) -> None:
    print(text, flush=True)


def _change(options: argparse.Namespace, driver: Driver, paths: Paths) -> int:
    if options.command == "purge":
        driver.down(Progress(1))
        driver.purge()
        for folder in (paths.state, paths.cache):
            shutil.rmtree(folder, ignore_errors=True)
        print(f"The cluster is gone, and so are {paths.state} and {paths.cache}.")
        return 0
    if options.command == "down":
        driver.down(Progress(1))
        print("The cluster is gone. Caches and pushed images stay; `make cluster-purge` removes those too.")
        return 0
    if options.command == "images":
        progress = Progress(driver.image_steps())
        driver.images(progress)
        print(f"Images are ready after {progress.seconds:.0f} s; their names are in {paths.images_json}.")
        return 0
    progress = Progress(driver.steps(images=not options.no_images))
    print(f"Bringing up a cluster with the driver {driver.name}.")
    driver.up(progress, images=not options.no_images)
    print(
        f"The cluster is up after {progress.seconds:.0f} s.\n"
        f"  export KUBECONFIG={paths.kubeconfig} PATH={paths.bin}:$PATH"
    )
    return 0
