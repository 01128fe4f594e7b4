# SPDX-License-Identifier: Apache-2.0
"""A real Airflow on localhost: schedulers, triggerers, DAG processor, API server and the like, a process each.

::

    with LocalAirflow("dags", connections={"my_conn": {"conn_type": "http", "host": "127.0.0.1"}}) as airflow:
        airflow.wait_for_dags(["my_dag"])
        run_id = airflow.trigger("my_dag")
        assert airflow.wait_for_run("my_dag", run_id)["state"] == "success"

Everything is asked through Airflow's REST API; ``airflow db migrate`` alone touches the metadata database.
"""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import requests

from airflow_cloudjobs.demo.rest import AirflowProblem, AirflowRest
from airflow_cloudjobs.demo.sessions import Sessions
from airflow_cloudjobs.demo.settings import environment

#: One process each. ``triggerer:2`` is a second triggerer: Airflow's command is what comes before ':'.
#: CeleryExecutor needs a ``celery worker`` too.
COMPONENTS = ("api-server", "scheduler", "triggerer", "dag-processor")

#: Commands whose processes write heartbeats into Airflow's database.
_BEATING = ("scheduler", "triggerer", "dag-processor")

#: A heartbeat of so long ago tells nothing any more.
_OF_LATE = timedelta(seconds=15)

#: Command -> what its log says once it has work done.
_SAYS = {"celery worker": " ready."}

#: Further options. Logs are read from the files, which all processes share; no log servers are needed.
_OPTIONS = dict.fromkeys(("scheduler", "triggerer", "celery worker"), ("--skip-serve-logs",))

#: A file without a DAG is taken for a helper module when no other file was parsed for so many seconds.
_QUIET = 20.0

#: States of a run that will not change by itself.
ENDED_RUN = ("success", "failed")

#: A component's name as that of a file.
_FOR_FILES = str.maketrans({":": "-", " ": "-"})

_T = TypeVar("_T")


class ComponentDied(AirflowProblem):
    """A process of Airflow has ended although nobody told it to; the message holds the end of its log."""


class NotInTime(AirflowProblem):
    """Something did not happen within the time it was given."""


class Component:
    """One process of Airflow.

    :param name: its name, as in :data:`COMPONENTS`
    :param log_path: file with its output, and with that of the processes of this name before it
    :param log_begins: length of that file in bytes before it was started
    :param process: the process
    """

    def __init__(self, name: str, log_path: Path, log_begins: int, process: subprocess.Popen[bytes]) -> None:
        self.name = name
        self.log_path = log_path
        self.process = process
        self.started = datetime.now(UTC)
        self._log_begins = log_begins
        #: Set when it is killed on purpose: then its end is no surprise.
        self.may_end = False

    @property
    def pid(self) -> int:
        """Process id, which is the id of its session too."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Tell whether it still runs."""
        return self.process.poll() is None

    def has_said(self, text: str) -> bool:
        """Tell whether a text is in its output since it was started."""
        return text.encode() in self.log_path.read_bytes()[self._log_begins :]

    def log_tail(self, lines: int = 30) -> str:
        """Get the last lines of its output."""
        with suppress(FileNotFoundError):
            return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])
        return ""


