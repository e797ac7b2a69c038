"""``manage.py up``: the whole product on this machine, until Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from controlplane.embedded import environment
from controlplane.embedded.stack import SettlingError, Stack
from controlplane.embedded.state import StateFolder
from controlplane.embedded.telling import Teller
from core.errors import DomainError

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command(BaseCommand):
    """Start Valkey, the AWS stand-in, the web server and a worker; end them all together."""

    help = "Run the whole product on this machine: parts, migrations, first operator, cell. Ctrl-C ends everything."
    requires_system_checks = ()

    def handle(self, *_: Any, **__: Any) -> None:
        """Run until a signal comes or a part cannot be kept up. A second signal kills what has not ended yet."""
        if settings.ENVIRONMENT != "dev":
            raise CommandError(f"`up` is for dev; this is {settings.ENVIRONMENT}.")
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # before any thread: only _listen hears them
        try:
            state = StateFolder(settings.STATE_DIR)
            given = environment.given_by(os.environ, state, ignore=settings.NOBODY)
            with Teller() as teller:
                stack = Stack(state, given, notice=teller.notice, tell=teller.tell)
                threading.Thread(target=_listen, args=(stack, teller), name="signals", daemon=True).start()
                self._run(stack, teller)
        except DomainError as error:
            raise CommandError(error.detail) from error

    def _run(self, stack: Stack, teller: Teller) -> None:
        try:
            stack.start()
            self._settle(stack, teller)
            teller.table(stack)
            stack.wait()
        except DomainError:
            if not stack.interrupted:
                raise
        finally:
            stack.stop()
        if stack.supervisor.failure is not None:
            raise stack.supervisor.failure

    def _settle(self, stack: Stack, teller: Teller) -> None:
        """What could not be settled is an operator's to look at, in the console, which therefore stays up."""
        try:
            stack.settle()
        except SettlingError as error:
            if stack.interrupted:
                raise
            teller.notice(error.detail)


def _listen(stack: Stack, teller: Teller) -> None:
    signal.sigwait(SIGNALS)
    teller.notice("Ending; once more kills at once")
    stack.interrupt()
    signal.sigwait(SIGNALS)
    stack.interrupt(at_once=True)
