"""A headless Chromium, driven by its ChromeDriver as the WebDriver standard says."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
# The tests have a limit of memory of their own, which is too small for a browser.
START = 'ulimit -S -d "$(ulimit -H -d)"; exec chromedriver "$1"'
# How long a browser may take to start, on a busy machine (seconds).
PATIENCE = 60.0


def is_here() -> bool:
    """Tell whether the browser and its driver are installed."""
    return shutil.which("chromium") is not None and shutil.which("chromedriver") is not None


class Browser:
    """A window with a page in it."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    def begin(self, folder: str, width: int, height: int) -> None:
        """Open the window."""
        arguments = [*FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"]
        options = {"binary": shutil.which("chromium"), "args": arguments}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        until = time.monotonic() + PATIENCE
        while True:  # on a busy machine the driver gives up before the browser is there
            try:
                answer = self._ask("POST", "/session", wanted)
                break
            except OSError:
                if time.monotonic() > until:
                    raise
        self._url += f"/session/{answer['sessionId']}"

    def open(self, url: str) -> None:
        """Load a page."""
        self._ask("POST", "/url", {"url": url})

    def run(self, script: str) -> Any:
        """Return what a script in the page returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": []})

    def picture(self) -> bytes:
        """Return a picture of the page, as PNG."""
        return b64decode(self._ask("GET", "/screenshot"))

    def end(self) -> None:
        """Close the window."""
        self._ask("DELETE", "")

    def _ask(self, method: str, path: str, data: Any = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self._url + path, body, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)["value"]


@contextmanager
def browser(width: int = 1300, height: int = 420) -> Iterator[Browser]:
    """Start a browser; nothing of it is left at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = subprocess.Popen(
            ["sh", "-c", START, "sh", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        window = Browser(port)
        try:
            _wait_for(port)
            window.begin(str(Path(folder) / "profile"), width, height)
            yield window
        finally:
            with suppress(OSError):
                window.end()
            driver.terminate()
            driver.wait(PATIENCE)


def _wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
