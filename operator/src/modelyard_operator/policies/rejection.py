"""What to do where the API server refuses an object that the operator makes, in terms of our own fields."""

from __future__ import annotations

import re

FORBIDDEN = 403
INVALID = frozenset({400, 422})
LACKS_RIGHT = "the operator lacks a right: install the Helm chart of its version again"

_KNOWN = tuple(
    (re.compile(pattern, re.DOTALL), advice)
    for pattern, advice in (
        (
            r"nodePort: Invalid value: (\d+): .*already allocated",
            "port {0} is taken on the nodes: set spec.expose.nodePort to another one, or leave it out",
        ),
        (
            r"nodePort: Invalid value: (\d+): .*valid ports is ([-\d]+)",
            "set spec.expose.nodePort to a port of {1}, or leave it out",
        ),
        (
            r"no PriorityClass with name (\S+) was found",
            "there is no PriorityClass {0!r}: create it, or correct spec.pod.priorityClassName",
        ),
        (r"exceeded quota: ([^\s,]+)", "ask for less, or raise ResourceQuota {0!r}"),
        (r"failed quota: ([^\s,:]+)", "set in spec.resources what ResourceQuota {0!r} wants to be set"),
        (
            r"(?:maximum|minimum) \S+ usage per",
            "set spec.resources to what the namespace's LimitRange allows",
        ),
        (r"cannot \w+ resource", LACKS_RIGHT),
        (r"nodeSelector", "correct spec.pod.nodeSelector"),
        (r"tolerations", "correct spec.pod.tolerations"),
        (r"imagePullSecrets", "correct spec.pod.imagePullSecrets"),
        (r"priorityClassName", "correct spec.pod.priorityClassName"),
        (r"schedulerName", "correct spec.pod.schedulerName"),
        (r"resources\.(?:limits|requests)", "correct spec.resources"),
        (r"containers\[0\]\.image\b", "correct spec.image"),
    )
)


def explained(text: str, status: int) -> str:
    """The refusal, with what to do ahead of it.

    Args:
        text: The API server's words.
        status: Its HTTP status.
    """
    for pattern, advice in _KNOWN:
        if found := pattern.search(text):
            return f"{advice.format(*found.groups())} ({text})"
    if status == FORBIDDEN:
        return (
            f"a policy of the cluster or the namespace is against it: change that, or what it names ({text})"
        )
    if status in INVALID:
        return f"correct the field of the spec that this is made from ({text})"
    return text
