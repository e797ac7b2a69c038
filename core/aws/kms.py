"""KMS keys and aliases.

CreateKey takes no client token and a key cannot be deleted at once (7 to 30 days): a key that is made twice costs money for a month. The
alias is therefore the name to look by; :meth:`Kms.find_key_by_tags` finds a key whose alias was not written before a crash.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from core.aws.errors import AwsAccessDeniedError, AwsAlreadyExistsError, AwsConflictError, AwsNotFoundError
from core.aws.gateway import Gateway
from core.aws.pages import pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_kms import KMSClient

GONE = frozenset({"PendingDeletion", "PendingReplicaDeletion"})


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key; ``state`` as AWS names it (Enabled, Disabled, PendingDeletion ...); tags, policy and rotation are read apart."""

    id: str
    arn: str
    state: str
    description: str
    deletes_at: datetime.datetime | None


class Kms(Gateway):
    """The gateway to KMS. ``key`` arguments take a key id or ARN; aliases are named in full, ``alias/...``."""

    _client: KMSClient

    def find_key(self, key: str) -> Key | None:
        """Describe a key by id, ARN or alias, or None. A key that waits for its deletion is still found: read ``state``."""
        try:
            raw = self._call(self._client.describe_key, KeyId=key)["KeyMetadata"]
        except AwsNotFoundError:
            return None
        return _key(raw)

    def find_key_by_alias(self, alias: str) -> Key | None:
        """Give the key that an alias points to, or None."""
        return self.find_key(alias)

    def find_key_by_tags(self, tags: Mapping[str, str]) -> Key | None:
        """Give a key that bears all of ``tags`` and does not wait for deletion, or None.

        Costs one call for every 1,000 keys of the region and one for *each* key: only for after a lost answer.
        """
        for item in pages(
            partial(self._call, self._client.list_keys, Limit=1000), items="Keys", sent="Marker", received="NextMarker"
        ):
            try:
                found = tags.items() <= self.list_key_tags(item["KeyId"]).items()
            except (AwsAccessDeniedError, AwsNotFoundError):
                continue  # AWS's own keys and other people's: not ours to read
            key = self.find_key(item["KeyId"]) if found else None
            if key is not None and key.state not in GONE:
                return key
        return None

    def create_key(self, *, description: str, tags: Mapping[str, str], policy: Mapping[str, Any] | None = None) -> Key:
        """Make a symmetric key; without ``policy`` AWS's default, which leaves access to IAM. Not repeatable: see the module."""
        optional: dict[str, Any] = {} if policy is None else {"Policy": json.dumps(policy)}
        answer = self._call(self._client.create_key, Description=description, Tags=_tag_list(tags), **optional)
        return _key(answer["KeyMetadata"])

    def put_alias(self, alias: str, key: str) -> None:
        """Make an alias point to a key, wherever it pointed before; repeatable. Costs one call, two when the alias exists."""
        try:
            self._call(self._client.create_alias, AliasName=alias, TargetKeyId=key)
        except AwsAlreadyExistsError:
            self._call(self._client.update_alias, AliasName=alias, TargetKeyId=key)

    def delete_alias(self, alias: str) -> None:
        """Delete an alias, the key stays; a missing one is fine."""
        try:
            self._call(self._client.delete_alias, AliasName=alias)
        except AwsNotFoundError:
            return

    def list_key_tags(self, key: str) -> dict[str, str]:
        """Give a key's tags; raises AwsNotFoundError."""
        fetch = partial(self._call, self._client.list_resource_tags, KeyId=key)
        found = pages(fetch, items="Tags", sent="Marker", received="NextMarker")
        return {item["TagKey"]: item["TagValue"] for item in found}

    def put_key_tags(self, key: str, tags: Mapping[str, str]) -> None:
        """Add or overwrite these tags; others stay."""
        self._call(self._client.tag_resource, KeyId=key, Tags=_tag_list(tags))

    def get_key_policy(self, key: str) -> dict[str, Any]:
        """Give the key's policy; raises AwsNotFoundError."""
        return dict(json.loads(self._call(self._client.get_key_policy, KeyId=key, PolicyName="default")["Policy"]))

    def put_key_policy(self, key: str, document: Mapping[str, Any]) -> None:
        """Replace the key's policy. AWS refuses one that would lock its writer out."""
        self._call(self._client.put_key_policy, KeyId=key, PolicyName="default", Policy=json.dumps(document))

    def is_rotating(self, key: str) -> bool:
        """Say whether the key's material is renewed every year."""
        return self._call(self._client.get_key_rotation_status, KeyId=key)["KeyRotationEnabled"]

    def enable_rotation(self, key: str) -> None:
        """Renew the key's material every year; repeatable."""
        self._call(self._client.enable_key_rotation, KeyId=key)

    def enable_key(self, key: str) -> None:
        """Let the key be used; repeatable. Raises AwsConflictError while it waits for deletion."""
        self._call(self._client.enable_key, KeyId=key)

    def disable_key(self, key: str) -> None:
        """Stop the key from being used; repeatable. Raises AwsConflictError while it waits for deletion."""
        self._call(self._client.disable_key, KeyId=key)

    def delete_key(self, key: str, *, days: int = 30) -> None:
        """Schedule a key's deletion in 7 to 30 days; one that is scheduled already or missing is fine."""
        try:
            self._call(self._client.schedule_key_deletion, KeyId=key, PendingWindowInDays=days)
        except AwsNotFoundError:
            return
        except AwsConflictError:
            found = self.find_key(key)
            if found is not None and found.state not in GONE:
                raise

    def cancel_deletion(self, key: str) -> None:
        """Take a scheduled deletion back and let the key be used again; repeatable. Raises AwsNotFoundError."""
        found = self.find_key(key)
        if found is None:
            raise AwsNotFoundError(f"kms CancelKeyDeletion: there is no key {key}.", service="kms", operation="CancelKeyDeletion")
        if found.state in GONE:
            self._call(self._client.cancel_key_deletion, KeyId=key)  # leaves the key disabled
        if found.state != "Enabled":
            self.enable_key(key)

    def encrypt(self, key: str, plaintext: bytes, *, context: Mapping[str, str]) -> bytes:
        """Encrypt up to 4,096 bytes under a key and an encryption context."""
        answer = self._call(self._client.encrypt, KeyId=key, Plaintext=plaintext, EncryptionContext=dict(context))
        return answer["CiphertextBlob"]

    def decrypt(self, ciphertext: bytes, *, context: Mapping[str, str], key: str = "") -> bytes:
        """Decrypt under the same context; ``key`` pins the key that must have been used."""
        optional: dict[str, Any] = {"KeyId": key} if key else {}
        return self._call(self._client.decrypt, CiphertextBlob=ciphertext, EncryptionContext=dict(context), **optional)["Plaintext"]


def _tag_list(tags: Mapping[str, str]) -> Any:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def _key(raw: Mapping[str, Any]) -> Key:
    return Key(raw["KeyId"], raw["Arn"], raw["KeyState"], raw.get("Description", ""), raw.get("DeletionDate"))
