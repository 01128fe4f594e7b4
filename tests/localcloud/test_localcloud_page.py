# SPDX-License-Identifier: Apache-2.0
"""docs/localcloud.md names every knob that the local clouds have, and no other."""

from __future__ import annotations

import inspect
import json
import re
import urllib.request
from dataclasses import asdict, fields
from pathlib import Path

import pytest

from airflow_cloudjobs.localcloud import Control, LocalCloud
from airflow_cloudjobs.localcloud.control_api import PREFIX, control_application
from airflow_cloudjobs.localcloud.faults import KINDS, Fault
from airflow_cloudjobs.localcloud.scripts import ScriptOverride, read_marks, script_for
from airflow_cloudjobs.localcloud.sockets import Connections
from airflow_cloudjobs.localcloud.state import Settings, State

PAGE = (Path(__file__).parents[2] / "docs" / "localcloud.md").read_text()
SQL = "dli.sql_job"


def table(head: str) -> list[list[str]]:
    """The rows of the table whose first column has this name."""
    lines = PAGE.partition(f"| {head} |")[2].splitlines()[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_kinds_of_faults() -> None:
    assert [names(row[0])[0] for row in table("kind")] == list(KINDS)


def test_the_fields_of_faults() -> None:
    assert {name for row in table("field") for name in names(row[0])} == {field.name for field in fields(Fault)}


def test_the_settings_and_their_defaults() -> None:
    said = {names(row[0])[0]: row[1].strip("`") for row in table("setting")}
    assert list(said) == [field.name for field in fields(Settings)]
    for name, default in asdict(Settings()).items():
        shown = f"{default:g}" if isinstance(default, float) else str(default or "none")
        assert said[name] == shown, name
    row = {names(each[0])[0]: each[2] for each in table("setting")}
    for name in ("dms_not_found", "dli_not_found", "ice_non_exists", "drs_no_import"):
        with pytest.raises(ValueError, match=f"{name} is one of") as refused:
            Settings(**{name: "other"})
        allowed = re.search(r"is one of (.*), not", str(refused.value))
        assert allowed
        assert set(allowed[1].split(", ")) <= set(names(row[name])), name


def test_the_requests() -> None:
    application = control_application(State(), Connections())
    served = {
        f"{method} {route.path.removeprefix(PREFIX + '/').replace(':path', '')}"  # type: ignore[attr-defined]
        for route in application.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    assert {names(row[0])[0] for row in table("request")} == served


def test_the_methods_and_their_arguments() -> None:
    said = [re.fullmatch(r"(\w+)\((.*)\)", names(row[1])[0]) for row in table("request") if row[1]]
    assert all(said)
    methods = {name for name in vars(Control) if not name.startswith("_")}
    assert {match[1] for match in said if match} == methods
    for match in filter(None, said):
        if match[2] in ("", "kind, target, ...") or "**" in match[2]:
            continue
        parameters = list(inspect.signature(getattr(Control, match[1])).parameters)[1:]
        assert sorted(match[2].split(", ")) == sorted(parameters), match[1]


def test_what_stats_and_jobs_hold(control: Control) -> None:
    row = {names(each[0])[0]: set(names(each[2])) for each in table("request")}
    assert row["GET stats"] - {"tail"} == set(control.stats())
    assert row["GET jobs"] - {"?api=", "?tail="} == set(control.create_job(SQL))


@pytest.mark.parametrize("end", [names(row[0])[0] for row in table("end") if names(row[0])])
def test_an_end(end: str) -> None:
    script = script_for(SQL, [ScriptOverride(end=end)], 6.0)
    last = script.steps[-1][0]
    shown = {
        "success": ("FINISHED", True),
        "fail": ("FAILED", True),
        "cancelled": ("CANCELLED", True),
        "unknown": ("ARCHIVING", False),
        "null": (None, False),
        "forever": ("RUNNING", False),
    }
    assert (last, script.ends) == shown[end]


def test_the_marks() -> None:
    [sql] = re.findall(r"`(SELECT 1 --[^`]*)`", PAGE)
    assert read_marks(sql) == ScriptOverride(end="fail", seconds=2.0)
    assert script_for(SQL, [read_marks(sql)], 6.0).seconds == 2.0


def test_its_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    exec(program, {})  # noqa: S102
    assert "http://127.0.0.1:" in capsys.readouterr().out


def test_its_request_is_taken(cloud: LocalCloud) -> None:
    [address, body] = re.findall(r"curl -X POST (\S+) -d '(.*)'", PAGE)[0]
    there = address.replace("http://127.0.0.1:8620", cloud.url)
    with urllib.request.urlopen(urllib.request.Request(there, body.encode(), method="POST"), timeout=5) as answer:  # noqa: S310
        assert json.load(answer) == {}
    assert cloud.control.create_job(SQL)["status"] == "LAUNCHING"
    [plan] = json.load(urllib.request.urlopen(there, timeout=5))[SQL]  # noqa: S310
    assert (plan["override"]["end"], plan["override"]["reason"]) == ("fail", "disk full")
