"""The keys of a namespace follow from the root key and nothing that a tenant can choose alone."""

import base64

from modelyard_operator.engine.tenancy import keys, secrets
from modelyard_operator.plan import StoreCredentials

ROOT = StoreCredentials("root", "root-secret")
ACCOUNT = "team.0b5e9f7c-1111-4222-8333-444455556666"


def test_a_key_depends_on_root_account_bucket_and_word() -> None:
    first = keys.derive(ROOT, ACCOUNT, "b", "w")
    assert first == keys.derive(ROOT, ACCOUNT, "b", "w")
    others = [
        keys.derive(StoreCredentials("root", "another"), ACCOUNT, "b", "w"),
        keys.derive(ROOT, ACCOUNT + "0", "b", "w"),
        keys.derive(ROOT, ACCOUNT, "b2", "w"),
        keys.derive(ROOT, ACCOUNT, "b", "w2"),
        keys.derive(ROOT, ACCOUNT, 'b", "w', ""),
    ]
    assert len({first, *others}) == 6
    assert len(first) == 43


def test_the_root_key_is_not_in_a_namespaces_secret() -> None:
    own = StoreCredentials(ACCOUNT, keys.derive(ROOT, ACCOUNT, "b", "w"))
    manifest = keys.secret("team", keys.content("http://store", "r", "b", own), "w")
    text = str(manifest) + "".join(keys.decoded(manifest).values())
    assert "root-secret" not in text
    assert keys.word_of(manifest) == "w"
    assert keys.credentials(keys.decoded(manifest)) == own


def test_a_secret_with_more_or_less_than_it_should_hold_is_noticed() -> None:
    data = keys.content("http://store", "r", "b", StoreCredentials("a", "s"))
    manifest = keys.secret("team", data)
    assert secrets.holds(manifest, data)
    for changed in (data | {"BUCKET": "other"}, data | {"more": "x"}, {k: data[k] for k in list(data)[1:]}):
        assert not secrets.holds(keys.secret("team", changed), data)


def test_what_is_no_text_is_left_out() -> None:
    raw = {"a": "x", "b": base64.b64encode(b"\xff\xfe").decode(), "c": base64.b64encode(b" ok ").decode()}
    assert keys.decoded({"metadata": {}, "data": raw}) == {"c": "ok"}
