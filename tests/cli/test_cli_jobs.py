# SPDX-License-Identifier: Apache-2.0
"""``submit``, ``wait``, ``get`` and ``cancel``: a life of a job of every API, the record and the exit code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from clicalls import COMMAND, Call, run
from support import jobapis
from support.catalogue_cases import SECRET, SERVED, Served
from support.jobapis import APIS

from airflow_cloudjobs.huawei.dli import DliSqlJobSensor
from airflow_cloudjobs.localcloud import Control

FAST = ("--interval", "0.05")

RECORD = ["api", "job_key", "outcome", "status", "result", "request_id", "console_url"]
"""What a task's XCom has."""

DLI = "dli.sql_job"


def parameters(api: jobapis.JobApi | Served, template: Path, control: Control) -> dict[str, Any]:
    """What a job of an API is submitted with, all that must be there before made."""
    if isinstance(api, Served):
        if api.keyed:
            control.create_job("drs.job", api.key())
        given: dict[str, Any] = api.submitting()["parameters"]
        return given
    control.create_job("drs.job", "drs-1")
    return api.submitting("drs-1", str(template))


def scope(api: jobapis.JobApi | Served) -> list[str]:
    """The options that name a job of an API beside its key."""
    given = api.waiting("k").get("parameters", {}) if isinstance(api, Served) else api.scope
    return [word for name, value in given.items() for word in ("--parameter", f"{name}={value}")]


