"""Materialising by hand does what `sync` does, and says what it did."""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg
import polars as pl

from responsys_assets.lake.exports import read_exports
from responsys_assets.lake.snapshots import SnapshotStore
from responsys_assets.sync import sync
from responsys_assets_tests.orchestration.world import (
    ANN,
    BOB,
    CAT,
    TODAY,
    World,
    checks,
    failure,
    materialised,
)


def _everything(world: World) -> dict[str, dg.AssetMaterialization]:
    found: dict[str, dg.AssetMaterialization] = {}
    for keys, day in (
        (("exported/core", "staged/core"), TODAY),
        (("exported/web", "staged/web"), TODAY),
        (("profiles",), None),
        (("segments/rome", "segments/everyone"), None),
        (("deliveries/partner",), None),
    ):
        result = world.run(*keys, day=day)
        assert result.success
        assert all(checks(result).values())
        found |= materialised(result)
    return found


def _value(event: dg.AssetMaterialization, key: str) -> object:
    return event.metadata[key].value


def test_every_asset_can_be_materialised_by_hand(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, BOB)
    world.send("WEB_20261120.csv", CAT, "4,dan@example.com")
    found = _everything(world)
    assert len(found) == 8
    assert found["staged/core"].partition == TODAY
    assert _value(found["staged/web"], "dagster/partition_row_count") == 1
    assert _value(found["staged/web"], "rejected") == 1
    assert _value(found["profiles"], "dagster/row_count") == 3
    assert _value(found["segments/rome"], "dagster/row_count") == 1
    assert _value(found["deliveries/partner"], "state") == "delivered"
    (sent,) = (world.folder.parent / "outbox").glob("rome_*.csv")
    assert "ann@example.com" in sent.read_text()


def test_by_hand_and_by_sync_come_to_the_same(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, BOB)
    world.send("WEB_20261120.csv", CAT)
    _everything(world)
    assert not sync(world.project).changed


