"""A real headless Chromium, from Debian's packages, which are installed when they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
_PACKAGES = ("chromium", "chromium-driver")


def install() -> tuple[str, str]:
    """The paths of Chromium and its driver; skips the test, with the reason, where they can't be had."""
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        if shutil.which("apt-get") is None:
            pytest.skip("there is no chromium, and no apt-get to install it")
        if os.geteuid() != 0:
            pytest.skip("there is no chromium, and only root may apt-get install it")
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *_PACKAGES)
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert browser
    assert driver
    return browser, driver


def _apt(*arguments: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "-qq", *arguments], env=environment, capture_output=True, text=True, timeout=540, check=False
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        pytest.skip(f"apt-get {arguments[0]} failed: {last[0]}")


@contextmanager
def chromium(folder: Path) -> Iterator[Any]:
    """A browser with a profile of its own below `folder`, driven by Selenium."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    browser, driver = install()
    options = ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    # Selenium speaks to the driver over loopback: no proxy, and its own look for drivers is not needed.
    window = Chrome(options=options, service=Service(driver))
    try:
        window.set_page_load_timeout(60)
        yield window
    finally:
        window.quit()
