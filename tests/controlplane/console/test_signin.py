"""Signing in: both factors or nothing, enrolment, throttles, and what the audit log says of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from controlplane.console.models import SignInThrottle
from core.audit.models import AuditEvent
from tests.controlplane.console.people import PASSWORD, account, code_of, signed_in, with_device

if TYPE_CHECKING:
    from django.http import HttpResponse

pytestmark = pytest.mark.django_db

LOGIN, CODE, ENROL, INDEX = (reverse(f"admin:{name}") for name in ("login", "login_code", "login_enrol", "index"))


def give_password(client: Client, name: str = "olga", password: str = PASSWORD, **more: Any) -> HttpResponse:
    return client.post(LOGIN, {"username": name, "password": password, **more})


def sees_the_console(client: Client) -> bool:
    return client.get(INDEX).status_code == 200


def refusals() -> list[tuple[str, str]]:
    return [
        (event.target, event.details["why"]) for event in AuditEvent.objects.filter(action="operator.refused").order_by("position")
    ]


def test_password_and_code_sign_in(olga: User) -> None:
    device, client = with_device(olga), Client()
    assert give_password(client).url == CODE
    assert not sees_the_console(client)
    answer = client.post(CODE, {"code": code_of(device)})
    assert answer.url == INDEX
    assert sees_the_console(client)
    event = AuditEvent.objects.get(action="operator.signed_in")
    assert (event.actor_id, event.actor_label, event.target) == ("olga", "Olga Orlova", "operator:olga")


def test_between_the_factors_nobody_is_signed_in(olga: User) -> None:
    with_device(olga)
    client = Client()
    give_password(client)
    assert "_auth_user_id" not in client.session
    for name in ("admin:index", "admin:tenants_tenant_changelist", "admin:overview_live", "admin:search", "admin:password_change"):
        assert client.get(reverse(name)).status_code == 302, name


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(olga: User) -> None:
    wrong = give_password(Client(), password="no")
    unknown = give_password(Client(), name="nobody", password="no")
    assert wrong.status_code == unknown.status_code == 422
    texts = [str(answer.context["form"].non_field_errors()) for answer in (wrong, unknown)]
    assert texts[0] == texts[1]
    assert refusals() == [("operator:olga", "wrong password"), ("operator:unknown", "wrong password")]


def test_a_name_that_belongs_to_nobody_is_not_written_down(olga: User) -> None:
    """Somebody who types the password into the field above must not find it in the log for ever."""
    give_password(Client(), name="my-secret-password", password="x")
    event = AuditEvent.objects.get(action="operator.refused")
    assert "my-secret" not in f"{event.actor_id} {event.target} {event.details_json}"
    assert not SignInThrottle.objects.filter(key__contains="my-secret").exists()


def test_an_account_without_a_role_gets_no_further(db: None) -> None:
    account("nora")
    client = Client()
    answer = give_password(client, "nora")
    assert answer.status_code == 422
    assert client.get(CODE).url == LOGIN
    assert refusals() == [("operator:nora", "no role")]


def test_a_disabled_account_gets_no_further_and_its_session_ends(olga: User) -> None:
    client = signed_in(olga)
    assert sees_the_console(client)
    User.objects.filter(pk=olga.pk).update(is_active=False)
    assert not sees_the_console(client)
    assert give_password(Client()).status_code == 422


def test_a_role_taken_away_ends_the_console_at_once(olga: User) -> None:
    client = signed_in(olga)
    olga.groups.clear()
    assert not sees_the_console(client)


def test_a_device_taken_away_ends_the_session(olga: User) -> None:
    client = signed_in(olga)
    TOTPDevice.objects.all().delete()
    assert not sees_the_console(client)


def test_enrolment_shows_a_secret_once_and_takes_a_code_as_proof(olga: User) -> None:
    client = Client()
    assert give_password(client).url == CODE
    assert client.get(CODE).url == ENROL
    page = client.get(ENROL)
    assert "<svg" in page.content.decode()
    device = TOTPDevice.objects.get(user=olga)
    assert not device.confirmed
    wrong = client.post(ENROL, {"code": "000000"})
    assert wrong.status_code == 422
    assert client.get(ENROL).context["typed_secret"] == page.context["typed_secret"]
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    assert client.post(ENROL, {"code": code_of(device)}).url == INDEX
    device.refresh_from_db()
    assert device.confirmed
    assert sees_the_console(client)
    assert AuditEvent.objects.filter(action="operator.enrolled", target="operator:olga").exists()


def test_a_secret_that_somebody_else_looked_at_is_never_confirmed(olga: User) -> None:
    thief, owner = Client(), Client()
    give_password(thief)
    seen = thief.get(ENROL).context["typed_secret"]
    give_password(owner)
    assert owner.get(ENROL).context["typed_secret"] != seen
    owner.post(ENROL, {"code": code_of(TOTPDevice.objects.get(user=olga))})
    assert thief.get(ENROL).url == CODE


def test_enrolment_needs_the_password_and_is_refused_to_who_has_a_device(olga: User) -> None:
    assert Client().get(ENROL).url == LOGIN
    with_device(olga)
    client = Client()
    give_password(client)
    assert client.get(ENROL).url == CODE
    assert client.post(ENROL, {"code": "123456"}).url == CODE
    assert TOTPDevice.objects.filter(user=olga).count() == 1


def test_a_code_works_once(olga: User) -> None:
    device, first, second = with_device(olga), Client(), Client()
    code = code_of(device)
    give_password(first)
    give_password(second)
    assert first.post(CODE, {"code": code}).status_code == 302
    assert second.post(CODE, {"code": code}).status_code == 422
    assert not sees_the_console(second)


def test_wrong_codes_are_slowed_down_and_audited(olga: User) -> None:
    device, client = with_device(olga), Client()
    give_password(client)
    assert client.post(CODE, {"code": "000000"}).status_code == 422
    answer = client.post(CODE, {"code": code_of(device)})
    assert "Too many" in answer.content.decode()
    assert [why for _, why in refusals()] == ["wrong code"]
    device.refresh_from_db()
    with time_machine.travel(time.time() + 40):
        assert client.post(CODE, {"code": code_of(device)}).status_code == 302


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "12 34 5x", "-12345"])
def test_what_is_no_code_is_refused_without_counting(olga: User, code: str) -> None:
    device, client = with_device(olga), Client()
    give_password(client)
    assert client.post(CODE, {"code": code}).status_code == 422
    device.refresh_from_db()
    assert device.throttling_failure_count == 0


def test_the_time_between_the_factors_is_short(olga: User) -> None:
    device, client = with_device(olga), Client()
    give_password(client)
    with time_machine.travel(time.time() + 301):
        assert client.post(CODE, {"code": code_of(device)}).url == LOGIN
        assert not sees_the_console(client)


def test_a_new_password_ends_what_the_old_one_began(olga: User) -> None:
    with_device(olga)
    client = Client()
    give_password(client)
    olga.set_password("another long password 42")
    olga.save()
    assert client.get(CODE).url == LOGIN


def test_passwords_are_slowed_down_by_account_and_address(olga: User) -> None:
    with_device(olga)
    for _ in range(5):
        give_password(Client(), password="no")
    answer = give_password(Client())
    assert answer.status_code == 422
    assert "Try again in" in answer.content.decode()
    assert [why for _, why in refusals()] == ["wrong password"] * 4 + ["wrong password, and held up"]
    assert give_password(Client(REMOTE_ADDR="192.0.2.7")).url == CODE
    with time_machine.travel(time.time() + 3):
        assert give_password(Client()).url == CODE


def test_the_wait_doubles_and_is_forgotten_after_success(olga: User) -> None:
    device = with_device(olga)
    for _ in range(5):
        give_password(Client(), password="no")
    with time_machine.travel(time.time() + 2, tick=False) as clock:
        give_password(Client(), password="no")
        pair = SignInThrottle.objects.exclude(blocked_until=None).get()
        assert 1.9 < (pair.blocked_until - pair.last_failed_at).total_seconds() < 2.1
        clock.shift(3)
        client = Client()
        give_password(client)
        client.post(CODE, {"code": code_of(device)})
        assert not SignInThrottle.objects.filter(pk=pair.pk).exists()


def test_one_address_that_tries_many_names_is_slowed_down(olga: User) -> None:
    with_device(olga)
    for number in range(30):
        give_password(Client(REMOTE_ADDR="192.0.2.9"), name=f"name{number}", password="no")
    assert give_password(Client(REMOTE_ADDR="192.0.2.9")).status_code == 422
    assert give_password(Client(REMOTE_ADDR="192.0.2.10")).url == CODE


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/console/tenants/tenant/?state=active", "/console/tenants/tenant/?state=active"),
        ("https://evil.example/console/", INDEX),
        ("//evil.example/console/", INDEX),
        ("/api/v1/tenants", INDEX),
        ("javascript:alert(1)", INDEX),
    ],
)
def test_where_one_goes_after_signing_in(olga: User, wanted: str, got: str) -> None:
    device, client = with_device(olga), Client()
    give_password(client, next=wanted)
    assert client.post(CODE, {"code": code_of(device)}).url == got


def test_the_session_id_changes_at_both_steps(olga: User) -> None:
    device, client = with_device(olga), Client()
    client.get(LOGIN)
    give_password(client)
    between = client.session.session_key
    client.post(CODE, {"code": code_of(device)})
    assert client.session.session_key != between


def test_signing_out_needs_a_post_and_is_audited(olga: User) -> None:
    client = signed_in(olga)
    assert client.get(reverse("admin:logout")).status_code == 405
    assert sees_the_console(client)
    assert client.post(reverse("admin:logout")).url == LOGIN
    assert not sees_the_console(client)
    assert AuditEvent.objects.filter(action="operator.signed_out", actor_id="olga").exists()


def test_a_changed_password_ends_every_other_session(olga: User) -> None:
    here, elsewhere = signed_in(olga), signed_in(olga)
    new = "a very different phrase 77"
    answer = here.post(reverse("admin:password_change"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert answer.status_code == 302
    assert sees_the_console(here)
    assert not sees_the_console(elsewhere)
    assert AuditEvent.objects.filter(action="operator.password_changed", actor_id="olga").exists()


def test_nothing_of_signing_in_is_cached(olga: User) -> None:
    client = Client()
    give_password(client)
    for url in (LOGIN, ENROL):
        assert "no-store" in client.get(url).headers["Cache-Control"]


def test_a_forged_post_is_refused(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(LOGIN, {"username": "olga", "password": PASSWORD}).status_code == 403
