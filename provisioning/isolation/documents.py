"""Policy documents as plain dicts: building, limits and the one value that is only known once AWS has answered. Pure.

Limits, from https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html : a session policy has at most 2,048
characters, a managed policy 6,144, a role's inline policies 10,240 together (blanks not counted there; we count what we send, which
has none). Session policies allow U+0020 to U+00FF only, and we hold every document to that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from core.errors import DomainError
from tenants.facts import CellFacts

Document = dict[str, Any]
Statement = dict[str, Any]

VERSION: Final = "2012-10-17"
SESSION_LIMIT: Final = 2_048
MANAGED_LIMIT: Final = 6_144
INLINE_LIMIT: Final = 10_240
TRUST_LIMIT: Final = 2_048
BUCKET_LIMIT: Final = 20_480
KEY_PLACEHOLDER: Final = "{{kms_key.arn}}"

_PLAIN = re.compile(r"[\u0020-\u00ff]*")
_KEY_ID = re.compile(r"key/[A-Za-z0-9-]{1,64}")


class PolicyTooLargeError(DomainError):
    """A document is longer than AWS takes."""

    code = "policy-too-large"
    title = "The policy is too long for AWS"
    status = 500


class MalformedPolicyError(DomainError):
    """A document holds something that must never be in one."""

    code = "malformed-policy"
    title = "The policy is not well formed"
    status = 500


def document(statements: Iterable[Statement], *, limit: int, what: str) -> Document:
    """Wrap statements into a document. Raises PolicyTooLargeError or MalformedPolicyError rather than sending nonsense to AWS."""
    made: Document = {"Version": VERSION, "Statement": list(statements)}
    text = as_text(made)
    if len(text) > limit:
        raise PolicyTooLargeError(f"The {what} has {len(text)} characters; AWS takes {limit}.")
    if _PLAIN.fullmatch(text) is None:
        raise MalformedPolicyError(f"The {what} holds a character outside U+0020 to U+00FF.")
    return made


def as_text(made: Mapping[str, Any]) -> str:
    """Write a document as it is sent: JSON without blanks, keys in the order given."""
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False)


def statement(
    sid: str,
    actions: Iterable[str],
    resources: str | Iterable[str],
    condition: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    effect: str = "Allow",
    principal: Any = None,
) -> Statement:
    """Make one statement; ``condition`` is left out when empty, ``principal`` when None (identity policies have none)."""
    made: Statement = {"Sid": sid, "Effect": effect}
    if principal is not None:
        made["Principal"] = principal
    made["Action"] = list(actions)
    made["Resource"] = resources if isinstance(resources, str) else list(resources)
    if condition:
        made["Condition"] = {operator: dict(block) for operator, block in condition.items()}
    return made


def fill_key(made: Document, key_arn: str, cell: CellFacts) -> Document:
    """Put the key's ARN where the document says ``KEY_PLACEHOLDER``; AWS chooses it, so it is known only after the key exists.

    A document that was never filled is refused by AWS as malformed, so forgetting this closes and does not open. Raises
    MalformedPolicyError unless the ARN is that of a key in the cell's own partition, region and account.
    """
    head = f"arn:{cell.partition}:kms:{cell.region}:{cell.account_id}:"
    if not key_arn.startswith(head) or _KEY_ID.fullmatch(key_arn[len(head) :]) is None:
        raise MalformedPolicyError("The key is not one of the cell's own account and region.")
    filled: Document = _replace(made, key_arn)
    return filled


def _replace(value: Any, key_arn: str) -> Any:
    if isinstance(value, dict):
        return {name: _replace(inner, key_arn) for name, inner in value.items()}
    if isinstance(value, list):
        return [_replace(inner, key_arn) for inner in value]
    return key_arn if value == KEY_PLACEHOLDER else value
