"""The kinds as the chart's roles name them."""

from collections.abc import Sequence

from modelyard_operator.api.kind import Kind
from modelyard_operator.api.registry import KINDS

HEADER = """# Generated from operator/src/modelyard_operator/api by `make crds`; do not edit.
# Resources of modelyard.dev that the chart's roles are about. What the operator may do with those of either
# scope is in templates/rbac.yaml, and what users may do in templates/aggregated-roles.yaml: with namespaced
# ones alone, because cluster-scoped ones are for the administrators of the cluster.
"""


def render(kinds: Sequence[Kind] = KINDS) -> str:
    """The file: a list of resources for each kind of role."""
    namespaced = [kind for kind in kinds if kind.namespaced]
    lists = {
        "namespaced": [kind.plural for kind in namespaced],
        "cluster": [kind.plural for kind in kinds if not kind.namespaced],
        "users": [
            *(kind.plural for kind in namespaced),
            *(f"{kind.plural}/scale" for kind in namespaced if kind.scale),
        ],
    }
    return HEADER + "".join(f"{key}: [{', '.join(found)}]\n" for key, found in lists.items())
