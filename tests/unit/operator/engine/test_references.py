"""How long an answer about a foreign object is good."""

from typing import Any

import pytest

from modelyard_operator.engine.references import FOUND_SECONDS, MISSING_SECONDS, References
from modelyard_operator.kube.errors import NotFoundError
from modelyard_operator.kube.store import Store
from modelyard_operator.plan import Manifest, Ref

SECRET = Ref("v1", "Secret", "ns", "keys")


class Api:
    """Answers with what there is, and counts."""

    def __init__(self, found: Manifest | None) -> None:
        self.found, self.asked = found, 0

    async def get(self, ref: Ref, *, metadata_only: bool) -> Manifest:
        assert metadata_only
        self.asked += 1
        if self.found is None:
            raise NotFoundError("absent", status=404, reason="NotFound")
        return self.found


@pytest.mark.parametrize(
    ("found", "seconds"),
    [
        ({"metadata": {"name": "keys"}}, FOUND_SECONDS),
        (None, MISSING_SECONDS),
        ({"metadata": {"name": "keys", "deletionTimestamp": "2026-01-01T00:00:00Z"}}, MISSING_SECONDS),
    ],
    ids=["there", "missing", "about to go"],
)
async def test_what_is_about_to_change_is_asked_for_again_soon(
    found: dict[str, Any] | None, seconds: float
) -> None:
    now, api = 0.0, Api(found)
    references = References(Store(), api, clock=lambda: now)  # type: ignore[arg-type]
    for moment, asked in ((0.0, 1), (seconds - 0.1, 1), (seconds + 0.1, 2)):
        now = moment
        answer = (await references.resolve([SECRET]))[SECRET]
        assert (answer is None) == (found is None)
        assert api.asked == asked
