"""`manage.py up` as people run it: real processes, from the start to the end."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.embedded.processes import PROJECT
from controlplane.env import read_file
from tests.controlplane.embedded.family import descendants, is_alive, wait_for, wait_gone
from tests.controlplane.embedded.listening import addresses_of

READY_SECONDS = 120.0
pytestmark = pytest.mark.timeout(300)  # about 30 s on an idle machine; the product starts three times
OURS = ("AWS_", "CONTROLPLANE_", "DJANGO_", "REDIS_URL", "DATABASE_URL", "AUDIT_KEY")


class Up:
    """One state folder and the `up` that runs on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "state"
        self.outputs = folder
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment |= {"CONTROLPLANE_STATE_DIR": str(self.folder), "CONTROLPLANE_ENV_FILE": str(folder / "no.env")}

    @property
    def output(self) -> str:
        return (self.outputs / f"output-{self.starts}").read_text()

    def start(self, **more: str) -> str:
        """Start it and wait for its table."""
        self.starts += 1
        with (self.outputs / f"output-{self.starts}").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=PROJECT,
                env={**self.environment, **more},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        process = self.process
        wait_for(lambda: "Ctrl-C" in self.output or process.poll() is not None, what="the table", within_seconds=READY_SECONDS)
        assert process.poll() is None, self.output
        return self.output

    def send(self, number: int) -> int:
        """Send a signal, and see that nobody of the family is left."""
        assert self.process is not None
        family = descendants(self.process.pid)
        assert len(family) >= 6, "keepers and parts"
        self.process.send_signal(number)
        code = self.process.wait(60)
        wait_gone(family, within_seconds=40)
        return code

    def manage(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run another command, as in another terminal."""
        environment = {**self.environment, **more}
        return subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )

    def row(self, name: str) -> str:
        found = re.search(rf"│ {re.escape(name)} +│ (.*?) +│", self.output)
        assert found, self.output
        return found.group(1)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    made = Up(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        family = descendants(made.process.pid)
        made.process.kill()
        made.process.wait()
        wait_gone(family, within_seconds=40)


def test_up_serves_on_loopback_alone_refuses_a_second_and_ends_whole(up: Up) -> None:
    up.start()
    assert up.process is not None
    family = descendants(up.process.pid)
    listening = addresses_of(family)
    assert {host for host, _ in listening} == {"127.0.0.1"}
    assert len(listening) >= 3

    second = up.manage("up")
    assert second.returncode == 1
    assert f"process {up.process.pid}) already runs on {up.folder}" in second.stderr

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in up.folder.rglob("*")
        if path.is_file() and "standin" not in path.parts
    }
    assert {"secrets.json", "up.env", "aws-key.json", "valkey.conf", "controlplane.sqlite3"} <= modes.keys()
    assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
    assert stat.S_IMODE(up.folder.stat().st_mode) == 0o700

    keys = {key for pid in family for key in re.findall(r"AWS_ACCESS_KEY_ID=([^\0]*)", Path(f"/proc/{pid}/environ").read_text())}
    assert keys == {read_file(up.folder / "up.env")["AWS_ACCESS_KEY_ID"]}
    assert "test" not in keys, "root's key is nobody's but the bootstrap's"

    with urllib.request.urlopen(f"{up.row('Console')}login/", timeout=10) as page:
        assert page.status == 200
    code = up.manage("totp")
    assert re.fullmatch(r"\d{6}\n", code.stdout), code.stderr
    assert up.row("Authenticator").startswith("otpauth://totp/")
    assert up.row("Password") not in "".join(path.read_text(errors="replace") for path in (up.folder / "logs").iterdir())

    assert up.send(signal.SIGTERM) == 0
    assert set(read_file(up.folder / "up.env")) == {"AUDIT_KEY", "DJANGO_SECRET_KEY"}


def reset(standin: str) -> None:
    """Empty the stand-in, as anybody on the machine may."""
    urllib.request.urlopen(urllib.request.Request(f"{standin}/_ministack/reset", method="POST"), timeout=10).close()


CUSTOMERS = """slug,name,tier,admin_email
acme,Acme,basic,ada@acme.example
globex,Globex,premium,bob@globex.example
"""


def test_a_killed_up_leaves_nobody_and_the_next_one_repairs_what_the_stand_in_has_lost(up: Up) -> None:
    up.start()
    console = up.row("Console")
    (up.outputs / "customers.csv").write_text(CUSTOMERS)
    onboarded = up.manage("tenants", "onboard", str(up.outputs / "customers.csv"))
    assert onboarded.returncode == 0, onboarded.stdout + onboarded.stderr
    standin = up.row("AWS").split()[0]
    reset(standin)
    assert up.process is not None
    family = descendants(up.process.pid)
    up.process.kill()
    up.process.wait()
    output = up.start()  # waits for what is left of the killed one
    assert not [pid for pid in family if is_alive(pid)]
    assert "2 tenants repaired" in output
    assert "could not be repaired" not in output
    assert up.row("Console") == console, "the same port"
    assert "first start" in up.row("Password"), "shown once"
    assert "otpauth" not in output
    assert up.send(signal.SIGINT) == 0
