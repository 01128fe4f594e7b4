# SPDX-License-Identifier: Apache-2.0
"""Airflow as its public REST API shows it (``/api/v2``): a DAG run seen and steered from outside."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import requests

#: In a path: any DAG, or any run.
ANY = "~"

#: Rows a page; Airflow's own upper limit.
_PAGE = 100

#: Seconds for which a database may be busy.
_BUSY = 60.0

#: Fields of a log event that are placed by hand, or only repeat which task instance the log is of.
_PLACED = {"timestamp", "level", "event", "error_detail", "logger", "filename", "lineno"}
_KNOWN = {"dag_id", "run_id", "task_id", "map_index", "try_number", "ti_id"}


class AirflowProblem(Exception):
    """The local Airflow cannot do what it is there for; the message says what and why."""


class RestError(AirflowProblem):
    """The API refused a request.

    :param status: HTTP status
    :param text: the API's explanation, with method and path
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class AirflowRest:
    """Client of Airflow's REST API when everybody is admin, so that it needs no token.

    Rows are given back as the API documents them.

    :param url: base address of the API server
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = requests.Session()
        # Neither a proxy nor a .netrc has anything to say about a server on 127.0.0.1.
        self._http.trust_env = False

    def log_in(self) -> None:
        """Get a token, as everybody is given one who is admin; older Airflow wants one all the same."""
        answer = self._http.get(f"{self.url}/auth/token", timeout=30)
        answer.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def dags(self) -> list[dict[str, Any]]:
        """List the DAGs that are there now, with their tags and files."""
        return self._list("/dags", "dags", exclude_stale="true")

    def tasks(self, dag_id: str) -> list[dict[str, Any]]:
        """List the tasks of a DAG (``task_id``, ``class_ref``, ``retries``, ...)."""
        tasks: list[dict[str, Any]] = self._call("GET", f"/dags/{_part(dag_id)}/tasks")["tasks"]
        return tasks

    def create_connection(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """Put a connection into Airflow's database, as the form of the web page does.

        :param conn_id: its id
        :param connection: the connection in Airflow's JSON form
        """
        extra = json.dumps(connection.get("extra", {}))
        self._call("POST", "/connections", json={**connection, "connection_id": conn_id, "extra": extra})

    def import_errors(self) -> list[dict[str, Any]]:
        """List the DAG files that do not import (``filename``, ``stack_trace``)."""
        return self._list("/importErrors", "import_errors")

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run.

        An Airflow on SQLite refuses it at times, while others of its processes write; it is asked again then.

        :param dag_id: the DAG
        :param conf: the run's configuration
        :return: the run's id
        """
        now = datetime.now(UTC).isoformat()
        run_id = f"manual__{now}"
        run = {"dag_run_id": run_id, "logical_date": now, "conf": conf or {}}
        until = time.monotonic() + _BUSY
        while True:
            try:
                self._call("POST", f"/dags/{_part(dag_id)}/dagRuns", json=run)
            except RestError as error:
                if error.status != requests.codes.server_error or time.monotonic() > until:
                    raise
                time.sleep(1)
            else:
                return run_id

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Get one run (``state``, ``start_date``, ``end_date``, ...)."""
        run: dict[str, Any] = self._call("GET", _run_path(dag_id, run_id))
        return run

    def runs(self, dag_id: str = ANY) -> list[dict[str, Any]]:
        """List the runs of one DAG, or of all."""
        return self._list(f"/dags/{_part(dag_id)}/dagRuns", "dag_runs", order_by="id")

    def task_instances(self, dag_id: str = ANY, run_id: str = ANY) -> list[dict[str, Any]]:
        """List the task instances of one run, or of all (``task_id``, ``map_index``, ``state``, ...)."""
        return self._list(f"{_run_path(dag_id, run_id)}/taskInstances", "task_instances", order_by="id")

    def events(self, event: str | None, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """List what Airflow's audit log has of a run (``when``, ``event``, ``task_id``, ``map_index``, ``extra``, ...).

        :param event: what happened, e.g. ``state mismatch``; whatever did if None
        :param dag_id: the DAG
        :param run_id: its run
        """
        return self._list("/eventLogs", "event_logs", event=event, dag_id=dag_id, run_id=run_id, order_by="id")

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Get one XCom.

        :param dag_id: the DAG
        :param run_id: its run
        :param task_id: the task that pushed it
        :param key: its key
        :param map_index: index of a mapped task's instance, -1 for a task that is not mapped
        :return: the value; None if there is no such XCom
        """
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/xcomEntries/{_part(key)}"
        try:
            value = self._call("GET", path, params={"map_index": map_index})["value"]
        except RestError as error:
            if error.status == requests.codes.not_found:
                return None
            raise
        try:
            # The API hands out what is in the database, which is the JSON text of the value.
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return value

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1) -> str:
        """Get the log of one try as text: a line an event, and the traceback of an exception."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/logs/{try_number}"
        answer = self._call("GET", path, params={"map_index": map_index, "full_content": "true"})
        return "\n".join(_log_line(event) for event in answer["content"])

    def extra_links(self, dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> dict[str, str | None]:
        """Get the task instance's extra links: name -> address."""
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/links"
        links: dict[str, str | None] = self._call("GET", path, params={"map_index": map_index})["extra_links"]
        return links

    def clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Clear task instances of a run so that they run again.

        :param dag_id: the DAG
        :param run_id: its run
        :param task_ids: the tasks; all if None
        :param options: further fields of the API's ClearTaskInstancesBody, such as ``include_downstream``
        :return: the cleared task instances
        """
        body: dict[str, Any] = {"dry_run": False, "only_failed": False, "dag_run_id": run_id, **options}
        if task_ids is not None:
            body["task_ids"] = list(task_ids)
        cleared: list[dict[str, Any]] = self._call("POST", f"/dags/{_part(dag_id)}/clearTaskInstances", json=body)[
            "task_instances"
        ]
        return cleared

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str, map_index: int = -1) -> None:
        """Mark a task instance, as the button of the web page does.

        :param dag_id: the DAG
        :param run_id: its run
        :param task_id: the task
        :param state: ``success``, ``failed`` or ``skipped``
        :param map_index: index of a mapped task's instance, -1 for a task that is not mapped
        """
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}"
        if map_index >= 0:
            path += f"/{map_index}"
        self._call("PATCH", path, json={"new_state": state})

    def required_actions(self, dag_id: str = ANY, run_id: str = ANY) -> list[dict[str, Any]]:
        """List what tasks ask people, and the answers (``subject``, ``body``, ``response_received``, ...)."""
        return self._list(f"{_run_path(dag_id, run_id)}/hitlDetails", "hitl_details")

    def respond(
        self, dag_id: str, run_id: str, task_id: str, option: str, fields: dict[str, Any], map_index: int = -1
    ) -> None:
        """Answer what a task asks, as the button of the web page does.

        :param dag_id: the DAG
        :param run_id: its run
        :param task_id: the task
        :param option: the option that is chosen
        :param fields: what is filled in
        :param map_index: index of a mapped task's instance, -1 for a task that is not mapped
        """
        path = f"{_run_path(dag_id, run_id)}/taskInstances/{_part(task_id)}/{map_index}/hitlDetails"
        self._call("PATCH", path, json={"chosen_options": [option], "params_input": fields})

    def jobs(self) -> list[dict[str, Any]]:
        """List the schedulers, triggerers and DAG processors of all times (``latest_heartbeat``, ...), oldest first."""
        return self._list("/jobs", "jobs", order_by="id")

    def _list(self, path: str, field: str, **params: Any) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            answer = self._call("GET", path, params={**params, "limit": _PAGE, "offset": len(rows)})
            rows += answer[field]
            if not answer[field] or len(rows) >= answer["total_entries"]:
                return rows

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            answer = self._http.request(method, f"{self.url}/api/v2{path}", timeout=30, **request)
        except requests.RequestException as error:
            raise AirflowProblem(f"Airflow's API server does not answer: {error}") from error
        if not answer.ok:
            text = f"{method} {path}: HTTP {answer.status_code}: {answer.text[:2000]}"
            raise RestError(answer.status_code, text)
        return answer.json()


def _part(text: str) -> str:
    return quote(text, safe=ANY)


def _run_path(dag_id: str, run_id: str) -> str:
    return f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}"


def _log_line(event: str | dict[str, Any]) -> str:
    if isinstance(event, str):
        return event
    head = [str(event[name]) for name in ("timestamp", "level") if event.get(name)]
    fields = [f"{name}={event[name]}" for name in event if name not in _PLACED | _KNOWN]
    lines = [" ".join([*head, event["event"], *fields])]
    for error in event.get("error_detail") or []:
        frames = error.get("frames") or []
        lines += [f"  {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in frames]
        lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return "\n".join(lines)
