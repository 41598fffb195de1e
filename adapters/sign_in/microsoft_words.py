"""What Microsoft's sign-in says, and what its user can do about it: a table of AADSTS codes, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping

from daemon.core.errors import Forbidden, SignInNeeded, StoreError, Unavailable

_AGAIN = "Run `datebook connect` for this account and sign in again."
_ADMIN = (
    "Ask your administrator to consent to this app for the organisation (Entra admin centre, Enterprise applications, "
    "Permissions: Calendars.ReadWrite, delegated), or to allow users to request it; then run `datebook connect` again."
)
_DEVICE = (
    "Your organisation does not let a code that is typed on another device sign in (Conditional Access, on by default "
    "since 2025). Sign in through the browser of this machine, or with `datebook connect --no-browser`: open the link "
    "on any machine that your organisation trusts and paste the answer."
)
_POLICY = (
    "Conditional Access of your organisation refuses this sign-in: from this device, place or way. Sign in through the "
    "browser of a machine that the organisation manages, or ask the administrator which policy it is."
)
_CLIENT = (
    "Check the client id and the tenant in the config. In the app's registration: Authentication, platform `Mobile and "
    "desktop applications`, redirect URI http://localhost, and `Allow public client flows` set to Yes."
)
_CURES: Mapping[str, str] = {
    "50199": _DEVICE,
    "50005": _DEVICE,
    "53003": _POLICY,
    "53000": _POLICY,
    "53001": _POLICY,
    "530002": _POLICY,
    "530003": _POLICY,
    "530034": _POLICY,
    "50105": "Ask your administrator to assign you to this app (Enterprise applications, Users and groups).",
    "65001": _ADMIN,
    "65004": "The access was not allowed. Run `datebook connect` again and accept it.",
    "90093": _ADMIN,
    "90094": _ADMIN,
    "90008": _ADMIN,
    "700016": _CLIENT,
    "7000218": _CLIENT,
    "50011": _CLIENT,
    "90002": _CLIENT,
    "900023": _CLIENT,
    "50194": "This app is for one organisation: name its directory id or domain as the account's `tenant`.",
    "50020": "This user belongs to another organisation: check `tenant`, or sign in as somebody of it.",
    "50076": _AGAIN,
    "50079": _AGAIN,
    "50173": f"The sign-in was ended, mostly by a new password. {_AGAIN}",
    "700082": f"The sign-in was not used for 90 days and has ended. {_AGAIN}",
    "700084": f"The sign-in has reached the end of its life. {_AGAIN}",
    "70008": f"The sign-in has ended. {_AGAIN}",
    "50057": "The user is disabled: ask your administrator.",
}
# Not a matter of who signs in: a right or an administrator's word is missing.
_FORBIDDEN = frozenset({"65001", "90093", "90094", "90008", "50105", "53003", "53000", "53001"})
_LATER = frozenset({"temporarily_unavailable", "server_error", "timeout", "request_timeout"})
_CODE = re.compile(r"AADSTS(\d+)")


def trouble(said: Mapping[str, object], store: str = "", *, by_code: bool = False) -> StoreError:
    """The error that an answer of the token endpoint stands for (RFC 6749 section 5.2).

    `by_code`: it was asked for with a device code. Nothing of the answer but codes is repeated.
    """
    found = _CODE.search(str(said.get("error_description", "")))
    code, error = found[1] if found else "", str(said.get("error", ""))
    shown = f"AADSTS{code}" if code else error if error.replace("_", "").isalnum() else "no reason given"
    if error in _LATER and code not in _CURES:
        return Unavailable(f"Microsoft gives no token now ({shown})", store=store, uncertain=False)
    cure = _DEVICE if by_code and code in {"53003", "50199", "50005"} else _CURES.get(code, _AGAIN)
    what = f"Microsoft does not take this sign-in ({shown})"
    if code in _FORBIDDEN:
        return Forbidden(what, what_to_do=cure, store=store)
    return SignInNeeded(what, what_to_do=cure, store=store)
