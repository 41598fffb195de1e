"""`datebook connect` to Google in a real browser, end to end: it is opened, somebody presses a button, it is done."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.servers.browser import chromium
from tests.servers.google_persona import GooglePersona

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONFIG = """\
store: {root}/store
owner: me@example.com
accounts:
  google:
    service: google
    user: me@example.com
    url: {url}
    client: {{id: {id}, secret: {{env: DATEBOOK_TEST_CLIENT}}}}
"""


class Person:
    """Somebody whose $BROWSER is a program that hands the link to this test."""

    def __init__(self, root: Path, persona: GooglePersona) -> None:
        (root / "config.yaml").write_text(CONFIG.format(root=root, url=persona.url, id=persona.oauth.client))
        os.mkfifo(root / "link")
        opener = root / "browser"
        opener.write_text(f'#!/bin/sh\nprintf "%s" "$1" > {root / "link"}\n')
        opener.chmod(0o755)
        places = ["--config", str(root / "config.yaml"), "--state", str(root / "state")]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "daemon", *places, "connect", "google"],
            env={**os.environ, "BROWSER": str(opener), "DATEBOOK_TEST_CLIENT": persona.oauth.secret},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        watch = threading.Timer(120, self.process.kill)
        watch.start()
        self.link = (root / "link").read_text()
        watch.cancel()

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


def press(folder: Path, link: str, button: str) -> str:
    """Open the link and press a button of the consent page; what the page says in the end."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    with chromium(folder) as window:
        window.get(link)
        assert "me@example.com" in window.page_source
        window.find_element(By.ID, button).click()
        WebDriverWait(window, 60).until(lambda opened: opened.title == "Datebook")
        return str(window.find_element(By.TAG_NAME, "body").text)


def test_somebody_who_allows_it_in_the_browser_is_signed_in(tmp_path):
    with GooglePersona() as persona:
        person = Person(tmp_path, persona)
        shown = press(tmp_path, person.link, "allow")
        code, out, err = person.end()
    assert "You can close this page" in shown
    assert code == 0, err
    assert "Me (primary)" in out
    assert (tmp_path / "state" / "secrets" / "google.google.json").stat().st_mode & 0o777 == 0o600


def test_somebody_who_cancels_in_the_browser_is_not_signed_in(tmp_path):
    with GooglePersona() as persona:
        person = Person(tmp_path, persona)
        shown = press(tmp_path, person.link, "deny")
        code, _, err = person.end()
    assert "Not allowed" in shown
    assert code == 1
    assert "was not allowed" in err
    assert not (tmp_path / "state" / "secrets" / "google.google.json").exists()
