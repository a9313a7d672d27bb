"""Rows on their way to the training or the validation side."""

from __future__ import annotations

from lorewright.data.formats.rows import Item, hold_out_items


def items(*sizes: int) -> list[Item]:
    return [Item(f"group {number}", "rows.jsonl", ({"text": str(number)},) * size) for number, size in enumerate(sizes)]


def test_a_large_group_is_not_held_out_for_a_small_share() -> None:
    for seed in range(8):
        training, validation = hold_out_items(items(1000, 10, 10), 0.1, seed)
        assert {item.group for item in validation} == {"group 1", "group 2"}
        assert [item.group for item in training] == ["group 0"]


def test_the_smallest_is_held_out_when_each_is_too_large() -> None:
    assert [item.group for item in hold_out_items(items(50, 30, 40), 0.1, 1)[1]] == ["group 1"]
    assert hold_out_items(items(50), 0.1, 1)[1] == []
    assert hold_out_items(items(50, 30), 0.0, 1)[1] == []
