# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud Data Replication Service (DRS, v5): import of an object template."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.hook import CALL_PATIENCE
from airflow_cloudjobs.huawei.base import HuaweiOperator, HuaweiSensor
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.job_api import Call, JobApi
from airflow_cloudjobs.jobs.outcome import JOB_ENDS
from airflow_cloudjobs.jobs.request import ApiRequest, FormFile, path_part
from airflow_cloudjobs.jobs.spec import Scope
from airflow_cloudjobs.save_to import SavesFile

if TYPE_CHECKING:
    from airflow_cloudjobs.download import Received

ENDINGS = (".xls", ".xlsx", ".json", ".txt", ".zip")
ZIPPED_ENDINGS = (".json", ".txt")
MOST_BYTES = 5 * 1024 * 1024
MOST_ZIP_BYTES = 1024 * 1024
MOST_UNZIPPED_BYTES = 20 * 1024 * 1024
DB_LEVELS = ("table", "database", "column", "partition", "compare_key")
MAPPING_TYPES = ("table_mapping", "topic_mapping")


IMPORT = JobApi(
    "drs.object_template",
    "drs",
    title="DRS object template import",
    source="https://support.huaweicloud.com/intl/en-us/api-drs/drs_03_0173.html",
    submit=Call(
        "UploadDbObjectTemplate POST /v5/{project_id}/jobs/{job_id}/db-object/template",
        query={
            "file_import_db_level": "{file_import_db_level?}",
            "file_import_mapping_type": "{file_import_mapping_type?}",
        },
    ),
    # An import has no key of its own: it is known by the DRS job it is for.
    key="{job_id}",
    refused={"send_success": "false"},
    poll=Call(
        "ShowDbObjectTemplateProgress GET /v5/{project_id}/jobs/{key}/db-object/template/progress",
        query={"type": "{type?}"},
    ),
    status="process_status",
    # Only the two ends are documented. Until one is there the field is absent; a sibling operation says pending, and
    # the other words cost nothing.
    running=("", "pending", "processing", "parsing", "running"),
    succeeded="success",
    failed="failed",
    case_sensitive=True,
    reason="error_code error_msg",
    progress="{parsed_success_number} rows parsed",
    counts="parsed_success_number",
    interval=10,
    console="https://console.huaweicloud.com/drs/?region={region}#/drs/synchronization/list",
)
_import = compiled(IMPORT)


def _submit(*, file_path: str, **arguments: Any) -> ApiRequest:
    file = FormFile("file", os.path.basename(file_path), _read(file_path))
    return replace(_import.submit(**arguments), file=file, lax=False)


def _read(path: str) -> bytes:
    """A template's content; raises ``InvalidArgument`` for a file that DRS would not take."""
    if not os.path.isfile(path):
        raise _refused(f"is {path!r}; there is no such file on this worker")
    zipped = path.lower().endswith(".zip")
    most = MOST_ZIP_BYTES if zipped else MOST_BYTES
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not 0 < size <= most:
                raise _refused(f"is a file of {size} bytes; allowed are 1 to {most}")
            content = file.read()
    except PermissionError:
        raise _refused(f"is {path!r}; this worker may not read it") from None
    if zipped:
        _check_zip(path, content)
    return content


