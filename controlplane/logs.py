"""Structured logs: one JSON object a line in stage and production, a readable line at a terminal, without secrets in both.

A record carries the ids of what it belongs to (request, trace, tenant, operation, step): :func:`log_context` binds them for a block
of code, in this thread or task only. The floors below may not import this module; they pass ``extra={"tenant": ...}`` with the call,
which comes out the same.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from controlplane.redaction import REMOVED, is_secret_name, redact, redact_text

CONTEXT_NAMES = ("request_id", "trace_id", "actor", "tenant", "cell", "operation", "step", "task")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=_NOTHING)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message", "request", "server_time"}
"""Attributes that every record has, and those of Django's that hold live objects: whatever else is there came by ``extra``."""
_MARK = "_without_secrets"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@contextmanager
def log_context(**ids: str | None) -> Iterator[None]:
    """Add these ids to every record logged inside the block; an id that is None or empty is left out. Blocks nest."""
    token = _context.set({**_context.get(), **{name: value for name, value in ids.items() if value}})
    try:
        yield
    finally:
        _context.reset(token)


def current_ids() -> Mapping[str, str]:
    """Give the ids that are bound here and now."""
    return _context.get()


class WithoutSecrets(logging.Filter):
    """Bind the context to a record and take the secrets out of its message, its extras and its traceback.

    Sits on the handler, so that no logger, ours or a library's, can pass it by. A record that cannot be read (bad format arguments, a
    ``__str__`` that raises) is kept with a note in place of its message: a log line must not break the request that wrote it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place, once; always lets it through."""
        if getattr(record, _MARK, False):
            return True
        setattr(record, _MARK, True)
        try:
            record.msg = redact_text(record.getMessage())
        except Exception:  # noqa: BLE001  # whatever a stranger's __str__ raises
            record.msg = f"[a message that could not be formatted, from {record.pathname}:{record.lineno}]"
        record.args = ()
        extras = {name: value for name, value in vars(record).items() if name not in _OWN and name != _MARK}
        # Django logs refused requests after the middleware has ended, and with it the context; the request itself still knows.
        request_id = getattr(vars(record).get("request"), "request_id", None)
        bound = {"request_id": request_id} if isinstance(request_id, str) else {}
        for name, value in {**_context.get(), **bound, **extras}.items():
            setattr(record, name, REMOVED if is_secret_name(name) else redact(value))
        if record.exc_info:
            record.exc_text = redact_text(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact_text(record.stack_info)
        return True


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    values = vars(record)
    ids = {name: values[name] for name in CONTEXT_NAMES if isinstance(values.get(name), str)}
    extras = {name: value for name, value in values.items() if name not in _OWN and name not in ids and not name.startswith("_")}
    return {**ids, **extras}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ``time`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, the ids, extras, ``exception``."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line; values that JSON does not know are written as text."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "time": moment,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in _fields(record).items() if name not in line}
        if record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, ensure_ascii=False, default=str)


class ConsoleFormatter(logging.Formatter):
    """A line for people: time of day, level, logger, message, then ids and extras as ``name=value``.

    Control characters are shown, not obeyed: what a caller sends can neither forge a line nor move the terminal's cursor.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, with a traceback below it where there is one."""
        moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        fields = " ".join(f"{name}={value}" for name, value in _fields(record).items())
        parts = [f"{moment} {record.levelname:<7} {record.name:<28} {record.getMessage()}", fields]
        line = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], "  ".join(part for part in parts if part))
        return "\n".join(part for part in (line, record.exc_text, record.stack_info) if part)


def logging_settings(*, as_json: bool, level: str) -> dict[str, Any]:
    """Give ``LOGGING`` for Django and Celery: everything to standard error, through one handler with the filter on it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"without_secrets": {"()": "controlplane.logs.WithoutSecrets"}},
        "formatters": {
            "line": {"()": "controlplane.logs.JsonFormatter" if as_json else "controlplane.logs.ConsoleFormatter"},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line", "filters": ["without_secrets"]},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django's own handlers mail admins and write only under DEBUG; ours replaces both.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # A stranger's Host header is no error of ours, and its traceback says nothing; the access line tells of the 400.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # gunicorn's own lines, where it runs us (gunicorn.conf.py).
            "gunicorn.error": {"handlers": [], "level": level, "propagate": True},
            "gunicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            # At DEBUG these two write whole requests with their headers; nothing may turn that on by lowering our level.
            "botocore": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
        },
    }
