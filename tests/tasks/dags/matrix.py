# SPDX-License-Identifier: Apache-2.0
"""The DAG of the cases that the JSON file beside this one lists."""

from __future__ import annotations

import json
from datetime import datetime
from importlib import import_module
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG

here = Path(__file__)
with DAG(here.stem, start_date=datetime(2026, 1, 1), schedule=None, max_active_tasks=64):
    for case in json.loads(here.with_suffix(".json").read_text()):
        module, _, name = case["class"].rpartition(".")
        getattr(import_module(module), name)(**case["arguments"])
