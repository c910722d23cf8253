"""The Secret with the token that a Deployment's clients send: the user's, or one that is made for it."""

from __future__ import annotations

from modelyard_operator import naming
from modelyard_operator.api.deployment import DeploymentSpec, Phase, Reason
from modelyard_operator.desired.ownership import metadata
from modelyard_operator.desired.server_pod import Token
from modelyard_operator.plan import GENERATED_TOKEN, Manifest, Observed, Ref
from modelyard_operator.reconcile.conclusion import Conclusion


def reference(manifest: Manifest) -> Ref:
    """Of the user's Secret, or the generated one."""
    meta = manifest["metadata"]
    name = manifest.get("spec", {}).get("tokenSecretName") or naming.token_secret(meta["name"])
    return Ref("v1", "Secret", meta["namespace"], name)


def resolve(observed: Observed, spec: DeploymentSpec) -> Token | Conclusion[Phase] | None:
    """The token, or what it waits for; None: it must be made first."""
    ref = reference(observed.object)
    secret = observed.references.get(ref)
    if spec.token_secret_name is not None:
        return _missing(ref.name) if secret is None else _versioned(secret)
    if secret is None:
        return None
    if _made_for(secret, observed):
        return _versioned(secret)
    return _terminating(secret) if "deletionTimestamp" in secret["metadata"] else None


def secret(observed: Observed) -> Manifest:
    """The Secret that is made where the user names none."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(observed, naming.token_secret(observed.name)),
        "type": "Opaque",
        "stringData": {"token": GENERATED_TOKEN},
    }


def _missing(name: str) -> Conclusion[Phase]:
    text = (
        f"waits for Secret {name!r}, which does not exist in this namespace: create it with the key "
        "token, or leave out spec.tokenSecretName to have one made"
    )
    return Conclusion("Pending", Reason.TOKEN_NOT_FOUND, text, "Reconciling")


def _terminating(secret: Manifest) -> Conclusion[Phase]:
    """One of an earlier Deployment's holds the name."""
    meta = secret["metadata"]
    held = f" (finalizers: {', '.join(meta['finalizers'])})" if meta.get("finalizers") else ""
    text = f"waits until Secret {meta['name']!r}, which is being deleted, is gone{held}"
    return Conclusion("Pending", Reason.TOKEN_TERMINATING, text, "Reconciling")


def _made_for(secret: Manifest, observed: Observed) -> bool:
    """A Secret of this name that somebody else has made is not taken for the generated one."""
    owners = secret["metadata"].get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("uid") == observed.uid for owner in owners)


def _versioned(secret: Manifest) -> Token:
    meta = secret["metadata"]
    return Token(secret=meta["name"], version=f"{meta.get('uid')}/{meta.get('resourceVersion')}")
