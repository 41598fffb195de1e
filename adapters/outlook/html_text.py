"""Bodies of events: HTML to the text that stands in a file, and text to plain HTML.

Exchange and Microsoft 365 keep most bodies as HTML, wrap plain text in it, and rewrite what they are given:
so bodies are compared as text, and HTML is written only where the text changed.
"""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

_BLOCKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_SILENT = frozenset({"head", "style", "script", "title", "xml"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_NBSP = "\u00a0"
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\ufeff"))
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def plain(text: str) -> str:
    """The text as it is compared: LF line ends, no trailing spaces, no empty lines around it."""
    lines = (line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    return "\n".join(lines).strip("\n")


def sendable(text: str) -> str:
    """The text without the control characters that XML has no word for."""
    return _NOT_XML.sub("", text)


def html_of(text: str) -> str:
    """The text as HTML that reads back as that text."""
    lines = [_html_line(line) for line in plain(text).split("\n")]
    return "<html><body>\r\n<div>" + "<br>\r\n".join(lines) + "</div>\r\n</body></html>"


def text_of(source: str) -> str:
    """The text of an HTML body as a reader sees it; a link shows its address where its words don't."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    return plain(reader.text())


def _html_line(line: str) -> str:
    """Leading and doubled spaces survive as no-break spaces: HTML folds all others."""
    shown = html.escape(line, quote=False).replace("\t", "    ")
    shown = re.sub(r"^ +", lambda found: "&nbsp;" * len(found[0]), shown)
    return re.sub(r" {2,}", lambda found: "&nbsp;" * (len(found[0]) - 1) + " ", shown)


class _Reader(HTMLParser):
    """Collects the visible text, line by line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[str] = []
        self._line = ""
        self._silent = 0
        self._pre = 0
        self._links: list[tuple[str, int]] = []  # address, and where its words began

    def text(self) -> str:
        """All lines so far, no-break spaces made plain ones."""
        whole = "\n".join([*self._lines, self._line])
        return whole.replace(_NBSP, " ").translate(_INVISIBLE)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Blocks begin a line, `br` ends one, an item of a list gets a dash."""
        if tag in _SILENT:
            self._silent += 1
        if tag == "body":
            self._silent = 0  # an unclosed <head> must not swallow the body
        if tag == "br":
            self._end_line()
        if tag in _BLOCKS:
            self._end_block()
        if tag == "li":
            self._line = "- "
        if tag == "pre":
            self._pre += 1
        if tag in {"td", "th"} and self._line.strip():
            self._line += _NBSP
        if tag == "a":
            self._links.append((dict(attrs).get("href") or "", len(self._line)))

    def handle_endtag(self, tag: str) -> None:
        """Blocks end their line; a link whose words are not its address is followed by it."""
        if tag in _SILENT and self._silent:
            self._silent -= 1
        if tag in _BLOCKS:
            self._end_block()
        if tag == "pre" and self._pre:
            self._pre -= 1
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())

    def handle_data(self, data: str) -> None:
        """Words: spaces and line ends fold into one space, save in `pre`."""
        if self._silent:
            return
        if self._pre:
            first, *rest = data.replace("\r\n", "\n").split("\n")
            self._line += first
            for line in rest:
                self._end_line()
                self._line = line
            return
        folded = _SPACES.sub(" ", data)
        if not self._line or self._line.endswith(" "):
            folded = folded.removeprefix(" ")
        self._line += folded

    def _end_line(self) -> None:
        self._lines.append(self._line)
        self._line = ""

    def _end_block(self) -> None:
        if self._line.strip(" "):
            self._end_line()
        self._line = ""

    def _end_link(self, address: str, began: int) -> None:
        words = self._line[began:].strip() if len(self._line) >= began else self._line.strip()
        bare = address.removeprefix("mailto:").rstrip("/")
        if bare and "://" in address and words and words.rstrip("/") != bare:
            self._line += f" <{address}>"
