"""Starts real `tollgate` processes (and other servers) on loopback, waits until they answer, and stops them.

It does not speak any dialect and does not judge anything; a process that does not come up is an error with its last words.
"""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

#: A debug build of the gateway is slow to start on a busy machine; it is not what is measured here.
START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 10

#: The caller's key and the provider's key of every test; the two must never be mistaken for each other.
CALLER_KEY = "tests-caller-key-0123456789abcdef"
PROVIDER_KEY = "tests-provider-key-0123456789"


def binary():
    """The gateway under test."""
    return pathlib.Path(os.environ["TOLLGATE_BIN"])


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, method="GET"):
    """The body of a page as bytes; errors as `urllib` raises them."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10) as answer:
        return answer.read()


class Process:
    """A child with its output in a file; as a context manager it ends with the block."""

    def __init__(self, command, log, env=None, cwd=None):
        self.log = pathlib.Path(log)
        with self.log.open("wb") as out:
            self.child = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )

    def wait_for(self, url):
        """Waits until the address answers anything but a refusal."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                fetch(url)
                return self
            except urllib.error.HTTPError as error:
                if error.code < 500:
                    return self
            except OSError:
                pass
            if self.child.poll() is not None or deadline < time.monotonic():
                self.stop()
                raise RuntimeError(f"{self.child.args[0]} did not come up at {url}:\n{self.words()}")
            time.sleep(0.02)

    def alive(self):
        """Whether it still runs."""
        return self.child.poll() is None

    def words(self, length=2000):
        """The last of what it said."""
        return self.log.read_bytes()[-length:].decode("utf-8", "replace")

    def stop(self):
        """Asks it to end, then ends it."""
        if self.alive():
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Simulator(Process):
    """`tollgate mock`: simulated providers of every dialect on one port."""

    def __init__(self, folder):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__([binary(), "mock", "--listen", f"127.0.0.1:{self.port}"], pathlib.Path(folder) / "mock.log")
        self.wait_for(self.url + "/healthz")


class Gateway(Process):
    """`tollgate run` with a config given as a dict (JSON is YAML). Listeners, data folder and the key are filled in."""

    def __init__(self, folder, config, env=None):
        folder = pathlib.Path(folder)
        self.port, self.admin_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        self.config = folder / "tollgate.yaml"
        key = {"name": "tests", "team": "tests", "secret": "env:TESTS_CALLER_KEY"}
        whole = {
            "listen": f"127.0.0.1:{self.port}",
            "admin": {"listen": f"127.0.0.1:{self.admin_port}"},
            "data_dir": str(folder / "data"),
            **config,
            "teams": {"tests": {"routes": ["*"], "models": ["*"]}, **config.get("teams", {})},
            "keys": [key, *config.get("keys", [])],
        }
        self.config.write_text(json.dumps(whole, indent=1))
        secrets = {"TESTS_CALLER_KEY": CALLER_KEY, "TESTS_PROVIDER_KEY": PROVIDER_KEY}
        super().__init__(
            [binary(), "run", "--config", self.config], folder / "gateway.log", env={**secrets, **(env or {})}, cwd=folder
        )
        self.wait_for(self.url + "/healthz")

    def troubles(self):
        """What must not have happened, whatever the tests say."""
        panics = [line for line in self.log.read_text("utf-8", "replace").splitlines() if "panicked at" in line]
        ended = [] if self.alive() else [f"the gateway has ended:\n{self.words()}"]
        return [f"the gateway has panicked: {panics[0]}", *ended] if panics else ended
