"""The parts of the bench that could give a wrong number without anybody noticing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.clock import Spent, timed
from bench.report import markdown
from bench.result import Goal, Result, Table

OLD, NEW_POOL = "tnt_01j9zc3v5m8k2q4r6t8w0y1a3b", "eu-central-1_NEW"


def a_result() -> Result:
    return Result(
        name="share",
        title="The engine's own time",
        database="SQLite",
        tables=[Table("Medians", ("model", "ms"), [("pool", "12")])],
        goals=[Goal("engine over bare", 1.2504, 1.25, "5 rounds"), Goal("lists", 1.0, 1.5)],
        notes=["How it was done."],
        seconds=3.0,
    )


def test_a_missed_goal_says_so_also_where_rounding_would_hide_it() -> None:
    page = markdown([a_result()], "two shared cores", 60)
    (missed,) = [line for line in page.splitlines() if "engine over bare" in line]
    (met,) = [line for line in page.splitlines() if "| lists" in line]
    assert "| 1.25 | at most 1.25 | **missed** | 5 rounds |" in missed
    assert "| met |" in met


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    a_result().write(tmp_path / "result.json")
    assert Result.read(tmp_path / "result.json") == a_result()


def test_waiting_is_on_the_wall_and_not_in_the_cpu() -> None:
    with timed() as spent:
        time.sleep(0.05)
    assert spent.wall >= 0.05 > spent.cpu


def test_times_add_up() -> None:
    total = sum([Spent(1, 2, 3), Spent(10, 20, 30)], Spent())
    assert (total.wall, total.cpu, total.parts, total.all_cpu) == (11, 22, 33, 55)


class TestNames:
    """A bare sequence that touched the recorded tenant's things would measure something else."""

    @pytest.fixture
    def names(self) -> object:
        from bench.bare import Trace, _Names

        return _Names(Trace([], OLD, "admin@acme.example"))

    def test_the_old_id_is_nowhere_also_inside_names_and_documents(self, names: object) -> None:
        from tenants.naming import username

        old = {"Name": f"cp-local--{OLD[4:]}", "Policy": f'{{"x": "tenants/{OLD}/*"}}', "Who": username(OLD, "admin@acme.example")}
        new = names.renew({**old, "Tags": [{"Value": OLD}], "Size": 3, "Body": b"raw"})  # type: ignore[attr-defined]
        assert OLD[4:] not in str(new)
        assert new["Name"] == f"cp-local--{new['Tags'][0]['Value'][4:]}"
        assert (new["Size"], new["Body"]) == (3, b"raw")

    def test_ids_that_aws_chose_are_learnt_from_its_answers(self, names: object) -> None:
        names.learn({"Pool": {"Id": "eu-central-1_OLD", "Status": "Enabled"}}, {"Pool": {"Id": NEW_POOL, "Status": "Enabled"}})  # type: ignore[attr-defined]
        assert names.renew({"UserPoolId": "eu-central-1_OLD", "Arn": "arn:x/eu-central-1_OLD"}) == {  # type: ignore[attr-defined]
            "UserPoolId": NEW_POOL,
            "Arn": f"arn:x/{NEW_POOL}",
        }

    def test_a_client_token_is_never_used_twice(self, names: object) -> None:
        first, second = (names.renew({"ClientRequestToken": "t"})["ClientRequestToken"] for _ in range(2))  # type: ignore[attr-defined]
        assert len({"t", first, second}) == 3
