# SPDX-License-Identifier: Apache-2.0
"""What each of the ten classes refuses when a DAG is parsed, by the limits that the vendors' pages give."""

from __future__ import annotations

from collections import UserList
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk import DAG, literal

from airflow_cloudjobs.alibaba.dms import (
    DmsDataTrackExportOperator,
    DmsDataTrackExportSensor,
    DmsFileUploadOperator,
    DmsFileUploadSensor,
)
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.compat import BaseOperator
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.huawei.drs import DrsObjectTemplateOperator, DrsObjectTemplateSensor
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.identity import Identity

TARGET = {"Endpoint": "http://oss-cn-hangzhou.aliyuncs.com", "BucketName": "b", "ObjectName": "o"}
MEDIA = "https://h/a.mp4"

RIGHT: list[tuple[type[Any], dict[str, Any]]] = [
    (DmsFileUploadOperator, {"file_name": "a.txt", "file_source": "big-file", "upload_url": "https://h/a"}),
    (DmsFileUploadOperator, {"file_name": "a.sql", "file_source": "datacorrect", "upload_target": TARGET}),
    (DmsFileUploadOperator, {"job_key": "k", "tid": 3}),
    (DmsFileUploadOperator, {"job_key": ["k", "l"]}),
    (DmsFileUploadSensor, {"job_key": "k"}),
    (DmsDataTrackExportOperator, {"order_id": 7, "rollback_sql_type": "REVERSE"}),
    (DmsDataTrackExportOperator, {"order_id": "7", "download_key_id": "k"}),
    (
        DmsDataTrackExportOperator,
        {
            "order_id": 7,
            "rollback_sql_type": "FORWARD",
            "filter_start_time": "2026-01-02 03:04:05",
            "filter_type_list": ["INSERT", "UPDATE", "DELETE"],
            "filter_table_list": ["t"],
            "event_id_list": [1, 2],
            "column_filter": {"ColumnName": "c", "Operator": "BETWEEN", "BetweenStart": "1", "BetweenEnd": "2"},
        },
    ),
    (DmsDataTrackExportSensor, {"order_id": 7, "download_key_id": "k"}),
    (IceUrlUploadOperator, {"upload_urls": MEDIA}),
    (IceUrlUploadOperator, {"upload_urls": [f"https://h/{n}.mp4" for n in range(20)]}),
    (
        IceUrlUploadOperator,
        {
            "upload_urls": "https://h/a",
            "media_metadata": [{"SourceURL": "https://h/a", "Title": "t", "FileExtension": "mp4"}],
        },
    ),
    (IceUrlUploadOperator, {"job_ids": ["a", "b"]}),
    (IceUrlUploadSensor, {"job_ids": [str(n) for n in range(25)]}),
    (IceUrlUploadSensor, {"upload_urls": [MEDIA]}),
    (DliSqlJobOperator, {"sql": "select 1", "conf": {"a.b": 1, "c": True}, "tags": {"k": "v"}}),
    (DliSqlJobOperator, {"sql": "select 1", "tags": {"团队 é": "a b_.:=+-@", "empty": ""}}),
    (DliSqlJobOperator, {"sql": "select 1", "conf": ["a=b"], "tags": [{"key": "k", "value": "v"}]}),
    (DliSqlJobOperator, {"job_id": ["a"]}),
    (DliSqlJobSensor, {"job_id": "a"}),
    *((DrsObjectTemplateOperator, {"job_id": "j", "file_path": f"/absent/x.{end}"}) for end in ("xls", "json", "zip")),
    (DrsObjectTemplateSensor, {"job_id": ["a", "b"]}),
]


@pytest.mark.parametrize(("task", "given"), RIGHT)
def test_documented_arguments_are_taken(task: type[Any], given: dict[str, Any]) -> None:
    task(task_id="t", **given)


