"""Nothing that is a secret by its shape or by its name passes; what is none stays readable."""

from __future__ import annotations

import base64
import json
import secrets as random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.redaction import REMOVED, is_secret_name, redact, redact_text

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
SESSION = base64.b64encode(bytes(range(256))).decode()

# The text, and the part of it that must be gone.
LEAKS = {
    "a key after a letter": ("écpk_live_7QmXcT2bLw9ZrK4a_h3Vt0pQyh3Vt0pQyh3Vt0pQyh3Vt0pQy1234567", "h3Vt0pQy"),
    "a key after an underscore": ("id_cpk_live_7QmXcT2bLw9ZrK4a_h3Vt0pQyh3Vt0pQyh3Vt0pQyh3Vt0pQy1234567", "h3Vt0pQy"),
    "a key after a long word": (
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaacpk_live_7QmXcT2bLw9ZrK4a_h3Vt0pQyh3Vt0pQyh3Vt0pQyh3Vt0pQy1234567",
        "h3Vt0pQy",
    ),
    "password=": ("login password=hunter2!x failed", "hunter2!x"),
    "password:": ("Password: hunter2!x", "hunter2!x"),
    "JSON": ('{"TemporaryPassword": "hunter2 with \\" quotes", "Username": "u"}', "hunter2"),
    "JSON in JSON": ('{"body": "{\\"SecretString\\": \\"hunter2\\"}"}', "hunter2"),
    "kwargs": ("call(UserPoolId='p', ClientSecret='hunter2', x=1)", "hunter2"),
    "repr of a dict": ("{'SECRET_HASH': 'hunter2', 'USERNAME': 'u'}", "hunter2"),
    "bytes": ("{'SecretBinary': b'hunter2'}", "hunter2"),
    "query": ("GET /x?a=1&access_token=hunter2&b=2", "hunter2"),
    "cookie": ("Cookie: sessionid=hunter2; csrftoken=hunter3", "hunter2"),
    "set-cookie": ("__Host-session=hunter2; Path=/", None),
    "header": ("Authorization: Bearer abc.def-ghi_jkl", "abc.def"),
    "header of another kind": ("authorization: Token hunter2", "hunter2"),
    "header in a dict": ("{'Authorization': 'AWS4-HMAC-SHA256 Credential=AK/2026, Signature=abcdef0123'}", "abcdef0123"),
    "basic": ("using Basic dXNlcjpodW50ZXIy for it", "dXNlcjpodW50ZXIy"),
    "url": ("connecting to postgresql://user:hunter2@db/name", "hunter2"),
    "url without a user": ("redis://:hunter2@127.0.0.1:6379/0", "hunter2"),
    "access key id": ("key AKIAIOSFODNN7EXAMPLE was used", "AKIAIOSFODNN7EXAMPLE"),
    "session key id": ("ASIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE"),
    "secret access key alone": (f"got {SECRET_KEY} from it", SECRET_KEY),
    "secret access key by name": (f"aws_secret_access_key = {SECRET_KEY}", SECRET_KEY),
    "session token": (f"token {SESSION}", SESSION[:80]),
    "presigned": (f"https://b.s3.amazonaws.com/k?X-Amz-Credential=x&X-Amz-Signature={'ab' * 32}", "ab" * 32),
    "web token": (f"verified {JWT}!", JWT.split(".")[2]),
    "webhook secret": ("endpoint has whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw now", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    "webhook signature": ("sent v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= to", "K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN"),
    "our key": (
        "key cp_live_01j9zc3v5m8k2q4r_7Fq2mXw9Lk3TzYb6Rn8VsC4dHgJp1AeUo5a1B2c3 refused",
        "7Fq2mXw9Lk3TzYb6Rn8VsC4dHgJp1AeUo5a1B2c3",
    ),
    "private key": ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----", "MIIEow"),
    "private key, cut off": ("-----BEGIN PRIVATE KEY-----\nMIIEow", "MIIEow"),
    "pepper": ("TOKEN_PEPPERS=1:hunter2hunter2", "hunter2"),
    "audit key": ("AUDIT_KEY: hunter2", "hunter2"),
}
LEAKS["set-cookie"] = ("Set-Cookie: session_key=hunter2; Path=/", "hunter2")

HARMLESS = (
    "tenant tnt_01j9zc3v5m8k2q4r6t8w0y1a3b is active",
    "arn:aws:secretsmanager:eu-central-1:000000000000:secret:controlplane/tnt_01j9zc3v5m8k2q4r6t8w0y1a3b/keys-AbCdEf",
    "CreateSecret took 12 ms, request id 7a62c49f-347e-4fc4-9331-6e8eaa2f2f9a",
    "secret_name=controlplane/tnt_1 token_count=3 key_id=1234abcd-12ab-34cd-56ef-1234567890ab",
    "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "commit 356a192b7913b04c54574d18c28d46e6395428ab",
    "https://console.example.com/console/tenants/tenant/?q=acme&page=2",
    "role arn:aws:iam::000000000000:role/controlplane/tnt-01j9zc3v5m8k2q4r6t8w0y1a3b-access",
    "the token is missing; the password was wrong",
)


@pytest.mark.parametrize("name", LEAKS)
def test_what_leaks_is_removed(name: str) -> None:
    text, secret = LEAKS[name]
    assert secret is not None
    assert secret in text
    cleaned = redact_text(text)
    assert secret not in cleaned
    assert REMOVED in cleaned


@pytest.mark.parametrize("name", LEAKS)
def test_removing_twice_changes_nothing_more(name: str) -> None:
    once = redact_text(LEAKS[name][0])
    assert redact_text(once) == once


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_what_stands_beside_a_secret_stays() -> None:
    assert redact_text("user=u password=hunter2 host=h") == f"user=u password={REMOVED} host=h"
    assert json.loads(redact_text('{"a": 1, "password": "x", "b": [2]}')) == {"a": 1, "password": REMOVED, "b": [2]}


def test_names() -> None:
    for name in (
        "password",
        "SecretString",
        "aws_session_token",
        "X-Api-Key",
        "client_secret",
        "Authorization",
        "csrftoken",
        "SECRET_HASH",
    ):
        assert is_secret_name(name), name
    for name in ("secret_name", "SecretId", "token_count", "key_id", "tenant", "request_id", "passwords_expire_days"):
        assert not is_secret_name(name), name


def test_structures_are_cleaned_by_name_and_by_shape() -> None:
    cleaned = redact({"a": {"Password": {"deep": 1}}, "b": [JWT, 3, None], 7: b"password=hunter2", "c": {"AKIAIOSFODNN7EXAMPLE"}})
    text = json.dumps(cleaned)
    assert cleaned["a"] == {"Password": REMOVED}
    assert cleaned["b"][1:] == [3, None]
    assert not [part for part in (JWT, "hunter2", "AKIAIOSFODNN7EXAMPLE") if part in text]


@pytest.mark.parametrize("environment", ["dev", "stage", "production"])
def test_the_tokens_that_we_issue_have_the_shape_that_is_dropped(environment: str) -> None:
    from controlplane.api.tokens import new_token

    token = new_token(environment).text
    assert redact_text(f"got {token}.") == f"got {REMOVED}."


def test_a_cycle_ends() -> None:
    loop: dict[str, object] = {}
    loop["again"] = loop
    assert "[cut off]" in json.dumps(redact(loop))


@given(st.text(max_size=60), st.text(max_size=60), st.sampled_from(["password=", "Authorization: Bearer ", "SecretString='"]))
def test_no_surroundings_save_a_secret(before: str, after: str, label: str) -> None:
    secret = "Zx9" + random.token_hex(12)
    assert secret not in redact_text(f"{before} {label}{secret} {after}")


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "password" * 20_000, '{"' * 50_000, "eyJ" * 50_000, "a_b_" * 50_000, "x://" * 50_000]
)
def test_no_text_makes_it_slow(text: str) -> None:
    """The patterns have no nested repetition; half a second for 200 kB leaves room for a busy machine."""
    import time

    started = time.process_time()
    redact_text(text)
    assert time.process_time() - started < 0.5
