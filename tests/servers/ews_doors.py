"""How an Exchange server is found and entered: autodiscover (MS-OXWSADISC) and NTLM (MS-NLMP)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path

import spnego
from lxml import etree

AUTODISCOVER = "/autodiscover/autodiscover.svc"
_A = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
_S = "http://schemas.xmlsoap.org/soap/envelope/"
_SCHEMAS = "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2013, Exchange2013_SP1, Exchange2016"


@dataclass
class Directory:
    """What autodiscover tells of a mailbox: settings by their names in Microsoft's list."""

    settings: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def knows(self, address: str, *, external: str = "", internal: str = "") -> None:
        """Tell these addresses of EWS from now on."""
        self.settings = {"AutoDiscoverSMTPAddress": address, "EwsSupportedSchemas": _SCHEMAS}
        self.settings |= {"ExternalEwsUrl": external} if external else {}
        self.settings |= {"InternalEwsUrl": internal} if internal else {}

    def answer(self, body: bytes) -> bytes:
        """The answer to GetUserSettings."""
        self.asked += [str(one.text) for one in etree.fromstring(body).iter(f"{{{_A}}}Mailbox")]
        envelope = etree.Element(f"{{{_S}}}Envelope", nsmap={"s": _S})
        said = etree.SubElement(envelope, f"{{{_S}}}Body")
        message = etree.SubElement(said, f"{{{_A}}}GetUserSettingsResponseMessage")
        response = etree.SubElement(message, f"{{{_A}}}Response")
        etree.SubElement(response, f"{{{_A}}}ErrorCode").text = "NoError"
        etree.SubElement(response, f"{{{_A}}}ErrorMessage")
        user = etree.SubElement(etree.SubElement(response, f"{{{_A}}}UserResponses"), f"{{{_A}}}UserResponse")
        etree.SubElement(user, f"{{{_A}}}ErrorCode").text = "NoError"
        etree.SubElement(user, f"{{{_A}}}ErrorMessage").text = "No error."
        settings = etree.SubElement(user, f"{{{_A}}}UserSettings")
        for name, value in self.settings.items():
            setting = etree.SubElement(settings, f"{{{_A}}}UserSetting")
            etree.SubElement(setting, f"{{{_A}}}Name").text = name
            etree.SubElement(setting, f"{{{_A}}}Value").text = value
        return etree.tostring(envelope, encoding="utf-8", xml_declaration=True)


class NtlmDoor:
    """One connection's way in: negotiate, challenge, authenticate; who is in stays in while it lasts.

    spnego knows its users by the file that NTLM_USER_FILE names (`domain:user:password`).
    """

    def __init__(self) -> None:
        self._context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
        self.challenge = "NTLM"
        self.tried = False

    @property
    def is_in(self) -> bool:
        return bool(self._context.complete)

    def knock(self, said: str) -> None:
        """Take what a request's Authorization says."""
        kind, _, token = said.partition(" ")
        if kind != "NTLM":
            return
        try:
            answer = self._context.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self.tried, self.challenge = True, "NTLM"
            return
        if answer:
            self.challenge = f"NTLM {base64.b64encode(answer).decode()}"
        else:
            self.tried = True


def ntlm_users(folder: Path, *users: str) -> Path:
    """The file that NTLM_USER_FILE is to name."""
    path = folder / "ntlm-users"
    path.write_text("\n".join(users) + "\n")
    return path
