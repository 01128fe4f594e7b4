# SPDX-License-Identifier: Apache-2.0
"""A real Airflow of whatever version is installed: its own processes on PostgreSQL, seen through its database.

The REST API differs between versions, and Airflow 2 has none without a login; the tables that are read here do not
differ. On SQLite, Airflow 3.0's API server is too slow for the matrix, and Airflow 2 fails on a busy machine.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any, Self

import sqlalchemy
from packaging.version import Version
from support.own_postgres import Postgres

from airflow_cloudjobs.demo.sessions import Sessions
from airflow_cloudjobs.demo.settings import environment

AIRFLOW = Version(version("apache-airflow"))
IS_AIRFLOW_3 = find_spec("airflow.sdk") is not None

#: Airflow 2's scheduler parses the DAG files, and its workers use the database themselves.
COMPONENTS = (
    {
        "api-server": (),
        "dag-processor": (),
        "scheduler": ("--skip-serve-logs",),
        "triggerer": ("--skip-serve-logs",),
    }
    if IS_AIRFLOW_3
    else {"scheduler": ("--skip-serve-logs",), "triggerer": ("--skip-serve-logs",)}
)

#: A DAG file whose parsing takes longer is taken away again, which a busy machine must not bring about.
_PATIENT = {
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
    "AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
}

_CLEAR = """
import sys
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.utils.session import create_session
dag_id, run_id, task_id = sys.argv[1:]
with create_session() as session:
    wanted = session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id, task_id=task_id)
    clear_task_instances(wanted.all(), session)
