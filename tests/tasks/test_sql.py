# SPDX-License-Identifier: Apache-2.0
"""SQL on DLI by the operators of common.sql, and the hook, connection and cursor below them."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from airflow.providers.common.sql.operators import sql as common
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowTaskTimeout
from airflow.sdk.execution_time.context import set_current_context
from support.jobapis import DLI
from taskbench import RETRY, SUCCESS, Ran, TaskInstance, logged, run

from airflow_cloudjobs.exceptions import InvalidConnection, JobFailed, TaskRefused
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.huawei.sql import DliHook, NotSupportedError, ProgrammingError
from airflow_cloudjobs.localcloud import Control, LocalCloud

ROWS = {"schema": [{"city": "string"}, {"paid": "decimal(10,2)"}], "rows": [["Bonn", "1.50"], ["Köln", None]]}


def result_of(columns: dict[str, str], *rows: list[Any]) -> dict[str, Any]:
    return {"schema": [{name: kind} for name, kind in columns.items()], "rows": list(rows)}


@pytest.fixture
def conn(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Makes connection ``sql``, of type ``huawei_dli``."""

    def connect(**extra: Any) -> str:
        connection = cloud.huawei_connection(conn_type="huawei_dli", **extra)
        monkeypatch.setenv("AIRFLOW_CONN_SQL", json.dumps(connection))
        return "sql"

    return connect


@pytest.fixture
def cursor(control: Control) -> Any:
    return DliHook().get_conn().cursor()


@pytest.fixture(autouse=True)
def at_once(control: Control) -> None:
    """Jobs have ended at the first look, so that no wait has a pause."""
    control.settings(job_seconds=0)


def ran(task: Callable[..., Any], **options: Any) -> Ran:
    """What became of a task of common.sql, which finds the hook by the connection's type."""
    return run(lambda: task(task_id="t", **options))


def statements(control: Control) -> list[str]:
    return [job["fields"]["sql"] for job in control.jobs(DLI.api)]


class TestOperators:
    CHECK = {"conn_id": "huaweicloud_default", "table": "orders"}

    def test_a_query(self, control: Control) -> None:
        control.plan(DLI.api, result=ROWS)
        query = common.SQLExecuteQueryOperator(
            task_id="t", conn_id="huaweicloud_default", sql="SELECT city, paid FROM orders;"
        )
        assert query.execute({}) == [("Bonn", Decimal("1.50")), ("Köln", None)]
        assert statements(control) == ["SELECT city, paid FROM orders;"]

    def test_several_statements(self, control: Control) -> None:
        sql = "CREATE TABLE t (a INT); SELECT ';' FROM t;"
        done = ran(common.SQLExecuteQueryOperator, conn_id="huaweicloud_default", sql=sql, split_statements=True)
        assert done.state == SUCCESS, done.error
        assert statements(control) == ["CREATE TABLE t (a INT)", "SELECT ';' FROM t"]

    def test_where_it_runs(self, conn: Callable[..., str], control: Control) -> None:
        conn(database="sales", queue_name="etl")
        for options in (
            {},
            {"database": "shop", "hook_params": {"queue_name": "night"}},
            {"hook_params": {"database": "lake"}},
        ):
            assert ran(common.SQLExecuteQueryOperator, conn_id="sql", sql="SELECT 1", **options).state == SUCCESS
        jobs = [job["fields"] for job in control.jobs(DLI.api)]
        assert [(job["currentdb"], job["queue_name"]) for job in jobs] == [
            ("sales", "etl"),
            ("shop", "night"),
            ("lake", "etl"),
        ]

    @pytest.mark.parametrize(("nulls", "state"), [(0, SUCCESS), (3, RETRY)])
    def test_a_check_of_columns(self, nulls: int, state: str, control: Control) -> None:
        columns = {"col_name": "string", "check_type": "string", "check_result": "bigint"}
        control.plan(DLI.api, result=result_of(columns, ["city", "null_check", nulls], ["city", "min", "5"]))
        mapping = {"city": {"null_check": {"equal_to": 0}, "min": {"geq_to": 5}}}
        assert ran(common.SQLColumnCheckOperator, **self.CHECK, column_mapping=mapping).state == state

    @pytest.mark.parametrize(("value", "state"), [(1, SUCCESS), (0, RETRY)])
    def test_a_check_of_a_table(self, value: int, state: str, control: Control) -> None:
        control.plan(DLI.api, result=result_of({"check_name": "string", "check_result": "int"}, ["enough", value]))
        checks = {"enough": {"check_statement": "COUNT(*) > 10"}}
        assert ran(common.SQLTableCheckOperator, **self.CHECK, checks=checks).state == state

    @pytest.mark.parametrize(("value", "state"), [("10.5", SUCCESS), ("9", RETRY)])
    def test_a_check_of_a_value(self, value: str, state: str, control: Control) -> None:
        control.plan(DLI.api, result=result_of({"paid": "decimal(10,2)"}, [value]))
        options = {"conn_id": "huaweicloud_default", "sql": "SELECT SUM(paid) FROM orders", "pass_value": 10.5}
        assert ran(common.SQLValueCheckOperator, **options).state == state

    def test_a_statement_that_fails(self, control: Control) -> None:
        assert ran(common.SQLCheckOperator, conn_id="huaweicloud_default", sql="SELECT * FROM missing").state == RETRY

    def test_our_tasks_take_the_same_connection(self, conn: Callable[..., str], control: Control) -> None:
        conn(database="sales", queue_name="etl")
        assert ran(DliSqlJobOperator, sql="SELECT 1", huaweicloud_conn_id="sql", deferrable=False).state == SUCCESS


