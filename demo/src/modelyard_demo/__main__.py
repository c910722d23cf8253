"""The demo itself, once a cluster, its images and the Python environment are there."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from modelyard_demo import chart, kubectl, page, predict, store, telling
from modelyard_demo import settings as s
from modelyard_demo.clock import Clock
from modelyard_demo.errors import DemoError
from modelyard_demo.journey import Journey, ObjectError, explain
from modelyard_demo.kubectl import Manifest
from modelyard_demo.ports import with_free_port
from modelyard_demo.results import BringUp, Results, write_json
from modelyard_demo.start import BROUGHT_UP

IMAGES, HELD_OUT = s.FOLDER / "digits" / "images", s.FOLDER / "digits" / "held-out"


@dataclass
class Demo:
    """One run of the demo."""

    namespace: str
    bring_up: BringUp
    clock: Clock
    limits: s.Limits = field(default_factory=s.Limits)

    def run(self) -> Results:
        """All stages.

        Raises:
            DemoError: one of them failed.
        """
        check_names(s.EXAMPLE)
        with self.clock.stage("Install the chart"):
            self._install()
        with self.clock.stage("Make the digits and upload them"):
            upload = self._upload()
        with self.clock.stage("Dataset"):
            dataset = self._dataset(upload)
        with self.clock.stage("TrainingJob"):
            job = self._train()
        with self.clock.stage("Deployment"):
            deployment = self._deploy()
        with self.clock.stage("Predict what no training has seen"), predict.reached(deployment) as endpoint:
            self.clock.say(f"sending images to {endpoint.url}")
            found, seconds = predict.predict_all(endpoint, HELD_OUT, dataset["status"]["labels"])
            self.clock.say(f"{len(found)} images in {seconds:.1f} s")
        with store.opened(self.namespace) as bucket:
            epochs = bucket.read_lines(_metrics_key(job))
        results = Results(
            self.bring_up,
            time.time(),
            self.namespace,
            self.clock.stages,
            self.clock.figures,
            found,
            seconds,
            job,
            deployment,
            epochs,
            endpoint.url,
        )
        self._write(results)
        telling.conclude(results, endpoint, self.clock.write)
        return results

    def _write(self, results: Results) -> None:
        write_json(results, s.FOLDER / "report.json")
        (s.FOLDER / "report.html").write_text(page.render(results))

    def _install(self) -> None:
        chart.install()
        self.clock.say(f"helm release {s.RELEASE} in {s.SYSTEM_NAMESPACE}")
        chart.wait(self.limits)
        kubectl.apply(chart.namespace(self.namespace))
        kubectl.run(
            "delete",
            "-n",
            self.namespace,
            "-f",
            str(s.EXAMPLE),
            "--ignore-not-found",
            "--wait",
            f"--timeout={self.limits.removal:.0f}s",
            timeout=self.limits.removal + 10,
        )

    def _upload(self) -> store.Upload:
        """Make the images and their Dataset, and upload them; what is missing then is the seal."""
        self._make_images()
        waiting, _ = self._journey(s.DATASETS, self.limits.dataset).run(
            s.EXAMPLE / "dataset.yaml", until="AwaitingUpload", describe=_dataset_line
        )
        where = waiting["status"]["upload"]
        with store.opened(self.namespace) as bucket:
            removed = bucket.remove_uploads(s.NAME, but=where["prefix"])
            if removed:
                self.clock.say(f"{removed} objects of former runs removed")
            done = bucket.upload(IMAGES, where, self.clock.say)
        self.clock.say(f"uploaded to s3://{where['bucket']}/{where['prefix']}")
        return done

    def _make_images(self) -> None:
        made = subprocess.run(
            [sys.executable, str(s.EXAMPLE / "make_images.py"), str(IMAGES.parent)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if made.returncode:
            raise DemoError(f"the digits could not be written: {made.stderr.strip()}")
        self.clock.say(made.stdout.strip())

    def _dataset(self, upload: store.Upload) -> Manifest:
        """The port is forwarded before the time counts: a user's program has its way to the store."""
        with store.opened(self.namespace) as bucket:
            found, seconds = self._journey(s.DATASETS, self.limits.dataset).follow(
                lambda: bucket.seal(upload), until="Ready", describe=_dataset_line
            )
        self.clock.figure(s.DATASET_READY, seconds, s.GOALS[s.DATASET_READY])
        return found

    def _train(self) -> Manifest:
        first: list[float] = []

        def watch(found: Manifest, seconds: float) -> None:
            if not first and found.get("status", {}).get("progress", {}).get("step"):
                first.append(seconds)
                self.clock.figure(s.FIRST_STEP, seconds, s.GOALS[s.FIRST_STEP])

        found, seconds = self._journey(s.TRAINING_JOBS, self.limits.training).run(
            s.EXAMPLE / "trainingjob.yaml", until="Succeeded", describe=_job_line, watch=watch
        )
        self.clock.figure(s.TRAINED, seconds, s.GOALS[s.TRAINED])
        return found

    def _deploy(self) -> Manifest:
        manifest = with_free_port(s.EXAMPLE / "deployment.yaml", s.FOLDER, self.clock.say)
        found, seconds = self._journey(s.DEPLOYMENTS, self.limits.deployment).run(
            manifest, until="Ready", describe=_deployment_line
        )
        self.clock.figure(s.DEPLOYMENT_READY, seconds, s.GOALS[s.DEPLOYMENT_READY])
        return found

    def _journey(self, resource: str, limit: float) -> Journey:
        return Journey(self.clock, resource, s.NAME, self.namespace, limit)


