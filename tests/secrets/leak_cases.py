# SPDX-License-Identifier: Apache-2.0
"""The tasks through which secrets pass: every API in every mode, to both ends, with every kind of connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.jobapis import BY_ID

from airflow_cloudjobs.localcloud import Control

SIGNATURE = "C4nary%2FS1gnature%3D"
SQL = "c4nary.iban_of_everybody"

_SIGNED = "https://files.invalid/{name}?OSSAccessKeyId=LTAI5tX&Expires=1900000000&Signature=" + SIGNATURE
#: Airflow variables; a literal in a DAG file is stored with the file.
VARIABLES = {
    "signed_success": _SIGNED.format(name="good.mp4"),
    "signed_failure": _SIGNED.format(name="missing.mp4"),
    "sql_success": f"SELECT * FROM people WHERE name = '{SQL}'",  # noqa: S608  a constant
    "sql_failure": f"SELECT * FROM people WHERE name = '{SQL}' -- localcloud=fail",  # noqa: S608  a constant
    "sql_refused": f"FORSELECT {SQL}",
}

#: What an operator is told, and then a sensor; ``{end}`` and ``{key}`` are filled in.
_TOLD: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "dms.file_upload": (
        {"file_name": "a.sql", "file_source": "datacorrect", "upload_url": "{{ var.value.signed_{end} }}"},
        {"job_key": "{key}"},
    ),
    "dms.data_track_export": (
        {"order_id": "{key}", "rollback_sql_type": "REVERSE", "filter_table_list": ["{end}"]},
        {"order_id": "{key}", "download_key_id": "{key}"},
    ),
    "ice.url_upload": (
        {"upload_urls": "{{ var.value.signed_{end} }}"},
        {"job_ids": "{key}"},
    ),
    "dli.sql_job": (
        {"sql": "{{ var.value.sql_{end} }}"},
        {"job_id": "{key}"},
    ),
    "drs.object_template": (
        {"job_id": "{key}", "file_path": "{folder}/{end}.json"},
        {"job_id": "{key}"},
    ),
}

_MODES: dict[str, tuple[bool, dict[str, Any]]] = {
    "blocking": (True, {"deferrable": False, "poll_interval": 1}),
    "deferrable": (True, {"deferrable": True, "poll_interval": 1}),
    "poke": (False, {"mode": "poke", "poke_interval": 1, "timeout": 120}),
    # Shorter than a busy scheduler takes to hear of the end of a look, Airflow looks twice at the same time.
    "reschedule": (False, {"mode": "reschedule", "poke_interval": 10, "timeout": 120}),
    "deferrable_sensor": (False, {"deferrable": True, "poke_interval": 1, "timeout": 120}),
}


@dataclass(frozen=True)
class Case:
    """One task.

    :param api: the API's id.
    :param mode: how it waits.
    :param end: ``success`` or ``failure``, of its job and so of the task.
    :param connection: which connection it uses, without the cloud's prefix.
    :param wait: seconds that its job lives once somebody has looked at it.
    """

    api: str
    mode: str
    end: str
    connection: str
    more: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def task_id(self) -> str:
        return f"{self.api}.{self.mode}.{self.end}.{self.connection}".replace(".", "-")

    @property
    def cloud(self) -> str:
        return "huawei" if self.api.startswith(("dli", "drs")) else "alibaba"

    @property
    def submits(self) -> bool:
        return _MODES[self.mode][0]

    @property
    def key(self) -> str:
        if self.api == "dms.data_track_export":
            return str(4000 + sum(map(ord, self.task_id)))
        return self.task_id

    def as_task(self, folder: Path) -> dict[str, Any]:
        """The class and its arguments, for the DAG file."""
        api, (submitting, waiting) = BY_ID[self.api], _TOLD[self.api]
        told = json.dumps({**(submitting if self.submits else waiting), **self.more})
        for mark, value in (("{end}", self.end), ("{key}", self.key), ("{folder}", str(folder))):
            told = told.replace(mark, value)
        cls = api.operator if self.submits else api.sensor
        conn_id = "huaweicloud_conn_id" if self.cloud == "huawei" else "alibabacloud_conn_id"
        arguments = {
            "task_id": self.task_id,
            conn_id: f"{self.cloud}_{self.connection}",
            **json.loads(told),
            **_MODES[self.mode][1],
        }
        return {"class": f"{cls.__module__}.{cls.__qualname__}", "arguments": arguments}


def _cases() -> Iterator[Case]:
    for row, api in enumerate(_TOLD):
        for column, mode in enumerate(_MODES):
            number = row + column
            yield Case(api, mode, ("success", "failure")[number % 2], ("environment", "database")[number // 2 % 2])
    for where in ("environment", "database"):
        yield Case("dms.file_upload", "blocking", "failure", f"wrong_{where}")
        yield Case("ice.url_upload", "deferrable_sensor", "failure", f"wrong_{where}")
        yield Case("dli.sql_job", "deferrable", "failure", f"wrong_{where}")
        yield Case("drs.object_template", "poke", "failure", f"wrong_{where}")
    yield Case("dli.sql_job", "blocking", "failure", "environment", {"sql": "{{ var.value.sql_refused }}"})
    yield Case("dms.data_track_export", "deferrable", "success", "database", {"include_download_url": False})


CASES = tuple({case.task_id: case for case in _cases()}.values())


def make_jobs(control: Control) -> dict[tuple[str, str], dict[str, Any]]:
    """Make the jobs that are waited for and not submitted.

    :return: by API and key the script that each is to get once somebody has looked at it.
    """
    scripts: dict[tuple[str, str], dict[str, Any]] = {}
    for case in CASES:
        if case.submits:
            if case.api == "drs.object_template":
                control.create_job("drs.job", case.key)
            continue
        fields: dict[str, Any] = {"UploadURL": VARIABLES[f"signed_{case.end}"]} if case.cloud == "alibaba" else {}
        if case.api == "dms.data_track_export":
            fields = {"OrderId": int(case.key)}
        control.create_job(case.api, case.key, "forever", fields=fields)
        script: dict[str, Any] = {"end": "success" if case.end == "success" else "fail", "seconds": 1.5}
        if case.end == "failure" and case.api != "drs.object_template":
            script["reason"] = f"GET {VARIABLES['signed_failure']} answered 403"
        scripts[case.api, case.key] = script
    for api in ("dms.data_track_export", "drs.object_template"):
        control.plan(api, "fail", match="failure", count=None)
    return scripts


def write_dag(folder: Path) -> None:
    """Write the tasks beside the DAG file that makes them, and the files that they upload."""
    folder.mkdir()
    for end in ("success", "failure"):
        (folder / f"{end}.json").write_text('{"tables": ["orders"]}')
    source = Path(__file__).parent / "dags" / "leaks.py"
    (folder / source.name).write_text(source.read_text())
    (folder / "leaks.json").write_text(json.dumps([case.as_task(folder) for case in CASES]))