def _check_zip(path: str, content: bytes) -> None:
    """DRS looks for one template in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile:
        raise _refused(f"is {path!r}, which is not a zip file") from None
    names = [info.filename for info in members]
    if len(members) != 1 or not names[0].lower().endswith(ZIPPED_ENDINGS):
        raise _refused(f"is a zip of {names}; it must hold exactly one .json or .txt file")
    if (size := members[0].file_size) > MOST_UNZIPPED_BYTES:
        raise _refused(f"is a zip of {size} bytes of content; allowed are {MOST_UNZIPPED_BYTES}")


def _refused(problem: str) -> InvalidArgument:
    return InvalidArgument(OBJECT_TEMPLATE.title, "file_path", problem)


def _poll(keys: Sequence[str], scope: Scope) -> ApiRequest:
    # Imports of column processing have a progress of their own.
    return _import.poll(keys, {"type": "column"} if scope.get("file_import_db_level") == "column" else {})


OBJECT_TEMPLATE = replace(
    _import,
    submit=_submit,
    parameters=(*_import.parameters, "file_path"),
    poll=_poll,
    scope=("file_import_db_level",),
)


def marked_template(job_id: str, level: str | None) -> ApiRequest:
    """The request for the template that was last uploaded to a job, with its errors marked, as a file.

    Source: ShowDbObjectTemplateResult. Imports take 5 MB at most, so this is no big one either.

    :param job_id: the DRS job.
    :param level: what the template lists; templates of columns have a result of their own.
    """
    path = f"/v5/{{project_id}}/jobs/{path_part('job_id', job_id)}/db-object/template/result"
    column = {"file_export_object_level": "column"} if level == "column" else {}
    return ApiRequest(
        "drs",
        "ShowDbObjectTemplateResult",
        "GET",
        path,
        query={"type": "detail", **column},
        idempotent=True,
        raw=True,
    )


class _SavesTemplate(SavesFile):
    """A task that saves the template with its errors marked, of imports that failed above all."""

    fetched_after = JOB_ENDS
    file_import_db_level: str | None

    def _fetch_file(self, key: str, received: Received) -> str:
        request = marked_template(key, self.file_import_db_level)
        content: Any = self.hook.call_for_job(request, patience=CALL_PATIENCE)
        received.add(content)
        return ""


class DrsObjectTemplateOperator(_SavesTemplate, HuaweiOperator):
    """Upload an object template to a DRS synchronization job, and wait until DRS has parsed it.

    DRS tells the progress by its job and not by the upload, so an end that was shown before the upload is not
    believed right after it. An import cannot be cancelled. DRS does not offer its API v5 in every region; where it is
    missing the call fails with ``APIGW.0101``.
    Sources: UploadDbObjectTemplate (drs_03_0172), ShowDbObjectTemplateProgress (drs_03_0173),
    ShowDbObjectTemplateResult.

    :param job_id: the DRS job (Oracle to GaussDB distributed, GaussDB for MySQL to Kafka, MySQL to Kafka).
    :param file_path: the template on the worker: ``.xls``, ``.xlsx``, ``.json`` or ``.txt`` up to 5 MB, or a
        ``.zip`` up to 1 MB of exactly one ``.json`` or ``.txt`` up to 20 MB.
    :param file_import_db_level: what the template lists: ``table`` (DRS's default), ``database``, ``column``,
        ``partition`` or ``compare_key``. None leaves it to DRS.
    :param file_import_mapping_type: ``table_mapping`` or ``topic_mapping``; None leaves it to DRS.
    :param save_to: where to save the template with its errors marked, after a failed import too, as Airflow's
        ``ObjectStoragePath`` takes it: an absolute path on the worker, ``file:///…``, ``s3://conn_id@bucket/…``, …
        It is a file's path, or a folder's if it ends with ``/``: then the file is called by the job and what it is
        (``JOB_ID.xlsx``, ``.zip``, …). A file that is there is replaced. None saves nothing.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    spec = OBJECT_TEMPLATE
    key_argument = "job_id"
    reads = ("file_path",)

    def __init__(
        self,
        *,
        job_id: str,
        file_path: str,
        file_import_db_level: str | None = None,
        file_import_mapping_type: str | None = None,
        save_to: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.file_path = file_path
        self.file_import_db_level = file_import_db_level
        self.file_import_mapping_type = file_import_mapping_type
        self.save_to = save_to

    @property
    def _adopts(self) -> bool:
        # The key names the DRS job that the template is for, so it is always given.
        return False

    def check(self, arguments: Arguments) -> None:
        """The limits that the API's pages give; the file is looked at when it is about to be sent."""
        arguments.required("job_id", "file_path")
        arguments.is_text("job_id", "file_path")
        arguments.keys("job_id")
        arguments.ends_with("file_path", ENDINGS)
        arguments.one_of("file_import_db_level", DB_LEVELS)
        arguments.one_of("file_import_mapping_type", MAPPING_TYPES)
        self._check_save_to(arguments)


class DrsObjectTemplateSensor(_SavesTemplate, HuaweiSensor):
    """Wait until DRS has parsed the object template that was last uploaded to a job.

    Nothing tells a sensor which upload an end belongs to: begin it after the upload.
    Source: ShowDbObjectTemplateProgress (drs_03_0173).

    :param job_id: the DRS job, or several.
    :param file_import_db_level: ``column`` waits for a template of column processing; None for any other.
    :param save_to: where to save the template with its errors marked, after a failed import too, as Airflow's
        ``ObjectStoragePath`` takes it: an absolute path on the worker, ``file:///…``, ``s3://conn_id@bucket/…``, …
        It is a file's path, or a folder's if it ends with ``/``: then the file is called by the job and what it is
        (``JOB_ID.xlsx``, ``.zip``, …); several jobs need a folder. A file that is there is replaced. None
        saves nothing.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    spec = OBJECT_TEMPLATE
    key_argument = "job_id"

    def __init__(
        self,
        *,
        job_id: str | Sequence[str],
        file_import_db_level: str | None = None,
        save_to: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.file_import_db_level = file_import_db_level
        self.save_to = save_to

    def check(self, arguments: Arguments) -> None:
        """A key is needed."""
        arguments.required("job_id")
        arguments.keys("job_id")
        arguments.one_of("file_import_db_level", DB_LEVELS)
        self._check_save_to(arguments)
