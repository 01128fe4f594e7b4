# SPDX-License-Identifier: Apache-2.0
"""No credential of this machine for the tests of this folder, and the table of what was seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from credential_modes import SEEN
from support.table import columns, show_at_the_end


@pytest.fixture(autouse=True)
def no_default_chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default chains look at the home directory and at metadata services, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")


@pytest.fixture(autouse=True, scope="session")
def table(request: pytest.FixtureRequest) -> None:
    """Show the table mode x driver x case."""
    show_at_the_end(request.config, lambda: ("credential modes", columns(_rows())))


def _rows() -> list[tuple[str, ...]]:
    cases = sorted({case for _, _, case in SEEN}, key=("works", "expires", "ended early", "revoked").index)
    places = sorted({(mode, driver) for mode, driver, _ in SEEN})
    return [
        ("mode", "driver", *cases),
        *((mode, driver, *(SEEN.get((mode, driver, case), "-") for case in cases)) for mode, driver in places),
    ]
