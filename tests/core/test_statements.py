"""The engine's own UPDATE does what the ORM's would, value for value, on whichever database the tests run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

if TYPE_CHECKING:
    from provisioning.models import Resource
    from tenants.models import Cell

pytestmark = pytest.mark.django_db


@pytest.fixture
def cell() -> Cell:
    from tests.cast import ready_cell

    return ready_cell()


@pytest.fixture
def rows(cell: Cell) -> list[Resource]:
    from provisioning.models import Resource

    return [Resource.objects.create(cell=cell, kind="bucket", name=name, spec={}, fingerprint="0" * 64) for name in "ab"]


def values_of(row: Resource) -> dict[str, Any]:
    row.refresh_from_db()
    return {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if field.attname not in ("id", "name", "created_at")
    }


def test_it_writes_what_the_orm_writes(rows: list[Resource]) -> None:
    from core.statements import Update
    from provisioning.models import Resource, ResourceState

    ours, orms = rows
    values = {
        "state": ResourceState.PRESENT,
        "attributes": {"arn": "a:b", "größe": [1, None, {"x": "%s"}], "quote": "'\""},
        "differences": [],
        "observed_at": timezone.now(),
        "fingerprint": "%s; 100%",
        "operation_id": None,
    }
    assert Update(Resource, "id")(ours.pk, **values) == 1
    Resource.objects.filter(pk=orms.pk).update(**values)
    assert values_of(ours) == values_of(orms)
    assert values_of(ours)["state"] == "present"


def test_it_changes_only_rows_where_every_field_matches(rows: list[Resource]) -> None:
    from core.statements import Update
    from provisioning.models import Resource

    first, second = rows
    update = Update(Resource, "id", "state", "fingerprint")
    assert update(first.pk, "intended", "1" * 64, kind="table") == 0
    assert update(first.pk, "intended", "0" * 64, kind="table") == 1
    assert (values_of(first)["kind"], values_of(second)["kind"]) == ("table", "bucket")


def test_a_name_that_is_no_column_is_refused(rows: list[Resource]) -> None:
    from core.statements import Update
    from provisioning.models import Resource

    with pytest.raises(ValueError, match="owner"):
        Update(Resource, "owner")
    with pytest.raises(ValueError, match="colour"):
        Update(Resource, "id")(rows[0].pk, colour="red")


def test_a_wrong_number_of_conditions_changes_nothing(rows: list[Resource]) -> None:
    from core.statements import Update
    from provisioning.models import Resource

    with pytest.raises(ValueError, match="shorter"):
        Update(Resource, "id", "state")(rows[0].pk, kind="table")
    assert values_of(rows[0])["kind"] == "bucket"


def test_a_row_is_inserted_as_save_would(cell: Cell) -> None:
    from core.statements import Insert
    from provisioning.models import Resource

    def row(name: str) -> Resource:
        return Resource(cell=cell, kind="bucket", name=name, spec={"größe": [None, "%s"]}, fingerprint="0" * 64)

    ours, orms = row("ours"), row("orms")
    Insert(Resource)(ours)
    orms.save()
    assert values_of(ours) == values_of(orms)
    assert abs((orms.created_at - ours.created_at).total_seconds()) < 5
    ours.fingerprint = "1" * 64
    ours.save()
    assert Resource.objects.filter(cell=cell).count() == 2


def test_a_second_row_of_the_same_name_is_refused(cell: Cell) -> None:
    from django.db import IntegrityError, transaction

    from core.statements import Insert
    from provisioning.models import Resource

    def write() -> None:
        with transaction.atomic():
            Insert(Resource)(Resource(cell=cell, kind="bucket", name="own", spec={}, fingerprint="0" * 64))

    write()
    with pytest.raises(IntegrityError):
        write()
