# SPDX-License-Identifier: Apache-2.0
"""Huawei Cloud Data Lake Insight (DLI, v1.0): SQL jobs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_cloudjobs.following import FollowedOperator, Following
from airflow_cloudjobs.hook import CALL_PATIENCE
from airflow_cloudjobs.huawei import dli_export
from airflow_cloudjobs.huawei.base import HuaweiOperator, HuaweiSensor
from airflow_cloudjobs.huawei.dli_export import JOBS
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.identity import MARKER, Identity
from airflow_cloudjobs.jobs.job_api import Call, Find, JobApi
from airflow_cloudjobs.jobs.many import is_sequence
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.request import ApiRequest, as_text
from airflow_cloudjobs.jobs.spec import Listing, Record, Scope
from airflow_cloudjobs.task import CloudJobTask

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

EXPORT = replace(SQL_JOB, submit=dli_export.submit, parameters=dli_export.PARAMETERS, finder=dli_export.FINDER)
"""The export of a query's result is a SQL job too; only its submit is another."""

_WITHOUT_ROWS = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
    r"(ALTER|CREATE|DELETE|DROP|GRANT|INSERT|LOAD|MERGE|MSCK|REFRESH|REVOKE|TRUNCATE|UPDATE|USE)\b",
    re.IGNORECASE | re.DOTALL,
)
"""How statements begin that never have rows. Those of which that is not sure (SHOW, SET, EXPLAIN) are not named."""


class _FetchesRows(CloudJobTask):
    """A task that may fetch the first rows of a query."""

    fetching_arguments = ("fetch_rows",)
    fetch_rows: int | None

    def _check_fetch_rows(self, arguments: Arguments) -> None:
        """The limits of the preview; and there must be something to fetch."""
        arguments.is_number("fetch_rows")
        if arguments.known("fetch_rows") and not 1 <= int(arguments.values["fetch_rows"]) <= 1000:
            raise arguments.refuse(
                "fetch_rows", f"is {arguments.values['fetch_rows']}; allowed are 1 to 1000, of which DLI shows no more"
            )
        if (
            arguments.given("fetch_rows")
            and arguments.known("sql")
            and (begin := _WITHOUT_ROWS.match(str(arguments.values["sql"])))
        ):
            raise arguments.refuse(
                "fetch_rows", f"gets rows of queries: a statement that begins with {begin[1].upper()} has none"
            )

    def _fetched(self, result: JobResult) -> Mapping[str, Any]:
        """The rows of a job that has succeeded.

        One that is no query has none that a retry could have. None says so: whatever goes through the rows fails with
        it, which an empty list would pass.
        """
        if self.fetch_rows is None:
            return {}
        from airflow_cloudjobs.huawei import rows  # which few tasks need

        record, most = result.record, int(self.fetch_rows)
        if not rows.has_rows(record):
            self.log.warning(
                "DLI SQL job %s is of type %s: DLI shows rows of queries only, so 'rows' is None",
                result.key,
                record["job_type"],
            )
            return {"rows": None, "columns": None, "truncated": False}
        request = rows.preview(result.key, str(record.get("queue_name") or ""), most)
        fetched = rows.rows_in(self.hook.call_for_job(request, patience=CALL_PATIENCE), record, most)
        return fetched.as_result()


class DliSqlJobOperator(_FetchesRows, FollowedOperator, HuaweiOperator):
    """Run SQL on DLI, and wait until it has finished.

    The job always runs asynchronously. It is cancelled when the task is killed or out of time, unless it was
    adopted. Sources: CreateSqlJob, ShowSqlJobStatus, CancelSqlJob, ExportSqlJobResult.

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
    :param fetch_rows: how many rows of the query's result to put into this task's: 1 to 1000, which is all that DLI
        shows; None for none. They stand in ``result["rows"]``: whoever reads XComs reads them. See docs/results.md.
    :param output_path: a new directory in OBS, ``obs://bucket/directory``, that the query's result is exported to once
        the query has succeeded, be it new or adopted: a job of its own, that the task waits for too. None exports
        nothing. The job's key is in XCom ``export_job_key``, what became of it in ``export`` of the ``result``.
    :param output_format: ``csv`` (the default) or ``json``.
    :param output_options: further fields of the export, by the API's names: ``export_mode`` (``ErrorIfExists``, its
        default, or ``Overwrite``), ``with_column_header`` (False by default), ``compress``, ``limit_num`` (rows),
        ``encoding_type``, ``quote_char``, ``escape_char``, ``queue_name`` (``queue_name`` above by default); None for
        none.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    spec = SQL_JOB
    following = Following("export", "output_path", EXPORT)
    key_argument = "job_id"
    hidden_arguments = ("sql",)
    sql_within = ("current_catalog", "database")
    writes = ("output_path",)
    template_ext = (".sql",)
    template_fields_renderers = {"sql": "sql", "conf": "json", "tags": "json", "output_options": "json"}

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
        fetch_rows: int | None = None,
        output_path: str | None = None,
        output_format: str = "csv",
        output_options: Mapping[str, Any] | None = None,
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
        self.fetch_rows = fetch_rows
        self.output_path = output_path
        self.output_format = output_format
        self.output_options = output_options

    def check(self, arguments: Arguments) -> None:
        """The limits that the API's pages give."""
        self._check_fetch_rows(arguments)
        dli_export.check(arguments)
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


class DliSqlJobSensor(_FetchesRows, HuaweiSensor):
    """Wait until SQL jobs on DLI have finished. Source: ShowSqlJobStatus.

    :param job_id: the job, or several.
    :param fetch_rows: how many rows of each query's result to put into this task's, as the operator does: 1 to 1000;
        None for none.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    spec = SQL_JOB
    key_argument = "job_id"

    def __init__(self, *, job_id: str | Sequence[str], fetch_rows: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.fetch_rows = fetch_rows

    def check(self, arguments: Arguments) -> None:
        """A key is needed."""
        self._check_fetch_rows(arguments)
        arguments.required("job_id")
        arguments.keys("job_id")
