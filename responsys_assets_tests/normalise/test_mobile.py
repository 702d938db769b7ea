"""Mobile numbers: one spelling each, whatever the country and the hand that wrote them."""

from __future__ import annotations

import phonenumbers
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from responsys_assets.normalise import normalise
from responsys_assets.normalise.mobile import mobile_number, mobile_numbers, numbering
from responsys_assets_tests.scorecard import Cases, examples

# where a mobile number is not dialled at home as its digits behind the calling code
OTHER_AT_HOME = {"AR", "MX"}


def normal(value: str, country: str | None) -> str:
    return str(normalise(pl.Series([value]), "MOBILE_NUMBER_", country)[0])


@pytest.mark.parametrize(
    "spelling",
    [
        "447400123456",
        "+447400123456",
        "00447400123456",
        "+44 7400 123456",
        "+44 (0)7400 123456",
        "0044 (0) 7400-123456",
        "(+44) 7400/123.456",
        "07400 123456",
        "(0)7400 123456",
        "(07400) 123456",
        "7400123456",
        "447400123456.0",
        "7400123456.0",
        "4.47400123456E+11",
        "07400123456 x12",
        "07400123456x12",
        "+44 7400 123456 ext. 12",
        "+44 7400 123456 Extension 12",
        "tel:+44-7400-123456;ext=12",
        "＋４４ ７４００ １２３４５６",
        "\u200e+44 7400 123456\u202c",
        "'07400123456'",
        "+44 07400 123456",
        "٠٧٤٠٠١٢٣٤٥٦",
    ],
)
def test_every_spelling_of_a_number_is_that_number(spelling: str) -> None:
    assert normal(spelling, "GB") == "447400123456"


@pytest.mark.parametrize(
    ("country", "spelling", "expected"),
    [
        (None, "+39 (333) 12-34567", "393331234567"),
        (None, "0039 333 1234567", "393331234567"),
        (None, "393331234567.0", "393331234567"),
        (None, "0171 1234567", "01711234567"),  # of which country?
        (None, "no number", ""),
        (None, "3.93331E+11", ""),  # a spreadsheet cut it
        (None, "00", ""),
        ("US", "(202) 555-0123", "12025550123"),
        ("US", "2025550123", "12025550123"),
        ("US", "1 202 555 0123", "12025550123"),
        ("US", "011 44 7400 123456", "447400123456"),
        ("US", "447400123456", "447400123456"),
        ("IT", "333 1234567", "393331234567"),
        ("IT", "3933123456", "393933123456"),  # 393 is a prefix of mobile numbers
        ("IT", "393933123456", "393933123456"),
        ("DE", "0171 1234567", "491711234567"),
        ("DE", "1711234567", "491711234567"),  # the zero got lost in a spreadsheet
        ("DE", "393331234567", "393331234567"),
        ("GB", "020 7946 0000", "442079460000"),  # no mobile number, but a number
        ("HU", "06 20 123 4567", "36201234567"),
        ("AR", "011 15-2345-6789", "5491123456789"),
        ("CI", "01 23 45 67 89", "2250123456789"),
        ("GB", "12345", "12345"),
    ],
)
def test_a_number_without_a_calling_code_is_of_the_account_s_country(
    country: str | None, spelling: str, expected: str
) -> None:
    assert normal(spelling, country) == expected


def test_a_foreign_number_that_looks_like_one_of_ours_keeps_its_plus() -> None:
    """Egypt's 20 and eight digits are ten digits, as a number of the United States is."""
    assert normal("+20 2555 0123", "US") == "+2025550123"
    assert normal("0020 2555 0123", "US") == "+2025550123"
    assert normal("+2025550123", "US") == "+2025550123"
    assert normal("+20 2555 0123", "GB") == "2025550123"


@pytest.mark.scorecard(26)
@pytest.mark.parametrize("form", ["+{}", "00{}", "{}", "+{}.0"])
def test_a_mobile_number_of_every_country_is_found_in_every_country(
    form: str, cases: Cases
) -> None:
    """Of the countries where digits alone may be two numbers, the account's own is meant."""
    for home in cases.each(["US", "DE", "IT", None]):
        for region in phonenumbers.SUPPORTED_REGIONS:
            number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
            if number is None:
                continue
            digits = phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]
            ours = home is not None and numbering(home).national(digits) != digits
            known = normal(form.format(digits), home)
            assert known == digits or (ours and known.endswith(digits)), region


@pytest.mark.scorecard(26)
def test_a_mobile_number_as_it_is_dialled_at_home_is_the_number(cases: Cases) -> None:
    for region in cases.each(sorted(phonenumbers.SUPPORTED_REGIONS - OTHER_AT_HOME)):
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        if number is None:
            continue
        expected = phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]
        for style in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL):
            assert normal(phonenumbers.format_number(number, style), region) == expected


@pytest.mark.scorecard(26)
@examples(300, 5000)
@given(
    st.lists(st.from_regex(r"\A\+?[0-9]{0,16}(\.0| x12|)\Z"), min_size=1),
    st.sampled_from([None, "AR", "CI", "DE", "GB", "HU", "IT", "KZ", "TA", "US"]),
)
def test_many_numbers_at_once_are_what_each_is_alone(
    values: list[str], country: str | None
) -> None:
    alone = [mobile_number(value, country) for value in values]
    assert mobile_numbers(pl.Series(values), country).to_list() == alone
    for digits in (number.lstrip("+") for number in alone):
        if digits and not digits.startswith("0"):
            assert mobile_number(f"00{digits}", country) == mobile_number(f"+{digits}", country)
