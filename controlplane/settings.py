"""All settings of the control plane, in one file, from typed variables.

``DATABASE_URL``, ``REDIS_URL`` and ``AWS_ENDPOINT_URL`` choose real parts. Unset means the embedded ones, which ``manage.py up``
starts and whose addresses it exports to its children and leaves in the state folder for other commands. ``.env.example`` lists every
variable with its default; ``controlplane.checks`` says which combinations must not start in stage and production.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from celery.schedules import crontab

from controlplane.api.configuration import SPECTACULAR_SETTINGS  # noqa: F401  # a setting, by its name here
from controlplane.console import looks
from controlplane.env import INSECURE_KEY_PEPPER, Environment, adopt_files
from controlplane.logs import logging_settings
from tenants.keys import scopes, tokens

BASE_DIR = Path(__file__).resolve().parent.parent


# --- Where the values come from ---------------------------------------------------------------------------------------------------

ENVIRONMENTS = ("dev", "stage", "production")
DEV = adopt_files(os.environ, BASE_DIR)
env = Environment(os.environ)
ENVIRONMENT = env.text("CONTROLPLANE_ENVIRONMENT", "dev", choices=ENVIRONMENTS)
STATE_DIR = env.folder("CONTROLPLANE_STATE_DIR", BASE_DIR / ".state")
if DEV:
    # The default database is a file in it, and WhiteNoise wants its folder to be there though dev serves files from where they lie.
    STATE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    (STATE_DIR / "static").mkdir(exist_ok=True)
env.text("CONTROLPLANE_ENV_FILE")  # read above, before there was a reader; named here so that it is known

# --- What Django needs first ------------------------------------------------------------------------------------------------------

DEBUG = env.flag("DJANGO_DEBUG", False)
INSECURE_SECRET_KEY = "insecure-and-public-for-development-only-0123456789"  # noqa: S105  # refused outside dev by controlplane.E003
INSECURE_AUDIT_KEY = "insecure-and-public-audit-key-for-development-only"  # refused outside dev by controlplane.E004
SECRET_KEY = env.secret("DJANGO_SECRET_KEY", INSECURE_SECRET_KEY)
SECRET_KEY_FALLBACKS = env.words("DJANGO_SECRET_KEY_FALLBACKS")
AUDIT_KEY = env.secret("AUDIT_KEY", INSECURE_AUDIT_KEY).encode()
AUDIT_RETIRED_KEYS = tuple(key.encode() for key in env.words("AUDIT_RETIRED_KEYS"))
ALLOWED_HOSTS = env.words("DJANGO_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]") if DEV else ())
CSRF_TRUSTED_ORIGINS = env.words("DJANGO_CSRF_TRUSTED_ORIGINS")
USE_TLS = env.flag("CONTROLPLANE_TLS", not DEV)

ROOT_URLCONF = "controlplane.urls"
WSGI_APPLICATION = "controlplane.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True

INSTALLED_APPS = [
    "controlplane.apps.ControlplaneConfig",
    "unfold.apps.BasicAppConfig",  # the default one would put a site of its own in the place of ours
    "controlplane.apps.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "rest_framework",
    "drf_spectacular",
    "storages",
    "core.audit",
    "core.outbox",
    "tenants",
    "tenants.keys",
    "tenants.limits",
    "tenants.usage",
    "tenants.members",
    "provisioning",
    "controlplane.console",
    "controlplane.portal",
    "controlplane.api",
    # The embedded stack's commands; production's image does not even hold its code.
    *(["controlplane.embedded"] if DEV else []),
]

MIDDLEWARE = [
    "controlplane.tracing.RequestIds",
    "controlplane.proxies.CallerAddress",
    "controlplane.security.SecurityHeaders",
    "controlplane.health.HealthAnswers",  # before the redirect to TLS and the check of the host's name: probes come by address
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "controlplane.portal.sessions.PortalSessions",  # below the operators', which it sets aside for its own paths
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "controlplane.portal.gate.PortalGate",  # last: after the CSRF check, right before the view
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- The parts: database, Redis, AWS, files ---------------------------------------------------------------------------------------

DATABASES = {"default": env.database("DATABASE_URL", STATE_DIR / "controlplane.sqlite3")}

REDIS_IS_DEFAULT = not env.has("REDIS_URL")
REDIS_URL = env.url("REDIS_URL", f"unix://{STATE_DIR}/valkey.sock", schemes=("redis", "rediss", "unix"))
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cache"}}

# boto3 finds credentials and the region by itself (environment, profile, instance role). Only the endpoint is ours to know, because an
# embedded one is refused outside dev. In dev, unset means the embedded stand-in: while it is not running, calls go to a port where
# nobody answers rather than, by somebody's forgotten profile, to a real account.
NOBODY = "http://127.0.0.1:9"
if DEV and not env.has("AWS_ENDPOINT_URL") and not env.flag("CONTROLPLANE_REAL_AWS_IN_DEV", False):
    os.environ["AWS_ENDPOINT_URL"] = NOBODY
env.flag("CONTROLPLANE_REAL_AWS_IN_DEV", False)
AWS_ENDPOINT_URL = env.url("AWS_ENDPOINT_URL", schemes=("http", "https")) or None
AWS_DEFAULT_REGION = env.text("AWS_DEFAULT_REGION", "eu-central-1")

STORAGE_BUCKET = env.text("STORAGE_BUCKET")
_files: dict[str, Any] = {
    "BACKEND": "django.core.files.storage.FileSystemStorage",
    "OPTIONS": {"location": STATE_DIR / "files", "file_permissions_mode": 0o600, "directory_permissions_mode": 0o700},
}
if STORAGE_BUCKET:
    _files = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": STORAGE_BUCKET,
            "location": env.text("STORAGE_PREFIX", "controlplane"),
            "default_acl": None,
            "file_overwrite": False,
            "querystring_auth": True,
            "querystring_expire": 300,
            "region_name": AWS_DEFAULT_REGION,
            "endpoint_url": AWS_ENDPOINT_URL,
            "object_parameters": {"ServerSideEncryption": "aws:kms"},
        },
    }
env.text("STORAGE_PREFIX")
STATIC_URL = "/static/"
STATIC_ROOT = STATE_DIR / "static" if DEV else BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = DEV
_static = (
    "django.contrib.staticfiles.storage.StaticFilesStorage" if DEV else "whitenoise.storage.CompressedManifestStaticFilesStorage"
)
STORAGES: dict[str, dict[str, Any]] = {"default": _files, "staticfiles": {"BACKEND": _static}}

# --- Who may come in --------------------------------------------------------------------------------------------------------------

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 14}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
OTP_TOTP_ISSUER = env.text("CONTROLPLANE_OTP_ISSUER", "Control plane")
SESSION_COOKIE_AGE = 60 * env.whole("CONTROLPLANE_SESSION_MINUTES", 12 * 60, minimum=5, maximum=24 * 60)
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = USE_TLS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# The prefix makes browsers refuse a cookie that a sibling host or plain HTTP has set (RFC 6265bis, section 4.1.3.2).
SESSION_COOKIE_NAME = "__Host-session" if USE_TLS else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if USE_TLS else "csrf"
SECURE_SSL_REDIRECT = USE_TLS
BEHIND_PROXY = env.flag("CONTROLPLANE_BEHIND_PROXY", False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
PROXY_HOPS = env.whole("CONTROLPLANE_PROXY_HOPS", 1 if BEHIND_PROXY else 0, minimum=0, maximum=8)
"""How many proxies of ours add to ``X-Forwarded-For``; see ``controlplane.proxies``."""
SECURE_HSTS_SECONDS = 365 * 86_400 if USE_TLS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = USE_TLS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# --- Tenants' people ----------------------------------------------------------------------------------------------------------------

# A cookie with a path other than / cannot have the prefix __Host-; __Secure- still keeps plain HTTP from setting it.
PORTAL_SESSION_COOKIE_NAME = "__Secure-portal" if USE_TLS else "portal"
PORTAL_SESSION_SECONDS = 60 * env.whole("CONTROLPLANE_PORTAL_SESSION_MINUTES", 12 * 60, minimum=5, maximum=24 * 60)
PORTAL_IDLE_SECONDS = 60 * env.whole("CONTROLPLANE_PORTAL_IDLE_MINUTES", 60, minimum=5, maximum=24 * 60)
# In the session: Django's default would put them into a cookie that the console and the portal share.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# Where the portal is seen from outside: what mailed links begin with.
PORTAL_URL = env.url(
    "CONTROLPLANE_PORTAL_URL",
    "http://localhost:8000" if DEV else f"https://{next(iter(ALLOWED_HOSTS), 'localhost')}",
    schemes=("http", "https") if DEV else ("https",),
).rstrip("/")
# smtp://user:password@host:587 upgrades to TLS, smtps:// begins with it; unset means files in the state folder in dev, and a mail server
# on this machine elsewhere.
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.text("CONTROLPLANE_MAIL_FROM", "Control plane <no-reply@localhost>")
EMAIL_FILE_PATH = STATE_DIR / "mail"
_mail = urlsplit(env.url("EMAIL_URL", schemes=("smtp", "smtps")))
if _mail.hostname:
    EMAIL_HOST, EMAIL_PORT = _mail.hostname, _mail.port or (465 if _mail.scheme == "smtps" else 587)
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_mail.username or ""), unquote(_mail.password or "")
    EMAIL_USE_SSL, EMAIL_USE_TLS = _mail.scheme == "smtps", _mail.scheme == "smtp"
elif DEV:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"

# --- Tenants' keys -------------------------------------------------------------------------------------------------------------------

# Peppers of tenants' keys, by number: the highest is used for new versions, the others go on verifying until their versions are retired.
KEY_PEPPERS = env.numbered_secrets("KEY_PEPPERS", {1: INSECURE_KEY_PEPPER})
# The first part of every new key. Keys that were issued under another brand go on.
KEY_BRAND = env.text("CONTROLPLANE_KEY_BRAND", "cpk", shape=rf"(?!cpo$){tokens.BRAND_SHAPE}")
# How many living keys a tenant may have: each is a secret in AWS, whose quota all tenants of an account share.
KEYS_PER_TENANT = env.whole("CONTROLPLANE_KEYS_PER_TENANT", 10_000, minimum=1, maximum=100_000)
# What the SaaS's own functions are called; keys:read and keys:write are always there.
KEY_SCOPES = env.words("CONTROLPLANE_KEY_SCOPES", scopes.DEFAULT, shape=scopes.SHAPE)

# How long the text of a leaked key goes on verifying at most, where its tenant's policy is to rotate. Shorter than ten minutes, and one
# refusal of AWS's would end the key before the clock tries again.
LEAK_OVERLAP_SECONDS = env.whole("CONTROLPLANE_LEAK_OVERLAP_SECONDS", 3_600, minimum=600, maximum=86_400)
# GitHub's public keys for secret scanning. http is for a key server on this machine, in dev.
GITHUB_KEYS_URL = env.url(
    "CONTROLPLANE_GITHUB_KEYS_URL",
    "https://api.github.com/meta/public_keys/secret_scanning",
    schemes=("https", "http") if DEV else ("https",),
)

# --- The engine -------------------------------------------------------------------------------------------------------------------

# A role can be assumed only within one partition (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html), so cells of
# another are refused before anything is made there.
CONTROLPLANE_PARTITION = env.text("CONTROLPLANE_PARTITION", "aws")
# How long a worker holds an operation without recording anything. Shorter means that the work of a killed worker is taken up sooner;
# it must be longer than the slowest step's calls together.
ENGINE_LEASE_SECONDS = env.whole("CONTROLPLANE_ENGINE_LEASE_SECONDS", 60, minimum=2, maximum=3_600)

# --- Work in the background -------------------------------------------------------------------------------------------------------

# The queue is a doorbell: rows are the truth, a lost message costs the few seconds until the sweep. So no results are kept, messages
# carry ids only (JSON), and a broker that is away is not waited for.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_USE_SSL = {"ssl_cert_reqs": ssl.CERT_REQUIRED} if REDIS_URL.startswith("rediss://") else None
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "controlplane"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# max_retries is about ringing only: without it, kombu keeps a caller waiting for six seconds. A worker keeps trying, by settings of its own.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 900, "socket_timeout": 15, "socket_connect_timeout": 2, "max_retries": 0}
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = env.whole("CONTROLPLANE_WORKER_THREADS", 4, minimum=1, maximum=64)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
OUTBOX_RETENTION_DAYS = env.whole("OUTBOX_RETENTION_DAYS", 14, minimum=1, maximum=3_650)
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "provisioning.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "relay": {"task": "core.outbox.tasks.relay", "schedule": 5.0, "options": {"expires": 5}},
    "start due operations": {"task": "provisioning.tasks.start_due", "schedule": 60.0, "options": {"expires": 60}},
    "check drift": {"task": "provisioning.tasks.check_drift", "schedule": crontab(minute="17"), "options": {"expires": 3_600}},
    "seal the audit log": {"task": "core.audit.tasks.seal", "schedule": 5.0, "options": {"expires": 5}},
    "settle keys": {"task": "tenants.keys.tasks.settle", "schedule": 5.0, "options": {"expires": 5}},
    "tend keys": {"task": "tenants.keys.tasks.tend", "schedule": 60.0, "options": {"expires": 60}},
    "tend limits": {"task": "tenants.limits.tasks.tend", "schedule": 5.0, "options": {"expires": 5}},
    "project limits": {"task": "tenants.limits.tasks.project", "schedule": 5.0, "options": {"expires": 5}},
    "roll usage up": {"task": "tenants.usage.tasks.roll_up", "schedule": 5.0, "options": {"expires": 5}},
    "watch thresholds": {"task": "tenants.usage.tasks.watch", "schedule": 60.0, "options": {"expires": 60}},
    "forget old usage": {"task": "tenants.usage.tasks.forget", "schedule": crontab(minute="53"), "options": {"expires": 3_600}},
    "settle members": {"task": "provisioning.tasks.settle_people", "schedule": 5.0, "options": {"expires": 5}},
    "mail links": {"task": "tenants.members.tasks.mail", "schedule": 5.0, "options": {"expires": 5}},
    "clear sessions": {
        "task": "controlplane.portal.tasks.clear_sessions",
        "schedule": crontab(hour="3", minute="37"),
        "options": {"expires": 3_600},
    },
    "prune the outbox": {
        "task": "core.outbox.tasks.prune",
        "schedule": crontab(hour="3", minute="23"),
        "options": {"expires": 3_600},
    },
    "anchor the audit chain": {"task": "core.audit.tasks.anchor", "schedule": crontab(minute="47"), "options": {"expires": 3_600}},
    "forget old answers": {
        "task": "controlplane.api.tasks.purge_answers",
        "schedule": crontab(minute="27"),
        "options": {"expires": 3_600},
    },
}

# --- The API ----------------------------------------------------------------------------------------------------------------------

REST_FRAMEWORK: dict[str, Any] = {
    # Closed by default: the API's own classes open what they mean to.
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
API_PROBLEMS_URL = env.url("CONTROLPLANE_PROBLEMS_URL", "https://controlplane.example/docs/problems", schemes=("http", "https"))
# Peppers of operator tokens, by number: the highest is used for new ones. Dropping one ends the life of every token under it.
INSECURE_TOKEN_PEPPER = "insecure-and-public-token-pepper-for-development-only"  # noqa: S105  # refused outside dev by controlplane.E012
TOKEN_PEPPERS = env.numbered_secrets("TOKEN_PEPPERS", {1: INSECURE_TOKEN_PEPPER})

# --- How often somebody may ask ----------------------------------------------------------------------------------------------------


def _per_second(name: str, rate: int, burst: int) -> tuple[int, int]:
    """Requests a second, and how many at once."""
    return (
        env.whole(f"CONTROLPLANE_{name}_PER_SECOND", rate, minimum=1, maximum=1_000_000),
        env.whole(f"CONTROLPLANE_{name}_BURST", burst, minimum=1, maximum=1_000_000),
    )


# Limits of our own doors, by the names of controlplane.doors; what tenants may ask of the SaaS itself is in their tiers.
DOOR_LIMITS = {
    "api": _per_second("API", 50, 100),
    "portal-tenant": _per_second("PORTAL_TENANT", 10, 60),
    "portal-member": _per_second("PORTAL_MEMBER", 5, 30),
    "hooks": _per_second("HOOKS", 20, 40),
}

# What the platform can take, in requests a second at a cost of one: what shares are told of. 0 where nobody has said.
CAPACITY_PER_SECOND = env.whole("CONTROLPLANE_CAPACITY_PER_SECOND", 0, minimum=0, maximum=100_000_000)

# --- The console -------------------------------------------------------------------------------------------------------------------

UNFOLD = looks.UNFOLD

# --- Logs -------------------------------------------------------------------------------------------------------------------------

LOGGING = logging_settings(
    as_json=env.text("CONTROLPLANE_LOG_FORMAT", "console" if DEV else "json", choices=("console", "json")) == "json",
    level=env.text("CONTROLPLANE_LOG_LEVEL", "INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR")),
)
