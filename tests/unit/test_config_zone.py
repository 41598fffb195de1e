"""Which zone this machine is set to."""

from __future__ import annotations

import pytest

from config.zone import is_zone, system_zone


def test_the_environment_goes_first(tmp_path):
    (tmp_path / "timezone").write_text("Europe/Berlin\n")
    assert system_zone({"TZ": ":Europe/Helsinki"}, tmp_path) == "Europe/Helsinki"
    assert system_zone({"TZ": "/usr/share/zoneinfo/Asia/Tokyo"}, tmp_path) == "Asia/Tokyo"
    assert system_zone({"TZ": "EST5EDT,M3.2.0,M11.1.0"}, tmp_path) == "Europe/Berlin"


def test_the_link_goes_before_the_text(tmp_path):
    zone = tmp_path / "zoneinfo" / "Europe" / "Helsinki"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(b"")
    (tmp_path / "localtime").symlink_to(zone)
    (tmp_path / "timezone").write_text("Europe/Berlin\n")
    assert system_zone({}, tmp_path) == "Europe/Helsinki"


def test_a_machine_that_does_not_say_is_in_utc(tmp_path):
    (tmp_path / "localtime").symlink_to(tmp_path / "gone")
    (tmp_path / "timezone").write_text("rubbish\n")
    assert system_zone({}, tmp_path) == "UTC"


@pytest.mark.parametrize("name", ["Etc/UTC", "Zulu", "UTC"])
def test_utc_has_one_name(tmp_path, name):
    assert system_zone({"TZ": name}, tmp_path) == "UTC"


@pytest.mark.parametrize(("name", "known"), [("Europe/Helsinki", True), ("UTC", True), ("", False), ("europe", False)])
def test_zones_are_told_from_other_words(name, known):
    assert is_zone(name) is known