def test_nothing_is_done_twice(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.send("WEB_20261120.csv", CAT)
    first, second = _everything(world), _everything(world)
    for key, event in first.items():
        tags, again = event.tags or {}, second[key].tags or {}
        assert tags["dagster/data_version"] == again["dagster/data_version"], key
    assert len(SnapshotStore(world.lake.profiles()).names()) == 1
    assert _value(second["deliveries/partner"], "state") == "unchanged"


def test_columns_are_traced_from_the_file_to_the_delivery(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.send("WEB_20261120.csv", CAT)
    found = _everything(world)

    def sources(key: str, column: str) -> set[str]:
        lineage = found[key].metadata["dagster/column_lineage"]
        assert isinstance(lineage, dg.TableColumnLineageMetadataValue)
        deps = lineage.column_lineage.deps_by_column[column]
        return {f"{dep.asset_key.to_user_string()}.{dep.column_name}" for dep in deps}

    assert sources("profiles", "CITY_") == {"staged/core.CITY_", "staged/web.CITY_"}
    assert sources("segments/rome", "CITY_") == {"profiles.CITY_"}
    assert sources("deliveries/partner", "CITY") == {"segments/rome.CITY_"}
    schema = found["staged/core"].metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchemaMetadataValue)
    assert schema.schema.columns[0].name == "CUSTOMER_ID_"


def test_new_and_gone_columns_are_in_the_metadata_of_the_list(world: World) -> None:
    world.send("CORE_20261119.csv", ANN)
    assert world.run("exported/core", "staged/core", day="2026-11-19").success
    path = world.send("CORE_20261120.csv", ANN)
    path.write_text(path.read_text().replace("CITY_", "TOWN"))
    metadata = materialised(world.run("exported/core", "staged/core", day=TODAY))
    found = metadata["staged/core"].metadata
    assert found["new columns"].value == "TOWN"
    assert found["gone columns"].value == "CITY_"


def test_no_metadata_check_or_log_holds_anything_of_a_person(world: World) -> None:
    world.send("CORE_20261120.csv", "1,canary@example.com,I,Rome", "9,canary@example.com")
    world.send("WEB_20261120.csv", "2,canary@example.com,maybe,Paris", count=7)
    results = [
        world.run("exported/core", "staged/core", day=TODAY),
        world.run("exported/web", "staged/web", day=TODAY),
        world.run("profiles", "segments/rome", "deliveries/partner"),
    ]
    for result in results:
        for record in world.instance.all_logs(result.run_id):
            assert "canary" not in dg.serialize_value(record)


def test_a_day_without_an_export_fails_and_records_nothing(world: World) -> None:
    result = world.run("exported/core", day="2026-11-19")
    assert not result.success
    assert "no export of core for 2026-11-19 has arrived" in failure(result)
    assert checks(result) == {"exported/core:arrived": False}
    assert materialised(result) == {}


def test_a_day_without_an_export_says_what_it_waits_for(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, ready=False)
    said = failure(world.run("exported/core", day=TODAY))
    assert "CORE_20261120.csv waits: its ready file is not there yet" in said


def test_a_held_export_is_red_and_says_what_to_do(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, count=2)
    result = world.run("exported/core", "staged/core", day=TODAY)
    assert not result.success
    assert list(materialised(result)) == ["exported/core"]
    assert checks(result)["staged/core:accepted"] is False
    assert "CORE_20261120.csv is held" in failure(result)
    assert "`responsys exports core`" in failure(result)


def test_a_verdict_turns_a_held_day_green(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, count=2)
    assert not world.run("exported/core", "staged/core", day=TODAY).success
    world.decide("core", "CORE_20261120.csv", "accept")
    result = world.run("staged/core", day=TODAY)
    assert result.success
    assert list(materialised(result)) == ["staged/core"]


def test_a_right_file_sent_again_makes_up_for_a_held_one(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, count=2)
    assert not world.run("exported/core", "staged/core", day=TODAY).success
    world.send("CORE_20261120.csv", ANN, BOB)
    assert world.run("exported/core", "staged/core", day=TODAY).success


def test_profiles_without_any_export_say_so(world: World) -> None:
    assert "no export was accepted yet" in failure(world.run("profiles"))


def test_a_delivery_that_its_guard_holds_is_red_and_is_not_sent(
    make_world: Callable[..., World],
) -> None:
    partner = {
        "segment": "rome",
        "to": "outbox",
        "file": "rome_{YYYYMMDD}.csv",
        "guard": {"min_rows": 5},
    }
    world = make_world(deliveries={"partner": partner})
    world.send("CORE_20261120.csv", ANN)
    world.run("exported/core", "staged/core", day=TODAY)
    result = world.run("profiles", "segments/rome", "deliveries/partner")
    assert list(materialised(result)) == ["profiles", "segments/rome"]
    assert checks(result)["deliveries/partner:guard"] is False
    assert "min_rows is 5" in failure(result)
    assert "responsys apply partner --release" in failure(result)
    assert not list((world.folder.parent / "outbox").iterdir())


def test_an_opted_out_person_in_a_published_segment_is_found(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, CAT)
    world.run("exported/core", "staged/core", day=TODAY)
    assert world.run("profiles", "segments/rome").success
    snapshot = SnapshotStore(world.lake.segment("rome")).current()
    assert snapshot is not None
    for part in ("part-0.parquet", "keys/part-0.parquet"):  # as a wrong engine might write them
        rows = pl.read_parquet(snapshot.path / part)
        values = {"EMAIL_ADDRESS_": "cat@example.com", "CITY_": "Rome", "CUSTOMER_ID_": "3"}
        added = pl.DataFrame([{name: values[name] for name in rows.columns}])
        pl.concat([rows, added]).write_parquet(snapshot.path / part)
    result = world.run("segments/rome")
    assert "1 rows of rome may not be reached by email" in failure(result)
    assert checks(result) == {"segments/rome:no_opted_out": False}
    assert materialised(result) == {}


def test_records_that_vanish_from_the_lake_are_noticed(world: World) -> None:
    world.send("CORE_20261120.csv", ANN, BOB)
    world.run("exported/core", "staged/core", day=TODAY)
    (export,) = read_exports(world.lake, "core")
    pl.read_parquet(export.parquet).head(1).write_parquet(export.parquet)
    result = world.run("staged/core", day=TODAY)
    assert "1 records are neither staged nor rejected" in failure(result)


def test_an_unexpected_error_is_named_by_place_but_not_by_its_text(world: World) -> None:
    world.send("CORE_20261120.csv", ANN)
    world.run("exported/core", "staged/core", day=TODAY)
    assert world.run("profiles", "segments/rome").success
    snapshot = SnapshotStore(world.lake.segment("rome")).current()
    assert snapshot is not None
    (snapshot.path / "keys" / "part-0.parquet").write_text("canary")
    said = failure(world.run("segments/rome"))
    assert "at responsys_assets/orchestration/" in said
    assert "its text is withheld" in said
    assert "canary" not in said


def test_a_held_delivery_says_in_its_check_how_many_people_opted_out_since(
    make_world: Callable[..., World],
) -> None:
    partner = {"segment": "rome", "to": "outbox", "file": "rome.csv"}
    world = make_world(deliveries={"partner": partner})
    steps = ("profiles", "segments/rome", "deliveries/partner")
    world.send("CORE_20261119.csv", ANN)
    world.run("exported/core", "staged/core", day="2026-11-19")
    assert world.run(*steps).success
    world.send("CORE_20261120.csv", ANN.replace(",I,", ",O,"))
    world.run("exported/core", "staged/core", day=TODAY)
    result = world.run(*steps)
    assert "the receiver still has 1 person who may not be reached any more" in failure(result)
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "guard"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert check.metadata["unreachable"].value == 1
    assert str(check.description).count("responsys apply partner --release") == 1
    assert "responsys plan" not in str(check.description)
