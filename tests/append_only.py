"""Lets the audit log be emptied between tests.

A test with real transactions ends with Django's ``flush``, which the log's triggers refuse, as they should. Here, and only in tests, they are
lifted for the flush and put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session", autouse=True)
def _audit_log_can_be_flushed() -> Iterator[None]:
    from django.core.management.commands import flush
    from django.db import connections

    from core.audit import triggers

    def flush_without_triggers(self: flush.Command, **options: Any) -> None:
        connection = connections[options["database"]]
        triggers.remove(connection)
        try:
            original(self, **options)
        finally:
            triggers.install(connection)

    original = flush.Command.handle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush.Command, "handle", flush_without_triggers)
        yield
