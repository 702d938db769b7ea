"""The fixture of the delivery tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from responsys_assets_tests.conftest import MakeProject
from responsys_assets_tests.deliveries.outbox import Line


@pytest.fixture
def line(make_project: MakeProject, tmp_path: Path) -> Line:
    """A line with the default delivery."""
    made = Line(make_project, tmp_path)
    made.configure()
    return made
