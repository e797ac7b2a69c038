from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from core.aws.cognito import CustomAttribute, UserPool, UserPoolSettings
from core.aws.cognito_clients import AppClientSettings
from core.aws.cognito_users import User
from core.aws.errors import AwsAlreadyExistsError, AwsError, AwsNotFoundError
from core.aws.session import Aws

Fresh = Callable[[str], str]
ATTRIBUTES = (CustomAttribute("tenantId"), CustomAttribute("tenantTier", mutable=True))


@pytest.fixture
def pool(gateways: Aws, fresh: Fresh, tags: dict[str, str]) -> Iterator[UserPool]:
    made = gateways.cognito.create_user_pool(fresh("pool"), tags=tags, custom_attributes=ATTRIBUTES)
    yield made
    gateways.cognito.delete_user_pool(made.id)


def test_a_pool_reads_back_as_it_was_asked_for(gateways: Aws, pool: UserPool, tags: dict[str, str]) -> None:
    read = gateways.cognito.get_user_pool(pool.id)
    assert read.settings == UserPoolSettings()
    assert read.custom_attributes == {"tenantId", "tenantTier"}
    assert read.tags == tags
    assert read.arn == pool.arn
    assert read.mfa == "OFF"


def test_a_pool_is_found_by_name_and_tags_and_never_by_name_alone(gateways: Aws, pool: UserPool, tags: dict[str, str]) -> None:
    stranger = gateways.cognito.create_user_pool(pool.name, tags={"controlplane:tenant": "somebody-else"})
    found = gateways.cognito.find_user_pool(pool.name, tags=tags)
    assert found is not None
    assert found.id == pool.id
    assert gateways.cognito.find_user_pool(pool.name, tags={"controlplane:tenant": "nobody"}) is None
    assert gateways.cognito.find_user_pool(pool.name[:-1], tags=tags) is None
    gateways.cognito.delete_user_pool(stranger.id)


def test_doubles_are_an_error_and_name_both(gateways: Aws, pool: UserPool, tags: dict[str, str]) -> None:
    double = gateways.cognito.create_user_pool(pool.name, tags=tags)
    with pytest.raises(AwsError) as caught:
        gateways.cognito.find_user_pool(pool.name, tags=tags)
    assert pool.id in caught.value.detail
    assert double.id in caught.value.detail
    gateways.cognito.delete_user_pool(double.id)


def test_settings_and_tags_of_a_pool_can_be_corrected(gateways: Aws, pool: UserPool) -> None:
    wanted = UserPoolSettings(password_min_length=14, temporary_password_days=3)
    gateways.cognito.put_user_pool_settings(pool.id, wanted)
    gateways.cognito.put_user_pool_tags(pool.arn, {"controlplane:release": "2"})
    gateways.cognito.put_user_pool_mfa(pool.id, "OPTIONAL")
    read = gateways.cognito.get_user_pool(pool.id)
    assert read.settings == wanted
    assert read.tags == {**pool.tags, "controlplane:release": "2"}
    assert read.mfa == "OPTIONAL"


def test_a_missing_pool(gateways: Aws) -> None:
    missing = "eu-central-1_Missing00"
    assert gateways.cognito.find_user_pool_by_id(missing) is None
    assert gateways.cognito.find_app_client_by_id(missing, "abcdefgh") is None
    assert gateways.cognito.find_group(missing, "group") is None
    assert gateways.cognito.find_user(missing, "who") is None
    gateways.cognito.delete_user_pool(missing)
    with pytest.raises(AwsNotFoundError):
        gateways.cognito.get_user_pool(missing)


def test_an_app_client_reads_back_and_can_be_corrected(gateways: Aws, pool: UserPool, fresh: Fresh) -> None:
    name = fresh("client")
    made = gateways.cognito.create_app_client(pool.id, name)
    found = gateways.cognito.find_app_client(pool.id, name)
    assert found is not None
    assert found.id == made.id
    assert replace(found.settings, read_attributes=(), write_attributes=()) == AppClientSettings()
    assert found.secret is None
    wanted = AppClientSettings(access_token_minutes=5, read_attributes=("custom:tenantId", "email"), write_attributes=("email",))
    gateways.cognito.put_app_client_settings(pool.id, made.id, name, wanted)
    corrected = gateways.cognito.find_app_client_by_id(pool.id, made.id)
    assert corrected is not None
    assert corrected.settings == wanted
    gateways.cognito.delete_app_client(pool.id, made.id)
    gateways.cognito.delete_app_client(pool.id, made.id)
    assert gateways.cognito.find_app_client(pool.id, name) is None


