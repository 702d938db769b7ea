"""What the vendor's system columns mean: addresses, permissions, deliverability, hashes.

Source: Oracle Responsys user guide, profile list fields. System columns end in `_`.
"""

from __future__ import annotations

from dataclasses import dataclass

# two bits a channel; neither is set where nothing is said
OPTED_IN, OPTED_OUT = 1, 2


@dataclass(frozen=True)
class Channel:
    """A way to reach a person, and the columns that say where, and whether we may.

    `address` is empty for a person who cannot be reached; `address_parts` are the columns that
    together are one address. `shift`: where its two bits are in a number that says the
    permission of all channels.
    """

    name: str
    address: str
    permission: str
    deliverability: str
    shift: int
    rest_of_address: tuple[str, ...] = ()

    @property
    def address_parts(self) -> tuple[str, ...]:
        return (self.address, *self.rest_of_address)

    @property
    def opted_in(self) -> int:
        return OPTED_IN << self.shift

    @property
    def opted_out(self) -> int:
        return OPTED_OUT << self.shift


CHANNELS: dict[str, Channel] = {
    channel.name: channel
    for channel in (
        Channel(
            "email",
            "EMAIL_ADDRESS_",
            "EMAIL_PERMISSION_STATUS_",
            "EMAIL_DELIVERABILITY_STATUS_",
            shift=0,
        ),
        Channel(
            "mobile",
            "MOBILE_NUMBER_",
            "MOBILE_PERMISSION_STATUS_",
            "MOBILE_DELIVERABILITY_STATUS_",
            shift=2,
        ),
        Channel(
            "postal",
            "POSTAL_STREET_1_",
            "POSTAL_PERMISSION_STATUS_",
            "POSTAL_DELIVERABILITY_STATUS_",
            shift=4,
            rest_of_address=("CITY_", "POSTAL_CODE_"),  # a street name alone is in every city
        ),
    )
}

PERMISSION_COLUMNS: frozenset[str] = frozenset(c.permission for c in CHANNELS.values())
DELIVERABILITY_COLUMNS: frozenset[str] = frozenset(c.deliverability for c in CHANNELS.values())

# columns whose values identify a person, whichever of them is the match key
IDENTIFYING: tuple[str, ...] = (
    "RIID_",
    "CUSTOMER_ID_",
    "EMAIL_ADDRESS_",
    "MOBILE_NUMBER_",
    "EMAIL_MD5_HASH_",
    "EMAIL_SHA256_HASH_",
)

# how values are spelled, by column
EMAIL_ADDRESSES: frozenset[str] = frozenset({"EMAIL_ADDRESS_"})
MOBILE_NUMBERS: frozenset[str] = frozenset({"MOBILE_NUMBER_"})
HASHES: dict[str, int] = {"EMAIL_MD5_HASH_": 32, "EMAIL_SHA256_HASH_": 64}  # hex digits
POSTAL_LINES: frozenset[str] = frozenset({"POSTAL_STREET_1_", "POSTAL_STREET_2_", "CITY_"})
POSTAL_CODES: frozenset[str] = frozenset({"POSTAL_CODE_"})

UPDATED_AT = "UPDATED_AT_"
LISTS = "LISTS_"
