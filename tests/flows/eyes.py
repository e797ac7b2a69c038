"""Independent eyes on the stand-in: what is really there of one tenant, listed with the account's own key and not with the product's code.

A census names every thing with the tenant's id replaced, so that two tenants that went the same way by different roads have the same
census: a second pool, a forgotten role or a user left enabled makes it differ.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore.config import Config

from core.ids import body_of
from tenants.facts import TenantFacts
from tenants.naming import names_of, names_of_cell
from tests.services import REGION


class Eyes:
    """Clients with the root key of the stand-in."""

    def __init__(self, endpoint_url: str) -> None:
        session = boto3.Session("test", "test", region_name=REGION)
        make: Any = session.client
        self._clients: dict[str, Any] = {
            name: make(name, endpoint_url=endpoint_url, config=Config(s3={"addressing_style": "path"}))
            for name in ("cognito-idp", "iam", "s3", "dynamodb", "secretsmanager", "kms", "logs", "cloudformation")
        }

        self._owners_of_keys: dict[str, str] = {}

    def census(self, tenant: TenantFacts) -> list[str]:
        """Name everything of a tenant that exists, sorted, with what matters of its shape."""
        body = body_of(tenant.id)
        found = [
            *self._people(body),
            *self._roles(body),
            *self._storage(tenant, body),
            *self._keys(tenant.id),
            *self._rest(body),
        ]
        return sorted(line.replace(body, "<id>") for line in found)

    def _people(self, body: str) -> list[str]:
        cognito, found = self._clients["cognito-idp"], []
        for pool in _pages(cognito, "list_user_pools", "UserPools", MaxResults=60):
            own = body in pool["Name"]
            if not own and "shared" not in pool["Name"]:
                continue
            found += [f"pool {pool['Name']}"] if own else []
            place = {"UserPoolId": pool["Id"]}
            where = "own" if own else "shared"
            for client in _pages(cognito, "list_user_pool_clients", "UserPoolClients", MaxResults=60, **place):
                if own or body in client["ClientName"]:
                    shape = cognito.describe_user_pool_client(ClientId=client["ClientId"], **place)["UserPoolClient"]
                    found.append(f"client {client['ClientName']} in {where}: {sorted(shape.get('ExplicitAuthFlows', []))}")
                    found.append(f"sign-in by {sorted(shape.get('SupportedIdentityProviders', []))} in {where}")
            for provider in _pages(cognito, "list_identity_providers", "Providers", MaxResults=60, **place):
                if own or body in provider["ProviderName"]:
                    name = provider["ProviderName"]
                    shape = cognito.describe_identity_provider(ProviderName=name, **place)["IdentityProvider"]
                    details = {key: shape["ProviderDetails"].get(key) for key in ("oidc_issuer", "client_id", "client_secret")}
                    found.append(f"provider {name} in {where}: {details}, {sorted(shape['AttributeMapping'])}")
            if own and cognito.describe_user_pool(**place)["UserPool"].get("Domain"):
                found.append("a domain, whose name is a digest")
            for user in _pages(cognito, "list_users", "Users", **place):
                if own or user["Username"].startswith(body):
                    found.append(f"user in {where}: enabled {user['Enabled']}")
            found += [
                f"group {group['GroupName'].replace(pool['Id'], '<pool>')} in {where}"
                for group in _pages(cognito, "list_groups", "Groups", **place)
                if own or body in group["GroupName"]
            ]
        return found

    def _roles(self, body: str) -> list[str]:
        iam, found = self._clients["iam"], []
        for role in _pages(iam, "list_roles", "Roles"):
            if body in role["RoleName"]:
                name = role["RoleName"]
                policies = {
                    policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
                }
                effects = {
                    policy: sorted({one["Effect"] for one in document["Statement"]}) for policy, document in policies.items()
                }
                found.append(f"role {name}: {json.dumps(effects, sort_keys=True)}")
        return found

    def _storage(self, tenant: TenantFacts, body: str) -> list[str]:
        s3, found = self._clients["s3"], []
        found += [f"bucket {bucket['Name']}" for bucket in s3.list_buckets()["Buckets"] if body in bucket["Name"]]
        shared = names_of_cell(tenant.cell).bucket
        prefix = names_of(tenant).storage_prefix
        found += [f"object {item['Key']}" for item in s3.list_objects_v2(Bucket=shared, Prefix=prefix).get("Contents", [])]
        # A page has a hundred names, and all tests of a process share a stand-in.
        tables: Any = _pages(self._clients["dynamodb"], "list_tables", "TableNames")
        found += [f"table {name}" for name in tables if body in name]
        return found

    def _keys(self, tenant_id: str) -> list[str]:
        kms, found = self._clients["kms"], []
        owners = self._owners_of_keys
        aliases = {alias.get("TargetKeyId"): alias["AliasName"] for alias in _pages(kms, "list_aliases", "Aliases")}
        for key in _pages(kms, "list_keys", "Keys"):
            if key["KeyId"] not in owners:  # a key's owner never changes
                tags = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]}
                owners[key["KeyId"]] = tags.get("controlplane:tenant", "")
            if owners[key["KeyId"]] == tenant_id:
                state = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"]
                found.append(f"key {aliases.get(key['KeyId'], 'without alias') if state == 'Enabled' else ''} {state}")
        return found

    def _rest(self, body: str) -> list[str]:
        secrets = _pages(self._clients["secretsmanager"], "list_secrets", "SecretList")
        groups = _pages(self._clients["logs"], "describe_log_groups", "logGroups")
        stacks = _pages(self._clients["cloudformation"], "describe_stacks", "Stacks")
        return [
            *(f"secret {secret['Name']}" for secret in secrets if body in secret["Name"] and not secret.get("DeletedDate")),
            *(
                f"log group {group['logGroupName']} {group.get('retentionInDays')}"
                for group in groups
                if body in group["logGroupName"]
            ),
            *(f"stack {stack['StackName']} {stack['StackStatus']}" for stack in stacks if body in stack["StackName"]),
        ]


def _pages(client: Any, verb: str, items: str, **arguments: Any) -> list[dict[str, Any]]:
    if client.can_paginate(verb):
        return [item for page in client.get_paginator(verb).paginate(**arguments) for item in page[items]]
    found: list[dict[str, Any]] = getattr(client, verb)(**arguments)[items]
    return found