def test_a_secret_of_an_app_client_stays_out_of_its_repr(gateways: Aws, pool: UserPool) -> None:
    made = gateways.cognito.create_app_client(pool.id, "with-secret", secret=True)
    assert made.secret
    assert made.secret not in repr(made)


def test_more_clients_than_a_page(gateways: Aws, pool: UserPool) -> None:
    names = [f"client-{number:03}" for number in range(65)]
    for name in names:
        gateways.cognito.create_app_client(pool.id, name)
    assert all(gateways.cognito.find_app_client(pool.id, name) for name in (names[0], names[64]))


def test_groups(gateways: Aws, pool: UserPool) -> None:
    gateways.cognito.create_group(pool.id, "tenant", description="first")
    with pytest.raises(AwsAlreadyExistsError):
        gateways.cognito.create_group(pool.id, "tenant")
    found = gateways.cognito.find_group(pool.id, "tenant")
    assert found is not None
    assert found.description == "first"
    gateways.cognito.delete_group(pool.id, "tenant")
    gateways.cognito.delete_group(pool.id, "tenant")
    assert gateways.cognito.find_group(pool.id, "tenant") is None


def test_the_life_of_a_user(gateways: Aws, pool: UserPool) -> None:
    cognito = gateways.cognito
    made = cognito.create_user(
        pool.id,
        "ada@acme.example",
        attributes={"email": "ada@acme.example", "custom:tenantId": "tnt_1"},
        temporary_password="Long-Enough-1",
        invite=False,
    )
    assert (made.status, made.enabled) == ("FORCE_CHANGE_PASSWORD", True)
    with pytest.raises(AwsAlreadyExistsError):
        cognito.create_user(pool.id, "ada@acme.example", attributes={"email": "ada@acme.example"}, invite=False)
    cognito.create_group(pool.id, "tenant")
    cognito.add_user_to_group(pool.id, made.username, "tenant")
    cognito.add_user_to_group(pool.id, made.username, "tenant")
    assert cognito.list_user_groups(pool.id, made.username) == ("tenant",)
    assert [user.sub for user in cognito.list_users(pool.id, group="tenant")] == [made.sub]
    cognito.disable_user(pool.id, made.username)
    cognito.disable_user(pool.id, made.username)
    assert not _user(gateways, pool, "ada@acme.example").enabled
    cognito.enable_user(pool.id, made.username)
    cognito.put_user_attributes(pool.id, made.username, {"custom:tenantTier": "premium"})
    cognito.put_user_password(pool.id, made.username, "Another-Long-1", permanent=True)
    cognito.sign_out_user(pool.id, made.username)
    read = _user(gateways, pool, made.username)
    assert (read.enabled, read.status) == (True, "CONFIRMED")
    assert read.attributes["custom:tenantTier"] == "premium"
    assert read.attributes["custom:tenantId"] == "tnt_1"
    cognito.remove_user_from_group(pool.id, made.username, "tenant")
    assert cognito.list_users(pool.id, group="tenant") == ()
    cognito.delete_user(pool.id, made.username)
    cognito.delete_user(pool.id, made.username)
    assert cognito.find_user(pool.id, made.username) is None


def test_more_users_than_a_page(gateways: Aws, pool: UserPool) -> None:
    for number in range(65):
        name = f"user{number:03}@acme.example"
        gateways.cognito.create_user(pool.id, name, attributes={"email": name}, invite=False)
    assert len({user.sub for user in gateways.cognito.list_users(pool.id)}) == 65


def _user(gateways: Aws, pool: UserPool, name: str) -> User:
    found = gateways.cognito.find_user(pool.id, name)
    assert found is not None
    return found
