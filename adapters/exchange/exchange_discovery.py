"""Autodiscover, as exchangelib does it, with an end of our own: the address of EWS, and no connection to it."""

from __future__ import annotations

from typing import Any

from exchangelib.autodiscover import Autodiscovery


class Finder(Autodiscovery):  # type: ignore[misc]  # exchangelib ships no types
    """Finds the address of a mailbox's EWS; inside an organisation it may have an internal one alone."""

    def _build_response(self, ad_response: Any) -> tuple[Any, str]:
        """The hook that exchangelib ends with, which itself knows the external address alone."""
        settings = ad_response.user_settings
        return ad_response, str(ad_response.ews_url or settings.get("internal_ews_url") or "")
