"""How the workers of an attempt find rank 0: the headless Service of their Dataset, and an EndpointSlice.

Jobs share their Dataset's Service, as they share its keys: each Service of a namespace costs Kubernetes'
controllers a little at every event of every pod there. It has no selector. With one, two of those
controllers would keep an Endpoints and an EndpointSlice for it: more writes than the operator's one, and no
more than 20 a second each for the whole cluster. The operator knows the address as soon as they do
(docs/scale.md).
"""

from ipaddress import ip_address

from modelyard_algorithms.contract import environment
from modelyard_operator import naming
from modelyard_operator.api.training_job import KIND as TRAINING_JOB
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.plan import Manifest, Observed


def service(owner: Observed) -> Manifest:
    """The headless Service of all attempts of all jobs on a Dataset, which owns it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(owner, naming.workers_service(owner.name)),
        "spec": {"clusterIP": "None", "ports": [_PORT | {"targetPort": environment.RENDEZVOUS_PORT}]},
    }


def network_policy(owner: Observed) -> Manifest:
    """Keeps the ports of all workers of the namespace to themselves; a Dataset owns it, as the Service.

    The rendezvous, Gloo and NCCL ask nobody who he is: whoever reaches their ports can read what passes and
    end the training. Only a network plugin that enforces policies keeps others away.
    """
    workers = {"matchLabels": {naming.MANAGED_BY: naming.MANAGER, naming.KIND_LABEL: TRAINING_JOB.name}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(owner, naming.workers_service(owner.name)),
        "spec": {
            "podSelector": workers,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": workers}]}],
        },
    }


def endpoint_slice(owner: Observed, first: Manifest, *, dataset: str) -> Manifest:
    """Rank 0's address under its host name; ``first`` is its pod, which has one."""
    address, meta = str(first["status"]["podIP"]), first["metadata"]
    family = ip_address(address).version
    labels = {
        naming.SLICE_SERVICE_LABEL: naming.workers_service(dataset),
        naming.SLICE_WRITER_LABEL: naming.FIELD_MANAGER,
        naming.HEADLESS_LABEL: "",
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        # A slice is of one family for ever.
        "metadata": metadata(owner, naming.workers_slice(owner.name, family), labels=labels),
        "addressType": f"IPv{family}",
        "ports": [_PORT],
        "endpoints": [
            {
                "addresses": [address],
                "hostname": meta["name"],
                "conditions": {"ready": True},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": owner.namespace,
                    "name": meta["name"],
                    "uid": meta["uid"],
                },
            }
        ],
    }


_PORT: Manifest = {"name": "rendezvous", "port": environment.RENDEZVOUS_PORT, "protocol": "TCP"}
