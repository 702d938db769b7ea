"""What is compared with what: the pieces of work, their ways and their floors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.data import ROWS
from benchmarks.ways.stage import CORE

SMALL, SOME = 0.00625, 0.1  # sizes: lists of 10,000 rows and more; 540,000 rows


@dataclass(frozen=True)
class Work:
    """A piece of work: our way and parts of its floor, and what else does it.

    `floor`: what of each way is added up, `seconds` or `cpu` shared by two cores. `largest`:
    the size of data above which it is run on that size and no larger. `lists`: whose rows it
    works on.
    """

    ways: tuple[str, ...]
    floor: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    largest: float = float("inf")
    lists: tuple[str, ...] = tuple(ROWS)


WORKS = {
    "ledger": Work(("ledger_ours", "ledger_copy"), {"ledger_copy": "seconds"}),
    "merge": Work(
        ("merge_ours", "merge_copy"),
        {"merge_copy": "seconds"},
        ("merge_duckdb", "merge_polars"),
    ),
    "stage": Work(
        ("stage_ours", "stage_decrypt", "stage_parse"),
        {"stage_decrypt": "cpu", "stage_parse": "cpu"},
        ("stage_pyarrow",),
        largest=1.0,
        lists=(CORE,),
    ),
    "encrypt": Work(
        ("encrypt_ours", "encrypt_gpg"), {"encrypt_gpg": "seconds"}, largest=1.0, lists=(CORE,)
    ),
    "fetch": Work(
        ("fetch_ours", "fetch_openssh"), {"fetch_openssh": "seconds"}, largest=1.0, lists=(CORE,)
    ),
    "far": Work(
        ("far_ours", "far_openssh"), {"far_openssh": "seconds"}, largest=1.0, lists=(CORE,)
    ),
    "sync": Work(
        (
            *("sync_ours", "sync_unchanged", "sync_imports"),
            *("fetch_openssh_all", "stage_decrypt_all", "stage_parse_all"),
            *("merge_copy", "sync_extract"),
        ),
        {
            "fetch_openssh_all": "seconds",
            "stage_decrypt_all": "cpu",
            "stage_parse_all": "cpu",
            "merge_copy": "seconds",
            "sync_extract": "seconds",
        },
        largest=1.0,
    ),
    "changed": Work(("changed_ours", "sync_ours"), {"sync_ours": "seconds"}, largest=1.0),
    "small": Work(("sync_ours", "sync_imports"), largest=SMALL),
    "files": Work(
        ("files_ours", "stage_parse_all"),
        {"stage_parse_all": "seconds"},
        ("files_duckdb", "files_polars", "files_pandas", "files_singer", "files_dlt"),
        largest=SOME,
    ),
}
