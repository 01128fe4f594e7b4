# SPDX-License-Identifier: Apache-2.0
"""Bad input: the message names the argument or field and what is allowed, and nothing is sent.

What a DAG file itself shows is refused when it is parsed; what a template or a connection shows, before the
first request.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from support.jobapis import APIS, DLI, DMS_EXPORT, DMS_UPLOAD, DRS, ICE, MODES, JobApi
from taskbench import FAILED, SUCCESS, run

from airflow_cloudjobs.exceptions import TaskRefused
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.localcloud import Control, LocalCloud

UPLOAD = {"file_name": "a.sql", "file_source": "datacorrect", "upload_url": "https://files.test/a.sql"}
TARGET = {"Endpoint": "https://oss.test", "BucketName": "b", "ObjectName": "o"}
FILM = "https://files.test/a.mp4"
EXPORT = {"order_id": 1, "rollback_sql_type": "REVERSE"}
LONG = "x" * 129


def _with(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


# (class, arguments, the argument that the message names, words of what is allowed)
OPERATORS: list[tuple[JobApi, dict[str, Any], str, tuple[str, ...]]] = [
    (DMS_UPLOAD, {}, "file_name", ("file_source", "job_key")),
    *(
        (DLI, {"sql": "SELECT 1", "output_path": path}, "output_path", ("obs://bucket/directory", "blanks"))
        for path in ("s3://b/d", "obs://lake", "obs://lake/", "obs://lake/a b", "obs://lake/a,b", "obs://b.1/d", "")
    ),
    (DLI, {"sql": "SELECT 1", "output_path": ["obs://lake/a"]}, "output_path", ("text",)),
    (DLI, {"sql": "SELECT 1", "output_options": {"export_mode": "Overwrite"}}, "output_options", ("output_path",)),
    *(
        (DLI, {"sql": "SELECT 1", "output_path": "obs://lake/a", **more}, argument, words)
        for more, argument, words in (
            ({"output_format": "parquet"}, "output_format", ("csv", "json")),
            ({"output_format": None}, "output_format", ("missing",)),
            ({"output_options": {"mode": "Overwrite"}}, "output_options", ("'mode'", "export_mode")),
            ({"output_options": {"export_mode": "Append"}}, "output_options", ("'Append'", "Overwrite")),
            ({"wait_for_completion": False}, "wait_for_completion", ("output_path", "True")),
            ({"end_from_trigger": True, "deferrable": True}, "end_from_trigger", ("output_path",)),
        )
    ),
    (DLI, {"job_id": ["a", "b"], "output_path": "obs://lake/a"}, "output_path", ("job_id", "one job")),
    (DMS_UPLOAD, _with(UPLOAD, file_source=None), "file_source", ("missing",)),
    (DMS_UPLOAD, _with(UPLOAD, file_name=""), "file_name", ("empty",)),
    (DMS_UPLOAD, _with(UPLOAD, file_name="a.csv"), "file_name", (".txt", ".sql")),
    (DMS_UPLOAD, _with(UPLOAD, file_source="else"), "file_source", ("datacorrect", "big-file", "sqlreview")),
    (DMS_UPLOAD, _with(UPLOAD, upload_url=None), "upload_url", ("upload_target",)),
    (DMS_UPLOAD, _with(UPLOAD, upload_target=TARGET), "upload_url", ("upload_target", "only one")),
    (DMS_UPLOAD, _with(UPLOAD, upload_url="ftp://a/b.sql"), "upload_url", ("http://", "https://")),
    (DMS_UPLOAD, _with(UPLOAD, upload_url=None, upload_target="oss"), "upload_target", ("Endpoint", "BucketName")),
    (
        DMS_UPLOAD,
        _with(UPLOAD, upload_url=None, upload_target={**TARGET, "Key": "x"}),
        "upload_target",
        ("Key", "ObjectName"),
    ),
    (DMS_UPLOAD, _with(UPLOAD, upload_url=None, upload_target={"Endpoint": "x"}), "upload_target", ("BucketName",)),
    (DMS_UPLOAD, _with(UPLOAD, job_key="k"), "job_key", ("file_name",)),
    (DMS_UPLOAD, _with(UPLOAD, tid="abc"), "tid", ("number",)),
    (DMS_UPLOAD, {"job_key": ""}, "job_key", ("empty",)),
    (DMS_UPLOAD, {"job_key": []}, "job_key", ("empty",)),
    (DMS_UPLOAD, {"job_key": ["a", ""]}, "job_key", ("empty",)),
    (DMS_UPLOAD, {"job_key": ["a", "a"]}, "job_key", ("twice",)),
    (DMS_EXPORT, {"order_id": 1}, "rollback_sql_type", ("download_key_id",)),
    (DMS_EXPORT, _with(EXPORT, order_id="x"), "order_id", ("number",)),
    (DMS_EXPORT, _with(EXPORT, rollback_sql_type="BACK"), "rollback_sql_type", ("REVERSE", "FORWARD")),
    (DMS_EXPORT, _with(EXPORT, download_key_id="k"), "download_key_id", ("rollback_sql_type",)),
    (DMS_EXPORT, _with(EXPORT, filter_start_time="2026-01-01"), "filter_start_time", ("yyyy-MM-dd HH:mm:ss",)),
    (DMS_EXPORT, _with(EXPORT, filter_type_list=["UPSERT"]), "filter_type_list", ("INSERT", "UPDATE", "DELETE")),
    (DMS_EXPORT, _with(EXPORT, filter_table_list="orders"), "filter_table_list", ("list",)),
    (
        DMS_EXPORT,
        _with(EXPORT, column_filter={"ColumnName": "a", "Operator": "LIKE"}),
        "column_filter",
        ("LIKE", "EQUAL"),
    ),
    (ICE, {}, "upload_urls", ("job_ids",)),
    (ICE, {"upload_urls": []}, "upload_urls", ("empty",)),
    (ICE, {"upload_urls": [f"https://files.test/{n}.mp4" for n in range(21)]}, "upload_urls", ("21", "20")),
    (ICE, {"upload_urls": [FILM, FILM]}, "upload_urls", ("twice",)),
    (ICE, {"upload_urls": "files.test/a.mp4"}, "upload_urls", ("http://",)),
    (ICE, {"upload_urls": "https://files.test/a"}, "upload_urls", ("extension", "FileExtension")),
    (ICE, {"upload_urls": FILM, "job_ids": "k"}, "job_ids", ("upload_urls",)),
    (ICE, {"upload_urls": FILM, "media_metadata": [{"Title": "x"}]}, "media_metadata", ("SourceURL",)),
    (
        ICE,
        {"upload_urls": FILM, "media_metadata": [{"SourceURL": FILM + "x", "Title": "x"}]},
        "media_metadata",
        ("upload_urls",),
    ),
    (ICE, {"upload_urls": FILM, "upload_target_config": {"StorageType": "oss"}}, "upload_target_config", ("Storage",)),
    (DLI, {}, "sql", ("job_id",)),
    (DLI, {"sql": ""}, "sql", ("empty",)),
    (DLI, {"sql": " \n"}, "sql", ("empty",)),
    (DLI, {"sql": "SELECT 1", "job_id": "k"}, "job_id", ("sql",)),
    (DLI, {"sql": "SELECT 1", "database": "_x"}, "database", ("underscore",)),
    (DLI, {"sql": "SELECT 1", "queue_name": "123"}, "queue_name", ("digits",)),
    (DLI, {"sql": "SELECT 1", "queue_name": LONG}, "queue_name", ("128",)),
    (DLI, {"sql": "SELECT 1", "engine_type": "presto"}, "engine_type", ("spark", "hetuEngine")),
    (DLI, {"sql": "SELECT 1", "conf": ["a"]}, "conf", ("name=value",)),
    (DLI, {"sql": "SELECT 1", "conf": {"dli.sql.sqlasync.enabled": False}}, "conf", ("asynchronously",)),
    (DLI, {"sql": "SELECT 1", "tags": {LONG: "x"}}, "tags", ("128", "255")),
    (DRS, {"job_id": "j", "file_path": "a.csv"}, "file_path", (".xls", ".json", ".txt", ".zip")),
    (DRS, {"job_id": "j", "file_path": ""}, "file_path", ("empty",)),
    (DRS, {"job_id": "", "file_path": "a.json"}, "job_id", ("empty",)),
    (
        DRS,
        {"job_id": "j", "file_path": "a.json", "file_import_db_level": "row"},
        "file_import_db_level",
        ("table", "column"),
    ),
    (
        DRS,
        {"job_id": "j", "file_path": "a.json", "file_import_mapping_type": "x"},
        "file_import_mapping_type",
        ("table_mapping", "topic_mapping"),
    ),
]


@pytest.mark.parametrize(("api", "arguments", "argument", "words"), OPERATORS)
def test_what_the_dag_file_shows(
    api: JobApi, arguments: dict[str, Any], argument: str, words: tuple[str, ...], control: Control
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        api.operator(task_id="t", **arguments)
    message = str(caught.value)
    assert f"argument {argument!r}" in message
    assert api.operator.__name__ in message
    assert [word for word in words if word not in message] == []
    assert control.stats()["operations"] == {}


@pytest.mark.parametrize(("api", "arguments", "argument", "words"), OPERATORS)
def test_what_templates_become(
    api: JobApi, arguments: dict[str, Any], argument: str, words: tuple[str, ...], control: Control
) -> None:
    """The same arguments, not known before the task runs."""

    def make() -> Any:
        good = {"order_id": 1} if api is DMS_EXPORT else {"job_id": "j", "file_path": "a.json"} if api is DRS else {}
        later = {**good, api.key: "{{ later }}"}
        task = api.operator(task_id="t", **later)
        if api is not DRS:
            setattr(task, api.key, None)
        for name, value in arguments.items():
            setattr(task, name, value)
        return task

    ran = run(make, later="x")
    assert type(ran.error) is TaskRefused
    assert isinstance(ran.error, AirflowFailException), "a retry would be refused again"
    assert f"argument {argument!r}" in str(ran.error)
    assert [word for word in words if word not in str(ran.error)] == []
    assert control.stats()["operations"] == {}


@pytest.mark.parametrize("given", ["", [], ["a", ""], ["a", "a"], "  "])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_sensors_need_a_key(api: JobApi, given: Any, control: Control) -> None:
    with pytest.raises(InvalidArgument, match=f"argument '{api.key}'"):
        api.sensor(task_id="t", **api.waiting(given))
    assert control.stats()["operations"] == {}


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable sensor"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_sensors_need_a_key_after_rendering(api: JobApi, mode: str, control: Control) -> None:
    ran = run(lambda: api.sensor(task_id="t", **api.waiting("{{ nothing }}"), **MODES[mode][1]), nothing="")
    assert ran.state == FAILED
    assert f"argument {api.key!r}" in str(ran.error)
    assert control.stats()["operations"] == {}


def test_the_ice_sensor_takes_one_of_two() -> None:
    with pytest.raises(InvalidArgument, match=r"'job_ids'.*'upload_urls'"):
        ICE.sensor(task_id="t")
    with pytest.raises(InvalidArgument, match="only one"):
        ICE.sensor(task_id="t", job_ids="k", upload_urls=FILM)


NONE = "{{ nothing }}"


@pytest.mark.parametrize(
    ("api", "arguments", "name"),
    [
        (DLI, {"sql": NONE}, "sql"),
        (DLI, {"sql": "SELECT 1", "queue_name": NONE}, "queue_name"),
        (DLI, {"sql": "SELECT 1", "database": NONE}, "database"),
        (DLI, {"sql": "SELECT 1", "output_path": NONE}, "output_path"),
        (DLI, {"sql": "SELECT 1", "conf": {"spark.a": NONE}}, "conf"),
        (DLI, {"sql": "SELECT 1", "tags": [{"key": "team", "value": NONE}]}, "tags"),
        (DMS_UPLOAD, _with(UPLOAD, upload_url=None, upload_target={**TARGET, "ObjectName": NONE}), "upload_target"),
        (
            ICE,
            {"upload_urls": "https://h/a.mp4", "upload_target_config": {"StorageType": "oss", "StorageLocation": NONE}},
            "upload_target_config",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_a_template_that_gives_none_is_refused(
    api: JobApi, arguments: dict[str, Any], name: str, mode: str, control: Control
) -> None:
    ran = run(lambda: api.operator(task_id="t", **arguments, **MODES[mode][1]), nothing=None)
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    assert [word for word in (repr(name), "came as None from a template") if word not in str(ran.error)] == []
    assert control.stats()["submits"] == {}


def test_what_is_written_none_in_the_dag_is_sent(control: Control) -> None:
    tags = {"team": "None", "day": "{{ word }}"}
    ran = run(
        lambda: DLI.operator(task_id="t", sql="SELECT 1", database="None", tags=tags, poll_interval=0.05), word="x"
    )
    assert (ran.state, ran.error) == (SUCCESS, None)
    assert control.jobs(DLI.api)[-1]["fields"]["currentdb"] == "None"


@pytest.mark.parametrize(
    ("name", "value"),
    [("poll_interval", 0), ("poll_interval", -1), ("poll_interval", "5"), ("wait_timeout", 0), ("wait_timeout", True)],
)
def test_times_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"argument '{name}'.*more than 0"):
        DLI.operator(task_id="t", sql="SELECT 1", **{name: value})


def _zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return path


def _files(folder: Path) -> dict[str, tuple[Path, tuple[str, ...]]]:
    """Files that DRS does not take: name -> path, words of the message."""
    empty, big, bigger, broken = (folder / name for name in ("empty.json", "big.txt", "bigger.zip", "broken.zip"))
    empty.write_bytes(b"")
    big.write_bytes(b"x" * (5 * 1024 * 1024 + 1))
    bigger.write_bytes(b"x" * (1024 * 1024 + 1))
    broken.write_bytes(b"no zip at all")
    (folder / "folder.json").mkdir()
    return {
        "absent": (folder / "absent.json", ("no such file",)),
        "a folder": (folder / "folder.json", ("no such file",)),
        "empty": (empty, ("0 bytes", "1 to 5242880")),
        "too big": (big, ("5242881", "5242880")),
        "a zip too big": (bigger, ("1048577", "1048576")),
        "no zip": (broken, ("not a zip",)),
        "two files": (_zip(folder / "two.zip", a_json=b"{}", b_json=b"{}"), ("a.json", "b.json", "exactly one")),
        "no file": (_zip(folder / "none.zip"), ("exactly one",)),
        "a wrong file": (_zip(folder / "wrong.zip", a_xls=b"x"), ("a.xls", ".json", ".txt")),
        "too much inside": (_zip(folder / "bomb.zip", a_json=b" " * (20 * 1024 * 1024 + 1)), ("20971520",)),
    }


@pytest.mark.parametrize(
    "file",
    [
        "absent",
        "a folder",
        "empty",
        "too big",
        "a zip too big",
        "no zip",
        "two files",
        "no file",
        "a wrong file",
        "too much inside",
    ],
)
def test_files_that_drs_does_not_take(file: str, tmp_path: Path, control: Control) -> None:
    path, words = _files(tmp_path)[file]
    control.create_job("drs.job", "task-1")
    ran = run(lambda: DRS.operator(task_id="t", job_id="task-1", file_path=str(path)))
    assert type(ran.error) is TaskRefused
    assert "argument 'file_path'" in str(ran.error)
    assert [word for word in words if word not in str(ran.error)] == []
    assert control.stats()["operations"] == {}


# (which cloud, what is changed in its connection, words of the message)
CONNECTIONS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("alibaba", {"password": ""}, ("password", "missing")),
    ("alibaba", {"login": ""}, ("login", "missing")),
    ("huawei", {"password": ""}, ("password", "SK")),
    ("huawei", {"login": ""}, ("login", "AK")),
    ("alibaba", {"extra": {"auth": "magic"}}, ("'auth'", "'magic'", "'ak'", "'sts'")),
    ("huawei", {"extra": {"auth": "magic"}}, ("'auth'", "'magic'", "'aksk'", "'token'")),
    ("huawei", {"extra": {}}, ("project_id", "region")),
    ("huawei", {"extra": {"region": "cn-north-4", "auth": "token"}}, ("domain", "token")),
    ("alibaba", {"extra": {"region": "cn-north-4"}}, ("region", "cn-north-4")),
    ("huawei", {"extra": {"region": "cn-shanghai"}}, ("region", "cn-shanghai")),
    ("huawei", {"extra": "{not json"}, ("extra", "JSON")),
    ("alibaba", {"extra": {"auth": "sts"}}, ("security_token",)),
    ("alibaba", {"extra": {"region": "None"}}, ("'region'", "'None'")),
    ("huawei", {"extra": {"region": "cn-north-4", "ca_bundle": "/no/such.pem"}}, ("ca_bundle", "/no/such.pem")),
    ("alibaba", {"extra": {"region": "cn-shanghai", "ca_bundle": "/no/such.pem"}}, ("ca_bundle", "/no/such.pem")),
    ("huawei", {"extra": {"region": "cn-north-4", "security_token": "half\nhalf"}}, ("security_token", "place 5")),
    ("alibaba", {"login": "\u201cLTAI\u201d"}, ("login", "place 1 of 6")),
]


@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke", "deferrable sensor"])
@pytest.mark.parametrize(("name", "changes", "words"), CONNECTIONS)
def test_connections_that_cannot_work(
    name: str,
    changes: dict[str, Any],
    words: tuple[str, ...],
    mode: str,
    cloud: LocalCloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = cloud.alibaba_connection() if name == "alibaba" else cloud.huawei_connection()
    variable = f"AIRFLOW_CONN_{name.upper()}CLOUD_DEFAULT"
    monkeypatch.setenv(variable, json.dumps({**good, **changes}))
    api = ICE if name == "alibaba" else DLI
    kind, arguments = MODES[mode]
    if kind == "operator":
        ran = run(lambda: api.operator(task_id="t", **api.new, **arguments))
    else:
        ran = run(lambda: api.sensor(task_id="t", **api.waiting("k"), **arguments))
    assert type(ran.error) is TaskRefused
    assert ran.state == FAILED
    assert [word for word in words if word not in str(ran.error)] == []
    assert good["password"] not in str(ran.error)
    assert cloud.control.stats()["operations"] == {}


@pytest.mark.parametrize("mode", ["blocking", "deferrable", "poke", "deferrable sensor"])
@pytest.mark.parametrize(("api", "region"), [(DMS_UPLOAD, "cn-north-4"), (DLI, "cn-shanghai")], ids=str)
def test_a_region_of_the_other_cloud(api: JobApi, region: str, mode: str, control: Control) -> None:
    kind, arguments = MODES[mode]
    make = api.operator if kind == "operator" else api.sensor
    given = api.new if kind == "operator" else api.waiting("k")
    with pytest.raises(InvalidArgument, match=f"argument 'region' is '{region}', a region of"):
        make(task_id="t", **given, region=region, **arguments)
    ran = run(lambda: make(task_id="t", **given, region="{{ place }}", **arguments), place=region)
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    assert f"argument 'region' is '{region}', a region of" in str(ran.error)
    assert control.stats()["operations"] == {}


def test_what_the_cloud_refuses_is_refused_for_good(control: Control) -> None:
    ran = run(lambda: DLI.operator(task_id="t", sql="FOO BAR"))
    assert type(ran.error) is TaskRefused
    assert "DLI.0004" in str(ran.error)
    assert control.stats()["submits"] == {}
    ran = run(lambda: DLI.operator(task_id="t", sql="SELECT 1", queue_name="missing_queue"))
    assert type(ran.error) is TaskRefused
    assert "missing_queue" in str(ran.error)


@pytest.mark.parametrize("mode", ["blocking", "poke"])
@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_wrong_secret_is_named(
    api: JobApi, mode: str, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch, template: Path
) -> None:
    for name, connection in (("ALIBABA", cloud.alibaba_connection()), ("HUAWEI", cloud.huawei_connection())):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}CLOUD_DEFAULT", json.dumps({**connection, "password": "wr0ng-s3cret"}))
    if mode == "blocking":
        ran = run(lambda: api.operator(task_id="t", **api.submitting("drs-demo-1", str(template))))
    else:
        ran = run(lambda: api.sensor(task_id="t", **api.waiting("k")))
    assert ran.state == FAILED
    assert "secret" in str(ran.error) or "SK" in str(ran.error)
    assert "connection" in str(ran.error)
    assert "wr0ng-s3cret" not in f"{ran.error} {ran.log}"
