"""From a prefetched file to tensors."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelyard_algorithms.algorithms.image_classification import data
from modelyard_algorithms.contract.manifest import DatasetSummary
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.inputs import normalize
from modelyard_algorithms.runtime.prefetch import Piece
from modelyard_algorithms.training.distributed import Group
from modelyard_algorithms.training.stop import Stop, TerminatedError

Encoded = Callable[..., bytes]
ALONE = Group(rank=0, world=1, local_rank=0, device=torch.device("cpu"))


def _images(
    tmp_path: Path,
    files: list[tuple[str, bytes]],
    shape: tuple[int, int, int] = (1, 8, 8),
    budget: int = 10**6,
    decoded: Callable[[int], None] = lambda _count: None,
) -> data.Images:
    path = tmp_path / "train.bin"
    pieces, offset = [], 0
    for number, (label, content) in enumerate(files):
        pieces.append(Piece(key=f"{label}/{number}.png", label=label, offset=offset, size=len(content)))
        offset += len(content)
    path.write_bytes(b"".join(content for _, content in files))
    return data.Images(pieces, path, ["a", "b"], shape, budget=budget, decoded=decoded)


def test_images_are_the_same_decoded_once_or_at_each_use(tmp_path: Path, encoded: Encoded) -> None:
    files = [("ab"[number % 2], encoded(colour=10 * number)) for number in range(20)]
    once, lazily = _images(tmp_path, files), _images(tmp_path, files, budget=0)
    some = torch.tensor([3, 0, 19])
    assert torch.equal(once.pixels(some), lazily.pixels(some))
    assert once.pixels(some)[:, 0, 0, 0].tolist() == [30, 0, 190]
    assert once.classes_n.tolist() == [0, 1] * 10
    assert len(once) == 20


def test_decoding_says_how_far_it_is(tmp_path: Path, encoded: Encoded) -> None:
    told: list[int] = []
    images = _images(tmp_path, [("a", encoded())] * 20, decoded=told.append)
    assert told == list(range(1, 21))
    images.pixels(torch.tensor([0, 1]))
    assert len(told) == 20


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_brought_to_one_shape(tmp_path: Path, encoded: Encoded, channels: int) -> None:
    files = [("a", encoded((30, 20))), ("b", encoded((5, 9), "RGB"))]
    images = _images(tmp_path, files, (channels, 6, 4))
    assert images.pixels(torch.tensor([0, 1])).shape == (2, channels, 6, 4)


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match=r"'a/0.png' is not a PNG"):
        _images(tmp_path, [("a", b"words")])


def test_normalised_pixels_have_mean_0_and_deviation_1(tmp_path: Path, encoded: Encoded) -> None:
    images = _images(tmp_path, [("a", encoded(colour=colour)) for colour in (0, 50, 100, 200)])
    preprocessing = data.preprocessing_of(images, ALONE, 64)
    normal = normalize(images.pixels(torch.arange(4)), preprocessing.normalize)
    assert normal.mean().item() == pytest.approx(0, abs=1e-5)
    assert normal.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_images_of_one_colour_do_not_divide_by_zero(tmp_path: Path, encoded: Encoded) -> None:
    images = _images(tmp_path, [("a", encoded()), ("b", encoded())])
    preprocessing = data.preprocessing_of(images, ALONE, 64)
    assert normalize(images.pixels(torch.arange(2)), preprocessing.normalize).isfinite().all()


class Counted:
    """Images of random pixels that count how many are asked for."""

    shape = (3, 4, 5)

    def __init__(self, count: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._all = torch.randint(0, 256, (count, *self.shape), dtype=torch.uint8, generator=generator)
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self._all)

    def pixels(self, indices_n: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(indices_n))
        return self._all[indices_n]


@pytest.mark.parametrize("count", [1, 70, 3999])
def test_statistics_hold_one_batch_in_memory_and_count_each_image_once(count: int) -> None:
    images = Counted(count)
    preprocessing = data.preprocessing_of(images, ALONE, 64)  # type: ignore[arg-type]
    assert max(images.asked) <= 64
    assert sum(images.asked) == min(count, data.STATISTICS_SAMPLES)
    taken = images._all[torch.arange(sum(images.asked)) * count // sum(images.asked)].double() / 255
    scale = preprocessing.normalize
    assert scale.mean == pytest.approx(taken.mean(dim=(0, 2, 3)).tolist(), abs=1e-6)
    assert scale.std == pytest.approx(taken.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-6)


def test_ranks_count_their_shares_and_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = data.preprocessing_of(Counted(70), ALONE, 64)  # type: ignore[arg-type]
    shares: list[torch.Tensor] = []
    groups = [Group(rank=rank, world=3, local_rank=0, device=torch.device("cpu")) for rank in range(3)]

    def kept(levels: torch.Tensor) -> torch.Tensor:
        shares.append(levels)
        return levels

    monkeypatch.setattr(data, "sum_over_ranks", kept)
    for group in groups:
        images = Counted(70)
        data.preprocessing_of(images, group, 64)  # type: ignore[arg-type]
        assert max(images.asked) <= 64 // 3
    monkeypatch.setattr(data, "sum_over_ranks", lambda _levels: sum(shares[1:], shares[0]))
    for group in groups:
        assert data.preprocessing_of(Counted(70), group, 64) == alone  # type: ignore[arg-type]


def test_decoding_and_counting_end_when_the_pod_is_to_end(tmp_path: Path, encoded: Encoded) -> None:
    stop = Stop()
    files = [("a", encoded())] * 50
    images = _images(tmp_path, files)
    stop.requested = True
    with pytest.raises(TerminatedError):
        _images(tmp_path, files, decoded=lambda _count: stop.check())
    with pytest.raises(TerminatedError):
        data.preprocessing_of(images, ALONE, 4, stop.check)


@pytest.mark.parametrize(
    ("width", "height", "image_size", "shape"),
    [
        (8, 8, 0, (1, 8, 8)),
        (640, 480, 0, (1, 192, 256)),
        (640, 480, 64, (1, 64, 64)),
        (4000, 2, 0, (1, 1, 256)),
    ],
)
def test_the_size_comes_from_the_config_or_the_data(
    width: int, height: int, image_size: int, shape: tuple[int, int, int]
) -> None:
    summary = DatasetSummary(
        format="ImageFolder",
        version="v",
        items=1,
        bytes=1,
        labels=[],
        splits={},
        width=width,
        height=height,
        channels=1,
        source_endpoint="",
        source_bucket="",
        source_prefix="",
    )
    assert data.shape_of(summary, image_size) == shape
