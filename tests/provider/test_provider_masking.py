# SPDX-License-Identifier: Apache-2.0
"""What a template was rendered to is hidden from logs where it must not be shown, in mapped tasks as in plain ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_cloudjobs import compat
from airflow_cloudjobs.alibaba.dms import DmsFileUploadOperator
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator

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
