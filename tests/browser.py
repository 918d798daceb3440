"""Headless Chromium, driven through ChromeDriver with nothing but the standard library."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

# The last ones keep it from looking for the network.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STARTED = re.compile(rb"successfully on port (\d+)")
SECONDS = 60.0


class Browser:
    """A session of ChromeDriver: pages, scripts, screenshots."""

    def __init__(self, driver: str) -> None:
        self._driver = driver
        self._session = ""

    def start(self, profile: Path) -> None:
        """Start Chromium, with an empty profile."""
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        answer = self._post("/session", capabilities={"alwaysMatch": {"goog:chromeOptions": options}})
        self._session = f"/session/{answer['sessionId']}"

    def stop(self) -> None:
        """End Chromium."""
        with urlopen(Request(self._driver + self._session, method="DELETE"), timeout=SECONDS):
            pass

    def open(self, url: str) -> None:
        """Load a page, and wait until it is there."""
        self._post("/url", url=url)

    def run(self, script: str) -> Any:
        """Run the body of an asynchronous JavaScript function; return what it returns."""
        return self._post("/execute/sync", script=f"return (async () => {{ {script} }})()", args=[])

    def resize(self, width: int, height: int = 900) -> None:
        """Set the size of the window (CSS pixels), as that of a telephone if it is narrow."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._command("Emulation.setDeviceMetricsOverride", metrics)

    def set_scheme(self, scheme: str) -> None:
        """Say that the user likes "light" or "dark" pages."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._command("Emulation.setEmulatedMedia", {"features": [feature]})

    def screenshot(self, path: Path) -> None:
        """Save what the window shows as a PNG."""
        with urlopen(f"{self._driver}{self._session}/screenshot", timeout=SECONDS) as response:
            path.write_bytes(base64.b64decode(json.load(response)["value"]))

    def _command(self, command: str, parameters: dict[str, Any]) -> None:
        self._post("/goog/cdp/execute", cmd=command, params=parameters)

    def _post(self, path: str, **body: Any) -> Any:
        url = f"{self._driver}{self._session}{path}"
        request = Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=SECONDS) as response:
            return json.load(response)["value"]


def is_here() -> bool:
    """Tell whether the browser and its driver are installed."""
    return shutil.which("chromium") is not None and shutil.which("chromedriver") is not None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser; nothing of it is left at the end."""
    command = shutil.which("chromedriver")
    if command is None:
        raise FileNotFoundError("there is no chromedriver: apt-get install chromium chromium-driver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # A test may not take much memory (conftest.py); Chromium reserves more than that, and does not use it.
        unlimited = ["sh", "-c", 'ulimit -S -d unlimited; exec "$0" --port=0', command]
        driver = subprocess.Popen(unlimited, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        assert driver.stdout is not None
        try:
            port = next(match[1] for line in driver.stdout if (match := STARTED.search(line)))
            browser = Browser(f"http://127.0.0.1:{int(port)}")
            browser.start(Path(profile))
            try:
                yield browser
            finally:
                browser.stop()
        finally:
            # Chromium is in the group, too: it may live on where it was not told to stop.
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
            driver.stdout.close()
