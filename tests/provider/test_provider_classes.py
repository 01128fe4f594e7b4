# SPDX-License-Identifier: Apache-2.0
"""Classes of tasks: what follows from their signature and API, and what is refused when one is made."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_cloudjobs import apis
from airflow_cloudjobs.alibaba.base import AlibabaSensor
from airflow_cloudjobs.alibaba.dms import (
    DATA_TRACK_EXPORT,
    DmsDataTrackExportOperator,
    DmsDataTrackExportSensor,
    DmsFileUploadOperator,
    DmsFileUploadSensor,
)
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator, IceUrlUploadSensor
from airflow_cloudjobs.api import JobApi
from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.huawei.base import HuaweiOperator, HuaweiSensor
from airflow_cloudjobs.huawei.dli import SQL_JOB, DliSqlJobOperator, DliSqlJobSensor
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator, HuaweiJobSensor
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument
from airflow_cloudjobs.operator import CloudJobOperator
from airflow_cloudjobs.sensor import CloudJobSensor
from airflow_cloudjobs.task_class import own_arguments


def wrong_key_argument() -> type:
    class Sensor(HuaweiSensor):
        spec = SQL_JOB
        key_argument = "job_key"

        def __init__(self, *, job_id: str, **kwargs: Any) -> None: ...

    return Sensor


def scope_without_argument() -> type:
    class Sensor(AlibabaSensor):
        spec = DATA_TRACK_EXPORT
        key_argument = "download_key_id"

        def __init__(self, *, download_key_id: str, tid: int | None = None, **kwargs: Any) -> None: ...

    return Sensor


def argument_of_airflow() -> type:
    class Sensor(HuaweiSensor):
        spec = SQL_JOB
        key_argument = "job_id"

        def __init__(self, *, job_id: str, queue: str | None = None, **kwargs: Any) -> None: ...

    return Sensor


def argument_of_every_sensor() -> type:
    class Sensor(HuaweiSensor):
        spec = SQL_JOB
        key_argument = "job_id"

        def __init__(self, *, job_id: str, timeout: int = 3, **kwargs: Any) -> None: ...

    return Sensor


def submit_without_argument() -> type:
    class Operator(HuaweiOperator):
        spec = SQL_JOB
        key_argument = "job_id"

        def __init__(self, *, sql: str | None = None, job_id: str | None = None, **kwargs: Any) -> None: ...

    return Operator


def spec_that_no_trigger_finds() -> type:
    class Sensor(HuaweiSensor):
        spec = replace(SQL_JOB, api="dli.flink_job")
        key_argument = "job_id"

        def __init__(self, *, job_id: str, **kwargs: Any) -> None: ...

    return Sensor


def another_spec_of_a_known_api() -> type:
    class Sensor(HuaweiSensor):
        spec = replace(SQL_JOB, interval=3.0)
        key_argument = "job_id"

        def __init__(self, *, job_id: str, **kwargs: Any) -> None: ...

    return Sensor


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (wrong_key_argument, "Sensor: needs an argument 'job_key', which is the key of dli.sql_job"),
        (scope_without_argument, "Sensor: needs an argument 'order_id', which is part of a job's name"),
        (argument_of_airflow, "Sensor: argument 'queue' is one that all tasks have already"),
        (argument_of_every_sensor, "Sensor: argument 'timeout' is one that all tasks have already"),
        (submit_without_argument, "Operator: needs an argument 'database', which is an argument of the submit"),
        (spec_that_no_trigger_finds, "Sensor: no trigger would find 'dli.flink_job'; name its spec in"),
        (another_spec_of_a_known_api, "Sensor: no trigger would find 'dli.sql_job'"),
    ],
)
def test_a_class_that_does_not_fit_is_refused_when_it_is_made(make: Callable[[], type], said: str) -> None:
    with pytest.raises(TypeError) as refused:
        make()
    assert said in str(refused.value)


def test_an_argument_that_the_constructor_forgets_is_named_by_the_first_task() -> None:
    class Sensor(HuaweiSensor):
        spec = SQL_JOB
        key_argument = "job_id"

        def __init__(self, *, job_id: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)

        def check(self, arguments: Arguments) -> None: ...

    with pytest.raises(TypeError, match="Sensor: its constructor does not keep argument 'job_id'"):
        Sensor(task_id="wait", job_id="j-1")


def test_arguments_are_checked_and_templated_without_a_word_in_the_class() -> None:
    class Sensor(HuaweiSensor):
        spec = SQL_JOB
        key_argument = "job_id"

        def __init__(self, *, job_id: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.job_id = job_id

        def check(self, arguments: Arguments) -> None:
            arguments.required("job_id")

    assert set(Sensor.template_fields) == {"job_id", "huaweicloud_conn_id", "region", "endpoint"}
    with pytest.raises(InvalidArgument, match="argument 'job_id' is missing"):
        Sensor(task_id="wait", job_id=None)


def test_a_switch_is_no_template() -> None:
    for cls in (DmsDataTrackExportOperator, DmsDataTrackExportSensor):
        assert "include_download_url" not in cls.template_fields
        assert {"order_id", "download_key_id", "tid"} <= set(cls.template_fields)


def test_a_users_own_subclass_needs_nothing() -> None:
    class Mine(DliSqlJobOperator):
        template_fields = (*DliSqlJobOperator.template_fields, "team")

        def __init__(self, *, team: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.team = team

    task = Mine(task_id="query", team="sales", sql="SELECT 1")
    assert task.submit_arguments()["sql"] == "SELECT 1"
    with pytest.raises(InvalidArgument, match="argument 'sql' is empty"):
        Mine(task_id="query", team="sales", sql=" ")


@pytest.mark.parametrize("cls", [DliSqlJobOperator, DliSqlJobSensor])
def test_a_key_that_cannot_stand_in_a_path_is_refused_by_its_argument(cls: type[Any]) -> None:
    with pytest.raises(InvalidArgument, match=r"argument 'job_id' is 'a/b', which cannot stand in a path"):
        cls(task_id="t", job_id="a/b")


def test_a_key_that_stands_in_no_path_may_be_any() -> None:
    """DMS's are parameters."""
    assert DmsFileUploadSensor(task_id="t", job_key="a/b==").job_key == "a/b=="
    assert spec_of("dms.file_upload").submitted({"JobKey": "a/b=="}, {}) == ["a/b=="]


