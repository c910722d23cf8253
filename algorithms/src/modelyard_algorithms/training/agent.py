"""torchrun for a training of one pod: it listens on no address but loopback.

The rendezvous of torchrun, and the process group after it, meet at a TCPStore. It listens on all
interfaces, without authentication, and ``--standalone`` unpickles what it reads there: anybody who reaches
the pod could run code in it. The processes of one pod need no network to meet. So the agent, which is
alone, keeps its store in memory, and the processes meet in a file (``distributed.join``).

Source: PyTorch documentation, "Rendezvous" (registry of rendezvous handlers).
"""

from torch._C._distributed_c10d import HashStore, PrefixStore
from torch.distributed import run as torchrun
from torch.distributed.elastic.rendezvous import (
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
    rendezvous_handler_registry,
)

BACKEND = "alone"


class Alone(RendezvousHandler):
    """The rendezvous of one agent."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._store = PrefixStore(run_id, HashStore())

    def get_backend(self) -> str:
        return BACKEND

    @property
    def use_agent_store(self) -> bool:
        return False

    def next_rendezvous(self) -> RendezvousInfo:
        # torchrun hands the address on as MASTER_ADDR; nobody listens there.
        return RendezvousInfo(self._store, 0, 1, RendezvousStoreInfo("127.0.0.1", 0))

    def is_closed(self) -> bool:
        return False

    def set_closed(self) -> None:
        """Nobody else is there to be told."""

    def num_nodes_waiting(self) -> int:
        return 0

    def get_run_id(self) -> str:
        return self._run_id

    def shutdown(self) -> bool:
        return True


def _create(parameters: RendezvousParameters) -> RendezvousHandler:
    return Alone(parameters.run_id)


if __name__ == "__main__":
    rendezvous_handler_registry.register(BACKEND, _create)
    torchrun.main()
