"""The simulator's tables against the types that Microsoft publishes; needs npm and its registry."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile

import pytest

from tests.servers import graph_types
from tests.servers.graph_types import PUBLISHED

PACKAGE = "@microsoft/microsoft-graph-types@2.43.1"
ENUMERATIONS = {
    "DayOfWeek": graph_types.DAYS, "WeekIndex": graph_types.WEEK_INDEX, "FreeBusyStatus": graph_types.SHOW_AS,
    "RecurrencePatternType": graph_types.PATTERN_TYPES, "RecurrenceRangeType": graph_types.RANGE_TYPES,
    "Sensitivity": graph_types.SENSITIVITY, "Importance": graph_types.IMPORTANCE,
    "AttendeeType": graph_types.ATTENDEE_TYPES, "ResponseType": graph_types.RESPONSES,
    "BodyType": graph_types.BODY_TYPES, "EventType": graph_types.EVENT_TYPES,
}  # fmt: skip


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The text of the package's one file of types, without comments."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not there")
    folder = tmp_path_factory.mktemp("graph-types")
    command = [npm, "pack", "--silent", PACKAGE]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    packed = list(folder.glob("*.tgz"))
    if done.returncode or not packed:
        pytest.skip("the package can't be had")
    with tarfile.open(packed[0]) as archive:
        text = archive.extractfile("package/microsoft-graph.d.ts").read().decode()
    return re.sub(r"//.*", "", re.sub(r"/\*\*.*?\*/", "", text, flags=re.DOTALL))


def interface(text, name):
    """The properties of an interface with their types, those that it inherits too."""
    found = re.search(rf"export interface {name}(?: extends (\w+))? \{{(.*?)\n\}}", text, re.DOTALL)
    own = dict(re.findall(r"(\w+)\??: ([^;]+);", found[2]))
    return {**(interface(text, found[1]) if found[1] else {}), **own}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_every_property_is_one_that_microsoft_publishes_in_the_same_kind(published, name):
    theirs = interface(published, name)
    for ours, form in PUBLISHED[name].items():
        assert ours in theirs, ours
        kind = theirs[ours].removeprefix("NullableOption<").removesuffix(">")
        assert kind.endswith("[]") == isinstance(form, list) or form is None, ours
        words = {str: "string", bool: "boolean", int: "number"}
        if isinstance(form, type):
            assert kind in {words[form], *_ENUMERATED}, ours


_ENUMERATED = {"LocationType", "LocationUniqueIdType"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENUMERATIONS)
def test_every_word_of_an_enumeration_is_published(published, name):
    found = re.search(rf"export type {name} =(.*?);", published, re.DOTALL)
    assert set(re.findall(r'"(\w+)"', found[1])) == ENUMERATIONS[name]
