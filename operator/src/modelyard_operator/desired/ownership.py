"""The metadata of a child: name, labels and the owner reference that garbage collection follows."""

from modelyard_operator import naming
from modelyard_operator.api.base import API_VERSION
from modelyard_operator.plan import Manifest, Observed


def metadata(owner: Observed, name: str, *, labels: dict[str, str] | None = None) -> Manifest:
    """Metadata of a child of ``owner`` with the child labels and a controller reference."""
    kind = str(owner.object["kind"])
    return {
        "name": name,
        # A child is where its owner is: that of a cluster-scoped object has no namespace either.
        **({"namespace": owner.namespace} if owner.namespace else {}),
        "labels": naming.labels(kind, owner.name, owner.uid) | (labels or {}),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": kind,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
