"""What holds objects is emptied in pages, versions and delete markers with it, and neighbours keep theirs."""

from __future__ import annotations

import pytest

from core.aws import s3_objects
from provisioning.resources import bucket, storage_prefix
from provisioning.resources.base import Removed, Wait
from tests.provisioning.resources.world import BRIDGE, POOL, World


def test_a_prefix_is_emptied_page_by_page(town: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_objects, "PAGE", 2)
    tenant, neighbour = town.tenant(POOL), town.tenant(BRIDGE)
    item, theirs = town.desired(tenant)["storage_prefix"], town.desired(neighbour)["storage_prefix"]
    town.ensure(item, tenant)
    town.ensure(theirs, neighbour)
    s3, name, prefix = town.hand("s3"), item.spec["bucket"], item.spec["prefix"]
    for number in range(24):
        s3.put_object(Bucket=name, Key=f"{prefix}{number % 12}", Body=b"x", ServerSideEncryption="AES256")
    s3.delete_object(Bucket=name, Key=f"{prefix}3")
    s3.put_object(Bucket=name, Key=f"{theirs.spec['prefix']}kept", Body=b"x", ServerSideEncryption="AES256")
    answers: list[Removed | Wait] = []
    while not answers or isinstance(answers[-1], Wait):
        answers.append(storage_prefix.remove(town.aws, item.spec, town.known(item, tenant)))
    assert [type(answer) for answer in answers] == [Wait, Removed]
    left = s3.list_object_versions(Bucket=name, Prefix=prefix)
    assert not left.get("Versions")
    assert not left.get("DeleteMarkers")
    assert town.observe(theirs, neighbour).is_as_promised
    assert s3.get_object(Bucket=name, Key=f"{theirs.spec['prefix']}kept")


def test_a_bucket_with_versions_is_removed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_objects, "PAGE", 2)
    world.prepare("kms_key", "bucket")
    item, s3 = world.desired_shared()["bucket"], world.hand("s3")
    for _ in range(25):
        s3.put_object(Bucket=item.spec["bucket"], Key="k", Body=b"x")
    assert isinstance(bucket.remove(world.aws, item.spec, world.known(item, None)), Wait)
    world.remove(item)
    assert not world.observe(item).present


def test_a_bucket_that_was_begun_and_not_tagged_is_ours_only_while_it_is_empty(world: World) -> None:
    world.prepare("kms_key")
    item, s3 = world.desired_shared()["bucket"], world.hand("s3")
    s3.create_bucket(Bucket=item.spec["bucket"], CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    world.ensure(item)
    assert world.observe(item).is_as_promised


def test_the_marker_needs_no_key_that_the_control_plane_may_not_use(town: World) -> None:
    tenant = town.tenant(POOL)
    item = town.desired(tenant)["storage_prefix"]
    town.ensure(item, tenant)
    head = town.hand("s3").head_object(Bucket=item.spec["bucket"], Key=item.spec["prefix"])
    assert head["ServerSideEncryption"] == "AES256"
    assert head["ContentLength"] == 0
