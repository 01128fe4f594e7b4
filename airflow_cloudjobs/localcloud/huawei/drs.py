# SPDX-License-Identifier: Apache-2.0
"""Data Replication Service v5: import of the object template of a synchronization task.

Progress belongs to the task and not to the upload: for a moment after a new upload the earlier import is
still reported (``Settings.stale_seconds``). ``process_status`` is left out while an import is under way,
because the documented values are ``success`` and ``failed`` only.
"""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.multipart import parts
from airflow_cloudjobs.localcloud.huawei.rest import answer, binary, number, one_of
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

API = "drs.object_template"
#: Tasks that exist without having been created.
DEMO_PREFIX = "drs-demo-"
NO_TASK = "DRS.10000010"
NO_TASK_MESSAGE = "Job does not exist, please check job ID."

_BAD_VALUE = "DRS.M00202"
_LARGEST_FILE = 5 * 1024 * 1024
_LARGEST_ZIP = 1024 * 1024
_FILES = (".xls", ".xlsx", ".json", ".txt", ".zip")
_LEVELS = ("table", "database", "column", "partition", "compare_key")
_MAPPINGS = ("table_mapping", "topic_mapping")
_RESULTS = ("detail", "synchronized", "change", "compare", "compare_key_detail")
_JOB_TYPES = ("migration", "sync", "cloudDataGuard", "replay")
_DETAILS = (
    "overview",
    "detail",
    "network",
    "precheck",
    "progress",
    "log",
    "compare",
    "file",
    "is_writable",
    "cloud_connection",
    "diagnosis",
    "diagnosis_history",
    "repair_progress",
    "repair_detail",
    "repair_export_status",
    "db_table_details",
)
_MOST = 2**31 - 1


def upload_db_object_template(call: Call) -> Answer:
    """UploadDbObjectTemplate: upload the template of a task, which is then parsed in the background."""
    key = _task(call)
    for name, allowed in (("file_import_db_level", _LEVELS), ("file_import_mapping_type", _MAPPINGS)):
        if call.parameters.get(name):
            one_of(call, name, allowed, _BAD_VALUE)
    form = parts(call.received.header("content-type"), call.received.body)
    if form is None:
        raise Refused(400, _BAD_VALUE, "The request body is not multipart/form-data.")
    files = [part for part in form if part.name == "file" and part.file_name]
    if len(files) != 1:
        raise Refused(400, _BAD_VALUE, "The form needs exactly one part named file.")
    name, size = files[0].file_name, files[0].size
    if not name.lower().endswith(_FILES):
        raise Refused(400, _BAD_VALUE, f"The file type is not supported: {name}. Use {', '.join(_FILES)}.")
    limit = _LARGEST_ZIP if name.lower().endswith(".zip") else _LARGEST_FILE
    if not 0 < size <= limit:
        raise Refused(400, _BAD_VALUE, f"The file {name} has {size} bytes; 1 to {limit} are allowed.")
    fields = {
        "file_name": name,
        "file_size": size,
        "file_import_db_level": call.parameters.get("file_import_db_level", "table"),
    }
    call.state.submit(API, key, fields, call.state.script(API, name))
    return answer(call, {"send_success": True})


def show_db_object_template_progress(call: Call) -> Answer:
    """ShowDbObjectTemplateProgress: how far the parsing of the last template is."""
    key = _task(call)
    for name in ("offset", "limit"):
        number(call, name, 0, 0, _MOST, _BAD_VALUE)
    now = call.now
    job = call.state.jobs.get(API, key)
    if job is None:
        if call.state.settings.drs_no_import == NO_TASK:
            raise _no_task()
        return answer(call, {"send_success": False})
    if job.previous is not None and job.age(now) < call.state.settings.stale_seconds:
        job = job.previous
    status = call.status(job, now)
    progress: dict[str, Any] = {"send_success": True}
    if status is not None or call.forced is not None:
        progress["process_status"] = status
    rows = int(int(job.fields.get("rows", 120)) * job.progress(now))
    progress["parsed_success_number"] = str(rows)
    return answer(call, progress)


