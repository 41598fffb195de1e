"""Bodies of events as text, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.outlook.html_text import html_of, plain, sendable, text_of

_LINES = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\u200b\u200c\u200d\ufeff\xa0"))
_TEXTS = st.lists(_LINES, max_size=5).map("\n".join)


@given(_TEXTS)
def test_a_text_written_as_html_reads_back_as_that_text(text):
    assert text_of(html_of(text)).split() == plain(text).split()
    assert len(text_of(html_of(text)).split("\n")) == len(plain(text).split("\n"))


@pytest.mark.parametrize(
    "text", ["one", "1. a\n2. b\n\n3. c", "  indented\n    more", "a & b < c > d", "two  spaces", ""]
)
def test_lines_indents_and_signs_survive_the_way_there_and_back(text):
    assert text_of(html_of(text)) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<html><head><style>p {}</style><title>x</title></head><body><p>Hello</p></body></html>", "Hello"),
        ('<div class="PlainText">line 1<br>\r\nline 2</div>', "line 1\nline 2"),
        ("<p class=MsoNormal>first</p>\r\n<p class=MsoNormal>&nbsp;</p>\r\n<p>second</p>", "first\n\nsecond"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ('See <a href="https://x.example/a">the plan</a>.', "See the plan <https://x.example/a>."),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<pre>a\n  b</pre>", "a\n  b"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("x<script>alert(1)</script>y", "xy"),
        ("broken <b>bold", "broken bold"),
        ("<head><meta charset=utf-8><body>unclosed head", "unclosed head"),
        ("just text", "just text"),
        ("", ""),
    ],
)
def test_an_html_body_reads_as_a_person_sees_it(source, text):
    assert text_of(source) == text


def test_what_xml_has_no_word_for_is_left_out():
    assert sendable("a\x0bb\x00c\r\nd\te") == "abc\r\nd\te"


def test_line_ends_and_trailing_spaces_are_no_difference():
    assert plain("a \r\nb\r\n\r\n") == plain("a\nb")
