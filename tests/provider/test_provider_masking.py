# SPDX-License-Identifier: Apache-2.0
"""What a template was rendered to is hidden from logs where it must not be shown, in mapped tasks as in plain ones."""

from __future__ import annotations

import copy
import hashlib
import json
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.secrets_masker import secrets_masker
from airflow.sdk._shared.secrets_masker.secrets_masker import _secrets_masker, redact
from airflow.sdk.execution_time.task_runner import _serialize_rendered_fields
from jinja2.exceptions import UndefinedError

from airflow_cloudjobs import compat
from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator
from airflow_cloudjobs.alibaba.ice import IceUrlUploadOperator
from airflow_cloudjobs.api import JobApi
from airflow_cloudjobs.connection.fields import table_of
from airflow_cloudjobs.connection.form import conn_fields
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.hidden import Hidden, digest
from airflow_cloudjobs.localcloud import LocalCloud

SIGNED = "OSSAccessKeyId=k&Expires=1&Signature=c4nary-s3cret"
URL = f"https://bucket.example.com/a.sql?{SIGNED}"
UPLOAD = {"file_name": "a.sql", "file_source": "big-file"}


def plain(kind: type[Any], fixed: dict[str, Any], varying: dict[str, Any]) -> Any:
    return kind(task_id="t", **fixed, **varying)


def mapped(kind: type[Any], fixed: dict[str, Any], varying: dict[str, Any]) -> Any:
    """The task that Airflow makes of a mapped one on a worker."""
    with DAG("d", schedule=None):
        expanded = kind.partial(task_id="t", **fixed).expand(**{name: [value] for name, value in varying.items()})
    return expanded.unmap(varying)


@pytest.fixture
def hidden(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(compat, "hide_in_logs", texts.append)
    return texts


@pytest.fixture
def masked() -> Iterator[None]:
    """Airflow's own masker, which knows nothing before and after."""
    _secrets_masker().reset_masker()
    yield
    _secrets_masker().reset_masker()


@pytest.mark.parametrize("cloud_name", ["alibaba", "huawei"])
@pytest.mark.parametrize("made", ["by localcloud", "in the form"])
def test_nothing_in_an_extra_is_too_short_to_hide(
    made: str, cloud_name: str, masked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow takes each text of an extra for a secret, and warns in every task's log of one below five signs."""
    home = LocalCloud(port=1)
    extra = home.alibaba_connection()["extra"] if cloud_name == "alibaba" else home.huawei_connection()["extra"]
    if made == "in the form":
        fields = conn_fields(table_of(cloud_name))
        extra = {name: field["schema"].get("default") for name, field in fields.items()} | {"region": extra["region"]}
    masker = _secrets_masker()
    monkeypatch.setattr(type(masker), "_has_warned_short_secret", False)
    warned: list[str] = []
    monkeypatch.setattr(secrets_masker.log, "warning", lambda text, *args, **more: warned.append(text))
    masker.add_mask(extra)
    assert warned == []
    masker.add_mask({**extra, "auth": "ak"})
    assert ["too short" in text for text in warned] == [True], "Airflow warns no more: let the form show its default"


@pytest.mark.parametrize("make", [plain, mapped])
def test_a_rendered_signature_is_hidden(hidden: list[str], make: Callable[..., Any]) -> None:
    task = make(DmsFileUploadOperator, UPLOAD, {"upload_url": "{{ url }}"})
    assert hidden == []
    task.render_template_fields({"url": URL})
    assert task.upload_url == URL
    assert hidden == [SIGNED]


@pytest.mark.parametrize("make", [plain, mapped])
def test_a_rendered_argument_that_is_shown_nowhere_is_hidden(hidden: list[str], make: Callable[..., Any]) -> None:
    task = make(DliSqlJobOperator, {}, {"sql": "select '{{ word }}'"})
    assert hidden == []
    task.render_template_fields({"word": "c4nary-s3cret"})
    assert "select 'c4nary-s3cret'" in hidden


@pytest.mark.parametrize("make", [plain, mapped])
@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t OPTIONS (password='c4nary-s3cret', at='{{ nobody.knows }}')",
        "CREATE TABLE t OPTIONS (\n  password='c4nary-s3cret' {{ at }\n)",
        "CREATE TABLE t OPTIONS (\n  password='c4nary-s3cret' {% at %}\n)",
    ],
)
def test_a_statement_that_cannot_be_rendered_is_not_shown(sql: str, make: Callable[..., Any], masked: None) -> None:
    task = make(DliSqlJobOperator, {}, {"sql": sql})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Jinja's own, of several kinds
        task.render_template_fields({})
    shown = redact("".join(traceback.format_exception(caught.value)))
    assert "c4nary-s3cret" not in shown
    assert "c4nary-s3cret" not in redact(sql)


