"""What must not start in stage and production: contradictions between settings, each with a stable id.

``manage.py check --deploy`` lists them all; :func:`refuse_unsafe_start` is called by every way to start (``manage.py``, WSGI, ASGI,
the Celery worker and beat) and stops it. Ids are never used again for something else; ``docs/operations.md`` may be linked by them.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from controlplane.env import SettingError

EMBEDDED_KEYS = frozenset({"test"})
"""The stand-in's root key: nobody's key on AWS."""
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})


def is_loopback(address: str) -> bool:
    """Say whether a URL's host is this machine, by name or by number; an address without a host (a socket) is."""
    host = (urlsplit(address).hostname or "").rstrip(".")
    if not host or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return False
    return number.is_loopback or number.is_unspecified


def contradictions(config: Any) -> Iterator[CheckMessage]:
    """Give everything that forbids a start outside dev; nothing in dev. ``config`` is Django's settings or looks like them."""
    if config.ENVIRONMENT == "dev":
        return
    yield from _database(config)
    yield from _secrets(config)
    yield from _aws(config)
    yield from _web(config)


def _database(config: Any) -> Iterator[CheckMessage]:
    database = config.DATABASES["default"]
    if "sqlite" in database["ENGINE"]:
        yield Error("The database is SQLite.", hint="Set DATABASE_URL to a PostgreSQL address.", id="controlplane.E001")
    elif _is_remote(database["HOST"]) and database["OPTIONS"].get("sslmode") not in ENCRYPTED:
        yield Error(
            "The connection to the database may go over the network in the clear.",
            hint="Add ?sslmode=verify-full (or require) to DATABASE_URL.",
            id="controlplane.E010",
        )
    if config.REDIS_IS_DEFAULT:
        yield Error("REDIS_URL is not set, so that Redis would be the embedded one.", hint="Set REDIS_URL.", id="controlplane.E008")


def _is_remote(host: str) -> bool:
    return bool(host) and not host.startswith("/") and not is_loopback(f"//{host}")


def _secrets(config: Any) -> Iterator[CheckMessage]:
    if config.INSECURE_SECRET_KEY == config.SECRET_KEY:
        yield Error("The secret key is the public default.", hint="Set DJANGO_SECRET_KEY.", id="controlplane.E003")
    if config.INSECURE_AUDIT_KEY.encode() == config.AUDIT_KEY:
        yield Error(
            "The audit key is the public default.", hint="Set AUDIT_KEY to 32 random bytes or more.", id="controlplane.E004"
        )
    if config.INSECURE_TOKEN_PEPPER.encode() in config.TOKEN_PEPPERS.values():
        yield Error(
            "A token pepper is the public default.",
            hint="Set TOKEN_PEPPERS to 1: and 32 random bytes or more.",
            id="controlplane.E012",
        )
    if config.INSECURE_KEY_PEPPER.encode() in config.KEY_PEPPERS.values():
        yield Error(
            "A pepper of tenants' keys is the public default.",
            hint="Set KEY_PEPPERS to 1: and 32 random bytes or more.",
            id="controlplane.E013",
        )
    if set(config.KEY_PEPPERS.values()) & set(config.TOKEN_PEPPERS.values()) or config.SECRET_KEY.encode() == config.AUDIT_KEY:
        yield Error(
            "One secret serves two purposes.",
            hint="Give DJANGO_SECRET_KEY, AUDIT_KEY, TOKEN_PEPPERS and KEY_PEPPERS values of their own.",
            id="controlplane.E009",
        )


def _aws(config: Any) -> Iterator[CheckMessage]:
    endpoints = {name: value for name, value in os.environ.items() if name.startswith("AWS_ENDPOINT_URL") and value}
    if config.AWS_ENDPOINT_URL:
        endpoints["AWS_ENDPOINT_URL"] = config.AWS_ENDPOINT_URL
    if embedded := sorted(name for name, value in endpoints.items() if is_loopback(value)):
        yield Error(
            f"{', '.join(embedded)} names this machine: AWS would be an embedded stand-in.",
            hint="Unset it to use AWS, or name an interface endpoint of your own network.",
            id="controlplane.E005",
        )
    if os.environ.get("AWS_ACCESS_KEY_ID") in EMBEDDED_KEYS:
        yield Error("The AWS credentials are the stand-in's.", hint="Give the process a role of its own.", id="controlplane.E011")


def _web(config: Any) -> Iterator[CheckMessage]:
    if config.DEBUG:
        yield Error("DJANGO_DEBUG is on.", hint="Unset it: error pages would show settings and rows.", id="controlplane.E002")
    if not (config.SESSION_COOKIE_SECURE and config.CSRF_COOKIE_SECURE and config.SECURE_SSL_REDIRECT):
        yield Error("Cookies and pages may travel without TLS.", hint="Unset CONTROLPLANE_TLS.", id="controlplane.E006")
    if not config.ALLOWED_HOSTS or any(host in ("*", ".") for host in config.ALLOWED_HOSTS):
        yield Error(
            "Any host name would be answered, or none.", hint="Set DJANGO_ALLOWED_HOSTS to your names.", id="controlplane.E007"
        )


@register(Tags.security)
def check_start(**_: Any) -> list[CheckMessage]:
    """Report the contradictions to ``manage.py check``, with or without ``--deploy``."""
    return list(contradictions(settings))


@register(Tags.security, deploy=True)
def check_environment(**_: Any) -> list[CheckMessage]:
    """Remind whoever asks for a deployment's checks that dev is held to nothing."""
    if settings.ENVIRONMENT != "dev":
        return []
    return [
        Warning(
            "CONTROLPLANE_ENVIRONMENT is dev: SQLite, default secrets and an embedded AWS are allowed.",
            hint="Set it to stage or production.",
            id="controlplane.W001",
        )
    ]


def refuse_unsafe_start() -> None:
    """Raise SettingError, naming every contradiction, when this configuration must not serve."""
    if found := list(contradictions(settings)):
        lines = "\n".join(f"  {message.id}: {message.msg} {message.hint}" for message in found)
        raise SettingError(f"Refusing to start in {settings.ENVIRONMENT}:\n{lines}")
