# SPDX-License-Identifier: Apache-2.0
"""No credential of this machine for the tests of this folder, and the table of what was seen."""

from __future__ import annotations

from pathlib import Path

import pytest
from credential_modes import SEEN


@pytest.fixture(autouse=True)
def no_default_chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The default chains look at the home directory and at metadata services, too."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table mode x driver x case."""
    if not SEEN:
        return
    cases = sorted({case for _, _, case in SEEN}, key=("works", "expires", "ended early", "revoked").index)
    width = {case: max(len(case), *(len(text) for (_, _, c), text in SEEN.items() if c == case)) for case in cases}
    terminalreporter.write_sep("-", "credential modes")
    head = "  ".join(f"{case:<{width[case]}}" for case in cases)
    terminalreporter.write_line(f"{'mode':<24} {'driver':<9} {head}".rstrip())
    for mode, driver in sorted({(mode, driver) for mode, driver, _ in SEEN}):
        row = "  ".join(f"{SEEN.get((mode, driver, case), '-'):<{width[case]}}" for case in cases)
        terminalreporter.write_line(f"{mode:<24} {driver:<9} {row}".rstrip())
