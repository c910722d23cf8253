"""Which mounts a former cluster left behind."""

from pathlib import Path

from modelyard_cluster.bare.mounts import mounts_below

MOUNTINFO = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:40 / /var/lib/kubelet/pods/a/volumes/token rw - tmpfs tmpfs rw
41 40 0:41 / /var/lib/kubelet/pods/a/volumes/token/inner rw - tmpfs tmpfs rw
42 22 0:42 / /var/lib/kubelet-of-mine rw - tmpfs tmpfs rw
43 22 0:43 / /run/modelyard/with\\040space rw - overlay overlay rw
44 22 0:44 / /home rw - ext4 /dev/vdb rw
"""
FOLDERS = [Path("/var/lib/kubelet"), Path("/run/modelyard")]


def test_the_innermost_mount_goes_first() -> None:
    found = mounts_below(MOUNTINFO, FOLDERS)
    token = "/var/lib/kubelet/pods/a/volumes/token"
    assert found.index(f"{token}/inner") < found.index(token)


def test_a_folder_whose_name_only_begins_the_same_is_someone_elses() -> None:
    assert "/var/lib/kubelet-of-mine" not in mounts_below(MOUNTINFO, FOLDERS)


def test_spaces_in_a_mount_point_are_read_back() -> None:
    assert "/run/modelyard/with space" in mounts_below(MOUNTINFO, FOLDERS)


def test_a_mount_on_the_folder_itself_counts() -> None:
    assert mounts_below(MOUNTINFO, [Path("/home")]) == ["/home"]


def test_nothing_is_found_on_a_clean_machine() -> None:
    assert mounts_below(MOUNTINFO, [Path("/var/lib/modelyard")]) == []
