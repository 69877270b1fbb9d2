from __future__ import annotations

import random

from watcher.recall.parts import Filled, Part, share_out
from watcher.recall.units import units


def part(name: str, weight: int, *lengths: list[str]) -> Part:
    return Part(name, weight, f"## {name}", tuple(map(tuple, lengths)))


def shown(filled: list[Filled]) -> list[int]:
    return [len(one.shown) for one in filled]


def test_where_there_is_room_for_all_all_is_shown() -> None:
    filled = share_out([part("a", 1, ["x" * 50] * 3), part("b", 1, ["y"])], 1000)
    assert shown(filled) == [3, 1]
    assert filled[0].text == "\n\n## a\n" + "\n".join(["x" * 50] * 3)
    assert [one.used for one in filled] == [units(one.text) for one in filled]


def test_each_is_sure_of_its_share() -> None:
    greedy, modest = part("a", 3, ["x" * 9] * 500), part("b", 1, ["y" * 9] * 500)
    for order in ([greedy, modest], [modest, greedy]):
        filled = {one.name: one for one in share_out(order, 1000)}
        assert 740 < filled["a"].used <= 750 + 10
        assert 240 < filled["b"].used <= 250 + 10


def test_what_is_left_over_goes_to_the_first_that_wants_it() -> None:
    wanting = [["x" * 9] * 500]
    filled = share_out([part("a", 1, *wanting), part("b", 1, ["y"]), part("c", 1, *wanting)], 900)
    assert shown(filled)[1] == 1
    assert filled[0].used > 550
    assert 290 < filled[2].used <= 300 + 10
    # Also what a later one leaves over, since none of its items fits.
    filled = share_out([part("a", 1, *wanting), part("b", 1, ["y" * 40, "y" * 500])], 600)
    assert filled[0].used > 540


def test_items_are_whole_but_for_a_first_one_that_is_too_long() -> None:
    (one,) = share_out([part("a", 1, ["word " * 30, "next"])], 100)
    assert one.shown == (" ".join(["word"] * 18) + "…",)
    assert one.left_out == ("next",)
    (one,) = share_out([part("a", 1, ["short", "word " * 30])], 100)
    assert (one.shown, one.left_out) == (("short",), ("word " * 30,))
    (one,) = share_out([part("a", 1, ["word " * 30])], 40)
    assert (one.shown, one.text, one.used) == ((), "", 0)


def test_a_shorter_length_is_taken_before_anything_is_left_out() -> None:
    (one,) = share_out([part("a", 1, ["x" * 90] * 2, ["x" * 60] * 2, ["x" * 20] * 2)], 160)
    assert one.shown == ("x" * 60,) * 2


def test_whatever_the_parts_the_room_is_kept() -> None:
    chance = random.Random(1)
    for _ in range(500):
        parts = [
            part(str(n), chance.randint(1, 9), ["w " * chance.randint(1, 90)] * chance.randint(1, 9)) for n in range(5)
        ]
        room = chance.choice([0, 50, 300, 1000, 5000])
        filled = share_out(parts, room)
        assert sum(units(one.text) for one in filled) == sum(one.used for one in filled) <= room
        assert all(
            len(one.shown) + len(one.left_out) == len(p.lengths[0]) for one, p in zip(filled, parts, strict=True)
        )
