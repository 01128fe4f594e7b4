# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud Data Lake Insight (DLI, v1.0): SQL jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_cloudjobs.huawei.base import HuaweiOperator, HuaweiSensor
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.identity import MARKER, Identity
from airflow_cloudjobs.jobs.job_api import Call, Find, JobApi
from airflow_cloudjobs.jobs.many import is_sequence
from airflow_cloudjobs.jobs.request import ApiRequest, as_text
from airflow_cloudjobs.jobs.spec import Listing, Record, Scope

ASYNC = "dli.sql.sqlasync.enabled"
"""The setting without which DLI runs DDL while the submit waits, and breaks it off after two minutes."""

ENGINES = ("spark", "hetuEngine")
_TAG = re.compile(r"(?! )[\w .:=+@-]*(?<! )")
"""What the vendor's page allows for a tag's key and value."""
_CLOUDS_OWN = re.compile(r"^_sys_")
"""How the keys of the cloud's own tags begin."""
_NAME = re.compile(r"(?!_)(?![0-9]+$)[A-Za-z0-9_]{1,128}")


def _settings(conf: Mapping[str, Any] | Sequence[str] | None) -> dict[str, str]:
    if isinstance(conf, Mapping):
        return {str(name): as_text(value) for name, value in conf.items() if value is not None}
    return {name.strip(): value.strip() for name, _, value in (item.partition("=") for item in conf or ())}


def _tags(tags: Mapping[str, str] | Sequence[Mapping[str, str]] | None) -> list[dict[str, str]]:
    if isinstance(tags, Mapping):
        tags = [{"key": key, "value": value} for key, value in tags.items()]
    return [{name: as_text(value) for name, value in tag.items() if value is not None} for tag in tags or ()]


def _no_path(sql: str | None) -> str | None:
    """A statement that ends like the name of a file, so that Airflow does not look for one.

    Rendering takes the line break away again.
    """
    is_statement = isinstance(sql, str) and sql.endswith(".sql") and " " in sql.strip()
    return f"{sql}\n" if is_statement else sql


JOBS = "/v1.0/{project_id}/jobs"

QUERY = JobApi(
    "dli.sql_job",
    "dli",
    title="DLI SQL job",
    source="https://support.huaweicloud.com/intl/en-us/api-dli/dli_02_0021.html",
    submit=Call(
        f"CreateSqlJob POST {JOBS}/submit-job",
        body={
            "sql": "{sql}",
            "currentdb": "{database?}",
            "queue_name": "{queue_name?}",
            "conf": "{conf}",
            "tags": "{tags?}",
            "engine_type": "{engine_type?}",
            "current_catalog": "{current_catalog?}",
        },
    ),
    key="job_id",
    poll=f"ShowSqlJobStatus GET {JOBS}/{{key}}/status",
    status="status",
    # The vendor's SDK spells FINISHED as FINISH in one place. SUBMITTING is in no page, but costs nothing.
    running="LAUNCHING RUNNING SCALING SUBMITTING",
    succeeded="FINISHED FINISH",
    failed="FAILED",
    cancelled="CANCELLED",
    case_sensitive=True,
    reason="message",
    # Of v1, while all else is of v1.0, and new in the SDK: a region may not have it yet.
    measure="ShowSqlJobProgress GET /v1/{project_id}/jobs/{key}/progress",
    measured="progress",
    counts="result_count input_row_count bad_row_count input_size",
    omit="statement",
    interval=10,
    cancel=f"CancelSqlJob DELETE {JOBS}/{{key}}",
    marked={"tags": [{"key": MARKER, "value": "{marker}"}]},
    find=Find(
        Call(
            f"ListSqlJobs GET {JOBS}",
            query={"tags": MARKER + "={marker}", "page-size": "10", "order": "start_time_desc"},
        ),
        "jobs[job_id]",
        "tags",
    ),
    console="https://console.huaweicloud.com/dli/?region={region}",
)
_query = compiled(QUERY)


def _submit(**arguments: Any) -> ApiRequest:
    conf, tags = _settings(arguments.get("conf")), _tags(arguments.get("tags"))
    settings = [f"{name}={value}" for name, value in {**conf, ASYNC: "true"}.items()]
    return _query.submit(**{**arguments, "conf": settings, "tags": tags or None})


def _records(answer: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Record]:
    return _query.records(_without_sql(answer), keys)


