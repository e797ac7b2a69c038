"""The settings file: its variables are documented, its defaults are embedded, and its parts are chosen by addresses."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from controlplane.edge import configuration
from controlplane.env import Environment, SettingError
from tests.controlplane.conftest import ROOT, ReadSettings

EXAMPLE = (ROOT / ".env.example").read_text()


def test_every_variable_is_in_the_example_and_none_else(read_settings: ReadSettings) -> None:
    edge = Environment({})
    configuration.read(edge)
    known = read_settings().env.names | read_settings(STORAGE_BUCKET="b").env.names | edge.names
    documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", EXAMPLE, re.MULTILINE))
    assert documented == known


def test_the_example_itself_is_accepted_and_changes_nothing(read_settings: ReadSettings, tmp_path: Path) -> None:
    plain = read_settings()
    (tmp_path / ".env").write_text(EXAMPLE)
    copied = read_settings()
    for name in ("DATABASES", "REDIS_URL", "DEBUG", "ALLOWED_HOSTS", "LOGGING", "ENVIRONMENT"):
        assert getattr(copied, name) == getattr(plain, name), name


def test_each_default_in_the_example_is_the_default(read_settings: ReadSettings, tmp_path: Path) -> None:
    """Taking the comment signs off the lines with values must not change a setting."""
    plain = read_settings()
    uncommented = re.sub(r"^#([A-Z][A-Z0-9_]*=)", r"\1", EXAMPLE, flags=re.MULTILINE)
    uncommented = re.sub(r"^(CONTROLPLANE_STATE_DIR|CONTROLPLANE_ENV_FILE)=.*$", "", uncommented, flags=re.MULTILINE)
    (tmp_path / ".env").write_text(uncommented)
    copied = read_settings()
    names = [name for name in vars(plain) if name.isupper() and name not in ("DEV", "ENVIRONMENTS", "LOGGING")]
    assert len(names) > 60
    for name in names:
        assert getattr(copied, name) == getattr(plain, name), name


def test_unset_means_embedded(read_settings: ReadSettings, tmp_path: Path) -> None:
    read = read_settings()
    assert read.DATABASES["default"]["NAME"] == str(tmp_path / "controlplane.sqlite3")
    assert str(tmp_path) in read.REDIS_URL
    assert read.STORAGES["default"]["BACKEND"].endswith("FileSystemStorage")
    assert "controlplane.embedded" in read.INSTALLED_APPS


def test_unset_in_dev_never_means_a_real_account(read_settings: ReadSettings) -> None:
    assert read_settings().AWS_ENDPOINT_URL == "http://127.0.0.1:9"
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert read_settings(CONTROLPLANE_REAL_AWS_IN_DEV="true").AWS_ENDPOINT_URL is None


def test_addresses_choose_real_parts(read_settings: ReadSettings) -> None:
    read = read_settings(
        DATABASE_URL="postgresql://u:p@db/name",
        REDIS_URL="redis://cache:6379/3",
        AWS_ENDPOINT_URL="http://aws:4566",
        STORAGE_BUCKET="files",
    )
    assert read.DATABASES["default"]["HOST"] == "db"
    assert read.CELERY_BROKER_URL == read.REDIS_URL == "redis://cache:6379/3"
    assert read.AWS_ENDPOINT_URL == "http://aws:4566"
    assert read.STORAGES["default"]["OPTIONS"]["bucket_name"] == "files"


def test_what_a_running_stack_left_is_used_unless_somebody_chose_otherwise(read_settings: ReadSettings, tmp_path: Path) -> None:
    (tmp_path / "up.env").write_text("REDIS_URL=redis://127.0.0.1:7001/0\nAWS_ENDPOINT_URL=http://127.0.0.1:7002\n")
    (tmp_path / ".env").write_text("AWS_ENDPOINT_URL=http://127.0.0.1:7003\n")
    read = read_settings()
    assert (read.REDIS_URL, read.AWS_ENDPOINT_URL) == ("redis://127.0.0.1:7001/0", "http://127.0.0.1:7003")
    assert read_settings(REDIS_URL="redis://mine/0").REDIS_URL == "redis://mine/0"


def test_files_change_nothing_outside_dev(production: ReadSettings, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DJANGO_DEBUG=true\n")
    (tmp_path / "up.env").write_text("AWS_ENDPOINT_URL=http://127.0.0.1:7002\n")
    read = production()
    assert read.DEBUG is False
    assert read.AWS_ENDPOINT_URL is None
    assert "controlplane.embedded" not in read.INSTALLED_APPS


def test_an_unknown_environment_stops_the_start(read_settings: ReadSettings) -> None:
    with pytest.raises(SettingError, match="CONTROLPLANE_ENVIRONMENT must be one of dev, stage, production"):
        read_settings(CONTROLPLANE_ENVIRONMENT="prod")


def test_a_socket_serves_django_and_celery(read_settings: ReadSettings) -> None:
    assert read_settings(REDIS_URL="unix:///run/valkey.sock").CELERY_BROKER_URL == "redis+socket:///run/valkey.sock"


def test_production_is_strict(production: ReadSettings) -> None:
    read = production()
    assert read.SESSION_COOKIE_SECURE
    assert read.CSRF_COOKIE_SECURE
    assert read.SESSION_COOKIE_NAME.startswith("__Host-")
    assert read.SECURE_HSTS_SECONDS >= 31_536_000
    assert read.STORAGES["staticfiles"]["BACKEND"].startswith("whitenoise.")
    assert read.LOGGING["formatters"]["line"]["()"].endswith("JsonFormatter")


def test_messages_are_json_and_nothing_keeps_results() -> None:
    from controlplane.celery import app

    assert app.conf.task_serializer == "json"
    assert list(app.conf.accept_content) == ["json"]
    assert app.conf.result_backend is None
    assert app.conf.task_acks_late
    assert app.conf.worker_pool == "threads"
    assert app.conf.task_publish_retry is False


def test_every_scheduled_task_exists() -> None:
    from controlplane.celery import app

    app.loader.import_default_modules()
    missing = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} - set(app.tasks)
    assert missing == set()


@pytest.mark.django_db
def test_the_database_in_use_has_the_options_that_the_engine_leans_on() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("SQLite's options; this run is on PostgreSQL")
    with connection.cursor() as cursor:
        values = {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert values == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}
    assert connection.transaction_mode == "IMMEDIATE"


def test_every_installed_app_is_there() -> None:
    from django.apps import apps

    installed = {config.name for config in apps.get_app_configs()}
    assert installed >= {"core.audit", "core.outbox", "tenants", "provisioning", "controlplane.console", "controlplane.api"}
