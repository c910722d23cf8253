"""The ledger must see what it is there to see."""

from __future__ import annotations

from tests.support.writes import Ledger, Write

LEASE = "/apis/coordination.k8s.io/v1/namespaces/n/leases/l"
POD = "/api/v1/namespaces/n/pods"


def ledger(*writes: Write) -> Ledger:
    found = Ledger()
    found.writes.extend(writes)
    return found


def test_one_after_the_other_is_well() -> None:
    found = ledger(
        Write("a", "PATCH", LEASE, 1.0, 1.1, 200),
        Write("a", "POST", POD, 2.0, 2.1, 201),
        Write("b", "PATCH", LEASE, 12.0, 12.1, 200),
        Write("a", "PATCH", LEASE, 12.2, 12.3, 409),
        Write("b", "POST", POD, 12.4, 12.5, 201),
    )
    assert found.took_lease("b", 2.0) == 12.1
    assert not found.overlaps()
    assert not found.without_lease()


def test_a_write_of_the_former_holder_is_seen() -> None:
    found = ledger(
        Write("a", "PATCH", LEASE, 1.0, 1.1, 200),
        Write("b", "PATCH", LEASE, 12.0, 12.1, 200),
        Write("a", "POST", POD, 13.0, 13.1, 500),
    )
    assert found.without_lease() == [f"a POST {POD} while b has the lease"]


def test_a_write_that_was_still_on_its_way_is_seen() -> None:
    found = ledger(
        Write("a", "PATCH", LEASE, 1.0, 1.1, 200),
        Write("a", "POST", POD, 2.0, 13.0, 201),
        Write("b", "PATCH", LEASE, 12.0, 12.1, 200),
        Write("b", "POST", POD, 12.5, 12.6, 201),
    )
    assert len(found.overlaps()) == 1
