"""The base model of everything that crosses the wire."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class WireModel(BaseModel):
    """A model written as camelCase JSON; unknown fields are ignored, so that versions can differ."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)

    def to_json(self) -> str:
        """Compact camelCase JSON without absent fields."""
        return self.model_dump_json(by_alias=True, exclude_none=True)
