"""What the operator makes of an object, word for word. ``make golden`` rewrites the files."""

import os
from dataclasses import replace
from typing import Any

import pytest
import yaml

from modelyard_operator.api.base import API_VERSION
from modelyard_operator.api.registry import KINDS
from modelyard_operator.plan import Manifest, Ref
from modelyard_operator.reconcile.registry import CONTROLLERS
from tests.support.kinds import CASES, Case, example
from tests.support.simulated import PLATFORM, Simulation


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder.name)
def test_an_object_becomes_the_golden_manifests(case: Case) -> None:
    rendered = "".join(_render(manifest) for manifest in made_from(case))
    golden = case.folder / "manifests.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), f"{golden} differs: read the difference, then `make golden`"


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_has_golden_manifests(kind: str) -> None:
    assert example(kind)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder.name)
def test_an_object_refers_to_no_kind_of_ours_but_those_that_its_own_names(case: Case) -> None:
    """Kinds are listed, and the model checker's worlds made, by that order."""
    controller = CONTROLLERS[case.kind]
    found = {ref.kind for ref in controller.references(case.object) if ref.api_version == API_VERSION}
    assert found <= set(controller.kind.refers_to)


def made_from(case: Case) -> list[Manifest]:
    """Everything that the operator creates or applies for an object until there is nothing left to do."""
    controller, given = CONTROLLERS[case.kind], case.given
    sim = Simulation(controller.plan, case.object, replace(PLATFORM, kserve=bool(given.get("kserve"))))
    sim.uploaded = bool(given.get("uploaded"))
    named = {replace(Ref.of(manifest), uid=None): manifest for manifest in case.references}
    sim.references = {ref: named.get(ref) for ref in controller.references(case.object)}
    made: dict[Ref, Manifest] = {}
    for _ in range(5):
        plan = sim.reconcile()
        made |= {Ref.of(manifest): manifest for manifest in [*plan.create, *plan.apply]}
        if given.get("podsRun"):
            sim.pods_run()
    return list(made.values())


def _render(manifest: Manifest) -> str:
    return "---\n" + yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True
