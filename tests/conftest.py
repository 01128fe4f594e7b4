# SPDX-License-Identifier: Apache-2.0
"""Puts ``tests/settings`` where every Airflow that a test starts looks for its local settings."""

from __future__ import annotations

import os
from pathlib import Path

_path = (str(Path(__file__).parent / "settings"), os.environ.get("PYTHONPATH"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _path))
