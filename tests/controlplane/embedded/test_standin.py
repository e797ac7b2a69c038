"""The stand-in's state outlives it, it knows when some may be missing, and the product's footing in it is least privilege."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from controlplane.embedded import bootstrap, processes, standin
from controlplane.embedded.bootstrap import BootstrapError, Footing
from controlplane.embedded.parts import Part
from controlplane.embedded.state import StateFolder
from controlplane.embedded.supervisor import Supervisor
from provisioning.isolation.policies import provisioner_policy
from tests.controlplane.embedded.family import descendants, wait_for, wait_gone
from tests.controlplane.embedded.listening import addresses_of

REGION = "eu-central-1"


class Aws:
    """A stand-in on a folder of its own, to be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.state = StateFolder(folder)
        self.port = self.state.ports(("standin",))["standin"]
        self.url = processes.http_url(self.port)
        self.folder = self.state.folder("standin")
        self.part: Part = processes.aws_standin(self.state, self.port, REGION)
        self.supervisor = Supervisor(self.state)

    def start(self) -> None:
        self.supervisor = Supervisor(self.state)
        self.supervisor.start(self.part)
        self.supervisor.wait_ready("standin")

    def kill(self) -> None:
        keeper = self.supervisor.keepers()["standin"]
        (process,) = descendants(keeper)
        self.supervisor._running["standin"].keeper.send_signal(2)
        wait_gone([process, keeper])

    def client(self, service: str, *credentials: str) -> Any:
        return boto3.session.Session(*(credentials or ("test", "test")), region_name=REGION).client(service, endpoint_url=self.url)  # type: ignore[call-overload]

    def reset(self) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/_ministack/reset", method="POST"), timeout=5).close()

    def prepare(self, known: Footing | None = None) -> Footing:
        key = {"access_key_id": known.access_key_id, "secret_access_key": known.secret_access_key} if known else {}
        return bootstrap.prepare(self.url, REGION, key)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Aws]:
    made = Aws(tmp_path / "state")
    made.start()
    yield made
    made.supervisor.stop()


