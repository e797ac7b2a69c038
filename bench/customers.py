"""Customers who are onboarded: fresh names without end, a mix of tiers, and one onboarding timed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection

from bench.clock import Spent, timed
from core.actors import operator
from provisioning import engine
from provisioning.models import Operation, OperationState
from provisioning.services import start_onboard

TIERS = {"pool": "basic", "bridge": "standard", "silo": "premium"}
MIX = ("pool", "bridge", "pool", "pool", "silo", "bridge", "pool")
"""One cycle of the mixed load, about the proportions of ``samples/tenants.csv``. Sovereign has the silo's shape here and is left out."""
QUOTAS = dict.fromkeys(("user_pools", "roles", "secrets", "kms_keys", "stacks", "buckets", "tables"), 1_000_000)
"""As a cell on AWS has them, but never full: that they are counted is part of what a request costs."""
ACTOR = operator("bench", "Bench")

_numbers = itertools.count(1)


class NotOnboardedError(RuntimeError):
    """An onboarding did not end at once and well, so its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class Onboarding:
    """One tenant, from the request to *active*. ``accept`` is the request's part, ``run`` the engine's."""

    tenant_id: str
    email: str
    accept: Spent
    run: Spent

    @property
    def whole(self) -> Spent:
        return self.accept + self.run


def onboard(model: str) -> Onboarding:
    """Onboard one fresh tenant as the console and a worker would, in this thread. Raises NotOnboardedError."""
    number = next(_numbers)
    slug = f"customer-{number}-of-bench"
    email = f"admin@{slug}.example"
    with timed() as accept:
        operation = start_onboard(
            actor=ACTOR,
            reference=f"bench:{number}",
            slug=slug,
            name=f"Customer {number}",
            tier_code=TIERS[model],
            admin_email=email,
        )
    with timed() as run:
        engine.run(operation.pk)
    found = Operation.objects.values_list("state", "error_code", "error_detail").get(pk=operation.pk)
    if found[0] != OperationState.SUCCEEDED:
        raise NotOnboardedError(f"{model} {slug}: {' '.join(found)}")
    return Onboarding(operation.tenant_id or "", email, accept, run)


def onboard_many(models: Sequence[str], workers: int) -> Spent:
    """Onboard one tenant of each of ``models`` by so many threads; the first error of a thread is raised here."""
    todo, errors = iter(models), list[BaseException]()
    lock = threading.Lock()

    def take() -> Iterator[str]:
        while not errors:
            with lock:
                model = next(todo, None)
            if model is None:
                return
            yield model

    def work() -> None:
        try:
            for model in take():
                onboard(model)
        except Exception as error:  # noqa: BLE001  # raised again in the caller's thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    with timed() as spent:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return spent
