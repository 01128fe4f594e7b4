# SPDX-License-Identifier: Apache-2.0
"""SQL on DLI for the operators of ``apache-airflow-providers-common-sql``: checks, and ``SQLExecuteQueryOperator``.

:class:`DliHook` is what those find by a connection of type ``huawei_dli``. Below it is a connection and a cursor as
Python's DB-API 2.0 (PEP 249) has them: each statement is a job that is submitted, waited for on this worker, and whose
rows are what its preview shows. No DAG file needs this module.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow.providers.common.sql.hooks.sql import DbApiHook

from airflow_cloudjobs import compat
from airflow_cloudjobs.cancel import cancel
from airflow_cloudjobs.connection.form import field_behaviour, form_widgets
from airflow_cloudjobs.exceptions import JobFailed, JobOutcomeUnknown
from airflow_cloudjobs.failure import facts_of, request
from airflow_cloudjobs.hook import CALL_PATIENCE
from airflow_cloudjobs.huawei.dli import SQL_JOB
from airflow_cloudjobs.huawei.fields import DLI, FIELDS
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.huawei.rows import Rows, has_rows, preview, rows_in
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.outcome import JOB_ENDS, JobResult, Outcome
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan
from airflow_cloudjobs.owner import CANCEL_PATIENCE
from airflow_cloudjobs.submit import SubmitOnce

log = logging.getLogger(__name__)

apilevel, threadsafety, paramstyle = "2.0", 1, "pyformat"


class Error(Exception):
    """What a cursor cannot do; what becomes of a job is raised as by our tasks."""


class ProgrammingError(Error):
    """Rows were asked for where there are none."""


class NotSupportedError(Error):
    """DLI has no such thing."""


class DliHook(DbApiHook):
    """Runs SQL on DLI, one job a statement, and gives its rows.

    Up to 1,000 rows, which is what DLI shows of a result. A job is cancelled when its task is killed. A retry submits
    the statement again: for SQL that writes, ``DliSqlJobOperator`` is the better choice.

    :param huaweicloud_conn_id: the Airflow connection; where this hook is to be found by it, of type ``huawei_dli``.
    :param database: the database of SQL that names none; None takes the connection's.
    :param queue_name: the queue that it runs in; None takes the connection's.
    :param region: region id, e.g. ``cn-north-4``; None takes the connection's.
    :param endpoint: address of all services but that of the login, e.g. of a VPC; None takes the connection's.
    :param log_sql: True writes each statement to the log; None takes Airflow's ``[cloudjobs] show_sql``, by default
        False.
    :param extra: the fields of the connection's extra, which operators of common.sql give too; they are not needed.
    """

    conn_name_attr = "huaweicloud_conn_id"
    default_conn_name = HuaweiCloudHook.default_conn_name
    conn_type = DLI
    hook_name = "Huawei Cloud DLI SQL (cloudjobs)"
    strip_semicolon = True

    def __init__(
        self,
        huaweicloud_conn_id: str = default_conn_name,
        *,
        database: str | None = None,
        queue_name: str | None = None,
        region: str | None = None,
        endpoint: str | None = None,
        log_sql: bool | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(
            huaweicloud_conn_id=huaweicloud_conn_id, log_sql=compat.shows_sql() if log_sql is None else log_sql
        )
        self.huaweicloud_conn_id = huaweicloud_conn_id
        self.schema = database
        """The database, by the name under which operators of common.sql set it from theirs."""
        self.queue_name = queue_name
        self._region, self._endpoint, self._extra = region, endpoint, extra

    @cached_property
    def cloud(self) -> HuaweiCloudHook:
        """The hook that calls the cloud.

        :raises TypeError: for a parameter that there is not.
        """
        stored = self.get_connection(self.huaweicloud_conn_id).extra_dejson
        if unknown := sorted(self._extra.keys() - stored.keys()):
            allowed = "database, queue_name, region, endpoint, log_sql"
            raise TypeError(f"DliHook: there is no parameter {unknown[0]!r}; allowed are {allowed}")
        # Operators of common.sql give the connection's own as a parameter, which a message would blame.
        region = None if self._region == stored.get("region") else self._region
        return _DliCloudHook(self.huaweicloud_conn_id, region, self._endpoint)

    def get_conn(self) -> DliConnection:
        """A connection as the DB-API has it."""
        settings: Any = self.cloud.settings
        return DliConnection(self.cloud, self.schema or settings.database, self.queue_name or settings.queue_name)

    def test_connection(self) -> tuple[bool, str]:  # type: ignore[override]
        """Try one cheap read-only call, as the page's button does."""
        return self.cloud.test_connection()

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's fields for Airflow before 3.2; later ones read them from the provider's metadata."""
        return form_widgets(FIELDS.of_type(DLI))

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The form's labels for Airflow before 3.2; later ones read them from the provider's metadata."""
        return field_behaviour(FIELDS.of_type(DLI))


