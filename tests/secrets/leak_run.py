# SPDX-License-Identifier: Apache-2.0
"""Runs the tasks once on a real Airflow and looks everywhere, while they wait and afterwards."""

from __future__ import annotations

import base64
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from leak_cases import SIGNATURE, SQL, VARIABLES, make_jobs, write_dag
from leak_search import Searcher
from support.proxy import PASSWORD, USER, Proxy

from airflow_cloudjobs.demo.local_airflow import ENDED_RUN, LocalAirflow
from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.localcloud.accounts import HUAWEI_SECRET, IAM_PASSWORD

HIDDEN = "cloud.invalid"
WRONG = "wr0ng-c4nary-secret"
#: Tables whose rows are gone when all is over.
_PASSING = ("trigger", "task_instance", "xcom", "rendered_task_instance_fields", "task_state_store")
#: Seconds in which all tasks have to end, however busy the machine is.
PATIENCE = 280.0


@dataclass
class Outcome:
    """What came of the run.

    :param states: by task.
    :param logs: by task, as the web page shows them.
    :param search: what was looked at and found.
    :param deferred: how many triggers were looked at while they waited.
    :param proxied: how many requests went through the proxy.
    :param events: how many events OpenLineage has told.
    :param seconds: how long it took.
    """

    search: Searcher
    states: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    deferred: int = 0
    proxied: int = 0
    events: int = 0
    seconds: float = 0.0


def run_leaks(folder: Path) -> Outcome:
    """Run everything once.

    :param folder: an empty folder for DAG files and Airflow's home.
    """
    began = time.monotonic()
    with LocalCloud(job_seconds=1.5) as cloud, Proxy({HIDDEN: (cloud.host, cloud.port)}) as proxy:
        connections, secrets = _connections(cloud, proxy)
        outcome = Outcome(Searcher(secrets))
        scripts = make_jobs(cloud.control)
        write_dag(folder / "dags")
        fernet_key = base64.urlsafe_b64encode(b"0123456789abcdef" * 2).decode()
        env = {f"AIRFLOW_VAR_{name.upper()}": value for name, value in VARIABLES.items()}
        env |= {
            "AIRFLOW__CORE__FERNET_KEY": fernet_key,
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__PARALLELISM": "6",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            # What OpenLineage tells others is looked at with all other files.
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps({"type": "file", "log_file_path": f"{folder}/home/event"}),
            "AIRFLOW__OPENLINEAGE__INCLUDE_FULL_TASK_INFO": "True",
        }
        in_environment = {name: value for name, value in connections.items() if name.endswith("environment")}
        with LocalAirflow(folder / "dags", home=folder / "home", connections=in_environment, env=env) as airflow:
            web = _Web(airflow, outcome.search)
            for name in connections.keys() - in_environment.keys():
                web.create_connection(name, connections[name])
            airflow.wait_for_dags(["leaks"], timeout=120)
            run_id = airflow.trigger("leaks")
            _watch(airflow, run_id, cloud.control, scripts, outcome, fernet_key)
            web.look_at_everything(run_id, outcome)
            for name, connection in connections.items():
                web.test_connection(name, connection)
            outcome.search.tables(airflow.home / "airflow.db", fernet_key)
        outcome.proxied = len(proxy.passed)
        outcome.search.files(folder / "home")
        outcome.events = len(list((folder / "home").glob("event-*")))
    outcome.seconds = time.monotonic() - began
    return outcome