class LocalAirflow(AirflowRest):
    """Airflow's processes on this machine, as a context manager; also the client of their REST API.

    When it ends, in whatever way, its processes and theirs are ended and a home it made is removed.

    :param dags_folder: folder with the DAG files; nothing is written there
    :param home: ``AIRFLOW_HOME``, kept at the end; by default a temporary folder that is removed
    :param connections: connection id -> connection in Airflow's JSON form (``conn_type``, ``extra``, ...)
    :param env: further environment variables, such as ``AIRFLOW__SECTION__KEY`` settings; they win over ours
    :param components: names of the processes, see :data:`COMPONENTS`; the API server must be among them
    :param sql_alchemy_conn: metadata database, e.g. PostgreSQL; SQLite below the home by default
    :param progress: called with a line of text at each step of the start
    """

    def __init__(
        self,
        dags_folder: str | Path,
        *,
        home: str | Path | None = None,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        components: Sequence[str] = COMPONENTS,
        sql_alchemy_conn: str | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        if "api-server" not in components:
            raise ValueError("components: 'api-server' must be among them, everything is asked through it")
        self.dags_folder = Path(dags_folder).resolve(strict=True)
        # The name of a temporary home is settled here and the folder made later, by when the guard knows it.
        temporary = Path(tempfile.gettempdir()) / f"cloudjobs-airflow-{secrets.token_hex(6)}"
        self.home = (Path(home) if home else temporary).resolve()
        self.processes: dict[str, Component] = {}
        self._temporary = home is None
        self._components = tuple(components)
        self._progress = progress or (lambda line: None)
        self._sessions: Sessions | None = None
        port, self._port = _reserve_port()
        super().__init__(f"http://127.0.0.1:{port}")
        self._env = environment(
            home=self.home,
            dags_folder=self.dags_folder,
            port=port,
            connections=connections or {},
            sql_alchemy_conn=sql_alchemy_conn,
            more=env or {},
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, timeout: float = 120.0) -> None:
        """Make the database, start the components and wait until all report themselves healthy.

        :param timeout: seconds each step may take
        :raises ComponentDied: if one of them ends
        :raises NotInTime: if one of them is not healthy in time
        """
        try:
            self._start(timeout)
        except BaseException:
            self.stop()
            raise

    def _start(self, timeout: float) -> None:
        began = time.monotonic()
        self._sessions = Sessions(self.home if self._temporary else None)
        for folder in (self.home, self.home / "tmp", self.home / "logs"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Its presence keeps the processes from writing a configuration file of their own, all at once.
        (self.home / "airflow.cfg").touch()
        self._progress("making Airflow's database")
        migrate = self._spawn("db-migrate", ("db", "migrate"))
        migrate.may_end = True
        # The API server takes longest to import, and needs the database only when it is asked something.
        # Should it stumble over a half-made database all the same, it is started again below.
        self.restart("api-server").may_end = True
        self._wait(lambda: None if migrate.alive else True, timeout, lambda: "'airflow db migrate' has not ended")
        if migrate.process.returncode != 0:
            raise ComponentDied(f"'airflow db migrate' failed:\n{migrate.log_tail()}")
        self._progress(f"starting {', '.join(self._components)}")
        for name in self._components:
            if name not in self.processes or not self.processes[name].alive:
                self.restart(name)
            self.processes[name].may_end = False
        self.wait_until_healthy(timeout)
        self._progress(f"Airflow is up after {time.monotonic() - began:.0f} s")

    def wait_until_healthy(self, timeout: float = 120.0) -> None:
        """Wait until the API server answers and every other component works (see :meth:`idle`).

        :param timeout: seconds each of the two may take
        :raises ComponentDied: if one of them ends
        :raises NotInTime: if one of them is not healthy in time
        """
        # The first request of all makes the server build the API the tasks talk to, which takes it seconds.
        self._wait(self._serves_tasks, timeout, lambda: "Airflow's API server does not answer")
        self._wait(
            lambda: not self.idle() or None, timeout, lambda: f"Airflow is not healthy: {self.idle()} do not work"
        )

    def idle(self) -> list[str]:
        """List the components that do not work: since they were started, or of late, they have sent no heartbeat.

        A Celery worker sends none; it works once it has said that it is ready.

        :return: their names
        """
        beats = {job["unixname"]: job for job in self.jobs()}
        return [one.name for one in self.processes.values() if not _works(one, beats.get(one.name))]

    def stop(self) -> None:
        """End every process; remove the home if it is a temporary one. May be called again."""
        if self._sessions:
            for component in self.processes.values():
                component.may_end = True
            # An open connection would make the API server wait for us while we wait for it.
            self._http.close()
            self._sessions.close()
            for component in self.processes.values():
                component.process.wait()
        self._port.close()

    def restart(self, name: str) -> Component:
        """Start a component anew; one that still runs is terminated first.

        :param name: its name
        :return: the new process, also in :attr:`processes`
        """
        old = self.processes.get(name)
        if old and old.alive:
            self.kill(name, signal.SIGTERM)
            old.process.wait(30)
        command = command_of(name)
        return self._spawn(name, (*command.split(), *_OPTIONS.get(command, ())))

    def kill(self, name: str, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a component's main process alone, as a crash or an operator would.

        :param name: its name
        :param sig: the signal
        """
        component = self.processes[name]
        component.may_end = True
        component.process.send_signal(sig)

    def check(self) -> None:
        """Make sure that every component still runs.

        :raises ComponentDied: if one has ended by itself, with the end of its log
        """
        for component in self.processes.values():
            if not component.alive and not component.may_end:
                raise ComponentDied(
                    f"Airflow's {component.name} has ended with code {component.process.returncode}; "
                    f"the end of its log:\n{component.log_tail()}"
                )

    def wait_for_dags(self, dag_ids: Collection[str] | None = None, timeout: float = 60.0) -> list[str]:
        """Wait until DAGs are parsed.

        :param dag_ids: the DAGs; None waits until every file of the folder has been parsed
        :param timeout: seconds
        :return: ids of all DAGs there are, sorted
        :raises AirflowProblem: if DAG files do not import, with the tracebacks; that some other file does not
            import does not matter when all of ``dag_ids`` are there
        :raises NotInTime: if a DAG does not appear
        """
        files = dag_files(self.dags_folder)
        wanted = set(dag_ids or ())
        seen: set[str] = set()
        missing: set[str] = wanted
        changed = time.monotonic()

        def parsed() -> list[str] | None:
            nonlocal seen, missing, changed
            dags = self.dags()
            # The error of a file that is gone is kept for a while.
            errors = [row for row in self.import_errors() if (self.dags_folder / row["filename"]).exists()]
            found = {str(row.get("relative_fileloc") or row.get("filename")) for row in dags + errors}
            if found != seen:
                seen, changed = found, time.monotonic()
            missing = wanted - {dag["dag_id"] for dag in dags}
            all_parsed = files <= seen or time.monotonic() - changed > _QUIET
            if errors and all_parsed and (missing or dag_ids is None):
                texts = [f"{error['filename']}:\n{error['stack_trace'].rstrip()}" for error in errors]
                raise AirflowProblem("DAG files that do not import:\n" + "\n".join(texts))
            done = bool(dags) and all_parsed if dag_ids is None else not missing
            if done and dag_ids is None and files - seen:
                self._progress(f"no DAG in {', '.join(sorted(files - seen))}")
            return sorted(dag["dag_id"] for dag in dags) if done else None

        return self._wait(parsed, timeout, lambda: f"DAGs are missing: {sorted(missing or files - seen)}")

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120.0) -> dict[str, Any]:
        """Wait until a run has ended.

        :param dag_id: the DAG
        :param run_id: the run
        :param timeout: seconds
        :return: the run; its ``state`` is ``success`` or ``failed``
        :raises NotInTime: if it has not ended by then
        """
        run: dict[str, Any] = {}

        def ended() -> dict[str, Any] | None:
            nonlocal run
            run = self.run(dag_id, run_id)
            return run if run["state"] in ENDED_RUN else None

        return self._wait(ended, timeout, lambda: f"run {run_id} of {dag_id} is still {run.get('state')}")

    def wait_for_task(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        states: Collection[str],
        timeout: float = 60.0,
        map_index: int = -1,
    ) -> dict[str, Any]:
        """Wait until a task instance is in one of some states.

        :param dag_id: the DAG
        :param run_id: the run
        :param task_id: the task
        :param states: the states, e.g. ``{"deferred"}``
        :param timeout: seconds
        :param map_index: index of a mapped task's instance, -1 for a task that is not mapped
        :return: the task instance
        :raises NotInTime: if it is in none of them by then
        """
        state: str | None = "not there"

        def reached() -> dict[str, Any] | None:
            nonlocal state
            for instance in self.task_instances(dag_id, run_id):
                if (instance["task_id"], instance["map_index"]) == (task_id, map_index):
                    state = instance["state"]
                    return instance if state in states else None
            return None

        return self._wait(reached, timeout, lambda: f"task {task_id} of {dag_id} is {state}, not {sorted(states)}")

    def _spawn(self, name: str, arguments: Sequence[str]) -> Component:
        if not self._sessions:
            raise AirflowProblem("Airflow is not started")
        log_path = self.home / "logs" / f"{name.translate(_FOR_FILES)}.log"
        # -P: a folder named airflow in the current directory is not Airflow.
        command = [sys.executable, "-P", "-m", "airflow", *arguments]
        with log_path.open("ab") as log:
            begins = log.tell()
            # Airflow writes the user's name beside every heartbeat: so each process has one of its own.
            process = self._sessions.start(command, {**self._env, "LOGNAME": name}, log)
        self.processes[name] = Component(name, log_path, begins, process)
        return self.processes[name]

    def _serves_tasks(self) -> bool | None:
        with suppress(requests.RequestException):
            return self._http.get(f"{self.url}/execution/health", timeout=60).ok or None
        return None

    def _wait(self, probe: Callable[[], _T | None], timeout: float, complaint: Callable[[], str]) -> _T:
        until = time.monotonic() + timeout
        while (found := probe()) is None:
            self.check()
            if time.monotonic() > until:
                raise NotInTime(f"{complaint()} (after {timeout:.0f} s)")
            time.sleep(0.2)
        return found

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            return super()._call(method, path, **request)
        except AirflowProblem:
            # A dead process, where there is one, is the better explanation.
            self.check()
            raise


def command_of(name: str) -> str:
    """Airflow's command of a component, e.g. ``triggerer`` of ``triggerer:2``.

    :param name: the component's name
    """
    return name.partition(":")[0]


def _works(component: Component, job: Mapping[str, Any] | None) -> bool:
    """Tell whether a component works.

    :param component: the component
    :param job: the newest row of Airflow's table of jobs under its name
    """
    command = command_of(component.name)
    if command in _BEATING:
        if job is None:
            return False
        began, beat = (datetime.fromisoformat(job[field]) for field in ("start_date", "latest_heartbeat"))
        return began > component.started and datetime.now(UTC) - beat < _OF_LATE
    return command not in _SAYS or component.has_said(_SAYS[command])


def _reserve_port() -> tuple[int, socket.socket]:
    """Find a free port of 127.0.0.1 and keep it until the API server listens there.

    On Linux a socket that is bound, does not listen and allows its address to be reused keeps others from
    being given the port but lets the server in, now and after a restart. Elsewhere it would keep out the
    server as well.

    :return: the port and the socket to close in the end
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    port: int = reserved.getsockname()[1]
    if sys.platform != "linux":
        reserved.close()
    return port, reserved


def dag_files(folder: Path) -> set[str]:
    """List the files in which Airflow looks for DAGs: those with two words (``dag_discovery_safe_mode``).

    :param folder: the folder, searched with all below it
    :return: their paths relative to the folder
    """
    texts = {path: path.read_bytes().lower() for path in folder.rglob("*.py")}
    return {
        path.relative_to(folder).as_posix() for path, text in texts.items() if b"dag" in text and b"airflow" in text
    }