@pytest.mark.parametrize("api", [*APIS, *SERVED], ids=str)
def test_a_job_of_every_api(api: Any, call: Call, control: Control, template: Path, tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text(json.dumps(parameters(api, template, control)), encoding="utf-8")
    submitted = call("submit", api.api, "--parameters", str(file))
    assert submitted.code == 0, submitted.err
    [*keys] = submitted.out.split()
    assert SECRET not in submitted.out + submitted.err

    going_on = call("get", api.api, *keys, *scope(api))
    assert going_on.code == 2, "it is not told yet how it ends"
    assert all(" in_progress" in line for line in going_on.out.splitlines()), going_on

    done = call("wait", api.api, *keys, "--parameters", str(file), "--json", *FAST)
    records = done.json if len(keys) > 1 else [done.json]
    assert done.code == 0, done.err
    assert [list(record) for record in records] == [RECORD] * len(keys)
    assert {(record["api"], record["outcome"]) for record in records} == {(api.api, "succeeded")}
    assert [record["job_key"] for record in records] == keys
    assert call("get", api.api, *keys, *scope(api)).code == 0


@pytest.mark.parametrize("api", [*APIS, *SERVED], ids=str)
def test_a_job_that_fails(api: Any, call: Call, control: Control, template: Path, tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text(json.dumps(parameters(api, template, control)), encoding="utf-8")
    control.plan(api.api, "fail", reason="disk full on node 7")
    done = call("submit", api.api, "--parameters", str(file), "--wait", "--json", *FAST)
    record = done.json[0] if isinstance(done.json, list) else done.json
    assert (done.code, record["outcome"]) == (1, "failed"), done.err
    assert done.err.splitlines()[-1].startswith("Next: ")


def test_the_record_is_that_of_a_task(call: Call, control: Control) -> None:
    control.create_job(DLI, "k", seconds=0)
    task = DliSqlJobSensor(task_id="t", job_id="k").execute({})
    for command in ("get", "wait"):
        shown = call(command, DLI, "k", "--json").json
        same = {"request_id": "", "result": {}}
        assert {**shown, **same} == {**task, **same}
        assert shown["result"].keys() == task["result"].keys()


def test_several_keys_are_a_list(call: Call, control: Control) -> None:
    for key in "ab":
        control.create_job(DLI, key, "success", seconds=0)
    assert [record["job_key"] for record in call("get", DLI, "b", "a", "--json").json] == ["b", "a"]
    assert [record["job_key"] for record in call("wait", DLI, "a", "b", "--json").json] == ["a", "b"]
    assert call("get", DLI, "a", "b").out.splitlines()[1].startswith("b succeeded FINISHED")


@pytest.mark.parametrize(
    ("end", "code", "words"),
    [
        ("success", 0, "k succeeded FINISHED"),
        ("fail", 1, "k failed FAILED: "),
        ("cancelled", 1, "k cancelled CANCELLED"),
        ("forever", 2, "k in_progress "),
    ],
)
def test_get_tells_the_end_by_its_exit_code(end: str, code: int, words: str, call: Call, control: Control) -> None:
    control.create_job(DLI, "k", end, seconds=0)
    done = call("get", DLI, "k")
    assert (done.code, done.out.startswith(words)) == (code, True), done


def test_get_tells_how_far_a_job_is(call: Call, control: Control) -> None:
    call("submit", "dms.file_upload", *UPLOAD)
    key = control.jobs("dms.file_upload")[0]["key"]
    assert " bytes" in call("get", "dms.file_upload", key).out


@pytest.mark.parametrize("command", ["get", "wait"])
def test_what_is_not_told(command: str, call: Call, control: Control) -> None:
    control.create_job(DLI, "k", steps=[("RUNNING", 0)])
    control.fault("status", "poll", value="MOONWALKING")
    done = call(command, DLI, "k", *(("--timeout", "1", *FAST) if command == "wait" else ()))
    assert done.code == 2
    assert "MOONWALKING" in done.out + done.err
    control.clear_faults()
    done = call(command, DLI, "nobody", "--json")
    assert (done.code, done.json["outcome"], done.json["status"]) == (2, "submitted", ""), done
    assert "does not exist" in done.err or command == "wait"


def test_a_cancel_says_what_became_of_it(call: Call, control: Control) -> None:
    control.create_job(DLI, "k", "forever")
    done = call("cancel", DLI, "k")
    assert (done.code, done.out) == (0, "dli.sql_job k: cancelled\n"), done
    call("wait", DLI, "k", *FAST)
    done = call("cancel", DLI, "k")
    assert (done.code, done.out) == (0, "dli.sql_job k: had ended before it could be cancelled\n"), done
    done = call("cancel", DLI, "nobody")
    assert (done.code, done.out) == (1, "")
    assert "dli.sql_job nobody: could not be cancelled: " in done.err
    assert "Next: if it is to end, cancel it in the console: https://" in done.err


def test_a_cancel_as_json(call: Call, control: Control) -> None:
    control.create_job(DLI, "k", "forever")
    done = call("cancel", DLI, "k", "--json")
    assert list(done.json) == [*RECORD, "cancel"]
    assert (done.code, done.json["cancel"]) == (0, "done")
    control.create_job(DLI, "ended", "success", seconds=0)
    done = call("cancel", DLI, "ended", "nobody", "--json")
    assert [(one["job_key"], one["outcome"], one["cancel"]) for one in done.json] == [
        ("ended", "succeeded", "ended"),
        ("nobody", "submitted", "refused"),
    ]
    assert done.code == 1


def test_a_cancel_in_trouble(call: Call, control: Control, lucky: None, monkeypatch: pytest.MonkeyPatch) -> None:
    control.create_job(DLI, "k", "forever")
    control.fault("http", "cancel", status=503, count=1)
    assert call("cancel", DLI, "k").code == 0
    control.create_job(DLI, "l", "forever")
    control.fault("http", "cancel", status=503)
    monkeypatch.setattr("airflow_cloudjobs.cli.cancel.PATIENCE", 1.0)
    done = call("cancel", DLI, "l", "--json")
    assert (done.code, done.json["cancel"]) == (2, "unknown"), done


def test_an_api_without_a_cancel(call: Call) -> None:
    done = call("cancel", "dms.file_upload", "k")
    assert (done.code, "dms.file_upload has no cancel" in done.err, done.out) == (2, True, ""), done


UPLOAD = [word for name, value in jobapis.DMS_UPLOAD.new.items() for word in ("--parameter", f"{name}={value}")]


def test_a_submit_of_unknown_fate_is_not_made_again(call: Call, control: Control) -> None:
    control.fault("reset", "submit", after_commit=True)
    done = call("submit", "dms.file_upload", *UPLOAD)
    assert (done.code, done.out, len(control.jobs())) == (2, "", 1), done
    assert "may or may not run" in done.err
    assert "wait for it with `cloudjobs wait dms.file_upload KEY`; if not, run this command again" in done.err


def test_one_whose_key_is_known_can_be_looked_at(call: Call, control: Control, template: Path) -> None:
    control.create_job("drs.job", "drs-1")
    control.fault("reset", "submit", after_commit=True)
    given = ["--parameter", "job_id=drs-1", "--parameter", f"file_path={template}"]
    done = call("submit", "drs.object_template", *given)
    assert done.code == 2
    assert "look with `cloudjobs get drs.object_template drs-1`" in done.err


@pytest.mark.parametrize("api", [DLI, "emr.spark_job"])
def test_a_submit_that_the_cloud_knows_again(
    api: str, call: Call, control: Control, lucky: None, template: Path, tmp_path: Path
) -> None:
    """By a mark that is looked for, and by a token."""
    row = {**jobapis.BY_ID, **{row.api: row for row in SERVED}}[api]
    file = tmp_path / "parameters.json"
    file.write_text(json.dumps(parameters(row, template, control)))
    submit = ("submit", api, "--parameters", str(file))
    control.fault("reset", "submit", after_commit=True, count=1)
    assert call(*submit).code == 0
    assert len(control.jobs(api)) == 1

    control.fault("reset", "submit", after_commit=True)
    control.fault("http", "ListSqlJobs", status=403, code="DLI.0003")
    done = call(*submit)
    assert (done.code, done.out, len(control.jobs(api))) == (2, "", 2), done
    last = done.err.splitlines()[-1]
    assert last.startswith("Next: run this command again with --token "), last
    control.clear_faults()
    again = call(*submit, "--token", last.split("--token ")[1].split(":")[0])
    assert (again.code, len(control.jobs(api))) == (0, 2), again
    assert again.out.strip() == control.jobs(api)[1]["key"]


def test_a_token_starts_another_job_after_a_failed_one(call: Call, control: Control) -> None:
    submit = ("submit", DLI, "--parameter", "sql=select 1", "--token", "daily")
    control.plan(DLI, "fail", seconds=0)
    first = call(*submit).out
    control.plan(DLI, "fail", seconds=0)
    second = call(*submit).out
    third = call(*submit).out
    assert len({first, second, third}) == 3
    assert call(*submit).out == third
    assert call("submit", DLI, "--parameter", "sql=select 1", "--token", "another").out != third


def test_what_is_refused_starts_no_job(call: Call, control: Control) -> None:
    control.fault("http", "submit", status=403, code="DLI.0003")
    done = call("submit", DLI, "--parameter", "sql=select iban from customers")
    assert (done.code, done.out, control.jobs()) == (1, "", []), done
    assert "no job was started" in done.err
    assert done.err.splitlines()[-1].startswith("Next: the IAM user lacks the permission 'dli:queue:submitJob'")
    assert "iban" not in done.err


def test_no_end_of_an_earlier_job_is_believed(call: Call, control: Control, template: Path) -> None:
    """DRS knows an import by the job it is for."""
    control.create_job("drs.job", "drs-1")
    given = ["--parameter", "job_id=drs-1", "--parameter", f"file_path={template}", "--wait", "--json", *FAST]
    control.plan("drs.object_template", "fail")
    assert call("submit", "drs.object_template", *given).code == 1
    assert call("submit", "drs.object_template", *given).code == 0


def test_parameters_from_everywhere(call: Call, control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"sql": "select 1", "conf": {"a.b": 1}, "queue_name": "slow"}'))
    done = call("submit", DLI, "--parameters", "-", "--parameter", "queue_name=fast")
    assert done.code == 0, done
    fields = control.jobs(DLI)[0]["fields"]
    assert (fields["queue_name"], "a.b=1" in fields["conf"]) == ("fast", True)


def test_an_api_of_ones_own(call: Call, control: Control, tmp_path: Path) -> None:
    file = tmp_path / "our.json"
    file.write_text(call("apis", "mrs.sql", "--json").out.replace("mrs.sql", "our.query"))
    assert call("check-api", str(file), "--json").json["api"] == "our.query"
    done = call("get", str(file), "k", "--parameter", "cluster_id=c-1")
    assert done.code == 2
    assert call("submit", str(file)).err.startswith("cloudjobs submit: --parameter lacks ")


def test_a_pipe_that_closes_is_no_defect() -> None:
    done = run(command=["bash", "-c", f"{' '.join(COMMAND)} apis --json | head -1; exit ${{PIPESTATUS[0]}}"])
    assert "Traceback" not in done.err, done
