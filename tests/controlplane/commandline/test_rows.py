"""Files of customers: good rows are read, bad ones are named by line, column and reason, and no file makes the reader fall over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlplane.commandline.rows import Row, UnreadableFileError, read

HEADER = "slug,name,tier,admin_email\n"


def written(folder: Path, content: str | bytes, name: str = "customers.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusals(rows: list[Row]) -> list[tuple[int, str, str]]:
    return [(row.line, row.error.pointer, row.error.detail) for row in rows if row.error]


def test_good_rows_keep_their_lines_and_values(tmp_path: Path) -> None:
    rows = read(
        written(
            tmp_path, "\ufeff" + HEADER + 'acme,"Acme,\nInc.",basic,a@acme.example\n\nglobex, Globex ,premium,g@globex.example\n'
        )
    )
    assert [(row.line, row.values["slug"], row.values["name"]) for row in rows] == [
        (2, "acme", "Acme,\nInc."),
        (5, "globex", "Globex"),
    ]
    assert refusals(rows) == []


def test_a_bad_row_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    content = (
        HEADER.encode()
        + b"acme,Acme,basic,a@acme.example\n"
        + b"short,Short\n"
        + b"latin,Caf\xe9,basic,l@latin.example\n"
        + b",Nameless,basic,n@nameless.example\n"
        + b"ACME,Again,basic,a@acme.example\n"
        + b"globex,Globex,premium,g@globex.example\n"
    )
    rows = read(written(tmp_path, content))
    assert refusals(rows) == [
        (3, "/", "2 values for 4 columns"),
        (4, "/name", "not UTF-8"),
        (5, "/slug", "is required"),
        (6, "/slug", "stands on line 2 already"),
    ]
    assert [row.values["slug"] for row in rows if row.error is None] == ["acme", "globex"]


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        ("slug,name,tier\n", "x.csv", "columns missing: admin_email"),
        ("slug,name,tier,admin_email,password\n", "x.csv", "columns unknown: password"),
        (HEADER.replace("name", "slug"), "x.csv", "columns missing: name"),
        ("", "x.csv", "columns missing"),
        ("{", "x.json", "not JSON"),
        (b"\xff\xfe", "x.json", "not JSON"),
        ("{}", "x.json", "a list of objects"),
        (HEADER, "x.txt", "must end in .csv or .json"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(tmp_path: Path, content: str | bytes, name: str, reason: str) -> None:
    with pytest.raises(UnreadableFileError, match=reason):
        read(written(tmp_path, content, name))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="No such file"):
        read(tmp_path / "nowhere.csv")


def test_json_items_are_checked_one_by_one(tmp_path: Path) -> None:
    good = {"slug": "acme", "name": "Acme", "tier": "basic", "admin_email": "a@acme.example"}
    items = [good, {**good, "slug": 7}, {**good, "colour": "red"}, "acme", {**good, "slug": "globex", "name": ""}]
    rows = read(written(tmp_path, json.dumps(items), "x.json"))
    assert refusals(rows) == [
        (2, "/slug", "must be text"),
        (3, "/colour", "there is no such field"),
        (4, "/", "not an object"),
        (5, "/name", "is required"),
    ]


@given(st.binary(max_size=400))
def test_no_bytes_make_the_reader_fall_over(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    for row in read(written(folder, HEADER.encode() + content)):
        assert row.line >= 1
