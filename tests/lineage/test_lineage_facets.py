# SPDX-License-Identifier: Apache-2.0
"""What is made of a task's arguments for OpenLineage: names of datasets, tables of statements, facets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from airflow.sdk import Asset

from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator, DmsDataTrackExportSensor
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator, DrsObjectTemplateSensor
from airflow_cloudjobs.jobs.hidden import digest
from airflow_cloudjobs.lineage import Facts, Place, lineage_of, place_of

SIGNED = "https://me:p4ss@films.oss-cn-shanghai.aliyuncs.com/a%20b/%E5%BA%93.mp4?Expires=1&Signature=abc#x"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://files.test/in/a.sql?version=3", ("https://files.test", "in/a.sql")),
        ("http://somebody:secret@files.test:8080", ("http://files.test:8080", "/")),
        (SIGNED, ("oss://films", "a b/库.mp4")),
        ("https://films.oss-cn-shanghai-internal.aliyuncs.com/a.mp4", ("oss://films", "a.mp4")),
        ("https://raw.data.obs.cn-north-4.myhuaweicloud.com/x/y", ("obs://raw.data", "x/y")),
        ("https://obs.cn-north-4.myhuaweicloud.com/raw/x", ("https://obs.cn-north-4.myhuaweicloud.com", "raw/x")),
        ("obs://bucket/out/daily", ("obs://bucket", "out/daily")),
        ("s3://aws_default@bucket/a/b.sql", ("s3://bucket", "a/b.sql")),
        ("file:///data/a.sql", ("file", "/data/a.sql")),
        ("/data/模板.xlsx", ("file", "/data/模板.xlsx")),
        ("http://[::1", None),
    ],
)
def test_a_dataset_by_its_address(address: str, place: tuple[str, str] | None) -> None:
    assert place_of(address) == place


def facts(**known: Any) -> Facts:
    nothing: dict[str, Any] = dict.fromkeys(
        ("keys", "sql", "within", "reads", "writes", "made", "inlets", "outlets"), ()
    )
    return Facts(**{**nothing, "source": "https://dli.test", "shows_sql": False, "tables": "dli://r", **known})


def names(datasets: Sequence[Any]) -> list[str]:
    return [dataset.name for dataset in datasets]


@pytest.mark.parametrize(
    ("sql", "read", "written"),
    [
        ("select * from Orders o join dim.c on o.i = c.i", ["lake.sales.orders", "lake.dim.c"], []),
        ("insert overwrite table cat.dw.daily partition(dt='1') select * from o;", ["lake.sales.o"], ["cat.dw.daily"]),
        ("create table x stored as orc as select * from y", ["lake.sales.y"], ["lake.sales.x"]),
        ("-- a\nCREATE TABLE x\nUSING parquet AS SELECT * FROM y", ["lake.sales.y"], ["lake.sales.x"]),
        ("create table x (a int) using csv options (path 'obs://b/x')", [], ["lake.sales.x"]),
        ("create view v as select * from a join b using (id)", ["lake.sales.a", "lake.sales.b"], ["lake.sales.v"]),
        ("with c as (select * from k) insert into z select * from c", ["lake.sales.k"], ["lake.sales.z"]),
        ("merge into a using b on a.i = b.i when matched then update set x = 1", ["lake.sales.b"], ["lake.sales.a"]),
        ("select * from `库`.`表`", ["lake.库.表"], []),
        ("show tables", [], []),
    ],
)
def test_the_tables_of_a_statement(sql: str, read: list[str], written: list[str]) -> None:
    lineage = lineage_of(facts(sql=[sql], within=("lake", "sales")))
    assert (names(lineage.inputs), names(lineage.outputs)) == (read, written)
    assert {dataset.namespace for dataset in [*lineage.inputs, *lineage.outputs]} <= {"dli://r"}
    assert "extractionError" not in lineage.run_facets


@pytest.mark.parametrize(
    ("within", "name"),
    [((None, None), "t"), ((None, "db"), "db.t"), (("lake", None), "t"), (("lake", "db"), "lake.db.t")],
)
def test_a_tables_name_has_what_is_known_of_it(within: tuple[str | None, ...], name: str) -> None:
    assert names(lineage_of(facts(sql=["select * from T"], within=within)).inputs) == [name]


@pytest.mark.parametrize("shows", [False, True])
def test_a_statement_that_cannot_be_read(shows: bool) -> None:
    sql = "refresh table iban"
    lineage = lineage_of(facts(sql=[sql], shows_sql=shows))
    assert lineage.job_facets["sql"].query == (sql if shows else digest(sql))
    assert ("iban" in str(lineage)) is shows
    assert ("refresh" in lineage.run_facets["extractionError"].errors[0].errorMessage) is shows


def test_what_a_dag_says_of_inputs_and_outputs_is_told_too() -> None:
    """OpenLineage itself reads it only where a task tells nothing; so what it says twice is told once."""
    outlets = [Asset("file://store/report.csv"), Asset("file://store/other.csv")]
    known = Place("file://store", "/report.csv")
    assert names(lineage_of(facts(made=[known], outlets=outlets)).outputs) == ["/report.csv", "/other.csv"]
    assert lineage_of(facts(outlets=outlets)).outputs == []


def test_tasks_that_write_files_tell_where() -> None:
    query = DliSqlJobOperator(task_id="q", sql="select 1")
    export = DmsDataTrackExportOperator(task_id="e", order_id=1, rollback_sql_type="REVERSE")
    vars(query)["output_path"], vars(export)["save_to"] = "obs://bucket/out", "oss://oss_default@bucket/a.sql"
    places = [task.get_openlineage_facets_on_start().outputs for task in (query, export)]
    assert [[(one.namespace, one.name) for one in each] for each in places] == [
        [("obs://bucket", "out")],
        [("oss://bucket", "a.sql")],
    ]


def test_a_job_is_told_as_soon_as_it_is_known() -> None:
    task = DliSqlJobOperator(task_id="q", sql="select 1")
    assert "externalQuery" not in task.get_openlineage_facets_on_start().run_facets
    task._answer_for(["j-1"])  # as after a trigger that ended with an error
    assert task.get_openlineage_facets_on_start().run_facets["externalQuery"].externalQueryId == "j-1"


def test_where_nobody_is_told_no_connection_is_read() -> None:
    task = DliSqlJobOperator(task_id="q", sql="select 1")
    task.render_template_fields({})
    assert "_hook" not in vars(task)


def test_a_task_that_goes_on_keeps_its_arguments() -> None:
    task = DliSqlJobOperator(task_id="q", sql="select iban from t")
    task.render_template_fields({})
    task.get_openlineage_facets_on_start()
    assert task.submit_arguments()["sql"] == "select iban from t"
    task._rendered_in = -1  # as in a fork
    task.get_openlineage_facets_on_start()
    assert task.sql == digest("select iban from t")


@pytest.mark.parametrize(
    "task",
    [
        lambda **where: DmsDataTrackExportOperator(order_id=1, rollback_sql_type="REVERSE", **where),
        lambda **where: DmsDataTrackExportSensor(order_id=1, download_key_id="k", **where),
        lambda **where: DrsObjectTemplateOperator(job_id="j", file_path="/data/in.xlsx", **where),
        lambda **where: DrsObjectTemplateSensor(job_id="j", **where),
    ],
)
def test_a_file_that_is_saved_is_an_output(task: Any) -> None:
    lineage = task(task_id="t", save_to="s3://aws_default@lake/out.xlsx").get_openlineage_facets_on_start()
    assert [(each.namespace, each.name) for each in lineage.outputs] == [("s3://lake", "out.xlsx")]