@pytest.mark.parametrize("make", [plain, mapped])
def test_an_address_that_cannot_be_rendered_is_shown_without_its_signature(
    make: Callable[..., Any], masked: None
) -> None:
    task = make(DmsFileUploadOperator, UPLOAD, {"upload_url": f"{URL}&day={{{{ nobody.knows }}}}"})
    with pytest.raises(UndefinedError):
        task.render_template_fields({})
    assert "c4nary-s3cret" not in redact(task.upload_url)


@pytest.mark.parametrize("make", [plain, mapped])
@pytest.mark.parametrize("sql", ["SELECT * FROM a.sql", "SELECT '{{ word }}' FROM a.sql"])
def test_a_statement_that_ends_like_a_file_is_none(sql: str, make: Callable[..., Any]) -> None:
    task = make(DliSqlJobOperator, {}, {"sql": sql})
    task.resolve_template_files()
    task.render_template_fields({"word": "x"})
    assert task.sql == sql.replace("{{ word }}", "x")


IBAN = "DE02120300000000202051"
SQL = "SELECT name FROM people WHERE iban = 'DE02120300000000202051'"


def shown(task: Any, name: str = "sql") -> Any:
    """What Airflow stores of an argument."""
    return _serialize_rendered_fields(task)[name]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("make", [plain, mapped])
def test_sql_is_shown_as_a_digest_and_sent_as_it_is(make: Callable[..., Any], native: bool, masked: None) -> None:
    task = make(DliSqlJobOperator, {}, {"sql": SQL.replace(IBAN, "{{ iban }}")})
    task.dag = DAG("d", schedule=None, render_template_as_native_obj=native) if make is plain else task.dag
    task.render_template_fields({"iban": IBAN})
    assert shown(task) == f"SELECT … (61 characters, sha256 {sha(SQL)})"
    assert str(task.sql) == shown(task), "airflow tasks render prints it so"
    assert task.submit_arguments()["sql"] == SQL
    task.pre_execute({})
    assert str(task.sql) == SQL


def test_long_sql_is_shown_as_a_digest(masked: None) -> None:
    """Airflow cuts what is longer, before it stores it."""
    long = SQL + " OR 1 = 1" * 1000
    task = DliSqlJobOperator(task_id="t", sql="{{ sql }}")
    task.render_template_fields({"sql": long})
    assert shown(task) == digest(long)


