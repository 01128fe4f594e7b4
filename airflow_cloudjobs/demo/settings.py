# SPDX-License-Identifier: Apache-2.0
"""The environment of a local Airflow: what its processes are told, and nothing meant for the caller's own.

Settings are ``AIRFLOW__SECTION__KEY`` variables (see "Setting Configuration Options" in Airflow's
documentation), so no configuration file has to be written and the processes start without a race for it.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Made to answer within a second or two, unlike the defaults for production, with a load two cores can bear.
_QUICK = {
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__PARALLELISM": "8",
    "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    # The default looks the host's name up in DNS, which may take seconds on a laptop.
    "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
    # Runs are triggered by hand; a schedule in a DAG file must not add runs of its own.
    "SCHEDULER__USE_JOB_SCHEDULE": "False",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
    "SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
    # A task whose process has ended may be noticed only at the next heartbeat.
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    # The database is made by this release of Airflow a moment earlier.
    "DATABASE__CHECK_MIGRATIONS": "False",
    "LOGGING__REMOTE_LOGGING": "False",
    # No log servers run, and one of another Airflow on this machine must not be asked: nobody listens there.
    "LOGGING__WORKER_LOG_SERVER_PORT": "1",
    "LOGGING__TRIGGER_LOG_SERVER_PORT": "1",
    "LOGGING__COLORED_CONSOLE_LOG": "False",
    "METRICS__STATSD_ON": "False",
    "METRICS__OTEL_ON": "False",
    "TRACES__OTEL_ON": "False",
}


def environment(
    *,
    home: Path,
    dags_folder: Path,
    port: int,
    connections: Mapping[str, Mapping[str, Any]],
    sql_alchemy_conn: str | None,
    more: Mapping[str, str],
) -> dict[str, str]:
    """Build the environment of every process of one local Airflow.

    :param home: ``AIRFLOW_HOME``; database, logs and temporary files go below it
    :param dags_folder: folder with the DAG files; nothing is written there
    :param port: port of the API server on 127.0.0.1
    :param connections: connection id -> connection in Airflow's JSON form
    :param sql_alchemy_conn: metadata database; None means SQLite below ``home``
    :param more: further variables, which win
    :return: the whole environment
    """
    url = f"http://127.0.0.1:{port}"
    # All of Airflow's processes write to it, and on a busy machine one of them for longer than the 5 s that is waited.
    own_database = f"sqlite:///{home / 'airflow.db'}?timeout=20"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "_AIRFLOW"))}
    settings = {
        **_QUICK,
        "CORE__DAGS_FOLDER": str(dags_folder),
        "CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # Whoever asks is admin and needs no password: the server listens on 127.0.0.1 alone.
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": url,
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.token_urlsafe(32),
        "API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
        "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "DATABASE__SQL_ALCHEMY_CONN": sql_alchemy_conn or own_database,
        "LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag_processor"),
    }
    env |= {f"AIRFLOW__{name}": value for name, value in settings.items()}
    env |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in connections.items()}
    env["AIRFLOW_HOME"] = str(home)
    env["TMPDIR"] = str(home / "tmp")
    # Workers copy task logs to their output and die of a character it cannot hold.
    env["PYTHONIOENCODING"] = "utf-8"
    # A compiled DAG file would lie beside its source, in a folder that is not ours.
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    # A proxy for the outside world knows nothing of this machine's 127.0.0.1.
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(filter(None, (env.get(name), "127.0.0.1", "localhost")))
    return env | dict(more)
