"""What to send to an administrator when a right is missing: plain text, ready to be pasted."""

from __future__ import annotations

from config.schema import AccountConfig, Service

_NEEDS = {
    Service.CALDAV: (
        "the CalDAV rights DAV:read, DAV:write-content, DAV:bind and DAV:unbind on my calendar",
        "They are set in the server's sharing or access settings, for each user and calendar.",
    ),
    Service.EXCHANGE: (
        "EWS (Exchange Web Services) for my mailbox",
        "In the Exchange Management Shell: Set-CASMailbox -Identity MAILBOX -EwsEnabled $true",
    ),
    Service.GOOGLE: (
        "access of the app to Google Calendar, scope https://www.googleapis.com/auth/calendar",
        "In the Admin console: Security, Access and data control, API controls, Manage third-party app access.",
    ),
    Service.MICROSOFT365: (
        "consent for the delegated Microsoft Graph permissions Calendars.ReadWrite and offline_access",
        "In the Entra admin center: Enterprise applications, Consent and permissions.",
    ),
}

# Where people with two-factor login make a password for a program; the host ends with the key.
_APP_PASSWORDS = {
    "icloud.com": "account.apple.com, Sign-In and Security, App-Specific Passwords",
    "fastmail.com": "Fastmail, Settings, Privacy & Security, Connected apps & API tokens",
    "yahoo.com": "Yahoo, Account info, Security, Generate app password",
    "mailbox.org": "mailbox.org, Settings, Security, Application passwords",
    "zoho.com": "accounts.zoho.com, Security, App Passwords",
    "gmx.net": "GMX, My Account, Security, Application-specific passwords",
    "web.de": "WEB.DE, My Account, Security, Application-specific passwords",
}


def letter(account: AccountConfig, refusal: str) -> str:
    """The text. Nothing secret is in it."""
    needs, where = _NEEDS[account.service]
    at = f" at {account.url}" if account.url else ""
    return f"""\
Hello,

I use Datebook, a program on my own computer that keeps a folder of files in step with my calendar{at}.
It signs in as me ({account.user or "my own user"}) and sees nothing that I don't see. It was refused:

    {refusal}

It needs {needs}.
{where}

Could you allow this, or tell me what speaks against it?"""


def two_factors(account: AccountConfig, host: str) -> str:
    """What to do about a refused login where signing in takes a second factor."""
    if account.service is Service.EXCHANGE:
        return (
            "If you sign in to webmail with a second factor, the server takes this password from no program: ask for "
            "an app password, where your hoster has them, or your administrator. Try DOMAIN\\USER as the user, too."
        )
    place = next((place for end, place in _APP_PASSWORDS.items() if host == end or host.endswith("." + end)), "")
    where = place or "your account's security settings on the server's web page"
    return f"If you sign in with a second factor, make an app password and give that: {where}."
