from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from core.aws.errors import AwsAlreadyExistsError, AwsError, AwsNotFoundError
from core.aws.secretsmanager import PENDING, PREVIOUS
from core.aws.session import Aws

Fresh = Callable[[str], str]


def test_a_key_is_found_by_alias_and_by_tags(gateways: Aws, fresh: Fresh, tags: dict[str, str]) -> None:
    alias = f"alias/{fresh('key')}"
    made = gateways.kms.create_key(description="theirs", tags=tags)
    assert gateways.kms.find_key_by_alias(alias) is None
    gateways.kms.put_alias(alias, made.id)
    gateways.kms.put_alias(alias, made.id)
    assert gateways.kms.find_key_by_alias(alias) == made
    assert gateways.kms.find_key_by_tags(tags) == made
    assert gateways.kms.find_key_by_tags({"controlplane:tenant": "nobody"}) is None
    gateways.kms.put_key_tags(made.id, {"b": "2"})
    assert gateways.kms.list_key_tags(made.id) == {**tags, "b": "2"}
    gateways.kms.delete_alias(alias)
    gateways.kms.delete_alias(alias)
    assert gateways.kms.find_key_by_alias(alias) is None


def test_a_keys_policy_and_rotation(gateways: Aws) -> None:
    made = gateways.kms.create_key(description="", tags={})
    policy = gateways.kms.get_key_policy(made.id)
    policy["Statement"].append({"Sid": "Logs", "Effect": "Allow", "Principal": "*", "Action": "kms:Describe*", "Resource": "*"})
    gateways.kms.put_key_policy(made.id, policy)
    assert gateways.kms.get_key_policy(made.id) == policy
    assert not gateways.kms.is_rotating(made.id)
    gateways.kms.enable_rotation(made.id)
    gateways.kms.enable_rotation(made.id)
    assert gateways.kms.is_rotating(made.id)


def test_a_keys_deletion_is_scheduled_once_and_can_be_taken_back(gateways: Aws, tags: dict[str, str]) -> None:
    made = gateways.kms.create_key(description="", tags=tags)
    gateways.kms.delete_key(made.id, days=7)
    gateways.kms.delete_key(made.id, days=7)
    doomed = gateways.kms.find_key(made.id)
    assert doomed is not None
    assert doomed.state == "PendingDeletion"
    assert doomed.deletes_at is not None
    assert gateways.kms.find_key_by_tags(tags) is None
    gateways.kms.cancel_deletion(made.id)
    gateways.kms.cancel_deletion(made.id)
    saved = gateways.kms.find_key(made.id)
    assert saved is not None
    assert saved.state == "Enabled"
    gateways.kms.disable_key(made.id)
    gateways.kms.disable_key(made.id)
    disabled = gateways.kms.find_key(made.id)
    assert disabled is not None
    assert disabled.state == "Disabled"


def test_a_missing_key(gateways: Aws) -> None:
    missing = str(uuid.uuid4())
    assert gateways.kms.find_key(missing) is None
    gateways.kms.delete_key(missing)
    with pytest.raises(AwsNotFoundError):
        gateways.kms.cancel_deletion(missing)
    with pytest.raises(AwsNotFoundError):
        gateways.kms.list_key_tags(missing)


def test_what_is_encrypted_in_one_context_stays_shut_in_another(gateways: Aws) -> None:
    key = gateways.kms.create_key(description="", tags={})
    sealed = gateways.kms.encrypt(key.id, b"hello", context={"tenant": "acme"})
    assert gateways.kms.decrypt(sealed, context={"tenant": "acme"}) == b"hello"
    with pytest.raises(AwsError):
        gateways.kms.decrypt(sealed, context={"tenant": "globex"})


def test_a_secret_reads_back(gateways: Aws, fresh: Fresh, tags: dict[str, str]) -> None:
    name, token = fresh("tenants/acme"), str(uuid.uuid4())
    arn = gateways.secretsmanager.create_secret(name, token=token, value="v1", tags=tags, description="theirs")
    found = gateways.secretsmanager.find_secret(name)
    assert found is not None
    assert (found.arn, found.tags, found.description, found.deleted_at) == (arn, tags, "theirs", None)
    assert found.versions == {token: ("AWSCURRENT",)} or list(found.versions.values()) == [("AWSCURRENT",)]
    value = gateways.secretsmanager.get_value(name)
    assert value.value == "v1"
    assert "v1" not in repr(value)
    with pytest.raises(AwsAlreadyExistsError):
        gateways.secretsmanager.create_secret(name, token=str(uuid.uuid4()), value="other", tags={})
    gateways.secretsmanager.put_secret_tags(name, {"b": "2"})
    gateways.secretsmanager.put_secret_settings(name, description="ours")
    changed = gateways.secretsmanager.find_secret(arn)
    assert changed is not None
    assert (changed.tags, changed.description) == ({**tags, "b": "2"}, "ours")


def test_an_empty_secret_is_a_container_without_versions(gateways: Aws, fresh: Fresh) -> None:
    name = fresh("empty")
    gateways.secretsmanager.create_secret(name, token=str(uuid.uuid4()), value=None, tags={})
    assert gateways.secretsmanager.find_secret(name) is not None
    assert gateways.secretsmanager.find_value(name) is None


def test_stages_move_in_one_call_and_reads_name_theirs(gateways: Aws, fresh: Fresh) -> None:
    name, second = fresh("staged"), str(uuid.uuid4())
    gateways.secretsmanager.create_secret(name, token=str(uuid.uuid4()), value="v1", tags={})
    first = gateways.secretsmanager.get_value(name).version_id
    gateways.secretsmanager.put_value(name, "v2", token=second, stages=(PENDING,))
    assert gateways.secretsmanager.get_value(name).value == "v1"
    assert gateways.secretsmanager.get_value(name, stage=PENDING).value == "v2"
    gateways.secretsmanager.move_stage(name, "AWSCURRENT", to_version=second, from_version=first)
    assert gateways.secretsmanager.get_value(name).value == "v2"
    assert gateways.secretsmanager.get_value(name, stage=PREVIOUS).value == "v1"


def test_a_deleted_secret_keeps_its_name_and_can_be_restored(gateways: Aws, fresh: Fresh) -> None:
    name = fresh("doomed")
    gateways.secretsmanager.create_secret(name, token=str(uuid.uuid4()), value="v1", tags={})
    gateways.secretsmanager.delete_secret(name, recovery_days=7)
    gateways.secretsmanager.delete_secret(name, recovery_days=7)
    doomed = gateways.secretsmanager.find_secret(name)
    assert doomed is not None
    assert doomed.deleted_at is not None
    with pytest.raises(AwsError):
        gateways.secretsmanager.get_value(name)
    gateways.secretsmanager.restore_secret(name)
    gateways.secretsmanager.restore_secret(name)
    assert gateways.secretsmanager.get_value(name).value == "v1"
    gateways.secretsmanager.delete_secret(name, recovery_days=None)
    gateways.secretsmanager.delete_secret(name, recovery_days=None)
    assert gateways.secretsmanager.find_secret(name) is None
