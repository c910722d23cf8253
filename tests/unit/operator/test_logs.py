"""Log lines as JSON, with their object, without its content."""

import json
import logging

from modelyard_operator.logs import JsonFormatter, TextFormatter

MANIFEST = {
    "kind": "Secret",
    "metadata": {"namespace": "ns", "name": "n", "uid": "u"},
    "data": {"password": "aHVzaA=="},
}


def record(**extra: object) -> logging.LogRecord:
    found = logging.LogRecord("modelyard", logging.INFO, "file", 1, "hello %s", ("world",), None)
    found.__dict__.update(extra)
    return found


def test_a_line_is_one_json_object_with_the_names_of_its_object_only() -> None:
    line = JsonFormatter().format(record(object=MANIFEST))
    found = json.loads(line)
    assert found["message"] == "hello world"
    assert found["object"] == {"kind": "Secret", "namespace": "ns", "name": "n", "uid": "u"}
    assert "aHVzaA" not in line


def test_an_exception_is_part_of_its_line() -> None:
    try:
        raise KeyError("x")
    except KeyError as error:
        found = record()
        found.exc_info = (type(error), error, error.__traceback__)
    line = JsonFormatter().format(found)
    assert "\n" not in line
    assert "KeyError" in json.loads(line)["exception"]


def test_text_is_for_people() -> None:
    assert TextFormatter().format(record(object=MANIFEST)).endswith("I Secret ns/n: hello world")
    assert TextFormatter().format(record()).endswith("I hello world")
