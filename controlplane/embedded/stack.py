"""The whole embedded stack: which parts, in which order, and what happens when the stand-in has lost its state.

``with running(folder) as stack:`` is the way in for programs (``make demo``, tests); ``manage.py up`` uses the same :class:`Stack` and
adds signals and a table. This module needs no Django settings: what must run inside the product (migrations, the first operator, cells,
repairs) runs in processes of its own, with the product's environment.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controlplane.embedded import bootstrap, environment, processes, standin
from controlplane.embedded.bootstrap import Footing
from controlplane.embedded.environment import Given
from controlplane.embedded.parts import Part, PartError
from controlplane.embedded.state import StateFolder
from controlplane.embedded.supervisor import Supervisor
from core.errors import DomainError

Event = Mapping[str, Any]
PORTS = (processes.VALKEY, processes.STANDIN, processes.WEB, processes.EDGE, processes.OPERATORS)
SETTLE_SECONDS = 1800.0
ASK_SECONDS = 5.0


def _ignore(_: Any) -> None:
    pass


class SettlingError(PartError):
    """The stack runs, but what it should hold could not be put there."""

    code = "settling"
    title = "The stack could not be settled"


class Stack:
    """One running stack. ``notice`` hears sentences, ``tell`` hears the events of :meth:`settle`."""

    def __init__(
        self,
        state: StateFolder,
        given: Given | None = None,
        *,
        notice: Callable[[str], None] = _ignore,
        tell: Callable[[Event], None] = _ignore,
    ) -> None:
        self.state = state
        self.given = given or Given()
        self.notice = notice
        self.tell = tell
        self.region = environment.region_of(os.environ)
        self.supervisor = Supervisor(state, notice=notice, restarted=self._restarted)
        self.ports: dict[str, int] = {}
        self.footing: Footing | None = None
        self.needs_repair = False
        self._interrupted = False
        self._unsettled = ""
        self._mending = threading.RLock()

    @property
    def url(self) -> str:
        """Where the web server answers."""
        return processes.http_url(self.ports[processes.WEB])

    @property
    def edge_url(self) -> str:
        """Where the admission edge answers."""
        return processes.http_url(self.ports[processes.EDGE])

    @property
    def environment(self) -> dict[str, str]:
        """The environment for a process that is to work inside this stack."""
        return environment.of_product(self.state, self.given, self.ports, self.region, self.footing)

    @property
    def interrupted(self) -> bool:
        """Whether somebody asked for the end."""
        return self._interrupted

    def interrupt(self, *, at_once: bool = False) -> None:
        """Ask for the end from another thread; the thread that runs the stack then calls :meth:`stop`."""
        self._interrupted = True
        self.supervisor.interrupt(at_once=at_once)

    def start(self) -> None:
        """Take the folder and start everything; returns when every part is ready. Raises DomainError naming what was not."""
        self.state.acquire(notice=self.notice)
        self.ports = self.state.ports(PORTS)
        self._start_services()
        if not self.given.aws_endpoint_url:
            self._furnish()
        self._leave_addresses()
        self.notice("Migrating the database")
        self.supervisor.run_once(self._command("migrate", "migrate", "--no-input"))
        self.notice("Starting the web server, the worker and the admission edge")
        for part in self._product():
            self.supervisor.start(part)
        self.supervisor.wait_ready(processes.WEB, processes.WORKER, processes.EDGE)
        self.supervisor.watch()

    def settle(self) -> None:
        """Run ``manage.py settle``: operator, tiers, cell, and repairs where the stand-in has lost something. Its events go to ``tell``.

        Raises SettlingError with what stood against it; the parts go on running then.
        """
        with self._mending:
            arguments = ["settle"]
            if self.footing is not None:
                arguments += ["--role-arn", self.footing.role_arn]
            if self.needs_repair:
                arguments.append("--repair")
            self._unsettled = ""
            try:
                self.supervisor.run_once(self._command("settle", *arguments, within_seconds=SETTLE_SECONDS), on_line=self._hear)
            except PartError as error:
                raise SettlingError(self._unsettled or error.detail) from error
            self.needs_repair = False

    def recover(self) -> None:
        """Furnish the stand-in again after it has lost its state, and repair cell and tenants; returns when that is done."""
        with self._mending:
            before = self.footing
            self._furnish()
            self.needs_repair = True
            self._leave_addresses()
            if before is None or self.footing is None or before.access_key_id != self.footing.access_key_id:
                for part in self._product():
                    self.supervisor.replace(part)
            self.settle()

    def wait(self) -> None:
        """Return when somebody asked for the end or a part cannot be kept up.

        Until then the stand-in is asked now and then whether it still knows us: whoever empties it gets everything repaired.
        """
        while not self.supervisor.finished.wait(ASK_SECONDS):
            if self.footing is not None and not self._is_known():
                with self._mending:
                    if not self._is_known():  # the watcher, who had it started again, may have been first
                        self._mend("The stand-in has lost its state; preparing and repairing it")

    def lose_standin(self) -> None:
        """Empty the stand-in, as if the account had lost everything, and recover through the ordinary repairs. For demo and tests."""
        part = processes.aws_standin(self.state, self.ports[processes.STANDIN], self.region)

        def empty() -> None:
            shutil.rmtree(part.folder)
            part.folder.mkdir(mode=0o700)

        with self._mending:
            self.supervisor.replace(part, between=empty)
            self.recover()

    def stop(self) -> None:
        """End everything and give the folder back; repeatable."""
        if self.state.lock_fd < 0:
            return
        self.supervisor.stop()
        environment.write_file_of_ended(self.state)
        self.state.release()

    def _start_services(self) -> None:
        services = []
        if not self.given.redis_url:
            services.append(processes.valkey(self.state, self.ports[processes.VALKEY], self.state.secrets(("valkey",))["valkey"]))
        if not self.given.aws_endpoint_url:
            part = processes.aws_standin(self.state, self.ports[processes.STANDIN], self.region)
            self.needs_repair = not standin.was_complete(part.folder)
            services.append(part)
        self.notice("Starting " + " and ".join(part.name for part in services) if services else "Using the given Redis and AWS")
        for part in services:
            self.supervisor.start(part)
        self.supervisor.wait_ready(*(part.name for part in services))

    def _furnish(self) -> None:
        """Prepare the stand-in, keeping the product's key where the stand-in still knows it."""
        known = self.state.read("aws-key.json")
        self.footing = bootstrap.prepare(processes.http_url(self.ports[processes.STANDIN]), self.region, known)
        self.needs_repair = self.needs_repair or self.footing.made_anew
        key = {"access_key_id": self.footing.access_key_id, "secret_access_key": self.footing.secret_access_key}
        if key != known:
            self.state.write("aws-key.json", key)

    def _leave_addresses(self) -> None:
        environment.write_file(self.state, environment.own_values(self.state, self.given, self.ports, self.region, self.footing))

    def _product(self) -> tuple[Part, ...]:
        values = self.environment
        web = processes.web(self.state, self.ports[processes.WEB], values)
        return web, processes.worker(self.state, values), processes.edge(values)

    def _command(self, name: str, *arguments: str, within_seconds: float = 300.0) -> Part:
        return Part(
            name=name,
            command=(sys.executable, "manage.py", *arguments),
            environment=self.environment,
            folder=processes.PROJECT,
            is_ready=lambda: "",
            ready_within_seconds=within_seconds,
            grace_seconds=5.0,
        )

    def _hear(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = {"event": "notice", "text": line}
        if event["event"] == "unsettled":
            self._unsettled = str(event["text"])
        else:
            self.tell(event)

    def _restarted(self, name: str) -> None:
        """The stand-in's last seconds may be lost when it did not end in good order; what is missing comes back by repair."""
        if name == processes.STANDIN:
            self._mend("Checking what the stand-in has lost")

    def _mend(self, why: str) -> None:
        self.notice(why)
        try:
            self.recover()
        except DomainError as error:
            if not self._interrupted:
                self.notice(f"That did not work: {error.detail}")

    def _is_known(self) -> bool:
        assert self.footing is not None
        return bootstrap.is_known(processes.http_url(self.ports[processes.STANDIN]), self.region, self.footing)


@contextmanager
def running(
    folder: Path,
    given: Given | None = None,
    *,
    notice: Callable[[str], None] = _ignore,
    tell: Callable[[Event], None] = _ignore,
    settle: bool = True,
) -> Iterator[Stack]:
    """A stack on ``folder``, ready, for the length of the block. Raises StateInUseError, PartError or BootstrapError."""
    stack = Stack(StateFolder(folder), given, notice=notice, tell=tell)
    try:
        stack.start()
        if settle:
            stack.settle()
        yield stack
    finally:
        stack.stop()
