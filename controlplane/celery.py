"""The Celery application: tasks are doorbells with an id in them, rows are the truth.

A message carries the ids that its task needs and, in a header, the id of the request that caused it, so that one search in the logs
finds both. Settings are Django's, by the prefix ``CELERY_``.
"""

from __future__ import annotations

import logging.config
import os
from typing import Any

import celery
from celery import signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.conf import settings

from controlplane.checks import refuse_unsafe_start
from controlplane.env import SettingError
from controlplane.logs import current_ids, log_context
from core.outbox.doorbell import send

REQUEST_HEADER = "request_id"


class LoggedTask(celery.Task):  # type: ignore[type-arg]
    """A task whose log lines carry its id and the id of the request that rang the bell."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task inside its log context."""
        request_id = self.request.get(REQUEST_HEADER)
        with log_context(task=self.request.id, request_id=request_id if isinstance(request_id, str) else None):
            return super().__call__(*args, **kwargs)


app = celery.Celery("controlplane", task_cls=LoggedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.setup_logging.connect
def _use_our_logs(**_: Any) -> None:
    logging.config.dictConfig(settings.LOGGING)


@signals.celeryd_init.connect
@signals.beat_init.connect
def _refuse(**_: Any) -> None:
    """End the process. Celery's signals log an exception and go on; SystemExit is none of those that they catch."""
    try:
        refuse_unsafe_start()
    except SettingError as error:
        raise SystemExit(str(error)) from None


@signals.worker_ready.connect
def _project_at_once(**_: Any) -> None:
    """Edges wait for a projection after Redis has started anew; the clock would look only some seconds later."""
    send("tenants.limits.tasks.project", expires=5)


@signals.before_task_publish.connect
def _carry_request_id(headers: dict[str, Any] | None = None, **_: Any) -> None:
    request_id = current_ids().get("request_id")
    if headers is not None and request_id:
        headers.setdefault(REQUEST_HEADER, request_id)
