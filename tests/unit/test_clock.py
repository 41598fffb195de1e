"""The ids that Datebook gives."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from daemon.clock import new_id


def test_ids_are_uuids_of_version_7_and_later_ones_are_greater() -> None:
    ids = [new_id() for _ in range(1000)]
    milliseconds = [text[:13] for text in ids]
    assert milliseconds == sorted(milliseconds)
    assert len(set(ids)) == len(ids)
    assert all((UUID(text).version, UUID(text).variant, str(UUID(text))) == (7, RFC_4122, text) for text in ids)
