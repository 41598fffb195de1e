"""What the simulators of EWS and Graph keep alike: the mails of Exchange's outbox, and texts as it wraps them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Mail:
    """One mail that Exchange would have sent, and to whom."""

    kind: str
    item: str
    to: tuple[str, ...]


def wrapped_in_html(text: str, size: str) -> str:
    """A text as Exchange gives it back to a client that takes HTML; `size` is CSS for the font's."""
    lines = escape(text, quote=False).replace("\r\n", "\n").split("\n")
    spaced = [re.sub(r"^ | (?= )", "&nbsp;", line) for line in lines]
    return (
        '<html>\r\n<head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\r\n'
        "<!-- converted from text -->\r\n<style><!-- .EmailQuote { margin-left: 1pt } --></style></head>\r\n"
        f'<body>\r\n<font size="2"><span style="{size}"><div class="PlainText">'
        + "<br>\r\n".join(spaced)
        + "</div></span></font>\r\n</body>\r\n</html>\r\n"
    )
