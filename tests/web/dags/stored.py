# SPDX-License-Identifier: Apache-2.0
"""Tells what is stored of a connection; secrets as digests."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256
from typing import Any

from airflow.sdk import DAG, BaseHook, task

with DAG("stored", start_date=datetime(2026, 1, 1), schedule=None):

    @task
    def read(dag_run: Any = None) -> dict[str, Any]:
        connection = BaseHook.get_connection(dag_run.conf["conn_id"])
        return {
            "login": connection.login,
            "password": digest(connection.password),
            "extra": {name: digest(value) for name, value in connection.extra_dejson.items()},
        }

    def digest(value: Any) -> str:
        return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()

    read()
