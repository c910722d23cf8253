"""Requests in docs/serving.md are taken; answers are those that the server gives, of one image and of two."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from kserve import ModelRepository

from modelyard_algorithms.inference.labels import Labels
from modelyard_algorithms.serving.dataplane import RawDataPlane
from modelyard_algorithms.serving.forms import instances, multipart, v1, v2
from modelyard_algorithms.serving.request import V1_PATH, V2_PATH, Form, Query, Request

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"
LABELS = ["cat", "dog"]
DOG = Labels(LABELS, [0.125, 0.875])
CAT = Labels(LABELS, [0.75, 0.25])


def documented() -> list[Any]:
    """Every JSON text of the page, in its order."""
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.M | re.S)]


def answer(form: Form, *answers: Labels) -> Any:
    """What a client receives."""
    return json.loads(form.render(answers, Query([b""] * len(answers))).body)


def test_v1_has_one_shape_for_one_image_and_for_many() -> None:
    assert documented()[:2] == [answer(v1, DOG), answer(v1, DOG, CAT)]


def test_bare_json_is_flat_for_one_image_and_a_list_of_lists_for_many() -> None:
    one, many = documented()[2:4]
    assert one == answer(instances, DOG)
    assert many == answer(instances, DOG, CAT)


def test_a_form_is_answered_with_indices() -> None:
    one, many = documented()[4:6]
    assert one == answer(multipart, DOG)
    assert many == answer(multipart, DOG, CAT)


def test_requests_of_v1_and_v2_are_such_that_the_server_takes(tmp_path: Path) -> None:
    image = bytes(range(256)) * 4
    (tmp_path / "cat.jpg").write_bytes(image)
    commands = re.findall(r"^(printf .*) \| curl .* http://127\.0\.0\.1:8080(/\S+)$", PAGE.read_text(), re.M)
    body_v1, body_v2 = (
        subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True).stdout
        for command, _ in commands
    )
    assert [path for _, path in commands] == ["/v1/models/photos:predict", "/v2/models/photos/infer"]
    assert v1.parse(Request(V1_PATH, {}, body_v1)).items == [image]
    request = RawDataPlane(model_registry=ModelRepository()).decode_inference_request(body_v2, {}, "photos")
    assert v2.parse(Request(V2_PATH, {}, request)).items == [image]
