"""The desktop's keyring, asked with patience that ends: it may be locked, missing, or waiting for its user."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from daemon.core.errors import SecretNeeded

PATIENCE = 10.0  # seconds
_one_call = threading.Lock()  # many back ends take one call at a time
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Failed:
    error: BaseException


def from_keyring(call: Callable[[], Answer], cure: str, *, patience: float = PATIENCE) -> Answer:
    """What a call of the keyring library gives; raises SecretNeeded with the cure for whatever goes wrong in it.

    A keyring that asks its user for a password answers when they do: that is not waited for.
    """
    answers: SimpleQueue[Answer | _Failed] = SimpleQueue()

    def work() -> None:
        try:
            answers.put(call())
        except BaseException as error:  # noqa: BLE001  back ends raise what their libraries do; said by who asked
            answers.put(_Failed(error))
        finally:
            _one_call.release()

    if not _one_call.acquire(timeout=patience):
        raise _waiting(patience, cure)
    threading.Thread(target=work, name="keyring", daemon=True).start()
    try:
        answer = answers.get(timeout=patience)
    except Empty:
        raise _waiting(patience, cure) from None
    if isinstance(answer, _Failed):
        raise _unusable(answer.error, cure)
    return answer


def _waiting(patience: float, cure: str) -> SecretNeeded:
    return SecretNeeded(
        f"the keyring gave no answer within {patience:.0f} s (it asks for its password?)", what_to_do=cure
    )


def _unusable(error: BaseException, cure: str) -> SecretNeeded:
    from keyring.errors import KeyringLocked, NoKeyringError, PasswordSetError  # noqa: PLC0415  looks for back ends

    match error:
        case KeyringLocked():
            what = "the keyring is locked"
        case NoKeyringError():
            what = "there is no keyring here"
        case PasswordSetError():
            what = "the keyring does not take this secret"
        case _:
            what = f"the keyring can't be used ({type(error).__name__})"
    return SecretNeeded(what, what_to_do=cure)