class _DliCloudHook(HuaweiCloudHook):
    """Huawei Cloud for who needs DLI alone."""

    def probes(self) -> Mapping[str, Any]:
        return {"DLI": super().probes()["DLI"]}


@dataclass(frozen=True, slots=True)
class DliConnection:
    """What statements are run with; nothing of it is open.

    :param cloud: calls the cloud.
    :param database: the database of SQL that names none; empty leaves it to DLI.
    :param queue_name: the queue that it runs in; empty leaves it to DLI.
    """

    cloud: HuaweiCloudHook
    database: str = ""
    queue_name: str = ""

    def cursor(self) -> DliCursor:
        """What runs one statement after the other."""
        return DliCursor(self)

    def commit(self) -> None:
        """Nothing: each statement is a job of its own."""

    def rollback(self) -> None:
        """Refused: what a job has done is done."""
        raise NotSupportedError("DLI has no transactions: what a statement has done stays")

    def close(self) -> None:
        """Nothing: there is nothing open."""

    def run(self, sql: str) -> JobResult:
        """Run a statement, and wait until it has finished.

        The job is cancelled if this ends in another way, or if Airflow stops the task.

        :param sql: the statement.
        :return: the job.
        :raises JobFailed: it failed or was cancelled.
        :raises JobOutcomeUnknown: the cloud does not tell what became of it.
        """
        given = {"sql": sql, "database": self.database or None, "queue_name": self.queue_name or None}
        once = SubmitOnce(
            SQL_JOB,
            self.cloud,
            {**dict.fromkeys(SQL_JOB.parameters), **given},
            {},
            key=None,
            context={},
            durable=False,
            # Known by its mark where the submit is not answered, as a task's is.
            identity=Identity("sql", secrets.token_hex(16), SQL_JOB.api, -1, 0),
        )
        submission = once.submission()
        [key] = submission.keys
        log.info("%s: %s. Console: %s", SQL_JOB.title, key, self._console)
        plan = WaitPlan(submission.at, SQL_JOB.interval).after(submission, SQL_JOB.not_found_grace)
        wait = Wait(SQL_JOB, [key], plan, random=random.random)
        with self._cancelling(key, wait):
            self.cloud.poll_once(wait, {}, _log_line)
            self.cloud.wait(wait, {}, _log_line)
        [result] = wait.results
        if result.outcome is not Outcome.SUCCEEDED:
            raise self._failure(result)
        return result

    def rows(self, job: JobResult) -> Rows | None:
        """The first rows of a job; None for one that is no query."""
        if not has_rows(job.record):
            return None
        call = preview(job.key, str(job.record.get("queue_name") or ""))
        return rows_in(self.cloud.call_for_job(call, patience=CALL_PATIENCE), job.record)

    @property
    def _console(self) -> str:
        return SQL_JOB.console_at(self.cloud.settings.region)

    def _failure(self, result: JobResult) -> Exception:
        facts = ", ".join([f"{SQL_JOB.api} {result.key}", *(facts_of(result.error) or [request(result.request_id)])])
        reason = result.error.reason if result.error else result.reason or "the cloud gives no reason"
        text = f"{result.status or 'no status'}: {reason} ({facts}). Console: {self._console}"
        return (JobFailed if result.outcome in JOB_ENDS else JobOutcomeUnknown)(
            text, [replace(result, record=SQL_JOB.public_fields(result.record))]
        )

    @contextmanager
    def _cancelling(self, key: str, wait: Wait) -> Iterator[None]:
        """Have the job end with the wait for it, which Airflow may end in the middle."""

        def give_up() -> None:
            if not wait.over:
                done = cancel(self.cloud, SQL_JOB, key, {}, deadline=time.monotonic() + CANCEL_PATIENCE)
                _log_line(done.log_line(self._console))

        with _at_a_kill(give_up):
            try:
                yield
            except BaseException:
                give_up()
                raise