@pytest.mark.parametrize(
    ("cls", "arguments", "said"),
    [
        (
            DliSqlJobSensor,
            {"job_key": "j"},
            "'job_key'; did you mean 'job_id'? Allowed are job_id, fetch_rows, huaweicloud_conn_id,",
        ),
        (DmsFileUploadSensor, {"job_id": "j"}, "'job_id'; did you mean 'job_key'?"),
        (IceUrlUploadSensor, {"job_key": "j"}, "'job_key'; did you mean 'job_ids'?"),
        (DmsDataTrackExportSensor, {"order_id": 1, "job_key": "j"}, "'job_key'; did you mean 'download_key_id'?"),
        (HuaweiJobSensor, {"api": "mrs.sql", "job_id": "j"}, "'job_id'; did you mean 'key'?"),
        (HuaweiJobOperator, {"api": "mrs.sql", "parameter": {}}, "'parameter'; did you mean 'parameters'?"),
        (DliSqlJobOperator, {"sgl": "SELECT 1"}, "'sgl'; did you mean 'sql'?"),
        (DliSqlJobOperator, {"sql": "SELECT 1", "deferable": True}, "'deferable'; did you mean 'deferrable'?"),
        (DliSqlJobOperator, {"sql": "SELECT 1", "retry": 1}, "'retry'; did you mean 'retries'?"),
        (DliSqlJobOperator, {"sql": "SELECT 1", "xyzzy": 1}, "'xyzzy'. Allowed are sql, show_sql, database,"),
    ],
)
def test_a_misspelt_argument_is_refused_with_the_one_that_is_meant(
    cls: type[Any], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(TypeError) as refused:
        cls(task_id="wait", **arguments)
    assert str(refused.value).startswith(f"{cls.__name__} 'wait': there is no argument {said}")
    assert "deferrable" in str(refused.value)


def test_airflows_arguments_are_allowed() -> None:
    with DAG("d", schedule=None, default_args={"job_id": "j-1", "xyzzy": 1}):
        task = DliSqlJobSensor(task_id="t", queue="q", pool="p", timeout=3, soft_fail=True, default_args={"retries": 2})
        mapped = DliSqlJobSensor.partial(task_id="m", poke_interval=3).expand(job_id=["j-2"])
    assert (task.job_id, task.retries) == ("j-1", 2)
    assert mapped.unmap({"job_id": "j-2"}).job_id == "j-2"
    assert copy.deepcopy(task).job_id == "j-1"


def test_a_users_own_constructor_may_take_what_it_does_not_name() -> None:
    class Mine(DliSqlJobSensor):
        def __init__(self, **kwargs: Any) -> None:
            self.team = kwargs.pop("team")
            super().__init__(**kwargs)

    assert Mine(task_id="t", team="sales", job_id="j").team == "sales"


@pytest.mark.parametrize("cls", [DliSqlJobOperator, DliSqlJobSensor, HuaweiJobSensor, HuaweiJobOperator])
@pytest.mark.parametrize("name", ["deferrable", "end_from_trigger"])
@pytest.mark.parametrize("value", ["False", "{{ params.wait }}", 1])
def test_a_switch_that_is_neither_true_nor_false_is_refused(cls: type[Any], name: str, value: Any) -> None:
    own = {"job_id": "j"} if cls in (DliSqlJobOperator, DliSqlJobSensor) else {"api": "mrs.sql", "key": "j"}
    with pytest.raises(InvalidArgument, match=f"argument '{name}' is .*; allowed are True and False, and no template"):
        cls(task_id="t", **own, **{name: value})


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("cls", "arguments", "name"),
    [
        (DliSqlJobSensor, {"job_id": "{{ key }}"}, "job_id"),
        (DliSqlJobOperator, {"job_id": "{{ key }}"}, "job_id"),
        (DliSqlJobOperator, {"sql": "{{ key }}"}, "sql"),
        (DliSqlJobOperator, {"sql": "SELECT 1", "output_path": "{{ key }}"}, "output_path"),
        (IceUrlUploadSensor, {"job_ids": "{{ key }}"}, "job_ids"),
        (DmsDataTrackExportSensor, {"order_id": "{{ key }}", "download_key_id": "j"}, "order_id"),
        (HuaweiJobSensor, {"api": "mrs.sql", "key": "{{ key }}", "parameters": {"cluster_id": "c"}}, "key"),
        (
            HuaweiJobOperator,
            {"api": "mrs.sql", "key": "{{ key }}", "parameters": {"cluster_id": "c", "sql_content": "SELECT 1"}},
            "key",
        ),
    ],
)
def test_what_came_as_none_from_a_template_is_named(
    cls: type[Any], arguments: dict[str, Any], name: str, native: bool
) -> None:
    """An operator whose key is missing must not take its task for one that submits."""
    with DAG("d", schedule=None, render_template_as_native_obj=native):
        task = cls(task_id="t", **arguments)
    task.render_template_fields({"key": None})
    with pytest.raises(InvalidArgument, match=f"argument '{name}' came as None from a template; was there no such"):
        task._check_arguments(rendered=True)


