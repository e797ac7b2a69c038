"""Typed readers: what is read, what stops the start, and that no message repeats what may be secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.env import Environment, SettingError, read_file

READERS: dict[str, tuple[Callable[[Environment], object], str]] = {
    "choice": (lambda env: env.text("X", "a", choices=("a", "b")), "c"),
    "shape": (lambda env: env.text("X", "a", shape="[a-z]+"), "a_b"),
    "shape of a word": (lambda env: env.words("X", ("a",), shape="[a-z]+"), "a,b_c"),
    "flag": (lambda env: env.flag("X", default=False), "maybe"),
    "flag as a number": (lambda env: env.flag("X", default=False), "2"),
    "whole, a word": (lambda env: env.whole("X", 1, minimum=1, maximum=9), "many"),
    "whole, too small": (lambda env: env.whole("X", 1, minimum=1, maximum=9), "0"),
    "whole, too large": (lambda env: env.whole("X", 1, minimum=1, maximum=9), "10"),
    "whole, a fraction": (lambda env: env.whole("X", 1, minimum=1, maximum=9), "1.5"),
    "whole, other digits": (lambda env: env.whole("X", 1, minimum=1, maximum=9), "٣"),
    "secret, short": (lambda env: env.secret("X", "d"), "hunter2-is-secret"),
    "numbered secrets, no number": (lambda env: env.numbered_secrets("X", {}), "hunter2-is-secret" * 3),
    "numbered secrets, number 0": (lambda env: env.numbered_secrets("X", {}), "0:" + "hunter2-is-secret" * 3),
    "numbered secrets, twice": (lambda env: env.numbered_secrets("X", {}), ",".join(["1:" + "hunter2-is-secret" * 3] * 2)),
    "numbered secrets, short": (lambda env: env.numbered_secrets("X", {}), "1:hunter2"),
    "url, no scheme": (lambda env: env.url("X", schemes=("redis",)), "localhost:6379"),
    "url, wrong scheme": (lambda env: env.url("X", schemes=("redis",)), "http://localhost"),
    "url, no host": (lambda env: env.url("X", schemes=("redis",)), "redis://"),
    "url, bad port": (lambda env: env.url("X", schemes=("redis",)), "redis://localhost:99999"),
    "database, wrong scheme": (lambda env: env.database("X", Path("f")), "mysql://u:hunter2-is-secret@h/n"),
    "database, no name": (lambda env: env.database("X", Path("f")), "postgresql://u:hunter2-is-secret@h/"),
    "database, two names": (lambda env: env.database("X", Path("f")), "postgresql://u:hunter2-is-secret@h/a/b"),
    "database, unknown parameter": (
        lambda env: env.database("X", Path("f")),
        "postgresql://u:hunter2-is-secret@h/n?sslmod=require",
    ),
    "sqlite in memory": (lambda env: env.database("X", Path("f")), "sqlite://"),
    "sqlite with a host": (lambda env: env.database("X", Path("f")), "sqlite://file.sqlite3"),
}


@pytest.mark.parametrize("name", READERS)
def test_nonsense_stops_the_start_and_names_the_variable(name: str) -> None:
    read, value = READERS[name]
    with pytest.raises(SettingError, match=r"\bX\b") as caught:
        read(Environment({"X": value}))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("name", READERS)
def test_an_empty_variable_means_the_default(name: str) -> None:
    read, _ = READERS[name]
    assert read(Environment({"X": "  "})) == read(Environment({}))


def test_a_folder_may_not_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingError, match="X must be a folder"):
        Environment({"X": str(tmp_path / "file")}).folder("X", tmp_path)
    assert Environment({"X": str(tmp_path / "new")}).folder("X", Path()) == tmp_path / "new"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("yes", True), ("on", True), ("0", False), ("No", False)])
def test_flags(text: str, value: bool) -> None:
    assert Environment({"X": text}).flag("X", default=not value) is value


def test_words_drop_blanks() -> None:
    assert Environment({"X": " a, b,,c ,"}).words("X") == ["a", "b", "c"]
    assert Environment({}).words("X", ("d",)) == ["d"]


def test_numbered_secrets() -> None:
    first, second = "a" * 32, "b" * 32
    assert Environment({"X": f"1:{first}, 3:{second}"}).numbered_secrets("X", {}) == {1: first.encode(), 3: second.encode()}
    assert Environment({}).numbered_secrets("X", {1: "d"}) == {1: b"d"}


def test_postgresql_address_is_taken_apart_and_decoded() -> None:
    database = Environment({"X": "postgresql://us%40er:p%2Fw%3A@db.example.com:6432/name?sslmode=verify-full"}).database(
        "X", Path("f")
    )
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert [database[part] for part in ("USER", "PASSWORD", "HOST", "PORT", "NAME")] == [
        *("us@er", "p/w:", "db.example.com", "6432", "name"),
    ]
    assert database["OPTIONS"]["sslmode"] == "verify-full"
    assert "sqlite" not in str(database)


def test_postgresql_by_socket() -> None:
    assert (
        Environment({"X": "postgresql:///name?host=/var/run/postgresql"}).database("X", Path("f"))["HOST"] == "/var/run/postgresql"
    )


def test_unset_means_sqlite_that_several_processes_can_share(tmp_path: Path) -> None:
    database = Environment({}).database("X", tmp_path / "file.sqlite3")
    assert database["NAME"] == str(tmp_path / "file.sqlite3")
    options = database["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert options["timeout"] >= 5
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        assert pragma in options["init_command"]


def test_file_of_variables(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=1\nexport E=5\nB='two words'\nC=\"a=b\"\nD=\n")
    assert read_file(file) == {"A": "1", "B": "two words", "C": "a=b", "D": "", "E": "5"}
    assert read_file(tmp_path / "missing") == {}


def test_file_of_variables_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("A=1\nhunter2-is-secret\n")
    with pytest.raises(SettingError, match="line 2") as caught:
        read_file(file)
    assert "hunter2" not in str(caught.value)
