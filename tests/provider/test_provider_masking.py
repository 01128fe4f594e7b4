# SPDX-License-Identifier: Apache-2.0
"""What a template was rendered to is hidden from logs where it must not be shown, in mapped tasks as in plain ones."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.secrets_masker import secrets_masker
from airflow.sdk._shared.secrets_masker.secrets_masker import _secrets_masker, redact
from jinja2.exceptions import UndefinedError

from airflow_cloudjobs import compat
from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator
from airflow_cloudjobs.connection.fields import table_of
from airflow_cloudjobs.connection.form import conn_fields
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator
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
