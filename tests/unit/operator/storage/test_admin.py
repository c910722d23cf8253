"""What the admin client writes, and what it takes for an answer; the rest is tested against a store."""

import pytest

from modelyard_operator.plan import StoreCredentials
from modelyard_operator.storage.admin import StoreAdmin
from modelyard_operator.storage.errors import StorageError

REFUSED = (
    r"refuses the credentials \(\w+\): check Secret 'store-root' of namespace 'system', "
    r"keys AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY$"
)


class Pool:
    """Answers in place of urllib3's pool, and keeps what was sent."""

    def __init__(self, status: int, data: bytes) -> None:
        self.status, self.data = status, data
        self.sent: list[tuple[str, bytes]] = []

    def request(self, _: str, url: str, *, headers: dict[str, str], body: bytes, redirect: bool) -> "Pool":
        assert not redirect
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=root-key/")
        self.sent.append((url, body))
        return self


def admin(monkeypatch: pytest.MonkeyPatch, status: int = 200, data: bytes = b"") -> tuple[StoreAdmin, Pool]:
    pool = Pool(status, data)
    monkeypatch.setattr("modelyard_operator.storage.admin.connect", lambda *_: pool)
    keys = StoreCredentials("root-key", "root-secret", secret="'store-root' of namespace 'system'")
    return StoreAdmin("http://store.test:9001/", "us-east-1", keys), pool


def test_what_stands_in_a_name_or_a_key_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    client, pool = admin(monkeypatch)
    client.create_account("a<b", "s&c]]>")
    client.set_secret("a/b&access=c d", "<s>")
    client.create_bucket("../a?b", "owner")
    assert pool.sent == [
        (
            "http://store.test:9001/create-user",
            b"<Account><Access>a&lt;b</Access><Secret>s&amp;c]]&gt;</Secret><Role>user</Role></Account>",
        ),
        (
            "http://store.test:9001/update-user?access=a%2Fb%26access%3Dc%20d",
            b"<MutableProps><Secret>&lt;s&gt;</Secret><Role>user</Role></MutableProps>",
        ),
        ("http://store.test:9001/..%2Fa%3Fb/create", b""),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>hello",
        b"\xff\xfe<\x00",
        b'<!DOCTYPE x [<!ENTITY e "v">]><R><Accounts><Access>&e;</Access></Accounts></R>',
        '<!DOCTYPE x [<!ENTITY e "v">]><R/>'.encode("utf-16"),
    ],
    ids=["empty", "html", "bytes", "entity", "entity in UTF-16"],
)
def test_an_answer_that_is_not_the_stores_is_refused(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> None:
    client, _ = admin(monkeypatch, data=answer)
    with pytest.raises(StorageError, match=r"does not answer in XML: is it the admin API\?$"):
        client.accounts()


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (403, b"<Error><Code>XAdminAccessDenied</Code></Error>", REFUSED),
        (403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>", REFUSED),
        (500, b"<Error><Code>InternalError</Code></Error>", r"answers InternalError$"),
        (502, b"<html>bad gateway</html>", r"answers with HTTP status 502$"),
        (500, b"<Error><Code>a sentence with root-secret</Code></Error>", r"answers with HTTP status 500$"),
        (302, b"", r"answers with HTTP status 302$"),
    ],
)
def test_a_refusal_is_one_sentence_and_no_key_is_in_it(
    monkeypatch: pytest.MonkeyPatch, status: int, answer: bytes, sentence: str
) -> None:
    client, _ = admin(monkeypatch, status, answer)
    with pytest.raises(StorageError, match=sentence) as refusal:
        client.accounts()
    assert not any(key in str(refusal.value) for key in ("root-key", "root-secret"))
