"""A document in the object store, of which a status has only a part."""

from modelyard_operator.api.base import ApiModel


class StoredDocument(ApiModel):
    """A JSON object in the namespace's bucket."""

    uri: str | None = None
    """Where it lies."""
    digest: str | None = None
    """Digest of its bytes."""
