# SPDX-License-Identifier: Apache-2.0
"""Connections for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_cloudjobs.connection.settings import ConnectionFields

MakeFields = Callable[..., ConnectionFields]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], str]:
    """Put a connection where Airflow finds it; gives its id."""

    def put(connection: dict[str, Any]) -> str:
        monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps(connection))
        return "tested"

    return put