def test_an_argument_that_is_not_needed_may_come_as_none() -> None:
    with DAG("d", schedule=None, render_template_as_native_obj=True):
        task = DliSqlJobOperator(task_id="t", sql="SELECT 1", database="{{ database }}")
    task.render_template_fields({"database": None})
    task._check_arguments(rendered=True)
    assert task.submit_arguments()["database"] is None


MODULES = (
    *("operator", "sensor", "declared", "alibaba.base", "alibaba.dms", "alibaba.ice", "alibaba.jobs"),
    *("huawei.base", "huawei.dli", "huawei.drs", "huawei.jobs"),
)


def constructors() -> list[type]:
    """The classes of tasks that have arguments of their own."""
    modules = [import_module(f"airflow_cloudjobs.{name}") for name in MODULES]
    return [
        cls
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and "__init__" in vars(cls)
    ]


@pytest.mark.parametrize("cls", constructors(), ids=lambda cls: cls.__name__)
def test_each_argument_is_documented_with_its_default(cls: type) -> None:
    """Those that are inherited are where they are from."""
    written = re.findall(r"^:param (\w+): (.+?)(?=\n\n|^:|\Z)", inspect.getdoc(cls) or "", re.M | re.S)
    arguments = own_arguments(vars(cls)["__init__"])
    assert sorted(name for name, _ in written) == sorted(arguments)
    for name, text in written:
        default = "[operators] default_deferrable" if name == "deferrable" else arguments[name].default
        assert default is inspect.Parameter.empty or str(default) in text, (name, default)


def test_the_interval_of_each_api_is_in_the_docstring() -> None:
    intervals = {spec_of(api).interval for api in apis.SPECS} | {JobApi.interval}
    for cls in (CloudJobOperator, CloudJobSensor):
        assert intervals == {float(number) for number in re.findall(r"\b(10|30|60)\b", inspect.getdoc(cls) or "")}


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize(
    ("cls", "arguments", "name"),
    [
        (DliSqlJobSensor, {"job_id": ["1", "{{ 2 }}"]}, "1, 2"),
        (DliSqlJobSensor, {"job_id": "20260101"}, "20260101"),
        (IceUrlUploadOperator, {"upload_urls": "https://u:p@h/a/it's {{ '{{' }}.mp4?Signature=s"}, "it's {{.mp4"),
        (
            DmsFileUploadOperator,
            {"file_name": "查.sql", "file_source": "big-file", "upload_url": "https://h/x"},
            "查.sql",
        ),
        (HuaweiJobSensor, {"api": "mrs.sql", "key": "k" * 200, "parameters": {"cluster_id": "c"}}, "k" * 99 + "…"),
        (DliSqlJobOperator, {"sql": "SELECT 1"}, None),
    ],
)
def test_a_mapped_instance_is_named_after_its_file_or_key(
    cls: type[Any], arguments: dict[str, Any], name: str | None, native: bool
) -> None:
    with DAG("d", schedule=None, render_template_as_native_obj=native) as dag:
        task = cls(task_id="t", **arguments)
        own = cls(task_id="own", map_index_template="mine", **arguments)
    for made, index, expected in ((task, 0, name), (task, -1, None), (own, 0, None)):
        context = {"ti": SimpleNamespace(map_index=index, rendered_map_index=None), "task": made}
        copy.deepcopy(made).render_template_fields(context)
        template = context.get("map_index_template")
        assert (template and dag.get_template_env().from_string(template).render()) == expected
        assert context["ti"].rendered_map_index == expected
