# SPDX-License-Identifier: Apache-2.0
"""What DAGs of the release before import and read is there for one more release, and says what it is called now."""

from __future__ import annotations

from importlib import import_module

import pytest

from airflow_cloudjobs import exceptions
from airflow_cloudjobs.exceptions import JobFailed, JobOutcomeUnknown, SubmitOutcomeUnknown, TaskRefused
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome

RESULT = JobResult("k", Outcome.FAILED)


@pytest.mark.parametrize(
    ("former", "present"),
    [("JobUntold", JobOutcomeUnknown), ("SubmitUntold", SubmitOutcomeUnknown), ("SubmitRefused", TaskRefused)],
)
def test_an_exception_by_its_former_name(former: str, present: type[Exception]) -> None:
    with pytest.warns(DeprecationWarning, match=f"{former} is called {present.__name__} now") as warned:
        found = getattr(exceptions, former)
    assert warned[0].filename == __file__
    assert found is present
    with pytest.raises(found):
        raise present("whoever catches the one catches the other")


@pytest.mark.parametrize(
    ("module", "former", "present"),
    [
        ("alibaba", "AlibabaJobOperator", "AlibabaOperator"),
        ("alibaba", "AlibabaJobSensor", "AlibabaSensor"),
        ("huawei", "HuaweiJobOperator", "HuaweiOperator"),
        ("huawei", "HuaweiJobSensor", "HuaweiSensor"),
    ],
)
def test_a_base_by_its_former_name(module: str, former: str, present: str) -> None:
    base = import_module(f"airflow_cloudjobs.{module}.base")
    with pytest.warns(DeprecationWarning, match=f"{former} is called {present} now"):
        assert getattr(base, former) is getattr(base, present)


def test_by_an_import() -> None:
    with pytest.warns(DeprecationWarning, match="JobOutcomeUnknown"):
        from airflow_cloudjobs.exceptions import JobUntold
    assert JobUntold is JobOutcomeUnknown


def test_what_was_never_there() -> None:
    with pytest.raises(AttributeError, match="JobForgotten"):
        _ = exceptions.JobForgotten


def test_the_results_of_an_exception_by_their_former_name() -> None:
    error = JobFailed("m", [RESULT])
    assert error.results == (RESULT,)
    with pytest.warns(DeprecationWarning, match="'results'"):
        assert error.ends == (RESULT,)
