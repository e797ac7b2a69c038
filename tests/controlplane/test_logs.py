"""Log lines: their shape, the ids they carry, and that the filter stands where nothing can pass it by."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings

from controlplane.logs import current_ids, log_context, logging_settings

TENANT, OPERATION = "tnt_01j9zc3v5m8k2q4r6t8w0y1a3b", "op_01j9zc3v5m8k2q4r6t8w0y1a3b"


class Written(io.StringIO):
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.getvalue().splitlines()[-1]))


@contextmanager
def _configured(*, as_json: bool) -> Iterator[Written]:
    """The real configuration, with standard error replaced; pytest's own handlers are put back afterwards."""
    kept = list(logging.root.handlers), logging.root.level
    stream = Written()
    configuration = logging_settings(as_json=as_json, level="DEBUG")
    configuration["handlers"]["stderr"]["stream"] = stream
    logging.config.dictConfig(configuration)
    yield stream
    logging.config.dictConfig(settings.LOGGING)
    logging.root.handlers[:], logging.root.level = kept


@pytest.fixture(params=[True, False], ids=["json", "console"])
def written(request: pytest.FixtureRequest) -> Iterator[Written]:
    with _configured(as_json=request.param) as stream:
        yield stream


@pytest.fixture
def as_json() -> Iterator[Written]:
    with _configured(as_json=True) as stream:
        yield stream


def test_the_shape_of_a_line(as_json: Written) -> None:
    with log_context(tenant=TENANT, operation=OPERATION, step=None):
        logging.getLogger("provisioning.engine").info("claimed %s", "it", extra={"attempt": 2})
    line = as_json.json()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "provisioning.engine",
        "message": "claimed it",
        "tenant": TENANT,
        "operation": OPERATION,
        "attempt": 2,
    }


def test_a_readable_line(written: Written) -> None:
    with log_context(tenant=TENANT):
        logging.getLogger("x").warning("two\nlines")
    assert TENANT in written.getvalue()
    assert written.getvalue().count("\n") == 1


def test_what_the_call_says_wins_over_the_context(as_json: Written) -> None:
    with log_context(tenant="tnt_outer", operation=OPERATION):
        logging.getLogger("x").info("m", extra={"tenant": TENANT})
    assert (as_json.json()["tenant"], as_json.json()["operation"]) == (TENANT, OPERATION)


def test_contexts_nest_and_end() -> None:
    with log_context(tenant=TENANT):
        with log_context(operation=OPERATION):
            assert current_ids() == {"tenant": TENANT, "operation": OPERATION}
        assert current_ids() == {"tenant": TENANT}
    assert current_ids() == {}


def test_a_context_ends_with_an_error_too() -> None:
    with pytest.raises(ValueError, match="x"), log_context(tenant=TENANT):
        raise ValueError("x")
    assert current_ids() == {}


def test_another_thread_has_a_context_of_its_own() -> None:
    seen: list[dict[str, str]] = []
    with log_context(tenant=TENANT):
        thread = threading.Thread(target=lambda: seen.append(dict(current_ids())))
        thread.start()
        thread.join()
    assert seen == [{}]


def test_secrets_go_from_message_arguments_extras_and_tracebacks(written: Written) -> None:
    logger = logging.getLogger("botocore.auth")
    logger.setLevel(logging.DEBUG)
    logger.debug("Authorization: %s", "AWS4-HMAC-SHA256 Signature=hunter2")
    logger.info("response %r", {"Credentials": {"SecretAccessKey": "hunter2", "SessionToken": "hunter2"}})
    logger.info("m", extra={"password": "hunter2", "body": {"SecretString": "hunter2"}, "headers": ["Cookie: a=hunter2"]})
    try:
        raise RuntimeError("could not reach redis://:hunter2@cache/0")
    except RuntimeError:
        logger.exception("failed with password=hunter2", stack_info=True)
    assert "RuntimeError" in written.getvalue()
    assert "cache/0" in written.getvalue()
    assert "hunter2" not in written.getvalue()


def test_a_record_that_cannot_be_formatted_is_kept(written: Written) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    logging.getLogger("x").info("%s", Broken())
    logging.getLogger("x").info("%d", "word")
    assert written.getvalue().count("could not be formatted") == 2


def test_djangos_live_request_object_is_left_out(as_json: Written) -> None:
    logging.getLogger("django.request").warning("Not Found", extra={"request": object(), "status_code": 404})
    assert as_json.json()["status_code"] == 404
    assert "request" not in as_json.json()


def test_a_refused_request_is_logged_with_its_id_after_the_middleware_has_ended(as_json: Written) -> None:
    class Request:
        request_id = "request-1"

    logging.getLogger("django.request").warning("Unauthorized: /x", extra={"request": Request(), "status_code": 401})
    assert as_json.json()["request_id"] == "request-1"


def test_control_characters_are_shown_and_not_obeyed(written: Written) -> None:
    logging.getLogger("x").info("a\x1b[2Jb\rc", extra={"path": "/x\nFORGED"})
    text = written.getvalue()
    assert text.count("\n") == 1
    assert not {"\x1b", "\r"} & set(text)


def test_no_logger_has_a_way_past_the_filter() -> None:
    """Every handler of the configuration in use carries the filter, and no library's logger brings a handler of its own."""
    configuration = settings.LOGGING
    assert all(handler["filters"] == ["without_secrets"] for handler in configuration["handlers"].values())
    assert not [name for name, logger in configuration["loggers"].items() if logger.get("handlers")]


def test_libraries_that_write_whole_requests_stay_quiet_at_debug(written: Written) -> None:
    for name in ("botocore.endpoint", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.NOTSET)
        logging.getLogger(name).debug("the whole request")
    assert written.getvalue() == ""