def _connections(cloud: LocalCloud, proxy: Proxy) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """All connections, and the secrets in them."""
    key = cloud.control.issue_credentials("alibaba")
    by_name: dict[str, dict[str, Any]] = {}
    for where in ("environment", "database"):
        sts = cloud.alibaba_connection(auth="sts", security_token=key["security_token"], proxy=proxy.url())
        right = {
            "alibaba": {**sts, "login": key["access_key"], "password": key["secret"]},
            "huawei": cloud.huawei_connection("token" if where == "environment" else "aksk", proxy=proxy.url()),
        }
        for which, connection in right.items():
            by_name[f"{which}_{where}"] = {**connection, "host": HIDDEN}
            by_name[f"{which}_wrong_{where}"] = {**connection, "host": HIDDEN, "password": WRONG}
    return by_name, {
        "the temporary secret": key["secret"],
        "the security token": key["security_token"],
        "the IAM password": IAM_PASSWORD,
        "the SK": HUAWEI_SECRET,
        "a wrong secret": WRONG,
        "an IAM token": "MIILOCAL",
        "the proxy's password": PASSWORD,
        "the proxy's header": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
        "a signature of ours": SIGNATURE,
        "a signed address of the cloud": "Signature=",
        "the SQL": SQL,
    }


def _watch(
    airflow: LocalAirflow,
    run_id: str,
    control: Control,
    scripts: dict[tuple[str, str], dict[str, Any]],
    outcome: Outcome,
    fernet_key: str,
) -> None:
    """Look at what is stored until the run has ended; give jobs their end once somebody has looked at them."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for job in control.jobs():
            place = (job["api"], job["key"])
            if job["polls"] and place in scripts:
                control.set_script(*place, **scripts.pop(place))
        waiting = [row for row in airflow.task_instances("leaks", run_id) if row["state"] == "deferred"]
        outcome.deferred = max(outcome.deferred, len(waiting))
        if waiting:
            outcome.search.tables(airflow.home / "airflow.db", fernet_key, _PASSING)
            outcome.search.look_at("api deferred", waiting)
        if airflow.run("leaks", run_id)["state"] in ENDED_RUN:
            return
        time.sleep(0.5)


class _Web:
    """All that the web page can show.

    :param airflow: where.
    :param search: looks at each answer.
    """

    def __init__(self, airflow: LocalAirflow, search: Searcher) -> None:
        self._airflow = airflow
        self._search = search
        self._http = requests.Session()
        self._http.trust_env = False

    def create_connection(self, name: str, connection: dict[str, Any]) -> None:
        """Store a connection, as the form does."""
        self._ask("POST", "connections", json=_body(name, connection))

    def test_connection(self, name: str, connection: dict[str, Any]) -> None:
        """Press the button."""
        self._ask("POST", "connections/test", json=_body(name, connection))

    def look_at_everything(self, run_id: str, outcome: Outcome) -> None:
        """Tasks with their rendered fields, their results and logs; connections, DAGs, events."""
        run = f"dags/leaks/dagRuns/{quote(run_id, safe='')}"
        for row in self._ask("GET", f"{run}/taskInstances", params={"limit": 100})["task_instances"]:
            task = f"{run}/taskInstances/{row['task_id']}"
            outcome.states[row["task_id"]] = row["state"]
            self._ask("GET", task)
            for part in ("links", "tries", "dependencies"):
                self._ask("GET", f"{task}/{part}")
            for entry in self._ask("GET", f"{task}/xcomEntries")["xcom_entries"]:
                self._ask("GET", f"{task}/xcomEntries/{entry['key']}")
            outcome.logs[row["task_id"]] = self._airflow.log("leaks", run_id, row["task_id"])
            self._search.look(f"api log of {row['task_id']}", outcome.logs[row["task_id"]].encode())
        for path in ("connections", "dags/leaks/details", "dags/leaks/tasks", "dagSources/leaks", "eventLogs", run):
            with suppress(requests.HTTPError):  # not every version has each of them
                self._ask("GET", path)
        for row in self._ask("GET", "connections")["connections"]:
            self._ask("GET", f"connections/{row['connection_id']}")

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        answer = self._http.request(method, f"{self._airflow.url}/api/v2/{path}", timeout=60, **request)
        answer.raise_for_status()
        self._search.look(f"api {method} {path}", answer.content)
        return answer.json()


def _body(name: str, connection: dict[str, Any]) -> dict[str, Any]:
    return {**connection, "connection_id": name, "extra": json.dumps(connection["extra"])}
