from __future__ import annotations

import random

import pytest

from watcher.privacy.passages import MARK, without_private

OPENINGS = (
    "<private>",
    "<PRIVATE>",
    "<Private >",
    "<PRİVATE>",
    "<prıvate>",
    "<private\n>",
    "<private/>",
    "<private reason='mine'>",
    '<private if="a > b" and="c<d">',
    "< private >",
    "<\tprivate\tx=1>",
    "<private ",  # its end was forgotten
)
CLOSINGS = ("</private>", "</PRIVATE>", "</ private >", "< / private\n>", "</private x='y'>")


@pytest.mark.parametrize("closing", CLOSINGS)
@pytest.mark.parametrize("opening", OPENINGS)
def test_a_passage_is_gone_and_what_is_around_it_stays(opening: str, closing: str) -> None:
    public = without_private(f"Before {opening}the\nmarmalade{closing} after.")
    assert public == (f"Before {MARK} after.", False, True)


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_passage_without_an_end_goes_on_to_the_end_of_the_prompt(opening: str) -> None:
    assert without_private(f"Before\n{opening}the marmalade\n\nand <b>more</b>") == (f"Before\n{MARK}", False, True)


def test_passages_within_passages_are_closed_one_by_one() -> None:
    nested = "a<private>b<private>c</private>marmalade</private>d</private>e"
    assert without_private(nested).text == f"a{MARK}de"
    assert without_private("a<private>b<private>c</private>marmalade").text == f"a{MARK}"


def test_each_of_several_passages_is_gone() -> None:
    assert without_private("<private>a</private> is not <private>b</private>.").text == f"{MARK} is not {MARK}."


@pytest.mark.parametrize(
    "text",
    [
        "<private>marmalade",
        " <private>marmalade</private>\n\n<PRIVATE>jam</PRIVATE> ",
        "[image]\n<private>marmalade</private>",
        "[Image #1] <private>marmalade</private>",
        "<private>marmalade</private></private>",
        "<private></private>",
    ],
)
def test_a_prompt_of_nothing_else_is_wholly_private(text: str) -> None:
    assert without_private(text) == (MARK, True, True)


@pytest.mark.parametrize(
    "text",
    [
        "Nothing of it.",
        "if a < private and b > c:",
        "<privateer> and <private-key> and <private_key> and <private.key> and std::vector<privateThing>",
        "The private key is a private matter: private>",
        "[private]",
    ],
)
def test_what_only_looks_like_a_tag_stays(text: str) -> None:
    assert without_private(text) == (text, False, False)


def test_a_closing_tag_that_closes_nothing_is_left_out() -> None:
    assert without_private("Say </private>hello.") == ("Say hello.", False, False)


def test_a_closing_tag_that_was_not_finished_closes_nothing() -> None:
    assert without_private("a<private>b</private marmalade").text == f"a{MARK}"


PIECES = ("word ", "\n", "<b>", "a < private ", "< ", "/>", *OPENINGS[:7], *CLOSINGS, "</private ")


def test_of_any_mixture_what_stands_within_a_passage_is_gone() -> None:
    for seed in range(400):
        _check_mixture(random.Random(seed))


def _check_mixture(chance: random.Random) -> None:
    depth, text = 0, ""
    for number in range(chance.randrange(1, 30)):
        piece = chance.choice(PIECES)
        text += f"{piece}{'secret' if depth + (piece in OPENINGS) - (piece in CLOSINGS) > 0 else 'public'}{number}."
        depth = max(0, depth + (piece in OPENINGS) - (piece in CLOSINGS))
    public = without_private(text)
    assert "secret" not in public.text
    assert public.had_private == any(opening in text for opening in OPENINGS[:7])
    assert not public.is_wholly_private or "public" not in public.text
    again = without_private(public.text)
    assert (again.text, again.had_private) == (public.text, False)


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\ufeff", "\x1b[0m", "\x01"])
@pytest.mark.parametrize("at", range(9))
def test_what_cannot_be_seen_in_a_tag_does_not_hide_it(hidden: str, at: int) -> None:
    opening = "<private>"[:at] + hidden + "<private>"[at:]
    public = without_private(f"Before {opening}the marmalade</private> after.")
    assert public.text.startswith(f"Before {MARK}")  # what is after it may go, too: where it ends is in doubt
    assert public.had_private
    assert "marmalade" not in public.text
    assert without_private(f"{hidden}{opening}the marmalade</pri{hidden}vate>{hidden}") == (MARK, True, True)


def test_a_tag_within_what_cannot_be_seen_counts_as_it_is_written() -> None:
    assert "marmalade" not in without_private("Before \x1b]0;<private>\x07the marmalade</private> after.").text
