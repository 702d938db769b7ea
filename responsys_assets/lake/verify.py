"""Re-hash everything that receipts and manifests name, and list what is missing or differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from responsys_assets.errors import LakeError
from responsys_assets.lake.exports import Export, read_exports
from responsys_assets.lake.lake import Lake
from responsys_assets.lake.publish import sha256_of
from responsys_assets.lake.receipts import Arrival, Outcome, Receipt, Verdict
from responsys_assets.lake.retention import (
    data_files,
    list_names,
    pruned_marker,
    snapshot_stores,
)
from responsys_assets.lake.snapshots import CURRENT, SnapshotStore
from responsys_assets.progress import SILENT, Progress


@dataclass(frozen=True)
class Finding:
    """A file that is not what the lake says of it; `problem` is missing, differs or damaged."""

    file: Path
    problem: str
    advice: str

    def as_json(self) -> dict[str, str]:
        return {"file": str(self.file), "problem": self.problem, "advice": self.advice}


@dataclass
class Verification:
    """What was checked and what was wrong."""

    files: int = 0
    bytes: int = 0
    pruned: int = 0
    findings: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "files": self.files,
            "bytes": self.bytes,
            "pruned": self.pruned,
            "problems": [finding.as_json() for finding in self.findings],
        }


@dataclass(frozen=True)
class Claim:
    """A file and the digest that a receipt or manifest gives for it."""

    path: Path
    sha256: str
    advice: str
    may_be_pruned: bool = False


_FETCH_AGAIN = "restore it from a backup of the lake, or ask for the export to be sent again"


def verify(
    lake: Lake,
    progress: Progress = SILENT,
    ledger: Iterable[Claim | Finding] = (),
) -> Verification:
    """Check the whole lake. Reads only; what retention removed is not missing.

    `ledger`: what the consent ledger claims, and what is wrong with it.
    """
    done = Verification()
    claims: list[Claim] = []
    for checked in ledger:
        if isinstance(checked, Claim):
            claims.append(checked)
        else:
            done.findings.append(checked)
    for name in list_names(lake):
        damaged = list(_damaged_receipts(lake, name))
        done.findings += damaged
        if not damaged:
            for export in read_exports(lake, name):
                claims += _export_claims(export)
    for store in snapshot_stores(lake):
        claims += _snapshot_claims(store, done)
    total = sum(claim.path.stat().st_size for claim in claims if claim.path.is_file())
    with progress.step("verify", total) as advance:
        for claim in claims:
            _check(claim, done)
            advance(claim.path.stat().st_size if claim.path.is_file() else 0)
    return done


def _check(claim: Claim, done: Verification) -> None:
    if not claim.path.is_file():
        if claim.may_be_pruned and pruned_marker(claim.path).exists():
            done.pruned += 1
        else:
            done.findings.append(Finding(claim.path, "missing", claim.advice))
        return
    done.files += 1
    done.bytes += claim.path.stat().st_size
    if sha256_of(claim.path) != claim.sha256:
        done.findings.append(Finding(claim.path, "differs", claim.advice))


def _damaged_receipts(lake: Lake, list_name: str) -> Iterator[Finding]:
    kinds: tuple[tuple[Path, str, type[Receipt]], ...] = (
        (lake.exported(list_name), "*/*/*.arrival.json", Arrival),
        (lake.exported(list_name), "*/*/*.verdict.json", Verdict),
        (lake.staged(list_name), "*/*.json", Outcome),
    )
    for root, pattern, kind in kinds:
        for path in sorted(root.glob(pattern)):
            try:
                kind.read(path)
            except LakeError as error:
                yield Finding(path, "damaged", error.message)


def _export_claims(export: Export) -> Iterator[Claim]:
    present = data_files(export.folder)
    for path in present or [export.ciphertext]:
        yield Claim(path, export.sha256, _FETCH_AGAIN, may_be_pruned=True)
    outcome = export.outcome
    if outcome is None:
        return
    if outcome.parquet_sha256:
        yield Claim(export.parquet, outcome.parquet_sha256, export.remedy)
    if outcome.holds_sha256:
        yield Claim(export.holds, outcome.holds_sha256, export.remedy)
    if outcome.rejects_sha256:
        yield Claim(export.rejects, outcome.rejects_sha256, export.remedy, may_be_pruned=True)


def _snapshot_claims(store: SnapshotStore, done: Verification) -> Iterator[Claim]:
    try:
        store.current()
    except LakeError as error:
        done.findings.append(Finding(store.root / CURRENT, "damaged", error.message))
    for name in store.names():
        try:
            snapshot = store.read(name)
        except LakeError as error:
            done.findings.append(Finding(store.root / name, "damaged", error.message))
            continue
        for entry in snapshot.manifest["files"]:
            yield Claim(snapshot.path / entry["name"], entry["sha256"], store.remedy)
