from hypothesis import given
from hypothesis import strategies as st

from kbagent.cli.page import Group, Item, Padding, Text, cell_len, colour_wanted, cut, draw


def test_words_wrap_between_words_and_blanks_at_line_ends_go() -> None:
    assert draw(Text("one two  three "), 8) == "one two\nthree"


def test_a_word_wider_than_the_page_is_folded() -> None:
    assert draw(Text("ab abcdefghij k"), 4) == "ab\nabcd\nefgh\nij k"


def test_wide_characters_count_two_cells() -> None:
    assert draw(Text("印刷できません"), 6) == "印刷で\nきませ\nん"


def test_an_item_hangs_its_further_lines_under_its_text() -> None:
    assert draw(Item("  note", "one two three", 8), 16) == "  note  one two\n        three"


def test_groups_nest_and_padding_narrows() -> None:
    page = Group(Text("a"), Padding(Group(Text("b c"), Text("d")), (0, 0, 0, 2)))
    assert draw(page, 4) == "a\n  b\n  c\n  d"


def test_colours_only_when_asked() -> None:
    line = Text("x ", style="bold").append("y", style="green")
    assert draw(line, 80) == "x y"
    assert draw(line, 80, colour=True) == "\x1b[1mx \x1b[0m\x1b[1;32my\x1b[0m"


def test_no_color_wins_over_a_terminal(monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colour_wanted(terminal=True)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colour_wanted(terminal=True)
    assert not colour_wanted(terminal=False)


@given(st.text(alphabet="ab 印\u0301\n", max_size=60), st.integers(2, 20))
def test_no_line_is_wider_than_the_page_and_no_letter_is_lost(text: str, width: int) -> None:
    drawn = draw(Text(text), width)
    assert all(cell_len(line) <= width for line in drawn.split("\n"))
    assert "".join(drawn.split()) == "".join(text.split())


@given(st.text(max_size=40), st.integers(0, 30))
def test_a_cut_text_fits_and_is_a_beginning(text: str, cells: int) -> None:
    assert cell_len(cut(text, cells)) <= cells
    assert text.startswith(cut(text, cells))