def show_db_object_template_result(call: Call) -> Answer:
    """ShowDbObjectTemplateResult: the last template with its errors marked, as a file."""
    key = _task(call)
    kind = one_of(call, "type", _RESULTS, _BAD_VALUE)
    job = call.state.jobs.get(API, key)
    if job is None or not job.ended(call.now):
        raise Refused(400, "DRS.10030008", "Failed to download the file.")
    # Of a workbook the file itself, of anything else a zip.
    workbook = str(job.fields.get("file_name", "")).lower().endswith((".xls", ".xlsx"))
    names = ("[Content_Types].xml", "xl/workbook.xml") if workbook else ("result.txt",)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, job.script.reason or "all rows imported\n")
    return binary(call, packed.getvalue(), f"{key}_{kind}.{'xlsx' if workbook else 'zip'}")


def list_jobs(call: Call) -> Answer:
    """ListJobs: the tasks of the project; those of this server synchronize."""
    kind = one_of(call, "job_type", _JOB_TYPES, _BAD_VALUE)
    offset = number(call, "offset", 0, 0, _MOST, _BAD_VALUE)
    limit = number(call, "limit", 10, 1, 1000, _BAD_VALUE)
    tasks = list(call.state.drs_tasks.items()) if kind == "sync" else []
    page = [_listed(key, created) for key, created in tasks[offset : offset + limit]]
    return answer(call, {"total_count": len(tasks), "jobs": page})


def show_job_detail(call: Call) -> Answer:
    """ShowJobDetail: one task; ``type=file`` tells the limits of an import, the other types the overview."""
    key = _task(call)
    kind = one_of(call, "type", _DETAILS, _BAD_VALUE)
    job: Job | None = call.state.jobs.get(API, key)
    created = call.state.drs_tasks.setdefault(key, job.started if job else call.now)
    detail: dict[str, Any] = {
        "id": key,
        "status": "CONFIGURATION",
        "create_time": _time(created),
        "base_info": {
            "name": key,
            "job_type": "sync",
            "engine_type": "oracle-to-gaussdbv5",
            "job_direction": "up",
            "task_type": "FULL_INCR_TRANS",
            "net_type": "vpc",
            "description": "",
        },
    }
    if kind == "file":
        detail["support_import_file_resp"] = {"file_size": "5", "previous_select": "false"}
    return answer(call, {"job": detail})


_JOBS = "/v5/{project_id}/jobs"
_TEMPLATE = _JOBS + "/{job_id}/db-object/template"
ROUTES = (
    (
        "GET",
        _TEMPLATE + "/progress",
        Operation("huawei", "drs", "ShowDbObjectTemplateProgress", "poll", show_db_object_template_progress, API),
    ),
    (
        "POST",
        _TEMPLATE,
        Operation("huawei", "drs", "UploadDbObjectTemplate", "submit", upload_db_object_template, API),
    ),
    (
        "GET",
        _TEMPLATE + "/result",
        Operation("huawei", "drs", "ShowDbObjectTemplateResult", "read", show_db_object_template_result, API),
    ),
    ("GET", _JOBS, Operation("huawei", "drs", "ListJobs", "read", list_jobs)),
    ("GET", _JOBS + "/{job_id}", Operation("huawei", "drs", "ShowJobDetail", "read", show_job_detail)),
)


def exists(call: Call, key: str) -> bool:
    """Whether there is a task of this key; a task for demos begins to be when it is first asked for.

    :param call: the call.
    :param key: the task's key.
    """
    if key.startswith(DEMO_PREFIX):
        call.state.drs_tasks.setdefault(key, call.now)
    return key in call.state.drs_tasks


def _task(call: Call) -> str:
    key = call.path["job_id"]
    call.keys.append(key)
    if not exists(call, key):
        raise _no_task()
    return key


def _no_task() -> Refused:
    return Refused(400, NO_TASK, NO_TASK_MESSAGE)


def _listed(key: str, created: float) -> dict[str, Any]:
    return {
        "id": key,
        "name": key,
        "status": "CONFIGURATION",
        "description": "",
        "create_time": _time(created),
        "engine_type": "oracle-to-gaussdbv5",
        "net_type": "vpc",
        "charging_mode": "on_demand",
        "billing_tag": False,
        "job_direction": "up",
        "job_type": "sync",
        "task_type": "FULL_INCR_TRANS",
        "enterprise_project_id": "0",
        "job_mode": "single",
        "is_multi_az": False,
        "node_new_framework": False,
        "children": [],
    }


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
