"""Which names of images can go from the node."""

from modelyard_cluster.bare.containerd import removable

OURS = "127.0.0.1:5000/modelyard/runtime"
LISTED = [
    (f"{OURS}:old", "sha256:1"),
    (f"{OURS}@sha256:1", "sha256:1"),
    ("sha256:config-of-1", "sha256:1"),
    (f"{OURS}:new", "sha256:2"),
    (f"{OURS}:same-content", "sha256:2"),
    (f"{OURS}@sha256:2", "sha256:2"),
    ("127.0.0.1:5000/someone/else:1", "sha256:3"),
    ("registry.k8s.io/pause:3.10.1", "sha256:4"),
]


def test_an_image_goes_with_all_the_names_that_kubernetes_gave_it() -> None:
    gone = removable(LISTED, {OURS}, {f"{OURS}:new", f"{OURS}:same-content"})
    assert gone == [f"{OURS}:old", f"{OURS}@sha256:1", "sha256:config-of-1"]


def test_an_image_stays_while_another_tag_has_the_same_content() -> None:
    gone = removable(LISTED, {OURS}, {f"{OURS}:old", f"{OURS}:new"})
    assert gone == [f"{OURS}:same-content"]


def test_images_that_are_not_ours_stay() -> None:
    gone = removable(LISTED, {OURS}, set())
    assert not any("pause" in name or "someone" in name for name in gone)
