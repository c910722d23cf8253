"""Log lines: one JSON object each, with the object that they are about; or text for people."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_LOUD = ("kopf", "aiohttp.access", "asyncio", "urllib3")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        found |= _object(record)
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(found, default=str).decode()


class TextFormatter(logging.Formatter):
    """Time, level, object, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname).1s %(where)s%(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        found = _object(record).get("object")
        record.where = f"{found['kind']} {_named(found)}: " if found else ""
        return super().format(record)


def set_up(level: str, style: str) -> None:
    """Send everything to stderr; libraries only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _LOUD:
        # kopf says a line for each event of each object; its DEBUG lines hold whole objects.
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))


def _named(found: dict[str, Any]) -> str:
    return f"{found['namespace']}/{found['name']}" if found["namespace"] else str(found["name"])


def _object(record: logging.LogRecord) -> dict[str, Any]:
    manifest = getattr(record, "object", None)
    if not isinstance(manifest, dict):
        return {}
    meta = manifest.get("metadata", {})
    names = {key: meta.get(key, "") for key in ("namespace", "name", "uid")}
    return {"object": {"kind": manifest.get("kind", "")} | names}