def _metrics_key(job: Manifest) -> str:
    """See modelyard_algorithms.contract.layout."""
    from modelyard_algorithms.contract import layout

    return layout.run_prefix(s.NAME, str(job["metadata"]["uid"])) + layout.METRICS_FILE


def check_names(folder: Path) -> None:
    """The demo follows objects of one name: whoever has changed it in the files hears of it.

    Raises:
        DemoError: a manifest names its object otherwise.
    """
    for file in ("dataset.yaml", "trainingjob.yaml", "deployment.yaml"):
        found = yaml.safe_load((folder / file).read_text())["metadata"]["name"]
        if found != s.NAME:
            raise DemoError(
                f"examples/digits/{file} names its object {found!r}, and the demo follows {s.NAME!r}: "
                f"put that name back, and keep {found!r} in a copy of the file"
            )


def _dataset_line(found: Manifest) -> str:
    status = found["status"]
    progress = status.get("progress", {}).get("summary") or status.get("message") or ""
    if status["phase"] == "Ready":
        progress = (
            f"{status['items']} images, {status['classes']} classes, version {status.get('shortVersion', '')}"
        )
    return f"dataset/{s.NAME}  {status['phase']:<10}  {progress}"


def _job_line(found: Manifest) -> str:
    status = found["status"]
    progress = status.get("progress", {})
    words = [progress.get("summary"), progress.get("headline")]
    if progress.get("timeLeft"):
        words.append(f"{progress['timeLeft']} left")
    text = "  ".join(word for word in words if word) or status.get("message", "")
    return f"trainingjob/{s.NAME}  {status['phase']:<10}  {text}"


def _deployment_line(found: Manifest) -> str:
    status = found["status"]
    words = f"{status.get('ready', '')}  {status.get('message', '')}".strip()
    return f"deployment/{s.NAME}  {status['phase']:<11}  {words}"


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--namespace", default=os.environ.get("NAMESPACE") or "modelyard-demo")
    chosen = parser.parse_args(arguments)
    s.FOLDER.mkdir(parents=True, exist_ok=True)
    bring_up = BringUp.from_json(os.environ.get(BROUGHT_UP, ""), time.time())
    demo = Demo(chosen.namespace, bring_up, Clock(number=1 if bring_up.stages else 0))
    try:
        results = demo.run()
    except ObjectError as error:
        print(f"\nError: {error}\n{explain(error)}", file=sys.stderr)
        return 1
    except DemoError as error:
        print(f"\nError: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. `make demo` starts again with new objects.", file=sys.stderr)
        return 130
    if results.accuracy < s.ACCURACY:
        print(
            f"\nError: the accuracy is {results.accuracy:.4f}, less than {s.ACCURACY}. The report's grid "
            "shows which images are read wrong; examples/digits/trainingjob.yaml holds the hyperparameters.",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
