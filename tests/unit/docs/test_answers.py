"""Requests in docs/serving.md are taken; answers are those that the server gives, of one image and of two."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from kserve import ModelRepository

from modelyard_algorithms.prediction import Prediction
from modelyard_algorithms.serving import forms
from modelyard_algorithms.serving.dataplane import RawDataPlane

PAGE = Path(__file__).parents[3] / "docs" / "serving.md"
LABELS = ["cat", "dog"]
DOG = Prediction(index=1, label="dog", score=0.875, scores=[0.125, 0.875])
CAT = Prediction(index=0, label="cat", score=0.75, scores=[0.75, 0.25])


def documented() -> list[Any]:
    """Every JSON text of the page, in its order."""
    return [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.M | re.S)]


def test_v1_has_one_shape_for_one_image_and_for_many() -> None:
    assert documented()[:2] == [forms.predictions_v1([DOG]), forms.predictions_v1([DOG, CAT])]


def test_bare_json_is_flat_for_one_image_and_a_list_of_lists_for_many() -> None:
    one, many = documented()[2:4]
    assert one == forms.predictions_bare([DOG], LABELS)
    assert many == forms.predictions_bare([DOG, CAT], LABELS)


def test_a_form_is_answered_with_indices() -> None:
    one, many = documented()[4:6]
    assert one == json.loads(forms.predictions_multipart([DOG]))
    assert many == json.loads(forms.predictions_multipart([DOG, CAT]))


def test_requests_of_v1_and_v2_are_such_that_the_server_takes(tmp_path: Path) -> None:
    image = bytes(range(256)) * 4
    (tmp_path / "cat.jpg").write_bytes(image)
    commands = re.findall(r"^(printf .*) \| curl .* http://127\.0\.0\.1:8080(/\S+)$", PAGE.read_text(), re.M)
    v1, v2 = (
        subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True).stdout
        for command, _ in commands
    )
    assert [path for _, path in commands] == ["/v1/models/photos:predict", "/v2/models/photos/infer"]
    assert forms.images_from_json(v1) == [image]
    request = RawDataPlane(model_registry=ModelRepository()).decode_inference_request(v2, {}, "photos")
    (tensor,) = request.inputs
    assert forms.images_from_tensor(tensor.datatype, tensor.as_numpy().tolist()) == [image]
