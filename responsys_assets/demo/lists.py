"""The three lists of the demo as tables of text, for any day of its history."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl

from responsys_assets.demo.people import (
    CATEGORIES,
    CITIES,
    FIRST_NAMES,
    LAST_NAMES,
    REMARKS,
    STREETS,
    TIERS,
    Draws,
    Flags,
    Ids,
    below,
    chance,
    draw,
    moments,
    padded,
    pick,
    where,
)

_DAY = 86_400
_CHANGED = 30.0  # of a thousand people of a list, a day
_LEFT = 2.0
_REPEATED = 5.0


@dataclass(frozen=True)
class Lists:
    """`rows` people a list; CORE begins at person 1, LOYALTY a quarter later, WEB at the half."""

    seed: int
    rows: int
    first_day: dt.date

    def _draw(self, what: str, ids: Ids, version: Ids | int = 0) -> Draws:
        return draw(self.seed, what, ids, version)

    def _members(self, start: int, day: int = 0) -> Ids:
        joined = day * max(1, self.rows // 200)
        return np.arange(start, start + self.rows + joined, dtype=np.int64)

    def _changed(self, list_name: str, ids: Ids, day: int) -> Flags:
        return chance(self._draw(f"change {list_name} {day}", ids), _CHANGED)

    def _versions(self, list_name: str, ids: Ids, day: int) -> Ids:
        """The last day on which each person changed, plus 1; 0 for never."""
        versions = np.zeros(len(ids), dtype=np.int64)
        for each in range(1, day + 1):
            versions[self._changed(list_name, ids, each)] = each + 1
        return versions

    def _modified(self, list_name: str, ids: Ids, versions: Ids) -> Ids:
        """Seconds since 1970, local: in the past year, or just before the export of a change."""
        midnight = (self.first_day - dt.date(1970, 1, 1)).days * _DAY
        shared = chance(self._draw("one write for all lists", ids), 50)
        own = below(self._draw(f"modified {list_name}", ids), 400 * _DAY)
        same = below(self._draw("modified", ids), 400 * _DAY)
        past = midnight - _DAY - np.where(shared, same, own)
        recent = midnight + (versions - 1) * _DAY + below(self._draw("second", ids, versions), 540)
        return np.where(versions > 0, recent, past)

    def _permission(self, what: str, ids: Ids, versions: Ids) -> pl.Series:
        per_mille = np.where(versions > 0, 100_000, 40_000)
        return where(below(self._draw(what, ids, versions), 1_000_000) < per_mille, "O", "I")

    def _repeats(self, list_name: str, ids: Ids) -> tuple[Ids, Ids]:
        """The ids with some of them a second time, and 1 for each of those."""
        again = ids[chance(self._draw(f"repeat {list_name}", ids), _REPEATED)]
        again = again if len(again) else ids[:1]
        return np.concatenate([ids, again]), np.repeat([0, 1], [len(ids), len(again)])

    def core(self, day: int) -> pl.DataFrame:
        """CORE in full; people join and leave it."""
        ids = self._members(1, day)
        for each in range(1, day + 1):
            ids = ids[~chance(self._draw(f"leave {each}", ids), _LEFT)]
        ids, copy = self._repeats("core", ids)
        versions = self._versions("core", ids, day)
        state = versions * 2 + copy
        place = below(self._draw("city", ids, state), len(CITIES))
        first = pick(self._draw("first name", ids), FIRST_NAMES)
        modified = self._modified("core", ids, versions)
        # a repeated key is older by a day, or of the very same time
        older = copy * (ids % 2) * _DAY
        frame = pl.DataFrame(
            {
                "RIID_": padded(ids * 10 + copy, 1),
                "CUSTOMER_ID_": padded(ids, 7, "C"),
                "EMAIL_ADDRESS_": _email(ids),
                "EMAIL_FORMAT_": where(chance(self._draw("format", ids), 900), "H", "T"),
                "EMAIL_PERMISSION_STATUS_": self._permission("core email", ids, versions),
                "EMAIL_DELIVERABILITY_STATUS_": where(
                    chance(self._draw("bounce", ids), 20), "U", "D"
                ),
                "MOBILE_NUMBER_": where(
                    chance(self._draw("mobile", ids), 600), _mobile(ids, "39555"), ""
                ),
                "MOBILE_COUNTRY_": pl.Series([c[2] for c in CITIES]).gather(place),
                "MOBILE_PERMISSION_STATUS_": self._permission("core mobile", ids, versions),
                "POSTAL_STREET_1_": self._street(ids, state),
                "CITY_": pl.Series([c[0] for c in CITIES]).gather(place),
                "POSTAL_CODE_": pl.Series([c[1] for c in CITIES]).gather(place),
                "COUNTRY_": pl.Series([c[2] for c in CITIES]).gather(place),
                "POSTAL_PERMISSION_STATUS_": self._permission("core postal", ids, versions),
                "FIRST_NAME": first,
                "LAST_NAME": pick(self._draw("last name", ids), LAST_NAMES),
                "REMARK": pick(self._draw("remark", ids, state), REMARKS),
                "CREATED_DATE_": moments(modified - 500 * _DAY),
                "MODIFIED_DATE_": moments(modified - older),
            }
        )
        # real exports hold this text of the vendor's API where a date should be
        return _set(frame, "MODIFIED_DATE_", [self.rows // 3], "WS:MERGE") if day == 0 else frame

    def loyalty(self, day: int) -> pl.DataFrame:
        """LOYALTY in full: tiers and points."""
        ids = self._members(1 + self.rows // 4, day)
        versions = self._versions("loyalty", ids, day)
        tier = below(self._draw("tier", ids, versions), 100)
        modified = self._modified("loyalty", ids, versions)
        joined = modified - _DAY * (1 + below(self._draw("joined", ids), 900))
        frame = pl.DataFrame(
            {
                "member_id": padded(ids, 7, "C"),
                "EMAIL_ADDRESS_": _email(ids),
                "EMAIL_PERMISSION_STATUS_": self._permission("loyalty email", ids, versions),
                "FIRST_NAME": where(
                    chance(self._draw("nameless", ids), 300),
                    "",
                    pick(self._draw("first name", ids), FIRST_NAMES).str.to_uppercase(),
                ),
                "LOYALTY_TIER": pl.Series(TIERS).gather(
                    np.searchsorted([40, 70, 90], tier, "right")
                ),
                "POINTS": padded(below(self._draw("points", ids, versions), 90_000), 1),
                "JOINED": moments(joined, "%Y-%m-%d"),
                "MODIFIED_DATE_": moments(modified),
            }
        )
        return _set(frame, "JOINED", [self.rows // 5], "2025-31-31") if day == 0 else frame

    def web(self) -> pl.DataFrame:
        """WEB in full, as on the first day."""
        ids = self._members(1 + self.rows // 2)
        frame = self._web(ids, np.zeros(len(ids), dtype=np.int64))
        keyless = np.flatnonzero(chance(self._draw("keyless", ids), 1)).tolist() or [3]
        frame = _set(frame, "CUSTOMER_ID_", keyless, "")
        return _set(frame, "EMAIL_PERMISSION_STATUS_", [self.rows // 7], "Y")

    def web_changes(self, day: int, *, mended: bool = True) -> pl.DataFrame:
        """What changed in WEB on a day; unmended, the first record's date cannot be read."""
        ids = self._members(1 + self.rows // 2, day)
        new = ids >= 1 + self.rows // 2 + self.rows + max(0, day - 1) * max(1, self.rows // 200)
        ids = ids[self._changed("web", ids, day) | new]
        ids = ids if len(ids) else self._members(1 + self.rows // 2)[:3]
        frame = self._web(ids, np.full(len(ids), day + 1, dtype=np.int64))
        return frame if mended else _set(frame, "MODIFIED_DATE_", [0], "0000-00-00 00:00:00")

    def _web(self, ids: Ids, versions: Ids) -> pl.DataFrame:
        place = below(self._draw("web city", ids, versions), len(CITIES))
        modified = self._modified("web", ids, versions)
        seen = modified - below(self._draw("visit", ids, versions), 30 * _DAY)
        silent = chance(self._draw("says nothing", ids), 100)
        shouted = chance(self._draw("shouted", ids), 50)
        return pl.DataFrame(
            {
                "CUSTOMER_ID_": padded(ids, 7, "C"),
                "EMAIL_ADDRESS_": where(shouted, _email(ids).str.to_uppercase(), _email(ids)),
                "EMAIL_PERMISSION_STATUS_": where(
                    silent, "", self._permission("web email", ids, versions)
                ),
                "MOBILE_NUMBER_": where(
                    chance(self._draw("mobile", ids), 600), _mobile(ids, "+39 555 "), ""
                ),
                "MOBILE_PERMISSION_STATUS_": self._permission("web mobile", ids, versions),
                "POSTAL_STREET_1_": self._street(ids, versions + 1000),
                "CITY_": pl.Series([c[0] for c in CITIES]).gather(place),
                "POSTAL_CODE_": pl.Series([c[1] for c in CITIES]).gather(place),
                "LAST_WEB_VISIT": moments(seen),
                "FAVOURITE": pick(self._draw("favourite", ids, versions), CATEGORIES),
                "MODIFIED_DATE_": moments(modified),
            }
        )

    def _street(self, ids: Ids, versions: Ids) -> pl.Series:
        number = padded(1 + below(self._draw("house", ids, versions), 200), 1, " ")
        street: pl.Series = pick(self._draw("street", ids, versions), STREETS) + number
        return street


def _email(ids: Ids) -> pl.Series:
    address: pl.Series = padded(ids, 7, "person") + pl.Series(["@example.com"])
    return address


def _mobile(ids: Ids, prefix: str) -> pl.Series:
    return padded(ids, 7, prefix)


def _set(frame: pl.DataFrame, column: str, rows: list[int], value: str) -> pl.DataFrame:
    changed = frame[column].clone()
    changed[rows] = value
    return frame.with_columns(changed)