def denied(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"].startswith("AccessDenied")
    return False


def is_unwritten_after(aws: Aws, name: str) -> bool:
    """Change something and look: on a machine that was busy in between, the second after which it is written may have passed."""
    aws.client("iam").create_user(UserName=name)
    return not standin.was_complete(aws.folder)


def test_state_outlives_the_end_and_the_kill(aws: Aws) -> None:
    iam, s3 = aws.client("iam"), aws.client("s3")
    assert not standin.was_complete(aws.folder), "a fresh folder has nothing to be complete"
    assert any(is_unwritten_after(aws, f"looked-{number}") for number in range(5)), "changed and not yet written"
    iam.create_user(UserName="before-end")
    aws.supervisor.stop()
    assert standin.was_complete(aws.folder), "an end in good order writes everything"

    aws.start()
    assert iam.get_user(UserName="before-end")
    s3.create_bucket(Bucket="kept", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="kept", Key="a/b", Body=b"content")
    iam.create_user(UserName="written")
    wait_for(lambda: standin.was_complete(aws.folder), what="the state to be written while it runs")
    iam.create_user(UserName="lost")
    aws.kill()
    assert not standin.was_complete(aws.folder), "the last change was not written, and the mark says so"

    aws.start()
    assert s3.get_object(Bucket="kept", Key="a/b")["Body"].read() == b"content"
    names = [user["UserName"] for user in iam.list_users()["Users"]]
    assert [name for name in names if not name.startswith("looked-")] == ["before-end", "written"]


def test_it_listens_on_loopback_alone_and_knows_no_key_of_ours(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    pids = descendants(aws.supervisor.keepers()["standin"])
    assert addresses_of(pids) == {("127.0.0.1", aws.port)}
    (pid,) = pids
    seen = Path(f"/proc/{pid}/environ").read_text()
    assert not [name for name in ("DJANGO_", "AUDIT_KEY", "REDIS_URL", "AWS_SECRET") if name in seen]
    assert {path.relative_to(aws.state.root).parts[0] for path in aws.state.root.rglob("*")} == {"logs", "ports.json", "standin"}


def test_the_footing_is_made_once_and_again_when_it_is_lost(aws: Aws) -> None:
    first = aws.prepare()
    assert first.made_anew
    second = aws.prepare(first)
    assert second == Footing(first.access_key_id, first.secret_access_key, first.role_arn, made_anew=False)
    aws.reset()
    third = aws.prepare(second)
    assert third.made_anew
    assert third.access_key_id != first.access_key_id
    fourth = aws.prepare(Footing("AKIASTALE", "stale", "", made_anew=False))
    assert not fourth.made_anew
    keys = aws.client("iam").list_access_keys(UserName=bootstrap.USER)["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in keys] == [fourth.access_key_id], "keys that nobody has are removed"


def test_the_key_may_only_assume_the_role_and_the_role_is_no_root(aws: Aws) -> None:
    footing = aws.prepare()
    key = (footing.access_key_id, footing.secret_access_key)
    aws.client("iam").create_role(
        RoleName="other", AssumeRolePolicyDocument=trust_of(aws.client("sts", *key).get_caller_identity()["Arn"])
    )
    for service, operation, arguments in (
        ("iam", "list_users", {}),
        ("iam", "create_access_key", {"UserName": bootstrap.USER}),
        ("s3", "list_buckets", {}),
        ("secretsmanager", "list_secrets", {}),
        ("sts", "assume_role", {"RoleArn": footing.role_arn.replace("cp-local--control-plane", "other"), "RoleSessionName": "x1"}),
    ):
        assert denied(getattr(aws.client(service, *key), operation), **arguments), f"user: {service} {operation}"
    session = aws.client("sts", *key).assume_role(RoleArn=footing.role_arn, RoleSessionName="test")["Credentials"]
    held = (session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    for operation, arguments in (
        ("create_user", {"UserName": "evil"}),
        ("create_access_key", {"UserName": bootstrap.USER}),
        ("put_user_policy", {"UserName": bootstrap.USER, "PolicyName": "p", "PolicyDocument": "{}"}),
        ("put_role_policy", {"RoleName": "cp-local--control-plane", "PolicyName": "p", "PolicyDocument": "{}"}),
        ("create_role", {"RoleName": "evil", "AssumeRolePolicyDocument": "{}"}),
    ):
        assert denied(getattr(aws.client("iam", *held), operation), **arguments), f"role: {operation}"


def test_a_changed_policy_is_mended_at_the_next_start(aws: Aws) -> None:
    footing = aws.prepare()
    iam, role = aws.client("iam"), footing.role_arn.rpartition("/")[2]
    wide = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
    iam.put_role_policy(RoleName=role, PolicyName=bootstrap.POLICY, PolicyDocument=wide)
    assert not aws.prepare(footing).made_anew
    found = iam.get_role_policy(RoleName=role, PolicyName=bootstrap.POLICY)["PolicyDocument"]
    assert found == provisioner_policy(bootstrap.cell_facts(REGION))


def test_what_is_not_ours_is_left_alone(aws: Aws) -> None:
    aws.client("iam").create_user(UserName=bootstrap.USER)
    with pytest.raises(BootstrapError, match="does not carry our tag"):
        aws.prepare()


def test_a_stand_in_that_enforces_nothing_is_refused(aws: Aws) -> None:
    aws.supervisor.stop()
    lax = Part("standin", aws.part.command, {**aws.part.environment, "AUTH": "false"}, aws.part.folder, lambda: "")
    assert sys.executable in lax.command
    supervisor = aws.supervisor = Supervisor(aws.state)
    supervisor.start(lax)
    assert wait_for(lambda: "enforce" in aws.part.is_ready(), what="the readiness question's refusal")
    with pytest.raises(BootstrapError, match="does not enforce IAM"):
        aws.prepare()


def trust_of(arn: str) -> str:
    return f'{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{arn}"}}, "Action": "sts:AssumeRole"}}]}}'
