"""Time zone names: the system's own one, and whether a name is one at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from config.node import nearest

_ZONES = "zoneinfo/"
# Servers and containers are often set to one of these; in a calendar UTC has a form of its own, and no name.
_UTC = frozenset({"Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu"})


def is_zone(name: str) -> bool:
    """Whether this is a time zone of the IANA database."""
    if not name or name.startswith(("/", ".")) or "//" in name:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return name not in {"posixrules", "localtime", "Factory"}


def nearest_zone(name: str) -> str:
    """The zone that was most likely meant, `Region/City` found by its city too; "" when none is near."""
    zones = available_timezones()
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(zones) if "/" in zone}
    city = nearest(name.rpartition("/")[2].strip().replace(" ", "_"), cities)
    return nearest(name, zones) or cities.get(city, "")


def system_zone(env: Mapping[str, str], etc: Path = Path("/etc")) -> str:
    """The zone that this machine is set to (TZ, /etc/timezone, /etc/localtime); "UTC" when it doesn't say."""
    for name in (_of_environment(env), _of_link(etc / "localtime"), _of_text(etc / "timezone")):
        if is_zone(name):
            return "UTC" if name in _UTC else name
    return "UTC"


def _of_environment(env: Mapping[str, str]) -> str:
    name = env.get("TZ", "").removeprefix(":")
    return _after_zones(name) if name.startswith("/") else name


def _of_link(link: Path) -> str:
    try:
        return _after_zones(str(link.resolve(strict=True))) if link.is_symlink() else ""
    except OSError:
        return ""


def _of_text(file: Path) -> str:
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _after_zones(path: str) -> str:
    name = path.partition(_ZONES)[2]
    return name.removeprefix("posix/").removeprefix("right/")