class TestHook:
    def test_is_found_by_the_connection(self, control: Control) -> None:
        hook = Connection.get("huaweicloud_default").get_hook(hook_params={"database": "sales"})
        assert (type(hook), hook.schema) == (DliHook, "sales")

    def test_a_parameter_that_there_is_not(self, conn: Callable[..., str]) -> None:
        conn(database="sales")
        assert DliHook("sql", auth="aksk", database="sales", region="cn-north-4")._extra == {"auth": "aksk"}
        with pytest.raises(TypeError, match="no parameter 'queue'; allowed are database, queue_name"):
            DliHook("sql", queue="etl").get_conn()

    @pytest.mark.parametrize(("given", "blamed"), [("cn north", "field 'region'"), ("cn,x", "argument 'region'")])
    def test_a_region_that_is_none(self, given: str, blamed: str, conn: Callable[..., str]) -> None:
        """Operators of common.sql give the connection's own fields as parameters."""
        conn(region="cn north")
        with pytest.raises(InvalidConnection, match=blamed):
            DliHook("sql", region=given).get_conn()

    def test_the_button_test(self, cloud: LocalCloud) -> None:
        assert DliHook().test_connection() == (True, "DLI: works")
        cloud.control.disable_key(cloud.huawei_connection()["login"])
        assert DliHook().test_connection()[0] is False

    def test_both_fields_are_unknown_to_other_types(self, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind, warned in (("huawei_cloudjobs", True), ("huawei_dli", False)):
            connection = cloud.huawei_connection(conn_type=kind, database="sales")
            monkeypatch.setenv("AIRFLOW_CONN_SQL", json.dumps(connection))
            warnings = " ".join(HuaweiCloudHook("sql").settings.warnings)
            assert ("'database' is unknown" in warnings) is warned, warnings

    def test_a_connection_of_another_service(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_SQL", json.dumps({"conn_type": "postgres", "login": "a", "password": "b"}))
        with pytest.raises(InvalidConnection, match="'huawei_dli'"):
            DliHook("sql").get_conn()

    @pytest.mark.parametrize("shown", [True, False])
    def test_sql_is_in_the_log_if_it_may_be(
        self, shown: bool, control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CLOUDJOBS__SHOW_SQL", str(shown))
        hook = DliHook()
        with logged() as lines:
            assert hook.get_first("SELECT 'c4nary'") == (1,)
        assert ("c4nary" in "\n".join(lines)) is shown

    def test_a_submit_without_an_answer_is_made_once(self, control: Control, impatient: None, lucky: None) -> None:
        control.fault("reset", "submit", count=1, after_commit=True)
        assert DliHook().get_records("SELECT 1") == [(1,), (2,), (3,), (4,)]
        assert control.stats()["submits"] == {DLI.api: 1}


class TestCursor:
    def test_rows_and_columns(self, cursor: Any, control: Control) -> None:
        columns = {"城市": "string", "paid": "decimal(10,2)", "day": "date", "day2": "timestamp"}
        rows = [["Bonn", 1.1, "2026-01-31", "2026-01-31 10:00:00"], [None] * 4, ["x", 2, None, None]]
        control.plan(DLI.api, result=result_of(columns, *rows))
        cursor.execute("SELECT * FROM t")
        assert [column[:2] for column in cursor.description] == list(columns.items())
        assert all(len(column) == 7 for column in cursor.description)
        assert cursor.rowcount == 3
        assert cursor.query_id == control.jobs(DLI.api)[0]["key"]
        assert cursor.fetchone() == ("Bonn", Decimal("1.1"), date(2026, 1, 31), datetime(2026, 1, 31, 10))
        assert cursor.fetchmany(5) == [(None,) * 4, ("x", Decimal(2), None, None)]
        assert (cursor.fetchone(), cursor.fetchmany(), cursor.fetchall()) == (None, [], [])
        assert control.stats()["operations"]["PreviewSqlJobResult"]["calls"] == 1

    def test_a_result_that_dli_does_not_show_whole(self, cursor: Any, control: Control) -> None:
        control.plan(DLI.api, result=result_of({"n": "int"}, *([n] for n in range(1001))))
        cursor.execute("SELECT n FROM t")
        assert cursor.rowcount == 1001
        assert cursor.fetchone() == (0,)
        with pytest.raises(NotSupportedError, match=r"more than 1,000 rows.*LIMIT.*output_path"):
            cursor.fetchall()
        assert len(cursor.fetchmany(999)) == 999
        with pytest.raises(NotSupportedError):
            cursor.fetchone()

    def test_as_many_rows_as_dli_shows(self, cursor: Any, control: Control) -> None:
        control.plan(DLI.api, result=result_of({"n": "int"}, *([n] for n in range(1000))))
        cursor.execute("SELECT n FROM t")
        assert len(list(cursor)) == 1000

    def test_a_statement_without_rows(self, cursor: Any, control: Control) -> None:
        cursor.execute("INSERT INTO t SELECT 1")
        assert (cursor.description, cursor.rowcount) == (None, -1)
        with pytest.raises(ProgrammingError, match="no query"):
            cursor.fetchall()

    def test_before_any_statement(self, cursor: Any) -> None:
        assert (cursor.description, cursor.rowcount, cursor.query_id) == (None, -1, None)
        with pytest.raises(ProgrammingError, match="none was run"):
            cursor.fetchone()

    def test_what_dli_has_not(self, cursor: Any, control: Control) -> None:
        for parameters in ([1], {"day": "x"}):
            with pytest.raises(NotSupportedError, match="'parameters' cannot be used"):
                cursor.execute("SELECT %s", parameters)
        with pytest.raises(NotSupportedError, match="transactions"):
            DliHook().get_conn().rollback()
        assert statements(control) == []

    def test_a_statement_that_is_refused(self, cursor: Any) -> None:
        with pytest.raises(TaskRefused):
            cursor.execute("SELEKT 1")

    def test_a_job_that_fails(self, cursor: Any, control: Control) -> None:
        control.plan(DLI.api, "fail", reason="Table or view not found: t")
        with pytest.raises(
            JobFailed, match=r"^FAILED: Table or view not found: t \(dli.sql_job \S+, request id"
        ) as error:
            cursor.execute("SELECT 'c4nary' FROM t")
        assert "c4nary" not in f"{error.value} {error.value.results}"


@contextmanager
def struck(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> Iterator[None]:
    """Have something happen in the first pause of a wait."""
    from airflow_cloudjobs import hook

    sleep = hook.time.sleep

    def strike(seconds: float) -> None:
        monkeypatch.setattr(hook.time, "sleep", sleep)
        act()

    monkeypatch.setattr(hook.time, "sleep", strike)
    yield


class TestLeft:
    """A wait that ends in the middle leaves no job behind."""

    @pytest.mark.parametrize("error", [AirflowTaskTimeout, KeyboardInterrupt, SystemExit])
    def test_by_an_exception(
        self, error: type[BaseException], control: Control, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        control.plan(DLI.api, "forever")

        def strike() -> None:
            raise error

        with struck(monkeypatch, strike), pytest.raises(error):
            DliHook().get_first("SELECT 1")
        assert control.stats()["cancels"] == {DLI.api: 1}

    def test_by_airflow(self, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
        """As on a worker, whose handler of SIGTERM calls ``on_kill`` of the task and returns."""
        control.plan(DLI.api, "forever")
        told = []

        class Check(common.SQLCheckOperator):
            def on_kill(self) -> None:
                told.append("its own")

        check = Check(task_id="t", conn_id="huaweicloud_default", sql="SELECT 1").prepare_for_execution()
        ti = TaskInstance()
        ti.task = check  # type: ignore[attr-defined]
        before = signal.signal(signal.SIGTERM, lambda *_: check.on_kill())
        try:
            context: Any = {"ti": ti}
            kill = struck(monkeypatch, lambda: signal.raise_signal(signal.SIGTERM))
            with set_current_context(context), kill, pytest.raises(JobFailed, match=r"^CANCELLED: "):
                check.execute({})
        finally:
            signal.signal(signal.SIGTERM, before)
        assert (control.stats()["cancels"], told) == ({DLI.api: 1}, ["its own"])
        check.on_kill()
        assert (control.stats()["cancels"], told) == ({DLI.api: 1}, ["its own", "its own"])
