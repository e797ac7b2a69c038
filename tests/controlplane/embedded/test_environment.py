"""What the product's processes see, and which parts are given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controlplane.embedded import environment, processes
from controlplane.embedded.bootstrap import Footing
from controlplane.embedded.environment import Given, given_by
from controlplane.embedded.state import StateFolder
from controlplane.env import read_file

PORTS = {"valkey": 7001, "standin": 7002, "web": 7003, "edge": 7004, "edge-operators": 7005}
FOOTING = Footing("AKIAOURS", "secret", "arn:aws:iam::000000000000:role/r", made_anew=False)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path)


def test_of_the_callers_aws_nothing_is_left(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL_S3", "AWS_WEB_IDENTITY_TOKEN_FILE"):
        monkeypatch.setenv(name, "somebody's")
    values = environment.of_product(state, Given(), PORTS, "eu-central-1", FOOTING)
    assert "somebody's" not in values.values()
    assert {name: value for name, value in values.items() if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID": "AKIAOURS",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:7002",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet")
    values = environment.of_product(state, Given(), PORTS, "eu-central-1", FOOTING)
    assert set(values["NO_PROXY"].split(",")) == {"127.0.0.1", "localhost", "intranet"} == set(values["no_proxy"].split(","))


def test_given_parts_are_used_and_their_credentials_kept(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    given = Given("postgresql://db/cp", "redis://cache:6379/0", "https://aws.example")
    values = environment.of_product(state, given, PORTS, "eu-west-1", None)
    assert values["DATABASE_URL"] == "postgresql://db/cp"
    assert values["REDIS_URL"] == "redis://cache:6379/0"
    assert values["AWS_ENDPOINT_URL"] == "https://aws.example"
    assert values["AWS_PROFILE"] == "work"


def test_what_an_earlier_run_left_is_nobodys_choice(state: StateFolder) -> None:
    left = environment.own_values(state, Given(), PORTS, "eu-central-1", FOOTING)
    environment.write_file(state, left)
    assert given_by(left, state) == Given()
    assert given_by({**left, "REDIS_URL": "redis://cache/0"}, state) == Given(redis_url="redis://cache/0")
    assert given_by({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, state, ignore="http://127.0.0.1:9") == Given()


def test_commands_in_another_terminal_find_the_stack_and_after_its_end_only_the_keys(state: StateFolder) -> None:
    values = environment.own_values(state, Given(), PORTS, "eu-central-1", FOOTING)
    environment.write_file(state, values)
    assert read_file(state.root / "up.env") == values
    environment.write_file_of_ended(state)
    lasting = read_file(state.root / "up.env")
    assert lasting == {name: values[name] for name in ("AUDIT_KEY", "DJANGO_SECRET_KEY")}
    assert environment.own_values(state, Given(), PORTS, "eu-central-1", FOOTING) == values, "the same keys at the next start"


@pytest.mark.parametrize("level", ["DEBUG", "WARNING", "ERROR"])
def test_the_worker_logs_what_its_readiness_is_read_from(state: StateFolder, monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv("CONTROLPLANE_LOG_LEVEL", level)
    values = environment.of_product(state, Given(), PORTS, "eu-central-1", FOOTING)
    assert values["CONTROLPLANE_LOG_LEVEL"] == level
    assert processes.worker(state, values).environment["CONTROLPLANE_LOG_LEVEL"] == "INFO"
