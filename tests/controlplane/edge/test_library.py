"""Admission inside a service: threads, forks, and the Django REST framework."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.test import override_settings
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from controlplane.edge.asking import Trouble
from controlplane.edge.library.admission import Admission
from controlplane.edge.library.drf import AdmissionThrottle
from tenants.usage.batches import unpack
from tenants.usage.tally import STREAM
from tests.controlplane.edge.world import NARROW, PEPPERS, WIDE, Holder, Platform

PLACE = "tests.controlplane.edge.test_library.current"
_CURRENT: list[Admission] = []


def current() -> Admission:
    return _CURRENT[-1]


@pytest.fixture
def admission(platform: Platform) -> Iterator[Admission]:
    admission = Admission(platform.url, PEPPERS)
    _CURRENT.append(admission)
    AdmissionThrottle._admission.cache_clear()
    yield admission
    admission.close()
    _CURRENT.pop()


def test_threads_share_one_edge_and_admit_no_more_than_there_is(platform: Platform, admission: Admission) -> None:
    acme = Holder(replace(WIDE, rate_per_second=400, burst=50))
    platform.build(acme)

    def hammer(_: int) -> int:
        return sum(admission.admit(acme.text).is_admitted for _ in iter(lambda: time.monotonic() < until, False))

    admission.admit(acme.text)
    begun = time.monotonic()
    until = begun + 1.0
    with ThreadPoolExecutor(8) as pool:
        admitted = sum(pool.map(hammer, range(8)))
    took = time.monotonic() - begun
    assert 0.7 * (50 + 400) <= admitted <= 50 + 400 * took
    assert sum(thread.name == "admission" for thread in threading.enumerate()) == 1


def test_counts_of_threads_are_all_there(platform: Platform, admission: Admission) -> None:
    acme = Holder()
    platform.build(acme)
    with ThreadPoolExecutor(8) as pool:
        admitted = sum(pool.map(lambda _: sum(admission.admit(acme.text).is_admitted for _ in range(500)), range(8)))
    assert admitted == 4_000
    admission.close()
    batches = [unpack(fields[b"batch"]) for _, fields in platform.board._redis.xrange(STREAM)]
    assert sum(requests for batch in batches for (_, _, _, outcome, _), requests, _ in batch.rows if outcome == "VALID") == 4_000


def test_a_fork_begins_anew(platform: Platform, admission: Admission) -> None:
    acme = Holder()
    platform.build(acme)
    assert admission.admit(acme.text).is_admitted
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, str(admission.admit(acme.text).is_admitted).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        assert told.read() == b"True"
    os.waitpid(child, 0)


def test_a_fork_while_another_thread_opens_does_not_wait_for_it(platform: Platform, admission: Admission) -> None:
    acme = Holder()
    platform.build(acme)
    with admission._opening:  # as another thread would hold it, which is not there after the fork
        read, write = os.pipe()
        child = os.fork()
        if not child:
            try:
                signal.alarm(4)
                os.write(write, str(admission.admit(acme.text).is_admitted).encode())
            finally:
                os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as told:
        assert told.read() == b"True"
    os.waitpid(child, 0)


def test_what_cannot_be_opened_leaves_no_threads(platform: Platform) -> None:
    admission = Admission(platform.url, PEPPERS, nonsense=True)
    for _ in range(3):
        with pytest.raises(TypeError):
            admission.admit(Holder().text)
    give_up_at = time.monotonic() + 2
    while any(thread.name == "admission" for thread in threading.enumerate()):
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def test_a_cost_below_nothing_is_no_gift(platform: Platform, admission: Admission) -> None:
    acme = Holder(replace(NARROW, burst=2))
    platform.build(acme)
    admission.admit(acme.text)
    with pytest.raises(ValueError, match="cost"):
        admission.admit(acme.text, cost=-1_000)
    assert [admission.admit(acme.text).is_admitted for _ in range(3)] == [True, False, False]


def test_requests_in_flight_are_given_back(platform: Platform, admission: Admission) -> None:
    acme = Holder(replace(WIDE, concurrency=1))
    platform.build(acme)
    first = admission.admit(acme.text, lease_id="r1")
    assert [first.is_admitted, admission.admit(acme.text, lease_id="r2").is_admitted] == [True, False]
    admission.give_back(first, "r1")
    assert admission.admit(acme.text, lease_id="r2").is_admitted


def test_nobody_is_admitted_where_redis_never_was() -> None:
    admission = Admission("redis://127.0.0.1:9/0", PEPPERS)
    try:
        assert admission.admit(Holder().text).trouble is Trouble.UNHEARD
    finally:
        admission.close()


class Courses(APIView):
    authentication_classes, permission_classes = (), ()
    throttle_classes = (AdmissionThrottle,)
    admission_scopes = ("events:read",)

    def get(self, request: Request) -> Response:
        return Response({"tenant": request.admission.tenant_id})


def get(text: str = "") -> Response:
    headers = {"Authorization": f"Bearer {text}"} if text else {}
    with override_settings(EDGE_ADMISSION=PLACE):
        response = Courses.as_view()(APIRequestFactory().get("/courses/", headers=headers))
    return response.render()


def test_a_view_behind_the_throttle(platform: Platform, admission: Admission) -> None:
    acme, globex = Holder(NARROW, key={"scopes": ("events:read",)}), Holder()
    platform.build(acme, globex)
    answers = [get(acme.text) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert answers[0].data == {"tenant": acme.tenant_id}
    assert answers[0].headers["RateLimit"].startswith('"rate";r=4;')
    assert (answers[-1].headers["Retry-After"], answers[-1].headers["RateLimit"][:10]) == ("1", '"rate";r=0')
    assert get(globex.text).status_code == 403, "without the scope"
    for text in ("", "rubbish", Holder().text):
        answer = get(text)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_a_view_while_nobody_can_say() -> None:
    _CURRENT.append(Admission("redis://127.0.0.1:9/0", PEPPERS))
    AdmissionThrottle._admission.cache_clear()
    try:
        answer = get(Holder().text)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    finally:
        _CURRENT.pop().close()
        AdmissionThrottle._admission.cache_clear()
