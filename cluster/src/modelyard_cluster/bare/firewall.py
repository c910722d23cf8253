"""The iptables rules of the bare cluster: the one it needs, and the removal of all."""

import re
from itertools import pairwise

from modelyard_cluster.bare import names
from modelyard_cluster.command import output, run

_OURS = re.compile(r"^(KUBE-|CNI-|MODELYARD-)")
"""Chains of kube-proxy and kubelet, of the CNI plugins, and our own."""
_PROGRAMS = (("iptables-save", "iptables-restore"), ("ip6tables-save", "ip6tables-restore"))


def cleanup_script(saved: str) -> str:
    """What to feed to `iptables-restore --noflush` so that no chain of the cluster is left.

    Rules of other programs are not touched: a rule is deleted from a foreign chain only
    if it jumps to one of ours.
    """
    script: list[str] = []
    table: str = ""
    chains: list[str] = []
    jumps: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table, chains, jumps = line, [], []
        elif line.startswith(":"):
            name = line[1:].split()[0]
            if _OURS.match(name):
                chains.append(name)
        elif line.startswith("-A "):
            words = line.split()
            if not _OURS.match(words[1]) and any(
                word in ("-j", "-g") and _OURS.match(target) for word, target in pairwise(words)
            ):
                jumps.append("-D" + line[2:])
        elif line == "COMMIT" and chains:
            script += [table, *(f":{name} - [0:0]" for name in chains), *jumps]
            script += [*(f"-X {name}" for name in chains), "COMMIT"]
    return "".join(f"{line}\n" for line in script)


def remove_rules() -> None:
    """Remove every chain of the cluster, for IPv4 and IPv6."""
    for save, restore in _PROGRAMS:
        script = cleanup_script(output([save]))
        if script:
            run([restore, "--noflush", "--wait", "10"], stdin=script, timeout=60)


def chains_left() -> list[str]:
    """Chains of the cluster that are still there."""
    return [
        line
        for save, _ in _PROGRAMS
        for line in output([save]).splitlines()
        if line.startswith(":") and _OURS.match(line[1:])
    ]


def masquerade_script(pod_cidr: str) -> str:
    """One rule for all pods, so that they reach the outside; the CNI plugin would make one for each pod.

    Forwarding is allowed too, for machines where it is denied by default (as Docker does).
    """
    chain = names.MASQUERADE_CHAIN
    return f"""*nat
:{chain} - [0:0]
-A {chain} -s {pod_cidr} ! -d {pod_cidr} -j MASQUERADE
-A POSTROUTING -j {chain}
COMMIT
*filter
:{chain} - [0:0]
-A {chain} -s {pod_cidr} -j ACCEPT
-A {chain} -d {pod_cidr} -j ACCEPT
-A FORWARD -j {chain}
COMMIT
"""


def allow_pods(pod_cidr: str) -> None:
    """Let pods reach the outside."""
    run(["iptables-restore", "--noflush", "--wait", "10"], stdin=masquerade_script(pod_cidr), timeout=60)
