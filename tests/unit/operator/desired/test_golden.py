"""What the operator makes of an object, word for word. ``make golden`` rewrites the files."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelyard_operator.plan import Manifest, Ref
from modelyard_operator.reconcile import dataset, deployment, training_job
from modelyard_operator.reconcile.controller import Controller
from tests.support.simulated import PLATFORM, Simulation

FOLDER = Path(__file__).parents[3] / "golden" / "operator"
CASES = sorted(path for path in FOLDER.iterdir() if path.is_dir())
CONTROLLERS: dict[str, Controller] = {
    module.CONTROLLER.kind: module.CONTROLLER for module in (dataset, training_job, deployment)
}


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_an_object_becomes_the_golden_manifests(case: Path) -> None:
    given = yaml.safe_load((case / "input.yaml").read_text())
    rendered = "".join(_render(manifest) for manifest in made_from(given))
    golden = case / "manifests.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), f"{golden} differs: read the difference, then `make golden`"


def made_from(given: dict[str, Any]) -> list[Manifest]:
    """Everything that the operator creates or applies for an object until there is nothing left to do."""
    controller = CONTROLLERS[given["object"]["kind"]]
    sim = Simulation(controller.plan, given["object"], replace(PLATFORM, kserve=bool(given.get("kserve"))))
    sim.uploaded = bool(given.get("uploaded"))
    named = {replace(Ref.of(manifest), uid=None): manifest for manifest in given.get("references", [])}
    sim.references = {ref: named.get(ref) for ref in controller.references(given["object"])}
    made: dict[Ref, Manifest] = {}
    for _ in range(5):
        plan = sim.reconcile()
        made |= {Ref.of(manifest): manifest for manifest in [*plan.create, *plan.apply]}
        if controller is training_job.CONTROLLER:
            sim.pods_run()
    return list(made.values())


def _render(manifest: Manifest) -> str:
    return "---\n" + yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True