UPLOAD = {"file_name": "a.txt", "file_source": "big-file", "upload_url": "https://h/a"}
EXPORT = {"order_id": 7, "rollback_sql_type": "REVERSE"}
URLS = {"upload_urls": MEDIA}
SQL = {"sql": "select 1"}
FILE = {"job_id": "j", "file_path": "/x.json"}

# The class, its arguments, the argument at fault, and words of what is wrong or allowed.
WRONG: list[tuple[type[Any], dict[str, Any], str, tuple[str, ...]]] = [
    (DmsFileUploadOperator, {}, "file_name", ("missing", "job_key")),
    (DmsFileUploadOperator, {**UPLOAD, "job_key": "k"}, "job_key", ("file_name",)),
    (DmsFileUploadOperator, {**UPLOAD, "file_name": "a.csv"}, "file_name", (".txt", ".sql")),
    (DmsFileUploadOperator, {**UPLOAD, "file_source": "disk"}, "file_source", ("datacorrect", "sqlreview")),
    (DmsFileUploadOperator, {**UPLOAD, "upload_url": None}, "upload_url", ("upload_target",)),
    (DmsFileUploadOperator, {**UPLOAD, "upload_target": TARGET}, "upload_url", ("only one",)),
    (DmsFileUploadOperator, {**UPLOAD, "upload_url": "oss://b/o"}, "upload_url", ("https://",)),
    (DmsFileUploadOperator, {**UPLOAD, "tid": "x"}, "tid", ("whole number",)),
    (
        DmsFileUploadOperator,
        {**UPLOAD, "upload_url": None, "upload_target": {"Endpoint": "e"}},
        "upload_target",
        ("BucketName", "ObjectName"),
    ),
    (
        DmsFileUploadOperator,
        {**UPLOAD, "upload_url": None, "upload_target": {**TARGET, "bucket": "b"}},
        "upload_target",
        ("'bucket'", "BucketName"),
    ),
    (DmsFileUploadSensor, {"job_key": ""}, "job_key", ("empty",)),
    (DmsFileUploadSensor, {"job_key": []}, "job_key", ("empty",)),
    (DmsFileUploadSensor, {"job_key": ["a", "a"]}, "job_key", ("twice",)),
    (DmsDataTrackExportOperator, {"order_id": 7}, "rollback_sql_type", ("download_key_id",)),
    (DmsDataTrackExportOperator, {**EXPORT, "order_id": "seven"}, "order_id", ("whole number",)),
    (DmsDataTrackExportOperator, {**EXPORT, "rollback_sql_type": "UNDO"}, "rollback_sql_type", ("REVERSE", "FORWARD")),
    (DmsDataTrackExportOperator, {**EXPORT, "download_key_id": "k"}, "download_key_id", ("rollback_sql_type",)),
    (DmsDataTrackExportOperator, {**EXPORT, "filter_start_time": "2026-01-02"}, "filter_start_time", ("yyyy-MM-dd",)),
    (DmsDataTrackExportOperator, {**EXPORT, "filter_type_list": ["UPSERT"]}, "filter_type_list", ("INSERT", "DELETE")),
    (DmsDataTrackExportOperator, {**EXPORT, "filter_table_list": "t"}, "filter_table_list", ("list",)),
    (DmsDataTrackExportOperator, {**EXPORT, "column_filter": {"Operator": "IN"}}, "column_filter", ("ColumnName",)),
    (
        DmsDataTrackExportOperator,
        {**EXPORT, "column_filter": {"ColumnName": "c", "Operator": "LIKE"}},
        "column_filter",
        ("LIKE", "BETWEEN"),
    ),
    (DmsDataTrackExportSensor, {"order_id": "", "download_key_id": "k"}, "order_id", ("empty",)),
    (DmsDataTrackExportSensor, {"order_id": 7, "download_key_id": " "}, "download_key_id", ("empty",)),
    (IceUrlUploadOperator, {}, "upload_urls", ("missing", "job_ids")),
    (IceUrlUploadOperator, {**URLS, "job_ids": "j"}, "job_ids", ("upload_urls",)),
    (IceUrlUploadOperator, {"upload_urls": []}, "upload_urls", ("empty",)),
    (IceUrlUploadOperator, {"upload_urls": [f"https://h/{n}.mp4" for n in range(21)]}, "upload_urls", ("21", "20")),
    (IceUrlUploadOperator, {"upload_urls": [MEDIA, MEDIA]}, "upload_urls", ("twice",)),
    (IceUrlUploadOperator, {"upload_urls": "https://h/a"}, "upload_urls", ("extension", "FileExtension")),
    (IceUrlUploadOperator, {"upload_urls": "rtmp://h/a.mp4"}, "upload_urls", ("https://",)),
    (IceUrlUploadOperator, {**URLS, "media_metadata": {"Title": "t"}}, "media_metadata", ("list",)),
    (IceUrlUploadOperator, {**URLS, "media_metadata": [{"Title": "t"}]}, "media_metadata", ("SourceURL",)),
    (
        IceUrlUploadOperator,
        {**URLS, "media_metadata": [{"SourceURL": "https://h/b.mp4", "Title": "t"}]},
        "media_metadata",
        ("SourceURL", "upload_urls"),
    ),
    (IceUrlUploadOperator, {**URLS, "post_process_config": {"Type": "x"}}, "post_process_config", ("ProcessType",)),
    (IceUrlUploadOperator, {**URLS, "upload_target_config": {}}, "upload_target_config", ("StorageType",)),
    (IceUrlUploadSensor, {}, "job_ids", ("missing", "upload_urls")),
    (IceUrlUploadSensor, {"job_ids": "j", "upload_urls": MEDIA}, "job_ids", ("only one",)),
    (DliSqlJobOperator, {}, "sql", ("missing", "job_id")),
    (DliSqlJobOperator, {"sql": "  \n"}, "sql", ("empty",)),
    (DliSqlJobOperator, {**SQL, "job_id": "j"}, "job_id", ("sql",)),
    (DliSqlJobOperator, {**SQL, "queue_name": "_q"}, "queue_name", ("128", "underscore")),
    (DliSqlJobOperator, {**SQL, "queue_name": "q" * 129}, "queue_name", ("128",)),
    (DliSqlJobOperator, {**SQL, "database": "123"}, "database", ("digits only",)),
    (DliSqlJobOperator, {**SQL, "engine_type": "flink"}, "engine_type", ("spark", "hetuEngine")),
    (DliSqlJobOperator, {**SQL, "conf": "a=b"}, "conf", ("list",)),
    (DliSqlJobOperator, {**SQL, "conf": ["a"]}, "conf", ("name=value",)),
    (DliSqlJobOperator, {**SQL, "conf": {"dli.sql.sqlasync.enabled": False}}, "conf", ("asynchronously",)),
    (DliSqlJobOperator, {**SQL, "tags": {"": "v"}}, "tags", ("128", "255")),
    (DliSqlJobOperator, {**SQL, "tags": {"k": "v" * 256}}, "tags", ("128", "255")),
    (DliSqlJobOperator, {"sql": "select '\ud83d'"}, "sql", ("surrogate",)),
    (DliSqlJobOperator, {**SQL, "conf": {"a.\udc00": "x"}}, "conf", ("surrogate",)),
    (DmsFileUploadOperator, {"upload_target": {**TARGET, "ObjectName": "\udcff.sql"}}, "upload_target", ("surrogate",)),
    (DliSqlJobOperator, {**SQL, "tags": [{"name": "k"}]}, "tags", ("key",)),
    (DliSqlJobOperator, {**SQL, "tags": {"a/b": "v"}}, "tags", ("'a/b'", "letters")),
    (DliSqlJobOperator, {**SQL, "tags": {"k": "a,b"}}, "tags", ("'a,b'", "letters")),
    (DliSqlJobOperator, {**SQL, "tags": {"k": "v "}}, "tags", ("'v '", "blanks")),
    (DliSqlJobOperator, {**SQL, "tags": {"_sys_k": "v"}}, "tags", ("'_sys_k'",)),
    (DliSqlJobOperator, {**SQL, "tags": "k=v"}, "tags", ("list",)),
    (DliSqlJobSensor, {"job_id": ["a", ""]}, "job_id", ("empty",)),
    (DrsObjectTemplateOperator, {**FILE, "job_id": ""}, "job_id", ("empty",)),
    (DrsObjectTemplateOperator, {**FILE, "file_path": "/x.csv"}, "file_path", (".xls", ".json", ".txt", ".zip")),
    (
        DrsObjectTemplateOperator,
        {**FILE, "file_import_db_level": "schema"},
        "file_import_db_level",
        ("table", "database", "column"),
    ),
    (
        DrsObjectTemplateOperator,
        {**FILE, "file_import_mapping_type": "x"},
        "file_import_mapping_type",
        ("table_mapping", "topic_mapping"),
    ),
    (DrsObjectTemplateSensor, {"job_id": None}, "job_id", ("missing",)),
    (DmsFileUploadSensor, {"job_key": "k", "region": ""}, "region", ("empty",)),
    (DmsFileUploadSensor, {"job_key": "k", "alibabacloud_conn_id": ""}, "alibabacloud_conn_id", ("empty",)),
    (DliSqlJobOperator, {**SQL, "poll_interval": 0}, "poll_interval", ("more than 0",)),
    (DliSqlJobOperator, {**SQL, "wait_timeout": -1}, "wait_timeout", ("more than 0",)),
    (DliSqlJobOperator, {**SQL, "poll_interval": "10"}, "poll_interval", ("seconds",)),
    (DliSqlJobOperator, {**SQL, "poll_interval": float("nan")}, "poll_interval", ("more than 0",)),
    (DliSqlJobSensor, {"job_id": "j", "poke_interval": 0}, "poke_interval", ("more than 0",)),
    (DliSqlJobSensor, {"job_id": "j", "huaweicloud_conn_id": None}, "huaweicloud_conn_id", ("missing",)),
    (DliSqlJobSensor, {"job_id": {"api": "dli.sql_job", "job_key": "k"}}, "job_id", ("'job_key'",)),
    (DliSqlJobOperator, {"sql": ["select 1"]}, "sql", ("text", "list")),
    (DliSqlJobOperator, {"sql": ["{{ ds }}"]}, "sql", ("text", "list")),
    (DliSqlJobOperator, {**SQL, "job_id": ""}, "job_id", ("empty",)),
    (DliSqlJobOperator, {**SQL, "tags": {None: "a"}}, "tags", ("None",)),
    (DmsFileUploadOperator, {**UPLOAD, "upload_url": ["https://h/a"]}, "upload_url", ("text", "list")),
    (DmsFileUploadOperator, {**UPLOAD, "job_key": ""}, "job_key", ("empty",)),
    (DmsDataTrackExportOperator, {**EXPORT, "event_id_list": ["a"]}, "event_id_list", ("'a'", "whole numbers")),
    (DmsDataTrackExportOperator, {**EXPORT, "filter_end_time": "2026-02-30 00:00:00"}, "filter_end_time", ("yyyy-MM",)),
    (DmsDataTrackExportOperator, {**EXPORT, "filter_end_time": "2026-2-3 4:05:06"}, "filter_end_time", ("yyyy-MM",)),
    (
        DmsDataTrackExportOperator,
        {**EXPORT, "column_filter": {"ColumnName": "c", "Operator": "EQUAL", "Value": timedelta(1)}},
        "column_filter",
        ("JSON", "timedelta"),
    ),
    (IceUrlUploadOperator, {"upload_urls": "https://h/a.mp4,https://h/b.mp4"}, "upload_urls", ("list",)),
    (IceUrlUploadOperator, {**URLS, "user_data": {"Extend": {"at": timedelta(1)}}}, "user_data", ("JSON",)),
    (IceUrlUploadSensor, {"job_ids": "a,b"}, "job_ids", ("list",)),
    (DrsObjectTemplateOperator, {**FILE, "job_id": ["j"]}, "job_id", ("text", "list")),
]


