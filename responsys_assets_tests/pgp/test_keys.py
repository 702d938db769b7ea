"""Key pairs are made, read and shown; a private part is never in what is handed out."""

from __future__ import annotations

from pathlib import Path

import pytest

from responsys_assets.errors import PgpError
from responsys_assets.pgp.keys import public_part, read_keys
from responsys_assets_tests.conftest import PgpKeys


def test_a_key_file_has_one_fingerprint_whether_public_or_private(pgp_keys: PgpKeys) -> None:
    expected = pgp_keys.fingerprint("own")
    assert [key.fingerprint for key in read_keys(pgp_keys.public("own"))] == [expected]
    (private,) = read_keys(pgp_keys.private("own"), secret=True)
    assert private.fingerprint == expected
    assert private.secret


def test_a_locked_key_is_exported_locked(pgp_keys: PgpKeys) -> None:
    (private,) = read_keys(pgp_keys.private("locked"), secret=True)
    assert private.secret


def test_the_public_part_of_a_private_key_file_is_public(pgp_keys: PgpKeys, tmp_path: Path) -> None:
    armour = public_part(pgp_keys.private("own"))
    assert "PRIVATE" not in armour
    path = tmp_path / "own.asc"
    path.write_text(armour)
    assert [key.fingerprint for key in read_keys(path)] == [pgp_keys.fingerprint("own")]


def test_the_private_key_is_not_in_the_text_of_a_pair(pgp_keys: PgpKeys) -> None:
    assert "PRIVATE" not in repr(pgp_keys.pairs["own"])


def test_a_public_key_where_a_private_one_is_wanted_is_said(pgp_keys: PgpKeys) -> None:
    with pytest.raises(PgpError) as caught:
        read_keys(pgp_keys.public("own"), secret=True)
    assert caught.value.code == "key_damaged"
    assert "private" in str(caught.value)
