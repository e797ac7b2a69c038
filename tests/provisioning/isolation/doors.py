"""Every door that a tenant's credentials might try, as (who tries, whose place) -> a call. Some are open at home, some to nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from tests.provisioning.isolation.world import Clients, Place

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
NOW = 1_790_000_000_000

Call = Callable[[Clients, Place, Place], Any]


@dataclass(frozen=True)
class Door:
    """``call(clients, home, target)``; ``is_mine`` says whether it opens when the target is home."""

    name: str
    service: str
    call: Call
    is_mine: bool = True


def is_open(door: Door, clients: Clients, home: Place, target: Place) -> bool:
    """Try it: True when AWS let the call through, False when it refused it as not allowed; anything else is an error of the test."""
    try:
        door.call(clients, home, target)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in DENIED:
            return False
        raise AssertionError(f"{door.name}: {code}: {error}") from error
    return True


def _bucket(target: Place) -> str:
    return target.names.storage_bucket


def _key(target: Place) -> str:
    return f"{target.names.storage_prefix}object"


def _bare(target: Place) -> str:
    return target.names.storage_prefix.rstrip("/")


def _copy(clients: Clients, source: Place, destination: Place) -> Any:
    return clients.s3.copy_object(
        Bucket=_bucket(destination),
        Key=f"{destination.names.storage_prefix}copied",
        CopySource={"Bucket": _bucket(source), "Key": _key(source)},
    )


def _multipart(clients: Clients, target: Place) -> Any:
    made = clients.s3.create_multipart_upload(Bucket=_bucket(target), Key=_key(target))
    return clients.s3.abort_multipart_upload(Bucket=_bucket(target), Key=_key(target), UploadId=made["UploadId"])


def _batch_delete(clients: Clients, home: Place, target: Place) -> Any:
    """One's own key first: the neighbour's rides along behind it."""
    keys = [f"{home.names.storage_prefix}nothing", f"{target.names.storage_prefix}nothing"]
    answer = clients.s3.delete_objects(Bucket=_bucket(target), Delete={"Objects": [{"Key": key} for key in keys]})
    refused = [error for error in answer.get("Errors", ()) if error["Code"] in DENIED]
    if refused:
        raise ClientError({"Error": refused[0]}, "DeleteObjects")
    return answer


def _list(clients: Clients, target: Place, **more: str) -> Any:
    return clients.s3.list_objects_v2(Bucket=_bucket(target), **more)


def _row(target: Place) -> dict[str, Any]:
    return {"pk": {"S": target.names.leading_key}, "sk": {"S": "row"}}


def _query(clients: Clients, target: Place) -> Any:
    return clients.dynamodb.query(
        TableName=target.names.data_table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": target.names.leading_key}},
    )


def _events(clients: Clients, target: Place) -> Any:
    events = [{"timestamp": NOW, "message": "hello"}]
    return clients.logs.put_log_events(logGroupName=target.names.log_group, logStreamName="first", logEvents=events)


def _stream(clients: Clients, home: Place, target: Place) -> Any:
    name = f"from-{home.tenant.id}-{id(clients)}"
    return clients.logs.create_log_stream(logGroupName=target.names.log_group, logStreamName=name)


OBJECTS = (
    Door("get object", "s3", lambda c, h, t: c.s3.get_object(Bucket=_bucket(t), Key=_key(t))),
    Door("head object", "s3", lambda c, h, t: c.s3.head_object(Bucket=_bucket(t), Key=_key(t))),
    Door("put object", "s3", lambda c, h, t: c.s3.put_object(Bucket=_bucket(t), Key=f"{t.names.storage_prefix}new", Body=b"x")),
    Door("delete object", "s3", lambda c, h, t: c.s3.delete_object(Bucket=_bucket(t), Key=f"{t.names.storage_prefix}nothing")),
    Door("delete several objects", "s3", _batch_delete),
    Door("multipart upload", "s3", lambda c, h, t: _multipart(c, t)),
    Door("copy from there", "s3", lambda c, h, t: _copy(c, t, h)),
    Door("copy to there", "s3", _copy),
    Door("get from the twin prefix", "s3", lambda c, h, t: c.s3.get_object(Bucket=_bucket(t), Key=f"{_bare(t)}x/object"), False),
    Door("put beside the prefix", "s3", lambda c, h, t: c.s3.put_object(Bucket=_bucket(t), Key=f"{_bare(t)}x", Body=b"x"), False),
    Door("put at the root", "s3", lambda c, h, t: c.s3.put_object(Bucket=_bucket(t), Key="tenants/object", Body=b"x"), False),
    Door("delete a version", "s3", lambda c, h, t: c.s3.delete_object(Bucket=_bucket(t), Key=_key(t), VersionId="null"), False),
    Door(
        "make an object public", "s3", lambda c, h, t: c.s3.put_object_acl(Bucket=_bucket(t), Key=_key(t), ACL="public-read"), False
    ),
)
LISTINGS = (
    Door("list prefix", "s3", lambda c, h, t: _list(c, t, Prefix=t.names.storage_prefix)),
    Door("list below the prefix", "s3", lambda c, h, t: _list(c, t, Prefix=f"{t.names.storage_prefix}2026/")),
    Door("list versions", "s3", lambda c, h, t: c.s3.list_object_versions(Bucket=_bucket(t), Prefix=t.names.storage_prefix)),
    Door("list without a prefix", "s3", lambda c, h, t: _list(c, t), False),
    Door("list with an empty prefix", "s3", lambda c, h, t: _list(c, t, Prefix=""), False),
    Door("list the ancestor", "s3", lambda c, h, t: _list(c, t, Prefix="tenants/"), False),
    Door("list without the slash", "s3", lambda c, h, t: _list(c, t, Prefix=_bare(t)), False),
    Door("list the twin prefix", "s3", lambda c, h, t: _list(c, t, Prefix=f"{_bare(t)}x/"), False),
    Door("list versions without a prefix", "s3", lambda c, h, t: c.s3.list_object_versions(Bucket=_bucket(t)), False),
    Door(
        "list uploads", "s3", lambda c, h, t: c.s3.list_multipart_uploads(Bucket=_bucket(t), Prefix=t.names.storage_prefix), False
    ),
    Door("list buckets", "s3", lambda c, h, t: c.s3.list_buckets(), False),
    Door("read the bucket's policy", "s3", lambda c, h, t: c.s3.get_bucket_policy(Bucket=_bucket(t)), False),
)
ITEMS = (
    Door("get item", "dynamodb", lambda c, h, t: c.dynamodb.get_item(TableName=t.names.data_table, Key=_row(t))),
    Door("put item", "dynamodb", lambda c, h, t: c.dynamodb.put_item(TableName=t.names.data_table, Item=_row(t))),
    Door("query", "dynamodb", lambda c, h, t: _query(c, t)),
    Door(
        "batch get", "dynamodb", lambda c, h, t: c.dynamodb.batch_get_item(RequestItems={t.names.data_table: {"Keys": [_row(t)]}})
    ),
    Door(
        "transact",
        "dynamodb",
        lambda c, h, t: c.dynamodb.transact_get_items(TransactItems=[{"Get": {"TableName": t.names.data_table, "Key": _row(t)}}]),
    ),
    Door("scan", "dynamodb", lambda c, h, t: c.dynamodb.scan(TableName=t.names.data_table), False),
    Door("describe table", "dynamodb", lambda c, h, t: c.dynamodb.describe_table(TableName=t.names.data_table), False),
)
KEYS = (
    Door("decrypt", "kms", lambda c, h, t: c.kms.decrypt(CiphertextBlob=t.ciphertext, EncryptionContext=t.context)),
    Door("encrypt", "kms", lambda c, h, t: c.kms.encrypt(KeyId=t.key_id, Plaintext=b"x", EncryptionContext=t.context)),
    Door(
        "data key", "kms", lambda c, h, t: c.kms.generate_data_key(KeyId=t.key_id, KeySpec="AES_256", EncryptionContext=t.context)
    ),
    Door("encrypt without context", "kms", lambda c, h, t: c.kms.encrypt(KeyId=t.key_id, Plaintext=b"x"), False),
    Door("delete the key", "kms", lambda c, h, t: c.kms.schedule_key_deletion(KeyId=t.key_id), False),
    Door("read the key's policy", "kms", lambda c, h, t: c.kms.get_key_policy(KeyId=t.key_id, PolicyName="default"), False),
)
SECRETS = (
    Door("read secret", "secretsmanager", lambda c, h, t: c.secretsmanager.get_secret_value(SecretId=t.names.api_secret)),
    Door("describe secret", "secretsmanager", lambda c, h, t: c.secretsmanager.describe_secret(SecretId=t.names.api_secret)),
    Door(
        "write secret",
        "secretsmanager",
        lambda c, h, t: c.secretsmanager.put_secret_value(SecretId=t.names.api_secret, SecretString="x"),
        False,
    ),
    Door("list secrets", "secretsmanager", lambda c, h, t: c.secretsmanager.list_secrets(), False),
)
LOGS = (
    Door("make log stream", "logs", _stream),
    Door("write log events", "logs", lambda c, h, t: _events(c, t)),
    Door("read log events", "logs", lambda c, h, t: c.logs.get_log_events(logGroupName=t.names.log_group, logStreamName="first")),
    Door("search log events", "logs", lambda c, h, t: c.logs.filter_log_events(logGroupName=t.names.log_group)),
    Door("list log groups", "logs", lambda c, h, t: c.logs.describe_log_groups(), False),
    Door("delete log group", "logs", lambda c, h, t: c.logs.delete_log_group(logGroupName=t.names.log_group), False),
)
OTHERS = (
    Door(
        "assume the role",
        "sts",
        lambda c, h, t: c.sts.assume_role(RoleArn=t.names.access_role_arn, RoleSessionName="neighbour"),
        False,
    ),
    Door("read the role", "iam", lambda c, h, t: c.iam.get_role(RoleName=t.names.access_role), False),
    Door("list user pools", "cognito", lambda c, h, t: getattr(c, "cognito-idp").list_user_pools(MaxResults=1), False),
)
DOORS = OBJECTS + LISTINGS + ITEMS + KEYS + SECRETS + LOGS + OTHERS
