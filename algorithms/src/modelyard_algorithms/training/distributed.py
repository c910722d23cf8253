"""The process group: which device, which backend, which network interface.

Sources: PyTorch documentation, "Distributed communication package" (backends, GLOO_SOCKET_IFNAME) and
"torchrun (Elastic Launch)" (RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR).
"""

import fcntl
import logging
import os
import socket
import struct
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from modelyard_algorithms import resources
from modelyard_algorithms.contract import report
from modelyard_algorithms.contract.task import TrainingTask
from modelyard_algorithms.failure import WorkloadError

log = logging.getLogger(__name__)

COLLECTIVE_TIMEOUT = timedelta(minutes=20)
"""Longer than one rank may wait for an object store that is unavailable."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SIOCGIFADDR = 0x8915


@dataclass(frozen=True)
class Group:
    """This process among all processes of the training."""

    rank: int
    world: int
    local_rank: int
    device: torch.device
    threads: int = 1
    """For this process's own work on the CPU."""
    control: dist.ProcessGroup | None = None
    """All ranks too, for tensors on the CPU: what it carries waits for no GPU. None: the default group."""

    @property
    def leads(self) -> bool:
        """Whether this process reports, writes checkpoints and publishes."""
        return self.rank == 0


def join(task: TrainingTask, meeting: Path) -> Group:
    """Join the process group that torchrun describes in the environment.

    Args:
        meeting: where the processes of a training of one pod meet: a file that is not there yet.

    Raises:
        WorkloadError: GPUMissing.
    """
    local_rank = int(os.environ["LOCAL_RANK"])
    device = choose_device(task.gpus_per_worker, task.processes_per_worker, local_rank)
    where: dict[str, Any] = {}
    if task.workers == 1:
        # What is said between the processes is neither authenticated nor encrypted: it stays in the pod.
        os.environ.update({"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo"})
        ranks = {"rank": int(os.environ["RANK"]), "world_size": int(os.environ["WORLD_SIZE"])}
        where = {"init_method": meeting.absolute().as_uri(), **ranks}
    choose_interface(os.environ["MASTER_ADDR"])
    if device.type == "cuda":
        torch.cuda.set_device(device)
        dist.init_process_group("nccl", timeout=COLLECTIVE_TIMEOUT, device_id=device, **where)
    else:
        dist.init_process_group("gloo", timeout=COLLECTIVE_TIMEOUT, **where)
    control = _gloo_group() if device.type == "cuda" else None
    threads = resources.threads(
        task.processes_per_worker, requested=task.requested_cpus, on_node=_on_this_node(control)
    )
    torch.set_num_threads(threads)
    log.info("rank %d of %d on %s, threads: %d", dist.get_rank(), dist.get_world_size(), device, threads)
    return Group(dist.get_rank(), dist.get_world_size(), local_rank, device, threads, control)


def _gloo_group() -> dist.ProcessGroup:
    """All ranks, for tensors on the CPU."""
    group = dist.new_group(backend="gloo", timeout=COLLECTIVE_TIMEOUT)
    assert isinstance(group, dist.ProcessGroup)
    return group


def _on_this_node(control: dist.ProcessGroup | None) -> int:
    """How many processes of the training run on this node: every rank must call it.

    A node's kernel has one boot id, which all its containers can read; a pod without it counts its own only.
    """
    try:
        node = BOOT_ID.read_text()
    except OSError:
        node = socket.gethostname()
    own = torch.tensor([int.from_bytes(sha256(node.encode()).digest()[:7], "big")])
    every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(every, own, group=control)
    return sum(bool(other == own) for other in every)


def leave() -> None:
    """End the process group, if there is one."""
    if dist.is_initialized():
        dist.destroy_process_group()


def choose_device(gpus: int, processes: int, local_rank: int) -> torch.device:
    """This process's GPU, or the CPU where no GPU was asked for.

    Raises:
        WorkloadError: GPUMissing. A training that asked for GPUs never runs on the CPU in silence.
    """
    if gpus == 0:
        return torch.device("cpu")
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < max(gpus, processes):
        raise WorkloadError(
            report.GPU_MISSING,
            f"each worker asks for {max(gpus, processes)} GPU(s) but sees {found}; check the node's driver "
            "and device plugin, or ask for no GPU",
        )
    return torch.device("cuda", local_rank)


def choose_interface(master: str) -> None:
    """Make gloo use the interface by which the master is reached.

    By itself gloo resolves the host's own name, which in a pod may be unknown or stand for 127.0.0.1.
    """
    if "GLOO_SOCKET_IFNAME" in os.environ:
        return
    name = interface_towards(master)
    if name:
        os.environ["GLOO_SOCKET_IFNAME"] = name
    else:
        log.warning("no network interface found towards %s; gloo chooses one by the host's name", master)


def interface_towards(master: str) -> str | None:
    """Name of the interface whose address the kernel would send from; None if it cannot be found."""
    try:
        address = socket.getaddrinfo(master, 9, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(address)  # UDP: nothing is sent
            own = probe.getsockname()[0]
            for _, name in socket.if_nameindex():
                if _address(probe, name) == own:
                    return name
    except OSError:
        return None
    # Several addresses of 127.0.0.0/8 belong to the loopback interface, of which it names one.
    return "lo" if own.startswith("127.") else None


def _address(any_socket: socket.socket, interface: str) -> str | None:
    request = struct.pack("256s", interface.encode()[:15])
    try:
        return socket.inet_ntoa(fcntl.ioctl(any_socket.fileno(), SIOCGIFADDR, request)[20:24])
    except OSError:
        return None


def share_bytes(blob: bytes | None, group: Group) -> bytes:
    """Rank 0's bytes, on every rank. Not broadcast_object_list: that would unpickle."""
    size = torch.tensor([len(blob or b"")], dtype=torch.int64, device=group.device)
    dist.broadcast(size, 0)
    if group.leads:
        data = torch.frombuffer(bytearray(blob or b"\0"), dtype=torch.uint8).to(group.device)
    else:
        data = torch.empty(max(1, int(size)), dtype=torch.uint8, device=group.device)
    dist.broadcast(data, 0)
    return data.cpu().numpy().tobytes()[: int(size)]


def sum_over_ranks(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor summed over all ranks, in place."""
    dist.all_reduce(tensor)
    return tensor


def is_peer_loss(error: BaseException) -> bool:
    """Whether a collective failed because another process went away."""
    if isinstance(error, dist.DistBackendError | dist.DistNetworkError):
        return True
    words = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