@pytest.mark.parametrize(
    ("argument", "setting", "is_shown"),
    [(None, False, False), (None, True, True), (False, True, False), (True, False, True)],
)
@pytest.mark.parametrize("make", [plain, mapped])
def test_show_sql(
    make: Callable[..., Any],
    argument: bool | None,
    setting: bool,
    is_shown: bool,
    masked: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CLOUDJOBS__SHOW_SQL", str(setting))
    compat.hide_in_logs("p4ssw0rd-of-a-connection")
    sql = SQL + " AND key = '{{ key }}'"
    task = make(DliSqlJobOperator, {"show_sql": argument}, {"sql": sql})
    task.render_template_fields({"key": "p4ssw0rd-of-a-connection"})
    assert (shown(task) == SQL + " AND key = '***'") is is_shown
    assert (IBAN in str(shown(task))) is is_shown


def test_show_sql_shows_no_signature(masked: None) -> None:
    task = DliSqlJobOperator(task_id="t", sql=f"LOAD DATA INPATH '{URL}' INTO TABLE t", show_sql=True)
    task.render_template_fields({})
    assert "c4nary" not in shown(task)
    assert "LOAD DATA" in shown(task)


def test_show_sql_is_true_or_false() -> None:
    with pytest.raises(InvalidArgument, match="argument 'show_sql' is 'False'; allowed are True and False"):
        DliSqlJobOperator(task_id="t", sql=SQL, show_sql="False")
    assert "show_sql" not in DliSqlJobOperator.template_fields


def test_a_task_may_be_rendered_twice(masked: None) -> None:
    task = DliSqlJobOperator(task_id="t", sql=SQL)
    task.render_template_fields({})
    copy.deepcopy(task).render_template_fields({})
    task.render_template_fields({})
    assert task.submit_arguments()["sql"] == SQL
    assert shown(task) == digest(SQL)


API = JobApi(
    "x.sql",
    "x",
    submit="Run POST /run",
    key="id",
    poll="Show GET /jobs/{key}",
    status="s",
    running="R",
    succeeded="S",
    failed="F",
    sql="statement",
    secret="code",
)


@pytest.mark.parametrize("show", [False, True])
def test_sql_among_the_parameters_of_any_api(show: bool, masked: None) -> None:
    written = {"statement": SQL, "steps": [{"statement": "{{ sql }}"}], "code": "c4nary-s3cret", "name": "n"}
    task = HuaweiJobOperator(task_id="t", api=API, parameters=written, show_sql=show)
    task.render_template_fields({"sql": SQL})
    text = SQL if show else digest(SQL)
    stored = {"code": "***", "name": "n", "statement": text, "steps": [{"statement": text}]}
    assert shown(task, "parameters") == stored
    task.pre_execute({})
    assert str(task.submit_arguments()["steps"][0]["statement"]) == SQL


class TestNothingIsHiddenByAirflow:
    """Airflow 3.0, and 3.1 before 3.1.4, store rendered fields just as they are."""

    @pytest.fixture(autouse=True)
    def old(self, masked: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "hides_rendered_fields", lambda: False)

    @pytest.mark.parametrize("make", [plain, mapped])
    def test_sql(self, make: Callable[..., Any]) -> None:
        task = make(DliSqlJobOperator, {}, {"sql": SQL.replace(IBAN, "{{ iban }}")})
        task.render_template_fields({"iban": IBAN})
        assert json.loads(json.dumps(task.sql)) == digest(SQL)
        task.pre_execute({})
        assert task.submit_arguments()["sql"] == SQL

    def test_addresses(self) -> None:
        task = IceUrlUploadOperator(task_id="t", upload_urls=["{{ url }}", "https://files.test/x.mp4"])
        task.render_template_fields({"url": URL})
        assert "c4nary" not in json.dumps(task.upload_urls)
        assert task.upload_urls[1] == "https://files.test/x.mp4"
        task.render_template_fields({"url": URL})
        task.pre_execute({})
        assert task.upload_urls == [URL, "https://files.test/x.mp4"]

    def test_parameters_of_any_api(self) -> None:
        written = {"steps": [{"statement": "{{ sql }}"}], "code": "c4nary-s3cret", "name": "n"}
        task = HuaweiJobOperator(task_id="t", api=API, parameters=written)
        task.render_template_fields({"sql": SQL})
        stored = {"steps": [{"statement": digest(SQL)}], "code": "***", "name": "n"}
        assert json.loads(json.dumps(task.parameters)) == stored
        copy.deepcopy(task).pre_execute({})
        task.pre_execute({})
        copy.deepcopy(task)
        assert task.submit_arguments()["steps"][0]["statement"] == SQL

    def test_what_a_function_before_the_execution_sets_stays(self) -> None:
        task = DliSqlJobOperator(task_id="t", sql="{{ sql }}", database="d")
        task.render_template_fields({"sql": SQL})
        task.sql = "SELECT 1"
        task.pre_execute({})
        assert task.submit_arguments()["sql"] == "SELECT 1"

    def test_without_pre_execute(self) -> None:
        """Who calls a task from code does without; a task that comes back from a triggerer may."""
        task = DliSqlJobOperator(task_id="t", sql=SQL)
        task.render_template_fields({})
        with pytest.raises(AttributeError):
            task.resume_execution("no_such_method", {}, {})
        assert task.submit_arguments()["sql"] == SQL


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("select 1", "select "),
        ("  (SELECT 1)", "SELECT "),
        ("-- p4ssw0rd is x\n/* a */ /* b */\nWITH a AS (SELECT 1) SELECT 2", "WITH "),
        ("/* p4ssw0rd", ""),
        ("查询 一切", ""),
        ("swordfish", ""),
        ("/**/" * 5000 + "1", ""),
    ],
)
def test_a_digest_shows_no_more_than_what_a_statement_does(text: str, word: str) -> None:
    assert digest(text) == f"{word}… ({len(text):,} characters, sha256 {sha(text)})"


def test_a_hidden_text_works_as_the_text() -> None:
    hidden = Hidden(SQL)
    assert (hidden == SQL, f"{hidden}", hidden + ";", len(hidden)) == (True, SQL, SQL + ";", len(SQL))
    assert IBAN not in f"{hidden!s}{hidden!r}{[hidden]}"
