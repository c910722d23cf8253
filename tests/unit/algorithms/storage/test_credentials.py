"""Keys follow the mounted Secret, and are always a pair."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard_algorithms.contract import report
from modelyard_algorithms.failure import WorkloadError
from modelyard_algorithms.storage.credentials import MountedKeys
from tests.support.mounted_secret import MountedSecret


def _pair(keys: MountedKeys) -> tuple[str, str]:
    found = keys.retrieve()
    return found.access_key, found.secret_key


@pytest.fixture
def secret(tmp_path: Path) -> MountedSecret:
    """A Secret as the kubelet mounts it."""
    mounted = MountedSecret(tmp_path / "platform")
    mounted.write("access-0", "secret-0")
    return mounted


def test_keys_are_those_that_are_mounted_now(secret: MountedSecret) -> None:
    keys = MountedKeys(secret.folder, "Secret 'keys'")
    assert _pair(keys) == ("access-0", "secret-0")
    secret.write("access-0", "secret-1")
    assert _pair(keys) == ("access-0", "secret-1")


def test_plain_files_that_are_overwritten_are_read_anew(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")]
    for file in files:
        file.write_text("first\n")
    keys = MountedKeys(tmp_path, "Secret 'keys'")
    assert _pair(keys) == ("first", "first")
    for file in files:
        file.write_text("another\n")
    assert _pair(keys) == ("another", "another")


def test_after_a_refusal_even_files_that_seem_unchanged_are_read_anew(
    secret: MountedSecret, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = MountedKeys(secret.folder, "Secret 'keys'")
    monkeypatch.setattr(MountedKeys, "_present", lambda _self: ())
    assert _pair(keys) == ("access-0", "secret-0")
    keys.refused()
    assert _pair(keys) == ("access-0", "secret-0")
    secret.write("access-0", "secret-1")
    assert _pair(keys) == ("access-0", "secret-0")
    keys.refused()
    assert _pair(keys) == ("access-0", "secret-1")


def test_many_threads_never_see_half_of_a_pair(secret: MountedSecret) -> None:
    keys = MountedKeys(secret.folder, "Secret 'keys'")
    mixed: list[tuple[str, str]] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            access, key = _pair(keys)
            if access.removeprefix("access-") != key.removeprefix("secret-"):
                mixed.append((access, key))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(200):
        secret.write(f"access-{number}", f"secret-{number}")
    done.set()
    for reader in readers:
        reader.join()
    assert mixed == []
    assert _pair(keys) == ("access-199", "secret-199")


def test_keys_whose_files_are_gone_are_kept_until_there_are_others(secret: MountedSecret) -> None:
    keys = MountedKeys(secret.folder, "Secret 'keys'")
    secret.remove()
    assert _pair(keys) == ("access-0", "secret-0")
    secret.write("access-1", "secret-1")
    assert _pair(keys) == ("access-1", "secret-1")


def _empty(folder: Path) -> None:
    (folder / "AWS_SECRET_ACCESS_KEY").write_text(" \n")


def _broken(folder: Path) -> None:
    (folder / "AWS_SECRET_ACCESS_KEY").write_text("hidden\nhidden")


def _binary(folder: Path) -> None:
    (folder / "AWS_SECRET_ACCESS_KEY").write_bytes(b"hidden\xff")


def _absent(folder: Path) -> None:
    (folder / "AWS_SECRET_ACCESS_KEY").unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_empty, "Secret 'team-s3' has no key AWS_SECRET_ACCESS_KEY, or nothing in it"),
        (_absent, "Secret 'team-s3' has no key AWS_SECRET_ACCESS_KEY, or nothing in it"),
        (_broken, "Secret 'team-s3', key AWS_SECRET_ACCESS_KEY has a space, a line break"),
        (_binary, "Secret 'team-s3', key AWS_SECRET_ACCESS_KEY has a space, a line break"),
    ],
)
def test_files_that_hold_no_keys_are_named_and_not_shown(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        (tmp_path / name).write_text("key")
    spoil(tmp_path)
    with pytest.raises(WorkloadError, match=words) as caught:
        MountedKeys(tmp_path, "Secret 'team-s3'")
    assert caught.value.reason == report.STORE_ACCESS_DENIED
    assert "hidden" not in caught.value.message
