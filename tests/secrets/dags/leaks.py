# SPDX-License-Identifier: Apache-2.0
"""The tasks that the JSON file beside this one lists."""

from __future__ import annotations

import json
from datetime import datetime
from importlib import import_module
from pathlib import Path

from airflow.sdk import DAG

with DAG("leaks", start_date=datetime(2026, 1, 1), schedule=None, max_active_tasks=64):
    for case in json.loads(Path(__file__).with_suffix(".json").read_text()):
        module, _, name = case["class"].rpartition(".")
        getattr(import_module(module), name)(**case["arguments"])
