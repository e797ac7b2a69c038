"""The guard that keeps secrets out of the log's details: an entry can never be taken back, so it is refused before it is written. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

# `secret_arn` and `token_id` name a secret without holding it; `secret` and `client_secret` hold it.
_SUSPECT = re.compile(
    r"(pass(word|wd|phrase)|secret|token|authori[sz]ation|api_?key|private_?key|access_?key|signing_?key|credential|cookie|pepper"
    r"|plaintext|(^|_)t?otp(_|$))",
    re.IGNORECASE,
)
_NAMES_ONLY = re.compile(
    r"(_|^|[a-z])(id|ids|arn|name|names|version|kind|type|state|count|prefix|last_?four|at|days|seconds|path|status|digest_?id)$",
    re.IGNORECASE,
)
_SECRET_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bwhsec_|\beyJ[\w-]{8,}\.[\w-]{8,}\.|\bBearer\s+\S{8,}|\bBasic\s+[A-Za-z0-9+/=]{12,}"
    r"|[?&]X-Amz-(Signature|Security-Token)="
    # Our own keys and tokens, whole: brand, environment, public id, secret with checksum.
    r"|[a-z][a-z0-9]{1,15}_[a-z]{2,12}_[0-9A-Za-z]{16}_[0-9A-Za-z]{39}",
)


class SecretInDetailsError(ValueError):
    """Details of an audit event hold what looks like a secret. The message names where, never what."""


def refuse_secrets(value: object, where: str = "details") -> None:
    """Walk mappings, sequences and texts; raises SecretInDetailsError with the place of the first suspect.

    A suspect key with nothing in it (None, empty, a boolean) passes: it holds nothing.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            name = str(key)
            if _is_suspect(name) and not (inner is None or isinstance(inner, bool) or inner == ""):
                raise SecretInDetailsError(f"{where}.{name} looks like a secret and does not belong into the audit log")
            refuse_secrets(inner, f"{where}.{name}")
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, inner in enumerate(value):
            refuse_secrets(inner, f"{where}[{index}]")
    elif isinstance(value, (str, bytes)):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if _SECRET_VALUES.search(text):
            raise SecretInDetailsError(f"{where} holds what looks like a secret and does not belong into the audit log")


def _is_suspect(name: str) -> bool:
    return bool(_SUSPECT.search(name)) and not _NAMES_ONLY.search(name)
