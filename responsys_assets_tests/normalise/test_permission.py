"""What a permission says, however it is spelled; doubt counts as an opt-out."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from responsys_assets.normalise import normalise_permission, permission_bits


def test_a_permission_is_i_or_o_or_empty_and_anything_else_is_o() -> None:
    sent = pl.Series(["I", " i ", "O", "o", "", "  ", "Y", "ı", "II", "0", "Ｉ"])
    assert normalise_permission(sent).to_list() == [
        "I", "I", "O", "O", "", "", "O", "O", "O", "O", "O",
    ]  # fmt: skip
    bits, odd = permission_bits(sent)
    assert bits.to_list() == [1, 1, 2, 2, 0, 0, 2, 2, 2, 2, 2]
    assert odd == 5


def test_what_nobody_sees_does_not_change_a_permission() -> None:
    hidden = ["\u200b", "\ufeff", "\u00ad", "\u202e", "\0", "\u2060", "\u00a0"]
    for said, bits in (("I", 1), ("O", 2), ("", 0)):
        sent = pl.Series([form for h in hidden for form in (h + said, said + h, h + said + h)])
        assert set(normalise_permission(sent)) == {said}
        assert permission_bits(sent)[0].to_list() == [bits] * len(sent)
        assert permission_bits(sent)[1] == 0


@given(st.text())
def test_a_normalised_permission_stays_as_it_is(value: str) -> None:
    once = normalise_permission(pl.Series([value]))
    assert normalise_permission(once).to_list() == once.to_list()
