"""Whatever a text holds, it stays one line of plain words, in each place where a report puts it."""

import csv
import io
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reports.render import escape
from reports.render.markdown_table import table
from tests.reports.sample_state import HOSTILE

PIECES = (
    "*", "_", "`", "``", "[", "]", "(", ")", "<", ">", "&", "&lt;", "&#60;", "|", "~~", "$", "\\", "#", "-", "+", "=",
    "1.", "1)", "---", "***", "___", "```", "![", "](", "http://a.example", "www.a.example", "@all", "#12", "<!--",
    "<b>", "</td>", "\n", "\r\n", "\n\n", "\t", "    ", " ", "\x1b[2J", "\x00", "\u202e", "\u200b", "\u2028", "\ud800",
    "a", "b_c", "é", "漢", "👩\u200d💻", "=1+1", '"', "'", ",", ";",
)  # fmt: skip
texts = st.one_of(st.text(), st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
hostile_text = lambda test: example(HOSTILE)(given(texts)(test))  # noqa: E731 - a decorator of two
COMMONMARK = MarkdownIt("commonmark").enable(["table", "strikethrough"])
INLINE = {"text", "text_special", "code_inline"}


def shown(block: str) -> tuple[list[str], list[list[str]]]:
    """The block structure that a Markdown text has, and the inline types and texts within each block."""
    tokens = COMMONMARK.parse(block)
    inlines = [token for token in tokens if token.type == "inline"]
    types = [child.type for token in inlines for child in token.children or ()]
    contents = ["".join(child.content for child in token.children or ()) for token in inlines]
    return [token.type for token in tokens], [types, contents]


@hostile_text
def test_a_terminal_gets_one_printable_line(text):
    line = escape.terminal(text)
    assert line.isprintable()
    assert len(line) <= 300
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} for c in line)


@given(st.text(min_size=1), st.integers(2, 40))
def test_a_text_is_never_longer_than_its_limit_and_says_when_it_was_cut(text, most):
    line = escape.terminal(text * 30, most)
    assert len(line) <= most
    if len(" ".join((text * 30).split())) > most:
        assert line.endswith(escape.CUT)


def test_a_text_of_many_megabytes_is_cut_without_being_read_whole():
    assert escape.markdown("x" * 50_000_000, 80) == "x" * 79 + "…"


@hostile_text
def test_markdown_says_exactly_the_words_wherever_a_paragraph_puts_them(text):
    words = escape.terminal(text)
    structure, (types, contents) = shown(escape.markdown(text))
    assert structure == (["paragraph_open", "inline", "paragraph_close"] if words else [])
    assert set(types) <= INLINE - {"code_inline"}
    assert [content.replace(escape.JOINER, "") for content in contents] == ([words] if words else [])


@hostile_text
def test_markdown_stays_in_its_list_item_and_heading(text):
    structure, (types, _) = shown(f"# {escape.markdown(text)}\n\n- **P0** {escape.markdown(text)}  \n  more")
    assert [t for t in structure if t.endswith("_open")] == [
        "heading_open",
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
    ]
    assert set(types) <= INLINE | {"strong_open", "strong_close", "hardbreak", "softbreak"}


@hostile_text
def test_a_table_cell_stays_one_cell(text):
    rows = [(escape.markdown(text), escape.markdown_code(text)), ("next", "row")]
    structure, (types, contents) = shown("\n".join(table(("a", "b"), rows)))
    assert structure.count("tr_open") == 3
    assert structure.count("td_open") == 4
    assert set(types) <= INLINE
    assert contents[2].replace(escape.JOINER, "") == escape.terminal(text)
    assert contents[4:] == ["next", "row"]


@hostile_text
def test_a_code_span_is_one_code_span(text):
    _, (types, _) = shown(f"a {escape.markdown_code(text)} b")
    assert types == ["text", "code_inline", "text"]
    assert "<" not in escape.markdown_code(text)


@pytest.mark.parametrize(
    "trigger", ["@channel", "#12", "http://a.example", "HTTPS://a.example", "Www.a.example", "a@b.example"]
)
def test_what_pages_turn_into_mentions_and_links_by_themselves_is_broken_up(trigger):
    assert trigger not in escape.markdown(f"see {trigger} now")
    assert escape.markdown(f"see {trigger} now").replace(escape.JOINER, "") == f"see {trigger} now"


class Page(HTMLParser):
    """What a browser would take for tags, and for text."""

    def __init__(self, source):
        super().__init__()
        self.tags = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 - the parser's signature
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


@hostile_text
def test_html_holds_no_tag_and_no_quote(text):
    page = Page(f"<p>{escape.html(text)}</p>")
    assert page.tags == ["p"]
    assert page.text == escape.terminal(text)
    assert not set("'\"<>") & set(escape.html(text))


@hostile_text
def test_a_csv_cell_is_one_cell_and_no_formula(text):
    row = ",".join(("first", escape.csv_cell(text), "last")) + "\n"
    ((first, cell, last),) = csv.reader(io.StringIO(row))
    assert (first, last) == ("first", "last")
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert cell.removeprefix("'") == escape.terminal(text, 1000).removeprefix("'")
