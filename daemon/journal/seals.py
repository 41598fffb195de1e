"""Checksums behind what the journal keeps: a bit that a disk has lost is found."""

from __future__ import annotations

import zlib

from daemon.core.errors import JournalError


def sealed(text: str) -> str:
    """A text with its checksum behind it: a bit that a disk has lost is found and not taken for an edit."""
    return f"{text}#{zlib.crc32(text.encode()):08x}"


def unsealed(text: str) -> str:
    """The text without its checksum. Raises JournalError where the two don't fit."""
    body, _, seal = text.rpartition("#")
    if seal != f"{zlib.crc32(body.encode()):08x}":
        raise JournalError("the journal is damaged: a row is not what was written")
    return body


def sealed_raw(raw: bytes) -> bytes:
    """The same for bytes."""
    return raw + zlib.crc32(raw).to_bytes(4)


def unsealed_raw(sealed: bytes) -> bytes:
    """The reverse of `sealed_raw`. Raises JournalError."""
    raw = sealed[:-4]
    if zlib.crc32(raw).to_bytes(4) != sealed[-4:]:
        raise JournalError("the journal is damaged: an event is not what was written")
    return raw


def check_sealed(sealed: bytes) -> None:
    """Whether a sealed text, as bytes, is what was written. Raises JournalError."""
    if sealed[-9:] != b"#%08x" % zlib.crc32(memoryview(sealed)[:-9]):
        raise JournalError("the journal is damaged: a row is not what was written")


def check_sealed_raw(sealed: bytes) -> None:
    """The same for sealed bytes. Raises JournalError."""
    if sealed[-4:] != zlib.crc32(memoryview(sealed)[:-4]).to_bytes(4):
        raise JournalError("the journal is damaged: an event is not what was written")