"""

_LINK = """
from airflow_cloudjobs.links import CloudConsoleLink
from airflow.providers.common.compat.sdk import TaskInstanceKey
import sys
dag_id, task_id, run_id, map_index = sys.argv[1:]
key = TaskInstanceKey(dag_id, task_id, run_id, 1, int(map_index))
print(CloudConsoleLink().get_link(None, ti_key=key))
"""


class AnyAirflow:
    """Airflow's processes on this machine, as a context manager.

    :param dags_folder: the folder with the DAG files.
    :param home: ``AIRFLOW_HOME``, kept at the end.
    :param connections: connection id -> connection in Airflow's JSON form.
    :param env: further environment variables; they win.
    """

    def __init__(
        self,
        dags_folder: Path,
        *,
        home: Path,
        connections: Mapping[str, Mapping[str, Any]],
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._postgres = Postgres()
        self._database = sqlalchemy.create_engine(self._postgres.url)
        self._env = environment(
            home=home,
            dags_folder=dags_folder,
            port=port,
            connections=connections,
            sql_alchemy_conn=self._postgres.url,
            more=_PATIENT | dict(env or {}),
        )

    def __enter__(self) -> Self:
        for folder in (self.home, self.home / "tmp", self.home / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
        (self.home / "airflow.cfg").touch()
        with ExitStack() as stack:
            stack.enter_context(self._postgres)
            stack.callback(self._database.dispose)
            self._sessions = Sessions(None)
            stack.callback(self._sessions.close)
            if self._spawn("db", "migrate").wait(300):
                raise RuntimeError(f"'airflow db migrate' failed, see {self.home / 'logs' / 'db.log'}")
            for name in COMPONENTS:
                self.restart(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        with self._stack:
            self._keep()

    def _keep(self) -> None:
        """Write all that is in the database to a file of the home, for who looks for what must not be in it."""
        tables = sqlalchemy.inspect(self._database).get_table_names()
        with (self.home / "database.db").open("w") as kept:
            for table in tables:
                for row in self._rows(f'SELECT * FROM "{table}"'):  # noqa: S608
                    values = {name: bytes(each) if isinstance(each, memoryview) else each for name, each in row.items()}
                    print(table, values, file=kept)

    def restart(self, name: str, sig: signal.Signals = signal.SIGTERM) -> None:
        """Start a component, or end it and start it anew.

        :param name: its command.
        :param sig: the signal that ends it.
        """
        if old := self.processes.get(name):
            old.send_signal(sig)
            old.wait(60)
        self._spawn(name, *COMPONENTS[name])

    def wait_for_dags(self, dag_ids: Sequence[str], timeout: float = 300) -> None:
        """Wait until DAGs are there."""

        def parsed() -> bool:
            if errors := self._rows("SELECT filename, stacktrace FROM import_error"):
                raise RuntimeError("\n".join(error["stacktrace"] for error in errors))
            return set(dag_ids) <= {row["dag_id"] for row in self._rows("SELECT dag_id FROM serialized_dag")}

        self._wait(parsed, timeout, f"DAGs {dag_ids}")

    def trigger(self, dag_id: str, run_id: str | None = None) -> str:
        """Start a run, and give its id."""
        run_id = run_id or f"manual__{uuid.uuid4().hex[:8]}"
        self._command("dags", "trigger", "--run-id", run_id, dag_id)
        return run_id

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 300) -> str:
        """Wait until a run has ended, and give its state."""
        question = "SELECT state FROM dag_run WHERE dag_id=:dag_id AND run_id=:run_id"

        def state() -> str:
            return str(self._rows(question, dag_id=dag_id, run_id=run_id)[0]["state"])

        self._wait(lambda: state() in ("success", "failed"), timeout, f"run of {dag_id}")
        return state()

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Collection[str], timeout: float = 300
    ) -> dict[str, Any]:
        """Wait until a task is in one of some states, and give its row."""

        def found() -> list[dict[str, Any]]:
            rows = self.task_instances(dag_id, run_id)
            return [row for row in rows if row["task_id"] == task_id and row["state"] in states]

        self._wait(lambda: bool(found()), timeout, f"task {task_id} to be {states}")
        return found()[0]

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The rows of a run's tasks."""
        return self._rows(
            "SELECT task_id, map_index, state, try_number, max_tries, pid, trigger_id FROM task_instance "
            "WHERE dag_id=:dag_id AND run_id=:run_id",
            dag_id=dag_id,
            run_id=run_id,
        )

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task, which comes to this for all that its processes can see."""
        change = sqlalchemy.text(
            "UPDATE task_instance SET state=:state, end_date=:now "
            "WHERE dag_id=:dag_id AND run_id=:run_id AND task_id=:task_id"
        )
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        with self._database.begin() as database:
            database.execute(
                change, {"state": state, "now": now, "dag_id": dag_id, "run_id": run_id, "task_id": task_id}
            )

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task, as the web page does; the command finds runs by a date that Airflow 3's need not have."""
        self._python(_CLEAR, dag_id, run_id, task_id)

    def delete_run(self, dag_id: str, run_id: str) -> None:
        """Delete a run, and by the database's own rules its tasks and all that is theirs, as the web page does."""
        gone = sqlalchemy.text("DELETE FROM dag_run WHERE dag_id=:dag_id AND run_id=:run_id")
        with self._database.begin() as database:
            database.execute(gone, {"dag_id": dag_id, "run_id": run_id})

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """An XCom; None if there is none."""
        rows = self._rows(
            "SELECT value FROM xcom "
            "WHERE dag_id=:dag_id AND run_id=:run_id AND task_id=:task_id AND key=:key AND map_index=:map_index",
            dag_id=dag_id,
            run_id=run_id,
            task_id=task_id,
            key=key,
            map_index=map_index,
        )
        if not rows or rows[0]["value"] is None:
            return None
        value = rows[0]["value"]
        try:  # Airflow 2 stores bytes; Airflow 3 stores JSON text as JSON
            return json.loads(bytes(value) if isinstance(value, memoryview) else value)
        except (TypeError, ValueError):
            return value

    def extra_links(self, dag_id: str, run_id: str, task_id: str) -> dict[str, str | None]:
        """A task's links: those that Airflow 3's workers store, those that Airflow 2 asks for when it shows them."""
        if IS_AIRFLOW_3:
            return {"Cloud console": self.xcom(dag_id, run_id, task_id, "_link_CloudConsoleLink")}
        return {"Cloud console": self._python(_LINK, dag_id, task_id, run_id, "-1").strip().splitlines()[-1]}

    def _python(self, program: str, *arguments: str) -> str:
        command = [sys.executable, "-P", "-c", program, *arguments]
        return subprocess.run(command, env=self._env, check=True, stdout=PIPE, text=True, timeout=300).stdout

    def _command(self, *arguments: str) -> None:
        command = [sys.executable, "-P", "-m", "airflow", *arguments]
        ran = subprocess.run(command, env=self._env, stdout=PIPE, stderr=STDOUT, text=True, timeout=300)
        if ran.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)}:\n{ran.stdout}")

    def _spawn(self, *arguments: str) -> subprocess.Popen[bytes]:
        name = arguments[0]
        command = [sys.executable, "-P", "-m", "airflow", *arguments]
        with (self.home / "logs" / f"{name}.log").open("ab") as log:
            self.processes[name] = self._sessions.start(command, self._env, log)
        return self.processes[name]

    def _rows(self, question: str, **values: Any) -> list[dict[str, Any]]:
        with self._database.connect() as database:
            return [dict(row) for row in database.execute(sqlalchemy.text(question), values).mappings()]

    def _wait(self, probe: Callable[[], bool], timeout: float, what: str) -> None:
        until = time.monotonic() + timeout
        while not probe():
            for name in COMPONENTS:
                if self.processes[name].poll() is not None:
                    raise RuntimeError(f"Airflow's {name} has ended, see {self.home / 'logs' / f'{name}.log'}")
            if time.monotonic() > until:
                raise TimeoutError(f"{what}: not within {timeout:.0f} s")
            time.sleep(0.3)