@contextmanager
def _at_a_kill(act: Callable[[], None]) -> Iterator[None]:
    """Have something done when Airflow stops the task whose code this is: its operator knows nothing of a job."""
    task = compat.running_task()
    if task is None:
        yield
        return
    its_own = task.on_kill

    def on_kill() -> None:
        act()
        its_own()

    task.on_kill = on_kill
    try:
        yield
    finally:
        task.on_kill = its_own


class DliCursor:
    """Runs statements, and gives the rows of the last one.

    :param connection: what they are run with.
    """

    arraysize = 1

    def __init__(self, connection: DliConnection) -> None:
        self._connection = connection
        self.close()

    def close(self) -> None:
        """Forget the last statement."""
        self._job: JobResult | None = None
        self._fetched: Rows | None = None
        self._next = 0

    def execute(self, sql: str, parameters: Any = None) -> None:
        """Run a statement, and wait until it has finished.

        :param sql: the statement.
        :param parameters: none; values can be written into the SQL by templates.
        :raises NotSupportedError: for parameters.
        :raises JobFailed: the job failed or was cancelled; what else see :meth:`DliConnection.run`.
        """
        if parameters:
            raise NotSupportedError(
                "'parameters' cannot be used, since DLI has no bind variables: write the values into the SQL, as "
                "by a template, '{{ params.day }}', and let nobody choose them who may not choose the SQL"
            )
        self.close()
        self._job = self._connection.run(sql)

    def executemany(self, sql: str, seq_of_parameters: Sequence[Any]) -> None:
        """Refused, as :meth:`execute` refuses parameters."""
        for parameters in seq_of_parameters:
            self.execute(sql, parameters)

    @property
    def query_id(self) -> str | None:
        """The job of the last statement."""
        return self._job.key if self._job else None

    @property
    def rowcount(self) -> int:
        """How many rows the last statement has; -1 if it is no query, or DLI does not tell."""
        record = self._job.record if self._job else {}
        return int(record.get("result_count", -1)) if self._job and has_rows(record) else -1

    @property
    def description(self) -> list[tuple[Any, ...]] | None:
        """The columns of the last statement, name and type of each; None if it is no query."""
        rows = self._rows()
        return None if rows is None else [(name, kind, *[None] * 5) for name, kind in rows.columns]

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        """The next rows, at most so many.

        :raises NotSupportedError: there are more rows than DLI shows, and these would go beyond.
        """
        return self._take(self.arraysize if size is None else size)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left.

        :raises NotSupportedError: there are more than DLI shows: fewer, unsaid, would be worse than none.
        """
        return self._take(None)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchone, None)

    def setinputsizes(self, sizes: Any) -> None:
        """Nothing, as the DB-API allows."""

    def setoutputsize(self, size: Any, column: Any = None) -> None:
        """Nothing, as the DB-API allows."""

    def _rows(self) -> Rows | None:
        """The rows of the last statement, asked for once they are needed."""
        if self._fetched is None and self._job is not None:
            self._fetched = self._connection.rows(self._job)
        return self._fetched

    def _take(self, most: int | None) -> list[tuple[Any, ...]]:
        rows = self._rows()
        if rows is None:
            raise ProgrammingError(
                "there are no rows: " + ("the statement is no query" if self._job else "none was run")
            )
        end = len(rows.rows) if most is None else self._next + most
        if rows.truncated and (most is None or end > len(rows.rows)):
            raise NotSupportedError(
                f"the query has more than {len(rows.rows):,} rows, and DLI shows no more of a result: have the SQL "
                "aggregate them or take fewer (LIMIT), or write all of them out with DliSqlJobOperator(output_path=…)"
            )
        taken = list(rows.rows[self._next : end])
        self._next += len(taken)
        return taken


def _log_line(line: LogLine) -> None:
    log.log(line.level, line.text)
