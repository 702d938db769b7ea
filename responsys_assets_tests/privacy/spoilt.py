"""The faults that a project can meet: each spoils something of a place."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from responsys_assets_tests.privacy.place import DAY, HEADER, Place

Fault = Callable[[Place], None]
FAULTS: dict[str, Fault] = {}


def fault(make: Fault) -> Fault:
    FAULTS[make.__name__] = make
    return make


@fault
def a_secret_written_into_the_configuration(place: Place) -> None:
    place.config["keys"]["decrypt"]["passphrase"] = place.canaries.literal
    place.write()


@fault
def a_configuration_that_is_no_yaml(place: Place) -> None:
    text = place.file.read_text()
    place.file.write_text(text.replace("${PGP_PASSPHRASE}", f'{place.canaries.literal}"x: ['))


@fault
def a_secret_in_the_place_of_a_name(place: Place) -> None:
    place.config["keys"]["decrypt"]["pasphrase"] = place.canaries.literal
    place.write()


@fault
def a_line_of_env_that_is_none(place: Place) -> None:
    place.variables(more=f'"{place.canaries.broken_line}\n')


@fault
def a_wrong_passphrase(place: Place) -> None:
    place.export()
    place.variables(place.canaries.wrong_passphrase)


@fault
def a_damaged_private_key(place: Place) -> None:
    place.export()
    text = f"{place.canaries.key_file}\n{place.key.private[40:]}"
    (place.folder / "keys" / "own.key").write_text(text)


@fault
def a_missing_private_key(place: Place) -> None:
    place.export()
    (place.folder / "keys" / "own.key").unlink()


@fault
def a_damaged_public_key(place: Place) -> None:
    place.export()
    place.configure(deliveries={"partner": place.partner(encrypt_for=["partner"])})
    (place.folder / "keys" / "own.asc").write_text(place.canaries.key_file)


@fault
def a_flipped_byte_in_a_message(place: Place) -> None:
    path = place.export()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@fault
def a_message_cut_short(place: Place) -> None:
    path = place.export()
    path.write_bytes(path.read_bytes()[:-40])


@fault
def plaintext_where_a_message_should_be(place: Place) -> None:
    place.export(encrypted=False)


@fault
def ragged_records(place: Place) -> None:
    place.configure(lists={"core": place.core(max_rejected="90%")})
    place.export([*place.rows[:5], *(f"{row},more" for row in place.rows[5:])])


@fault
def too_many_ragged_records(place: Place) -> None:
    place.export([f"{row},more" for row in place.rows])


@fault
def values_of_another_type(place: Place) -> None:
    place.configure(lists={"core": place.core(columns={"FIRST_NAME": "integer"})})
    place.export()


@fault
def times_that_are_none(place: Place) -> None:
    place.configure(lists={"core": place.core(updated_at="FIRST_NAME")})
    place.export()


@fault
def a_count_that_differs(place: Place) -> None:
    place.export(ready="99")


@fault
def a_record_in_the_ready_file(place: Place) -> None:
    place.export(ready=f"{place.canaries.ready},{place.rows[0]}")


@fault
def a_file_without_a_header(place: Place) -> None:
    place.export(header=None)


@fault
def a_record_of_names_for_a_header(place: Place) -> None:
    names = ",".join(person[3] for person in place.canaries.people[:7])
    place.export([names, *place.rows], header=None)


@fault
def bytes_of_another_charset(place: Place) -> None:
    data = "\n".join([HEADER, *place.rows, ""]).encode()
    place.export(content=data.replace(place.canaries.people[3][3].encode(), b"\xff\xfekanari"))


@fault
def a_quote_that_never_ends(place: Place) -> None:
    place.export([place.rows[0].replace(",I,", ',"I,'), *place.rows[1:]])


@fault
def nothing_where_an_outbox_should_be(place: Place) -> None:
    place.export()
    (place.folder / "outbox").rmdir()
    (place.folder / "outbox").write_text("")


@fault
def a_value_that_holds_the_delimiter(place: Place) -> None:
    place.configure(
        lists={"core": place.core(delimiter=",")},
        deliveries={"partner": place.partner(enclosure="none", delimiter="|")},
    )
    place.export([place.rows[0].replace(",I,", "|,I,"), *place.rows[1:]])


@fault
def a_full_disk(place: Place) -> None:
    some = random.Random(1)  # noqa: S311
    place.export([f"{n},{some.randbytes(40).hex()},,,I,2026-01-01 10:00:00,7" for n in range(2000)])
    place.file_size = 60_000


@fault
def a_guard_that_trips(place: Place) -> None:
    place.configure(deliveries={"partner": place.partner(guard={"min_rows": 1000})})
    place.export()


@fault
def suppressions_that_are_gone(place: Place) -> None:
    place.export()
    (place.folder / "suppressed.csv").unlink()


@fault
def suppressions_without_a_header(place: Place) -> None:
    place.export()
    (place.folder / "suppressed.csv").write_text("\n".join(place.canaries.suppressed))


@fault
def suppressions_of_another_charset(place: Place) -> None:
    place.export()
    path = place.folder / "suppressed.csv"
    path.write_bytes(path.read_bytes() + b'"\xff\xfe\n')


@fault
def criteria_that_break_on_a_value(place: Place) -> None:
    segment = {"where": "CAST(FIRST_NAME AS INTEGER) = 1", "channel": "email"}
    place.configure(segments={"all": segment})
    place.export()


@fault
def a_damaged_receipt(place: Place) -> None:
    place.export()
    receipt = place.lake.staged("core") / DAY / "0.json"
    receipt.parent.mkdir(parents=True)
    receipt.write_text("{}")
    arrival = place.lake.exported("core") / DAY / "0" / "0.arrival.json"
    arrival.parent.mkdir(parents=True)
    arrival.write_text('{"list": 1}')


def sftp(place: Place, **keys: Any) -> None:
    servers = place.config["servers"]
    servers["files"] = {**place.account.config, **keys}
    place.write()


@fault
def a_server_that_is_not_there(place: Place) -> None:
    sftp(place, port=1)


@fault
def a_server_with_another_host_key(place: Place) -> None:
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG3TvgdGZ3wGNZmtV9nE6Cy0fUc3OQ8uO3n0wsOgmjcG"
    sftp(place, host_keys=[other])


@fault
def a_damaged_ssh_key(place: Place) -> None:
    path = place.folder / "keys" / "ssh"
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{place.canaries.key_file}\n")
    sftp(place, private_key_file=str(path))


@fault
def an_account_that_does_not_exist(place: Place) -> None:
    sftp(place, username="nobody_known")


def breaks(place: Place, target: str, error: type[Exception] = KeyError) -> None:
    """Something of ours, or below it, fails with a record's values in its text."""
    place.export()
    said = f"{place.canaries.crash} {place.rows[0]}"

    def failing(*_: object, **__: object) -> None:
        raise error(said) from ValueError(said)

    place.patch.setattr(target, failing)


@fault
def a_crash_while_polling(place: Place) -> None:
    breaks(place, "responsys_assets.exported.poll.decide")


@fault
def a_crash_while_staging(place: Place) -> None:
    breaks(place, "responsys_assets.staged.stage.judge", ArithmeticError)


@fault
def a_crash_while_merging(place: Place) -> None:
    breaks(place, "responsys_assets.profiles.refresh.merge", RuntimeError)


@fault
def a_crash_while_planning(place: Place) -> None:
    breaks(place, "responsys_assets.deliveries.plan.read_source", AssertionError)


@fault
def a_crash_while_sending(place: Place) -> None:
    breaks(place, "responsys_assets.deliveries.send.clear_abandoned", LookupError)


@fault
def a_crash_of_the_reports(place: Place) -> None:
    breaks(place, "responsys_assets.lake.days.Day.of", TypeError)
