"""A company whose settings change."""

from __future__ import annotations

from pathlib import Path

import pytest

from responsys_assets_tests.commands.conftest import Call, call
from responsys_assets_tests.consent.company import IN, OUT, WEB, Company

__all__ = ["call"]


@pytest.fixture
def company(tmp_path: Path, call: Call) -> Company:
    """The company after its first sync: K1 opted out, K2 and K3 may be mailed."""
    company = Company(tmp_path, call)
    company.send("CORE", [OUT, IN])
    company.send("WEB", WEB)
    assert company.sync().code == 0
    assert (company.people(), company.delivered()) == ({"K2", "K3"}, {"K2", "K3"})
    return company
