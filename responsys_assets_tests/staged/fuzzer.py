"""Files that a fuzzer makes up, led by what of the code they reach; each is held to the same
account as those of `test_fuzzed_files.py`.

    python -m responsys_assets_tests.staged.fuzzer FOLDER SECONDS SEED

ends with a line "Done N runs", or with the failure; the file that led to it is in FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["responsys_assets.staged"]):
    from responsys_assets_tests.staged.conftest import Bench
    from responsys_assets_tests.staged.fuzz import File, Form
    from responsys_assets_tests.staged.test_fuzzed_files import (
        HELD_BY_HEAD,
        check_all_is_accounted_for,
        has_other_lines,
    )

LONGEST = 400  # bytes of a file
SEEDS = [
    b'1,"a",b\n2,"x""y",z\n',
    b'1,a,b\r\n2,"c\r\nd",e\r\n',
    b'1,"a,b\n2,c,d\n3,"e",f"g\n',
    b'"1"\n\n"2\n"3"\r4',
]
FORMS = [
    Form(",", newline, quoted, "utf-8", b"", columns, typed=False)
    for newline in ("\n", "\r\n", "\r")
    for quoted in (True, False)
    for columns in (1, 3)
]


def main(folder: Path, seconds: int, seed: int) -> None:
    """Fuzz for so long."""
    bench = Bench(folder)
    projects = [bench.project(**form.settings) for form in FORMS]

    def stage(data: bytes) -> None:
        which = data[0] % len(FORMS) if data else 0
        form = FORMS[which]
        head = (form.separator.join(form.names) + form.newline).encode()
        file = File(form, head + data[1:], len(head), [])
        staged = bench.judge(bench.arrive(file.content, kind="incremental"), projects[which])
        if has_other_lines(file):
            assert staged.outcome.state == "staged" or staged.outcome.reason in HELD_BY_HEAD
        else:
            assert staged.outcome.state == "staged"
            check_all_is_accounted_for(file, staged)
        bench.forget(staged.export)

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, body in enumerate(SEEDS):
        for which in range(len(FORMS)):
            (corpus / f"{number}-{which}").write_bytes(bytes([which]) + body)
    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LONGEST}"]
    options += ["-len_control=0", f"-artifact_prefix={folder}/", str(corpus)]
    atheris.Setup(["fuzzer", *options], stage)
    atheris.Fuzz()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
