"""Pages of keys: every condition answers and says what it is, lists cost the same for few and many, and no page can hold a text."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from controlplane.console import key_counts, key_words, words
from core.audit.models import AuditEvent
from tenants.keys import evidence, tokens
from tenants.keys.models import ApiKey, KeyState, Stage, StoreState
from tests.controlplane.console.made_up_keys import DAY, fill_keys, made_up_key, made_up_version, use

if TYPE_CHECKING:
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db

KEYS = reverse("admin:keys_apikey_changelist")
ROLES = ("rotating", "lost", "leaked", "behind", "soon", "disabled", "revoked", "imported", "expired")


@pytest.fixture
def keys(acme: Tenant, globex: Tenant, initech: Tenant) -> dict[str, ApiKey]:
    return fill_keys([acme, globex, initech])


def page_of(key: ApiKey) -> str:
    return reverse("admin:keys_apikey_change", args=[key.pk])


def text_of(client: Client, url: str) -> str:
    """What a person reads on a page: without tags, blanks as one."""
    answer = client.get(url)
    assert answer.status_code == 200
    main = answer.content.decode().partition('class="cp-page"')[2]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


def found(client: Client, **query: str) -> set[str]:
    return {key.name for key in client.get(KEYS, query).context["cl"].result_list}


def test_every_state_has_its_tone() -> None:
    assert set(words.TONES["key"]) == set(KeyState.values)
    assert set(words.TONES["stage"]) == set(Stage.values)
    assert set(words.TONES["store"]) == set(key_words.STORE_WORDS) == set(StoreState.values)


def test_a_list_costs_the_same_for_few_and_many(
    operator: Client, acme: Tenant, globex: Tenant, django_assert_num_queries: Any
) -> None:
    for number in range(5):
        made_up_key(acme, f"k{number}", versions=({"stage": "previous"}, {}))
    operator.get(KEYS)
    with CaptureQueriesContext(connection) as few:
        operator.get(KEYS)
    for number in range(45):
        made_up_key(globex if number % 2 else acme, f"m{number}", versions=({"stage": "previous"}, {}))
    # Session, account, device, groups; tiers of the filter; the page counted and read, with its versions; the badge of failures.
    with django_assert_num_queries(9):
        assert operator.get(KEYS).status_code == 200
    assert len(few) == 9


def test_a_page_costs_the_same_for_few_versions_and_many(operator: Client, acme: Tenant, django_assert_num_queries: Any) -> None:
    key = made_up_key(acme)
    operator.get(page_of(key))
    with CaptureQueriesContext(connection) as few:
        operator.get(page_of(key))
    for number in range(2, 40):
        use(made_up_version(key, number, stage="retired"), [3] * 24)
    with django_assert_num_queries(len(few)):
        answer = operator.get(page_of(key))
    assert len(answer.context["lines"]) == 20
    assert answer.context["has_more"]


def test_a_key_that_was_used_through_an_edge_has_no_address_and_its_page_says_so(operator: Client, acme: Tenant) -> None:
    key = made_up_key(acme)
    version = key.versions.get()
    assert "no address noted" not in text_of(operator, page_of(key)), "it was never used"
    evidence.see([version.pk], timezone.now())
    assert "no address noted" in text_of(operator, page_of(key))
    evidence.note_uses({version.pk: 1}, address="192.0.2.7", now=timezone.now() + timedelta(minutes=2))
    shown = text_of(operator, page_of(key))
    assert "192.0.2.7" in shown
    assert "no address noted" not in shown


@pytest.mark.parametrize("role", ROLES)
def test_every_condition_has_a_page_for_both_roles(operator: Client, viewer: Client, keys: dict[str, ApiKey], role: str) -> None:
    key = keys[role]
    assert key.name in text_of(operator, page_of(key))
    assert operator.get(reverse("admin:keys_apikey_live", args=[key.pk])).status_code == 200
    shown = viewer.get(page_of(key))
    assert shown.status_code == 200
    assert shown.context["acts"] == ()
    assert "/act/" not in shown.content.decode()


@pytest.mark.parametrize(
    ("role", "says"),
    [
        ("lost", "Rotate the key, and its new version is written there"),
        ("leaked", "Rotate it now without an overlap, or revoke it"),
        ("behind", "AWS refused the call: the control plane's role may not do this."),
        ("behind", "after 9 tries"),
        ("soon", "This version's end stays"),
        ("disabled", "“Looks misused, ticket 4711” It is refused until somebody enables it"),
        ("revoked", "“The contractor has left” It is refused, and nothing brings it back"),
        ("imported", "Only the digest of its text came here"),
        ("expired", "A rotation would bring it back, so there is none"),
        ("soon", "Its tenant is suspended"),
        ("rotating", "or until quiet"),
    ],
)
def test_what_is_out_of_order_is_said_with_what_to_do(viewer: Client, keys: dict[str, ApiKey], role: str, says: str) -> None:
    assert says.replace("'", "&#x27;") in text_of(viewer, page_of(keys[role])).replace("'", "&#x27;")


@pytest.mark.parametrize(
    ("role", "acts"),
    [
        ("rotating", {"rotate", "retire_previous", "limit", "disable", "revoke"}),
        ("lost", {"rotate", "limit", "disable", "revoke"}),
        ("soon", {"limit", "disable", "revoke"}),  # its tenant is suspended
        ("disabled", {"enable", "limit", "revoke"}),
        ("revoked", set()),
        ("expired", set()),
    ],
)
def test_only_lawful_acts_are_offered(operator: Client, keys: dict[str, ApiKey], role: str, acts: set[str]) -> None:
    assert {act.name for act in operator.get(page_of(keys[role])).context["acts"]} == acts


def test_a_leak_is_told_apart_by_what_is_still_open(operator: Client, acme: Tenant) -> None:
    hour_ago = timezone.now() - timedelta(hours=1)
    replaced = made_up_key(acme, "replaced", leaked_at=hour_ago, versions=({}, {"promoted_at": timezone.now()}))
    assert "The version that was found is refused" in text_of(operator, page_of(replaced))
    overlapping = made_up_key(
        acme, "overlapping", leaked_at=hour_ago, versions=({"stage": "previous"}, {"promoted_at": timezone.now()})
    )
    assert "Version 1 may be what was found, and it works on" in text_of(operator, page_of(overlapping))
    owed = made_up_key(acme, "owed", leaked_at=hour_ago, rotate_due_at=hour_ago)
    assert "Whoever found it can use it" in text_of(operator, page_of(owed))
    assert key_counts.trouble().leaked == 1


def test_a_rotation_under_way_is_not_begun_again(operator: Client, acme: Tenant) -> None:
    key = made_up_key(acme)
    made_up_version(key, 2, stage="pending", promoted_at=None, claimed_until=timezone.now() + timedelta(minutes=1))
    assert "rotate" not in {act.name for act in operator.get(page_of(key)).context["acts"]}
    answer = operator.get(reverse("admin:keys_apikey_act", args=[key.pk, "rotate"]), follow=True)
    assert "“Rotate” is not possible: a rotation is under way." in answer.content.decode()


def test_the_list_shows_start_overlap_and_what_is_wrong(operator: Client, keys: dict[str, ApiKey]) -> None:
    body = operator.get(KEYS).content.decode()
    rotating = keys["rotating"]
    assert f"cpk_live_{rotating.public_id[:4]}…{rotating.versions.get(number=3).last_four}" in body
    assert "version 3 and 2" in body
    assert "overlap until" in body
    for shown in ("lost from the store", "store not settled", "found in public", "…p7dc"):
        assert shown in body


def test_filters_and_search(operator: Client, keys: dict[str, ApiKey], acme: Tenant) -> None:
    assert found(operator, state="active") == {
        keys[role].name for role in ("rotating", "lost", "leaked", "behind", "soon", "imported")
    }
    assert found(operator, state="expiring") == {"Reporting"}
    assert found(operator, state="expired") == {"Conference demo"}
    assert found(operator, state="disabled") == {"Load test"}
    assert found(operator, state="leaked") == {"Mobile app"}
    assert found(operator, store="lost") == {"Nightly export"}
    assert found(operator, store="unsettled") == {"Grade book sync"}
    assert found(operator, environment="test") == {"Mobile app", "Load test"}
    assert found(operator, environment="test", state="active") == {"Mobile app"}
    assert found(operator, tier="basic") == {"Ingest, course player"}
    key = keys["rotating"]
    for term in ("ngest", key.pk, key.public_id, f"cpk_live_{key.public_id}", f"cpk_live_{key.public_id}_", "acme", acme.pk):
        assert found(operator, q=term) == {key.name}, term
    assert found(operator, q="nothing like it") == set()
    assert len(found(operator, q=" ")) == len(keys)


def test_a_key_that_was_never_issued_is_nowhere(operator: Client, acme: Tenant) -> None:
    for state in ("issuing", "abandoned"):
        ended = timezone.now() if state == "abandoned" else None
        key = made_up_key(acme, f"never {state}", state=state, ended_at=ended, versions=())
        assert operator.get(page_of(key)).status_code == 404
    assert found(operator) == set()


def test_a_whole_key_in_the_search_is_cut_and_never_shown(operator: Client, acme: Tenant) -> None:
    token = tokens.new_token("cpk", "live")
    made_up_key(acme, "pasted", public_id=token.public_id)
    answer = operator.get(KEYS, {"q": f" {token.text} "})
    assert answer.status_code == 302
    assert token.text not in answer.url
    page = operator.get(answer.url)
    assert [key.name for key in page.context["cl"].result_list] == ["pasted"]
    assert "treat it as seen by others" in page.content.decode()
    assert token.text not in page.content.decode()
    cache.clear()
    hit = operator.get(reverse("admin:search"), {"s": token.text, "extended": "1"}).content.decode()
    assert "pasted" in hit


@pytest.mark.parametrize(
    "query",
    [
        "p=x",
        "p=999999",
        "o=99",
        "state=%00",
        "q=%00",
        "q=" + "%25" * 300,
        "q=%FF%FE",
        "state=no+such",
        "store=no",
        "tier=no",
        "versions__digest=1",
    ],
)
def test_bad_parameters_break_nothing(operator: Client, keys: dict[str, ApiKey], query: str) -> None:
    assert operator.get(f"{KEYS}?{query}").status_code in (200, 302, 400)


def test_the_overview_counts_what_needs_somebody(operator: Client, keys: dict[str, ApiKey], acme: Tenant) -> None:
    made_up_key(acme, "just changed", store_state="unsettled", store_due_at=timezone.now())
    made_up_key(acme, "contained", leaked_at=timezone.now() - DAY)
    trouble = key_counts.trouble()
    assert (trouble.expiring, trouble.leaked, trouble.lost, trouble.unsettled, trouble.urgent) == (1, 1, 1, 1, 3)
    assert "lost from the store 1" in text_of(operator, reverse("admin:index"))


def test_a_tenants_page_counts_its_keys_and_shows_the_newest(operator: Client, keys: dict[str, ApiKey], initech: Tenant) -> None:
    text = text_of(operator, reverse("admin:tenants_tenant_change", args=[initech.pk]))
    assert "3 active, 1 disabled, 1 revoked, 1 expired" in text
    assert "All 6" in text
    assert "Conference demo" in text
    assert "Grade book sync" not in text
    assert found(operator, q=initech.pk) == {keys[role].name for role in ROLES[3:]}


def test_the_chart_and_its_table_have_the_same_numbers(operator: Client, keys: dict[str, ApiKey]) -> None:
    chart = operator.get(page_of(keys["rotating"])).context["chart"]
    assert [one.number for one in chart.series] == [3, 2]
    assert (
        chart.total
        == sum(sum(one.calls) for one in chart.series)
        == sum(sum(piece.calls for piece in h.pieces) for h in chart.hours)
    )
    assert all(sum(piece.height for piece in hour.pieces) <= 100.1 for hour in chart.hours)
    line = operator.get(page_of(keys["rotating"])).context["lines"][0]
    assert line.use.calls_last_day == sum(chart.series[0].calls)


def test_awkward_content_is_escaped(operator: Client, acme: Tenant) -> None:
    key = made_up_key(acme, "<b>&amp;</b>", metadata={"<i>": "<script>x</script>"}, state="disabled", state_reason="<u>why</u>")
    AuditEvent.objects.all()
    for url in (page_of(key), KEYS, reverse("admin:tenants_tenant_change", args=[acme.pk])):
        body = operator.get(url).content.decode()
        assert not re.search(r"<b>&amp;</b>|<i>|<script>x|<u>why", body)


@pytest.mark.parametrize("wrong", ["nothing", "key_" + "0" * 26, "..", "é", "a" * 500])
def test_an_id_of_nothing_is_not_found(operator: Client, wrong: str) -> None:
    for name, more in (("change", []), ("live", []), ("act", ["rotate"])):
        assert operator.get(reverse(f"admin:keys_apikey_{name}", args=[wrong, *more])).status_code == 404
