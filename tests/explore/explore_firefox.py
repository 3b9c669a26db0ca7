"""Firefox without a driver program: its own remote control, Marionette, over a local socket.

Debian has no geckodriver, and playwright drives a Firefox of its own, which no registry has.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
START = 60.0  # seconds
PREFERENCES = """\
user_pref("marionette.port", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("services.settings.server", "data:,");
"""
KEYS = {"Control": "\ue009", "Shift": "\ue008", "End": "\ue010", "Home": "\ue011"}
KEYS |= {"Backspace": "\ue003", "Enter": "\ue007", "ArrowUp": "\ue013", "ArrowDown": "\ue015"}


class Firefox:
    """A session: every command and its result are JSON behind their length."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=START)
        self._number = 0
        self._read()  # the greeting
        self.ask("WebDriver:NewSession", capabilities={})

    def ask(self, command: str, **given: Any) -> Any:
        self._number += 1
        text = json.dumps([0, self._number, command, given])
        self._socket.sendall(f"{len(text.encode())}:{text}".encode())
        _, number, error, result = self._read()
        assert number == self._number
        assert error is None, error
        return result

    def _read(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self._socket.recv(1)
        text = b""
        while len(text) < int(length[:-1]):
            text += self._socket.recv(65_536)
        return json.loads(text)

    # -- doing

    def open(self, address: str) -> None:
        self.ask("WebDriver:Navigate", url=address)

    def run(self, script: str, *given: Any) -> Any:
        """The value that the body of a function returns."""
        return self.ask("WebDriver:ExecuteScript", script=script, args=given)["value"]

    def press(self, *keys: str) -> None:
        """Keys one after another; `Control+z` holds the first one."""
        for key in keys:
            parts = key.split("+") if len(key) > 1 else [key]
            values = [KEYS.get(part, part) for part in parts]
            down = [{"type": "keyDown", "value": value} for value in values]
            up = [{"type": "keyUp", "value": value} for value in reversed(values)]
            keyboard = {"type": "key", "id": "keyboard", "actions": [*down, *up]}
            self.ask("WebDriver:PerformActions", actions=[keyboard])

    def wait(self, condition: str, seconds: float = START) -> None:
        """Wait until an expression is true."""
        ends = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < ends, condition
            time.sleep(0.02)


@contextmanager
def firefox(profile: Path) -> Iterator[Firefox]:
    """A Firefox with an empty profile in this folder."""
    assert FIREFOX is not None
    (profile / "user.js").write_text(PREFERENCES, encoding="utf-8")
    command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as process:
        try:
            yield Firefox(_port(profile / "MarionetteActivePort", process))
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that Firefox listens at, as soon as it says so."""
    ends = time.monotonic() + START
    while not (file.is_file() and file.read_text(encoding="utf-8")):
        assert process.poll() is None, "Firefox ended while it was starting"
        assert time.monotonic() < ends, "Firefox does not start"
        time.sleep(0.05)
    return int(file.read_text(encoding="utf-8"))