def _without_sql(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """An answer whose message does not repeat the statement, as Spark's do below a headline."""
    message, headline, _ = str(answer.get("message") or "").partition("== SQL ==")
    return {**answer, "message": f"{message}{headline} (not shown)"} if headline else answer


PAGE = 100
"""Jobs of a page of the list; the API gives no more."""


def _running(page: int, scope: Scope) -> ApiRequest:
    query = {"job-status": "RUNNING", "page-size": str(PAGE), "current-page": str(page)}
    return ApiRequest("dli", "ListSqlJobs", "GET", JOBS, query=query, idempotent=True)


def _listed(answer: Mapping[str, Any]) -> Mapping[str, Record]:
    return {str(job["job_id"]): job for job in answer.get("jobs") or ()}


def _mark(arguments: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """Our tags win over a user's of the same name: the marker must be there to be found."""
    ours = identity.tags()
    theirs = [tag for tag in _tags(arguments["tags"]) if tag["key"] not in ours]
    return {**arguments, "tags": [*theirs, *({"key": key, "value": value} for key, value in ours.items())]}


SQL_JOB = replace(
    _query,
    submit=_submit,
    records=_records,
    listing=Listing(_running, _listed, PAGE),
    finder=_query.finder and replace(_query.finder, mark=_mark),
)


class DliSqlJobOperator(HuaweiOperator):
    """Run SQL on DLI, and wait until it has finished.

    The job always runs asynchronously. It is cancelled when the task is killed or out of time, unless it was
    adopted. Sources: CreateSqlJob, ShowSqlJobStatus, CancelSqlJob.

    :param sql: the statement, or the path, without blanks, of a ``.sql`` file below the DAG's folder; its text is not
        in logs, and rendered fields show it as ``show_sql`` says. (Airflow reads a file for a text in ``conf`` and
        ``tags`` that ends so, too: ``airflow.sdk.literal`` keeps it as it is.) None only with ``job_id``.
    :param show_sql: True shows the statement in rendered fields; False shows its first word, length and hash only:
        ``SELECT … (1,234 characters, sha256 1a2b3c4d)``. None takes Airflow's ``[cloudjobs] show_sql``, which is False
        by default.
    :param database: the database that the statement runs in; None leaves it to DLI.
    :param queue_name: DLI's queue; None for the default one. (``queue`` is Airflow's: where the task's worker runs.)
    :param conf: settings of the job, ``{"spark.sql.shuffle.partitions": 200}`` or ``["name=value"]``; None for
        none but what this operator always sets.
    :param tags: tags of the job, ``{"team": "sales"}`` or ``[{"key": …, "value": …}]``; None for
        none but the mark of ``durable``.
    :param engine_type: ``spark`` or ``hetuEngine``; None leaves it to the queue.
    :param current_catalog: the catalog of the database; None leaves it to DLI.
    :param job_id: a job that exists, or several, to wait for instead of starting one; None starts one.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    spec = SQL_JOB
    key_argument = "job_id"
    hidden_arguments = ("sql",)
    template_ext = (".sql",)
    template_fields_renderers = {"sql": "sql", "conf": "json", "tags": "json"}

    def __init__(
        self,
        *,
        sql: str | None = None,
        show_sql: bool | None = None,
        database: str | None = None,
        queue_name: str | None = None,
        conf: Mapping[str, Any] | Sequence[str] | None = None,
        tags: Mapping[str, str] | Sequence[Mapping[str, str]] | None = None,
        engine_type: str | None = None,
        current_catalog: str | None = None,
        job_id: str | Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = _no_path(sql)
        self.show_sql = show_sql
        self.database = database
        self.queue_name = queue_name
        self.conf = conf
        self.tags = tags
        self.engine_type = engine_type
        self.current_catalog = current_catalog
        self.job_id = job_id

    def check(self, arguments: Arguments) -> None:
        """The limits that the API's pages give."""
        if not self.is_new(arguments, "sql"):
            return
        arguments.is_text("sql", "current_catalog")
        for name in ("database", "queue_name"):
            if arguments.known(name) and not _NAME.fullmatch(str(arguments.values[name])):
                raise arguments.refuse(
                    name,
                    f"is {arguments.values[name]!r}; allowed are up to 128 letters, digits and underscores, not "
                    "digits only and not beginning with an underscore",
                )
        arguments.one_of("engine_type", ENGINES)
        if arguments.known("conf"):
            self._check_conf(arguments)
        if arguments.known("tags"):
            self._check_tags(arguments)

    def _check_conf(self, arguments: Arguments) -> None:
        conf = arguments.values["conf"]
        if not isinstance(conf, Mapping):
            if not is_sequence(conf):
                raise arguments.refuse("conf", "must be a mapping, or a list of 'name=value'")
            for item in conf:
                if not isinstance(item, str) or not item.partition("=")[0].strip() or "=" not in item:
                    raise arguments.refuse("conf", f"holds {item!r}; its form is 'name=value'")
        if _settings(conf).get(ASYNC, "true").lower() != "true":
            raise arguments.refuse("conf", f"sets {ASYNC}; jobs always run asynchronously, so leave it out")

    def _check_tags(self, arguments: Arguments) -> None:
        tags = arguments.values["tags"]
        if not isinstance(tags, Mapping):
            if not is_sequence(tags):
                raise arguments.refuse("tags", "must be a mapping, or a list of {'key', 'value'}")
            for tag in tags:
                arguments.check_fields("tags", tag, ("key",), ("value",))
        elif None in tags:
            raise arguments.refuse("tags", "has a key that is None")
        for tag in _tags(tags):
            if not 0 < len(str(tag["key"])) <= 128 or len(str(tag.get("value", ""))) > 255:
                raise arguments.refuse(
                    "tags",
                    f"holds {tag['key']!r}; a key has 1 to 128 characters, a value 255 at most",
                )
            for text in (str(tag["key"]), str(tag.get("value", ""))):
                if not _TAG.fullmatch(text):
                    raise arguments.refuse(
                        "tags",
                        f"holds {text!r}; a tag is of letters, digits, _ . : = + - @ and blanks (but not at its ends)",
                    )
            if _CLOUDS_OWN.match(str(tag["key"])):
                raise arguments.refuse("tags", f"holds {tag['key']!r}; keys that begin so are the cloud's own")


class DliSqlJobSensor(HuaweiSensor):
    """Wait until SQL jobs on DLI have finished. Source: ShowSqlJobStatus.

    :param job_id: the job, or several.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    spec = SQL_JOB
    key_argument = "job_id"

    def __init__(self, *, job_id: str | Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id

    def check(self, arguments: Arguments) -> None:
        """A key is needed."""
        arguments.required("job_id")
        arguments.keys("job_id")