@pytest.mark.parametrize(("task", "given", "argument", "words"), WRONG)
def test_wrong_arguments_are_refused_at_parse_time(
    task: type[Any], given: dict[str, Any], argument: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        task(task_id="the_task", **given)
    message = str(caught.value)
    assert caught.value.argument == argument
    for word in (task.__name__, "the_task", repr(argument), *words):
        assert word in message


@pytest.mark.parametrize(
    ("tag", "sent"),
    [
        ({"key": "k", "value": 1}, {"key": "k", "value": "1"}),
        ({"key": 1, "value": "v"}, {"key": "1", "value": "v"}),
        ({"key": "k"}, {"key": "k"}),
        ({"key": "k", "value": None}, {"key": "k"}),
    ],
    ids=["number", "number as key", "no value", "none"],
)
def test_tags_are_sent_as_text_and_absent_values_not_at_all(tag: dict[str, Any], sent: dict[str, str]) -> None:
    operator = DliSqlJobOperator(task_id="t", sql="select 1", tags=[tag])
    assert operator.spec.submit(**operator.submit_arguments()).body["tags"] == [sent]


@pytest.mark.parametrize("name", ["sql", "queue_name", "engine_type", "conf", "tags", "current_catalog"])
def test_xcom_arguments_wait_for_their_value(name: str) -> None:
    with DAG("d", schedule=None):
        before = BaseOperator(task_id="before")
        operator = DliSqlJobOperator(task_id="t", **{**SQL, name: before.output})
    assert operator.upstream_task_ids == {"before"}


def test_what_airflow_gives_as_a_list_is_sent_as_one() -> None:
    """A mapped task's output is a sequence of Airflow's own, and templates make numbers texts."""
    operator = DmsDataTrackExportOperator(
        task_id="t", **EXPORT, filter_table_list=UserList(["a", {"c", "b"}]), event_id_list=range(2)
    )
    operator.event_id_list = UserList(["1", 2])
    sent = operator.spec.submit(**operator.submit_arguments()).query
    assert (sent["FilterTableList"], sent["EventIdList"]) == ('["a",["b","c"]]', "[1,2]")


def test_default_args_reach_the_pause_between_two_polls() -> None:
    with DAG("d", schedule=None, default_args={"poke_interval": 300, "poll_interval": timedelta(minutes=5)}):
        assert DliSqlJobSensor(task_id="sensor", job_id="k").poke_interval == 300
        assert DliSqlJobSensor(task_id="own", job_id="k", poke_interval=7).poke_interval == 7
        assert DliSqlJobOperator(task_id="operator", sql="x").poll_interval == 300
    assert DliSqlJobSensor(task_id="alone", job_id="k").poke_interval == DliSqlJobSensor.spec.interval


@pytest.mark.parametrize("name", ["job_id", "region", "endpoint", "huaweicloud_conn_id"])
@pytest.mark.parametrize(
    "make", [lambda xcom: xcom, lambda xcom: "{{ ti.xcom_pull('before') }}"], ids=["XCom", "template"]
)
def test_a_trigger_that_begins_cannot_ask_for_xcoms(name: str, make: Callable[[Any], Any]) -> None:
    with DAG("d", schedule=None):
        value = make(BaseOperator(task_id="before").output)
        with pytest.raises(InvalidArgument, match=f"'start_from_trigger' needs '{name}' written in the DAG"):
            DliSqlJobSensor(task_id="t", **{"job_id": "k", name: value}, deferrable=True, start_from_trigger=True)


def test_templates_are_judged_when_rendered() -> None:
    operator = DmsFileUploadOperator(task_id="t", **{**UPLOAD, "file_name": "{{ ds }}", "file_source": "{{ ds }}"})
    operator.file_name = "a.csv"
    with pytest.raises(InvalidArgument, match=r"'file_name' is 'a\.csv'; it must end with \.txt or \.sql"):
        operator._check_arguments(rendered=True)


def test_a_path_and_a_uuid_are_the_texts_that_they_stand_for() -> None:
    path, key = Path("/data/tables.xlsx"), UUID("12345678123456781234567812345678")
    task = DrsObjectTemplateOperator(task_id="t", job_id=key, file_path=path)
    assert (task.job_id, task.file_path) == (str(key), "/data/tables.xlsx")
    assert DliSqlJobSensor(task_id="t", job_id=[key]).job_id == [str(key)]
    with pytest.raises(InvalidArgument, match=r"'file_path'.*\.xls"):
        DrsObjectTemplateOperator(task_id="t", job_id="k", file_path=Path("/data/tables.pdf"))
    with pytest.raises(InvalidArgument, match="'sql'"):
        DliSqlJobOperator(task_id="t", sql=object())


def test_a_literal_none_is_written_so() -> None:
    task = DliSqlJobOperator(task_id="t", sql="SELECT 1", database=literal("None"))
    task.render_template_fields({})
    task._check_arguments(rendered=True)
    assert task.database == "None"


def test_our_own_tags_are_such_as_the_page_allows() -> None:
    identity = Identity("销售_日报.v2", "manual__2026-01-01T00:00:00+00:00/ä", " t ", -1, 1)
    tags = identity.tags()
    assert (tags["airflow_dag_id"], tags["airflow_task_id"]) == ("销售_日报.v2", "t")
    assert tags["airflow_run_id"] == "manual__2026-01-01T00:00:00+00:00_ä"
    DliSqlJobOperator(task_id="t", sql="select 1", tags=tags)


@pytest.mark.parametrize("way", ["plain", "mapped"])
def test_the_mark_of_byte_order_in_front_of_a_file_is_no_part_of_its_text(tmp_path: Path, way: str) -> None:
    (tmp_path / "query.sql").write_text("SELECT {{ 1 + 1 }}", encoding="utf-8-sig")
    with DAG("d", schedule=None, template_searchpath=str(tmp_path)) as dag:
        if way == "plain":
            task: Any = DliSqlJobOperator(task_id="t", sql="query.sql")
            task.resolve_template_files()
        else:
            task = DliSqlJobOperator.partial(task_id="t").expand(sql=["query.sql"]).unmap({"sql": "query.sql"})
        task.dag = dag
        task.render_template_fields({})
    assert task.sql == "SELECT 2"


@pytest.mark.parametrize("native", [True, False])
def test_a_text_without_a_template_stays_that_text(native: bool) -> None:
    target = {"Endpoint": "e", "BucketName": "20260101", "ObjectName": "1.10"}
    with DAG("d", schedule=None, render_template_as_native_obj=native):
        upload = DmsFileUploadOperator(
            task_id="u", file_name="a.sql", file_source="datacorrect", upload_target=target, tid="{{ 1 + 1 }}"
        )
        query = DliSqlJobOperator(
            task_id="q", sql="'SELECT 1'", conf={"a": "1.10"}, tags=[{"key": "007", "value": "1e5"}]
        )
        sensor = DliSqlJobSensor(task_id="s", job_id=["12_34", "0x1f"])
    for task in (upload, query, sensor):
        task.render_template_fields({})
    assert upload.upload_target == target
    assert upload.tid == (2 if native else "2")
    assert (query.sql, query.conf, query.tags) == ("'SELECT 1'", {"a": "1.10"}, [{"key": "007", "value": "1e5"}])
    assert sensor.job_id == ["12_34", "0x1f"]


def test_a_refusal_names_what_made_a_number_of_a_text() -> None:
    with DAG("d", schedule=None, render_template_as_native_obj=True):
        task = DliSqlJobOperator(task_id="q", sql="{{ 1 }}")
    task.render_template_fields({})
    with pytest.raises(InvalidArgument, match=r"'sql'.*render_template_as_native_obj"):
        task._check_arguments(rendered=True)
