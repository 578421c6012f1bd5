"""Chromium without a window, driven over a pipe by its DevTools protocol: nothing but the standard library."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
FLAGS += ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage")
SECONDS = 120  # for one answer
# The browser reads commands from its file 3 and answers on 4, so the two pipes must be there when it starts.
START = """import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD_CLOEXEC, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execvp(sys.argv[3], sys.argv[3:])"""
EVENTS = ("Page", "Runtime", "Log")


def find() -> str | None:
    """The command that `DECONDENSE_CHROMIUM` names, else the first known one that is installed."""
    return os.environ.get("DECONDENSE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def tab(command: str) -> Iterator["Tab"]:
    """A page of a browser with a profile of its own, which both end with the block."""
    (read_commands, commands), (answers, write_answers) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        ends = (read_commands, write_answers)
        start = [sys.executable, "-c", START, *map(str, ends), command, *FLAGS, f"--user-data-dir={profile}"]
        child = subprocess.Popen(
            [*start, "about:blank"],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read_commands)
        os.close(write_answers)
        try:
            yield Tab(commands, answers)
        finally:
            os.close(commands)  # the browser ends when its commands do
            os.close(answers)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


class Tab:
    """One page: where it goes, how it is shown, what it answers, and the errors that it wrote to its console."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._rest, self._number, self._session = b"", 0, None
        self._events: list[dict] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in EVENTS:
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters) -> dict:
        """The answer to a command of the protocol.

        Raises
            RuntimeError: the browser refuses it.
            TimeoutError: no answer within `SECONDS`.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _next(self) -> dict:
        end = time.monotonic() + SECONDS
        while b"\0" not in self._rest:
            if not select.select([self._answers], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"The browser has not answered for {SECONDS} seconds.")
            if not (more := os.read(self._answers, 2**20)):
                raise RuntimeError("The browser ended: start the command by hand to see why.")
            self._rest += more
        said, _, self._rest = self._rest.partition(b"\0")
        return json.loads(said)

    def show(self, width: int, height: int, scheme: str, phone: bool) -> None:
        """The size of the window in CSS pixels, and whether the reader's system is `light` or `dark`."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, address: str) -> None:
        """Go to a page and wait until it is loaded."""
        self._events.clear()
        self.ask("Page.navigate", url=address)
        while not any(event.get("method") == "Page.loadEventFired" for event in self._events):
            self._events.append(self._next())

    def run(self, script: str):
        """The value of an expression of JavaScript, awaited where it is a promise.

        Raises
            RuntimeError: it threw.
        """
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", "a script threw"))
        return answer["result"].get("value")

    def errors(self) -> list[str]:
        """What the page has written to the console as an error since it was opened, and exceptions of its scripts."""
        self.run("0")  # what was written before this is here now
        return list(filter(None, map(_error, self._events)))

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16_000), "scale": 1}
        answer = self.ask("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))


def _error(event: dict) -> str | None:
    """The line that the console shows of an error; `None` for every other event."""
    said = event.get("params", {})
    if event.get("method") == "Runtime.exceptionThrown":
        details = said["exceptionDetails"]
        return details.get("exception", {}).get("description", details["text"]).splitlines()[0]
    if event.get("method") == "Log.entryAdded" and said["entry"]["level"] == "error":
        return f"{said['entry']['text']} {said['entry'].get('url', '')}".strip()
    if event.get("method") == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
        return " ".join(str(part.get("value", part.get("description", ""))) for part in said["args"])
    return None
