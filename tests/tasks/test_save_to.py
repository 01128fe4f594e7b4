# SPDX-License-Identifier: Apache-2.0
"""Files that jobs have made, saved whole or not at all; and what ICE knows of media files."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseHook
from airflow.sdk.io import attach, store
from fsspec.implementations.memory import MemoryFileSystem
from support.jobapis import DMS_EXPORT, DRS, ICE, MODES
from taskbench import FAILED, RETRY, SUCCESS, Attempts, Ran, run

from airflow_cloudjobs import download as downloads
from airflow_cloudjobs.exceptions import JobFailed, ResultUnavailable, SubmitFailed, TaskRefused
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.localcloud import Control, LocalCloud

BIG = 3_000_000
"""Bytes of an export that the store has no MD5 hash of."""


def export(control: Control, key: str = "k", **fields: Any) -> None:
    """An export that has succeeded."""
    control.create_job(DMS_EXPORT.api, key, fields={"OrderId": 4711, **fields}, seconds=0)


def adopting(save_to: Any, keys: Any = "k", **options: Any) -> Any:
    """The operator for an export that exists."""
    return DMS_EXPORT.operator(task_id="t", order_id=4711, download_key_id=keys, save_to=str(save_to), **options)


def answered(control: Control) -> list[int]:
    """The status of each answer to who asked for the object; 0 for a connection that was cut."""
    return [each["status"] for each in control.stats()["requests"] if each["operation"] == "GetObject"]


def is_whole(path: Path, told: dict[str, Any]) -> bool:
    """True if a file is what a result says of it, and a zip without a flaw."""
    content = path.read_bytes()
    assert (told["size"], told["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert told["entries"] == len(archive.namelist()) == 1
    return True


def test_an_export_in_every_mode(control: Control, tmp_path: Path) -> None:
    for number, (mode, (kind, options)) in enumerate(MODES.items()):
        key, path = f"k-{number}", tmp_path / f"{number}.zip"
        control.create_job(DMS_EXPORT.api, key, fields={"OrderId": 4711})
        arguments = {**DMS_EXPORT.waiting(key), "save_to": str(path), **options}
        arguments |= {"poll_interval" if kind == "operator" else "poke_interval": 0.03}
        cls = getattr(DMS_EXPORT, kind)
        ran = run(lambda cls=cls, arguments=arguments: cls(task_id="t", **arguments))
        assert ran.state == SUCCESS, (mode, ran.error)
        file = ran.result["result"]["file"]
        assert is_whole(path, file)
        assert file["path"] == str(path)
        assert f"{file['size']} bytes saved as {path}" in ran.log
        seen = repr([ran.log, ran.result, ran.ti.xcoms, ran.triggers, ran.events])
        assert "Signature" not in seen
    assert sorted(os.listdir(tmp_path)) == [f"{number}.zip" for number in range(len(MODES))]


def test_a_folder_takes_files_by_their_keys(control: Control, tmp_path: Path) -> None:
    export(control, "导出-1")
    ran = run(lambda: adopting(f"file://{tmp_path}/", ["导出-1"]))
    assert is_whole(tmp_path / "导出-1.zip", ran.result[0]["result"]["file"])
    export(control, "one")
    export(control, "two")
    ran = run(lambda: adopting(f"{tmp_path}/", ["one", "two"]))
    assert [each["result"]["file"]["path"] for each in ran.result] == [f"{tmp_path}/one.zip", f"{tmp_path}/two.zip"]
    assert sorted(os.listdir(tmp_path)) == ["one.zip", "two.zip", "导出-1.zip"]


def test_a_rendered_path_and_a_file_that_is_there(control: Control, tmp_path: Path) -> None:
    export(control)
    path = tmp_path / "数据-2026.zip"
    path.write_text("of yesterday")
    ran = run(
        lambda: adopting("{{ folder }}/数据-{{ year }}.zip", include_download_url=True), folder=tmp_path, year=2026
    )
    assert is_whole(path, ran.result["result"]["file"])
    assert "Signature" in ran.result["result"]["DownloadUrl"]


TROUBLE: dict[str, dict[str, Any]] = {
    "breaks": {"kind": "truncated", "broken": True, "count": 3},
    "503": {"kind": "http", "status": 503, "count": 2},
    "429": {"kind": "http", "status": 429, "retry_after": "0", "count": 2},
    "reset": {"kind": "reset", "count": 2},
    "late": {"kind": "slow", "delay": 0.1, "count": 1},
    "a page of a proxy": {"kind": "html", "status": 200, "count": 2},
    "half, and nobody says so": {"kind": "truncated", "count": 1},
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_trouble_on_the_way(trouble: str, control: Control, tmp_path: Path, lucky: None) -> None:
    export(control)
    control.fault(target="GetObject", **TROUBLE[trouble])
    ran = run(lambda: adopting(tmp_path / "x.zip"))
    assert ran.state == SUCCESS, ran.error
    assert is_whole(tmp_path / "x.zip", ran.result["result"]["file"])
    late = trouble == "late"
    assert len(answered(control)) == TROUBLE[trouble]["count"] + (not late)
    assert ("The download goes on" in ran.log) is not late
    assert "Signature" not in ran.log


def test_what_broke_off_is_gone_on_with(control: Control, tmp_path: Path, lucky: None) -> None:
    export(control, ObjectSize=BIG)
    control.fault("truncated", "GetObject", broken=True, count=2)
    ran = run(lambda: adopting(tmp_path / "x.zip"))
    assert is_whole(tmp_path / "x.zip", ran.result["result"]["file"])
    places = [int(place) for place in re.findall(r"goes on at byte (\d+)", ran.log)]
    assert 0 < places[0] < places[1]
    assert [each["status"] for each in control.stats()["requests"] if each["operation"] == "GetObject"] == [
        200,
        206,
        206,
    ]


@pytest.mark.parametrize("changes", ["another object", "an address that has expired"])
def test_what_changes_meanwhile(
    changes: str, control: Control, tmp_path: Path, lucky: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(control, ObjectSize=BIG)
    control.fault("truncated", "GetObject", broken=True, count=1)

    def pause(_: float) -> None:
        if changes == "another object":
            control.set_fields(DMS_EXPORT.api, "k", ObjectVersion=2)
        else:
            control.skew_clock(2 * 3600)

    monkeypatch.setattr(downloads.time, "sleep", pause)
    ran = run(lambda: adopting(tmp_path / "x.zip"))
    assert ran.state == SUCCESS, ran.error
    assert is_whole(tmp_path / "x.zip", ran.result["result"]["file"])
    refused, last = (412, 200) if changes == "another object" else (403, 206)
    assert answered(control) == [200, refused, last]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"kind": "http", "status": 404, "code": "NoSuchKey"}, "NoSuchKey: the file is refused"),
        ({"kind": "http", "status": 403, "code": "AccessDenied"}, "AccessDenied: the file is refused"),
        ({"kind": "http", "status": 302}, "leads to another one"),
    ],
)
def test_a_refusal(fault: dict[str, Any], words: str, control: Control, tmp_path: Path, lucky: None) -> None:
    export(control)
    control.fault(target="GetObject", **fault)
    path = tmp_path / "x.zip"
    path.write_text("of yesterday")
    ran = run(lambda: adopting(path))
    assert (ran.state, type(ran.error)) == (RETRY, ResultUnavailable)
    assert words in str(ran.error)
    assert "Next: " in str(ran.error)
    assert "Signature" not in repr([str(ran.error), repr(ran.error), ran.error.results, ran.log, ran.ti.xcoms])
    assert ran.result["outcome"] == "succeeded"
    assert "file" not in ran.result["result"]
    assert path.read_text() == "of yesterday"
    assert os.listdir(tmp_path) == ["x.zip"]


def test_the_next_attempt_saves_the_same_export(control: Control, tmp_path: Path, lucky: None) -> None:
    """Half of the file, and neither length nor hash tells: the zip does."""
    path = tmp_path / "x.zip"
    new = DMS_EXPORT.submitting()
    attempts = Attempts(lambda: DMS_EXPORT.operator(task_id="t", **new, poll_interval=0.03, save_to=str(path)))
    control.fault("http", "GetObject", status=404)
    with pytest.raises(ResultUnavailable, match="fetches from the same job"):
        attempts.run()
    [job] = control.jobs(DMS_EXPORT.api)
    control.set_fields(DMS_EXPORT.api, job["key"], ObjectSize=BIG, ObjectCut=True)
    control.clear_faults()
    with pytest.raises(ResultUnavailable, match="broken zip"):
        attempts.run()
    assert os.listdir(tmp_path) == []
    control.set_fields(DMS_EXPORT.api, job["key"], ObjectCut=False)
    assert is_whole(path, attempts.run()["result"]["file"])
    assert control.stats()["submits"][DMS_EXPORT.api] == 1


def test_a_download_without_a_byte_is_given_up(cloud: LocalCloud, control: Control, lucky: None) -> None:
    export(control)
    task = adopting("/somewhere/x.zip")
    control.fault("reset", "GetObject")
    received = downloads.Received(io.BytesIO())
    with pytest.raises(CloudApiError, match="connection") as given_up:
        downloads.download(task.hook.get_conn(), lambda: task._download_url("k"), received, patience=0.2)
    assert "Signature" not in repr([given_up.value, str(given_up.value)])
    assert len(answered(control)) > 1


def test_an_object_that_never_comes_whole(control: Control, tmp_path: Path, lucky: None) -> None:
    export(control)
    control.fault("truncated", "GetObject")
    ran = run(lambda: adopting(tmp_path / "x.zip"))
    assert isinstance(ran.error, ResultUnavailable)
    assert "never came whole" in str(ran.error)
    assert len(answered(control)) == downloads.MOST_BEGINNINGS + 1


def test_a_failed_export_has_no_file(control: Control, tmp_path: Path) -> None:
    control.create_job(DMS_EXPORT.api, "k", "fail", fields={"OrderId": 4711}, seconds=0)
    ran = run(lambda: adopting(tmp_path / "x.zip"))
    assert type(ran.error) is JobFailed
    assert os.listdir(tmp_path) == []
    assert len(answered(control)) == 0


WRONG: dict[str, tuple[str, str]] = {
    "relative": ("exports/x.zip", "absolute path"),
    "login": ("s3://AKID:s3cret@bucket/x.zip", "holds a login"),
    "empty": (" ", "is empty"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_work_is_refused_with_the_dag(wrong: str) -> None:
    save_to, words = WRONG[wrong]
    with pytest.raises(InvalidArgument, match=words) as refused:
        adopting(save_to)
    assert "'save_to'" in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keys": ["k", "l"]}, "a folder ends with '/'"),
        ({"deferrable": True, "end_from_trigger": True}, "is not for save_to"),
        ({"wait_for_completion": False}, "must be True for save_to"),
    ],
)
def test_what_does_not_go_with_it(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        adopting("/somewhere/x.zip", **options)


ON_A_WORKER: dict[str, tuple[str, str]] = {
    "no such scheme": ("nostore://bucket/x.zip", "schemes of installed providers"),
    "no such folder": ("{tmp}/none/x.zip", "no such folder on this worker"),
    "no such folder, by a scheme": ("file://{tmp}/none/", "no such folder on this worker"),
    "a folder": ("{tmp}", "it ends with '/'"),
    "a closed folder": ("{tmp}/closed/x.zip", "may not write"),
}


@pytest.mark.parametrize("wrong", ON_A_WORKER)
def test_what_a_worker_cannot_use_is_refused_before_the_submit(wrong: str, control: Control, tmp_path: Path) -> None:
    save_to, words = ON_A_WORKER[wrong]
    (tmp_path / "closed").mkdir(mode=0o500)
    if wrong == "a closed folder" and os.access(tmp_path / "closed", os.W_OK):
        pytest.skip("this user may write everywhere")
    new = {**DMS_EXPORT.submitting(), "save_to": save_to.format(tmp=tmp_path)}
    ran = run(lambda: DMS_EXPORT.operator(task_id="t", **new))
    assert (ran.state, type(ran.error)) == (FAILED, TaskRefused)
    assert "'save_to'" in str(ran.error)
    assert words in str(ran.error)
    assert control.jobs(DMS_EXPORT.api) == []


class Store(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """An object store, as far as this process is concerned, which may break off in the middle of an upload."""

    store: dict[str, Any] = {}
    breaks = False

    def put_file(self, local: str, path: str, **options: Any) -> None:
        super().put_file(local, path, **options)
        if self.breaks:
            self.pipe_file(path, self.cat_file(path)[:10])
            raise ConnectionError("https://store.test/x?Signature=abc broke off")


@pytest.fixture
def memory() -> Iterator[Store]:
    fs = Store(skip_instance_cache=True)
    attach("memory", fs=fs)
    yield fs
    fs.store.clear()
    store._STORE_CACHE.pop("memory")


def test_a_store(memory: Store, control: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    export(control)
    memory.pipe_file("/bucket/exports/k.zip", b"of yesterday")
    memory.breaks = True
    ran = run(lambda: adopting("memory://bucket/exports/"))
    assert isinstance(ran.error, ResultUnavailable)
    assert "ConnectionError: https://store.test/x?***" in str(ran.error)
    assert "abc" not in str(ran.error) + ran.log
    assert memory.find("/bucket") == ["/bucket/exports/k.zip"]
    assert memory.cat_file("/bucket/exports/k.zip") == b"of yesterday"
    memory.breaks = False
    ran = run(lambda: adopting("memory://bucket/exports/"))
    assert ran.state == SUCCESS, ran.error
    [path] = memory.find("/bucket")
    (tmp_path / "copy.zip").write_bytes(memory.cat_file(path))
    assert is_whole(tmp_path / "copy.zip", ran.result["result"]["file"])
    assert (path, ran.result["result"]["file"]["path"]) == ("/bucket/exports/k.zip", "memory://bucket/exports/k.zip")
    assert os.listdir(tmp_path) == ["copy.zip"], "nothing is left in the worker's temporary folder"


def test_a_connection_that_airflow_does_not_hand_out(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer is the same if a secrets backend is away, so it is tried again; nothing was sent."""
    schemes = {"memory": lambda conn_id: BaseHook.get_connection(conn_id)}
    monkeypatch.setattr("airflow.sdk.io.fs._register_filesystems", lambda: schemes)
    new = {**DMS_EXPORT.submitting(), "save_to": "memory://nobody@bucket/x.zip"}
    ran = run(lambda: DMS_EXPORT.operator(task_id="t", **new))
    assert (ran.state, type(ran.error)) == (RETRY, SubmitFailed)
    assert "nobody" in str(ran.error)
    assert control.jobs(DMS_EXPORT.api) == []


CHILD = """
import sys
from airflow_cloudjobs.save_to import save

def fetch(received):
    for _ in range(8):
        received.add(b"x" * 100_000)
    received.file.flush()
    print("half", flush=True)
    sys.stdin.read()
    return ".sql"

save(sys.argv[1], "k", fetch)
"""


def test_a_worker_killed_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "x.sql"
    path.write_text("of yesterday")
    command = [sys.executable, "-W", "ignore", "-c", CHILD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert "half" in iter(child.stdout.readline, "").__next__()
        child.send_signal(signal.SIGKILL)
    assert path.read_text() == "of yesterday"
    [left] = [name for name in os.listdir(tmp_path) if name != "x.sql"]
    assert (left[0], left[-5:]) == (".", ".part")


HEAVY = """
import json, resource, sys
from airflow_cloudjobs import download
from airflow_cloudjobs.alibaba.dms import DmsDataTrackExportOperator
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome

task = DmsDataTrackExportOperator(task_id="t", order_id=4711, download_key_id="k", save_to=sys.argv[1])
task.hook.get_conn()  # what a worker has loaded by then
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = task._fetched(JobResult("k", Outcome.SUCCEEDED))["file"]
print(json.dumps([file["size"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
"""


def test_a_big_file_is_never_held_in_memory(control: Control, tmp_path: Path) -> None:
    size = 200 << 20
    export(control, ObjectSize=size)
    command = [sys.executable, "-W", "ignore", "-c", HEAVY, str(tmp_path / "x.zip")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    saved, grown = json.loads(done.stdout.splitlines()[-1])
    assert saved > 0.99 * size
    assert grown < 40 << 10, f"{grown} KiB more"


def import_template(
    control: Control, end: str, name: str, tmp_path: Path, mode: str = "blocking", **options: Any
) -> Ran:
    """What comes of an import of a template."""
    control.create_job("drs.job", "task-1")
    control.plan(DRS.api, end, reason="row 7: no such table")
    template = tmp_path / name
    template.write_bytes(b"{}")
    kind, more = MODES[mode]
    arguments = DRS.submitting("task-1", str(template)) if kind == "operator" else DRS.waiting("task-1")
    return run(lambda: getattr(DRS, kind)(task_id="t", **arguments, **more, **options))


@pytest.mark.parametrize("mode", ["blocking", "deferrable"])
def test_the_marked_template_of_an_import_that_failed(mode: str, control: Control, tmp_path: Path) -> None:
    ran = import_template(control, "fail", "t.xlsx", tmp_path, mode, save_to=f"{tmp_path}/", poll_interval=0.03)
    assert type(ran.error) is JobFailed
    file = ran.result["result"]["file"]
    assert (file["path"], "entries" in file) == (f"{tmp_path}/task-1.xlsx", False)
    with zipfile.ZipFile(tmp_path / "task-1.xlsx") as workbook:
        assert b"row 7" in workbook.read("xl/workbook.xml")


def test_the_template_of_an_import_that_went_well(control: Control, tmp_path: Path) -> None:
    ran = import_template(control, "success", "t.json", tmp_path, save_to=str(tmp_path / "x.zip"), poll_interval=0.03)
    assert is_whole(tmp_path / "x.zip", ran.result["result"]["file"])


@pytest.mark.parametrize("end", ["success", "fail"])
def test_a_template_that_cannot_be_had(end: str, control: Control, tmp_path: Path) -> None:
    control.fault("http", "ShowDbObjectTemplateResult", status=400, code="DRS.10030008", message="Failed.")
    ran = import_template(control, end, "t.json", tmp_path, save_to=f"{tmp_path}/x.zip", poll_interval=0.03)
    assert type(ran.error) is (ResultUnavailable if end == "success" else JobFailed)
    assert "its result could not be fetched: ShowDbObjectTemplateResult DRS.10030008" in ran.log
    assert not (tmp_path / "x.zip").exists()


def test_several_templates_by_a_sensor(control: Control, tmp_path: Path) -> None:
    for key in ("one", "two"):
        control.create_job(DRS.api, key, seconds=0)
    ran = run(lambda: DRS.sensor(task_id="t", job_id=["one", "two"], save_to=f"{tmp_path}/"))
    assert [each["result"]["file"]["entries"] for each in ran.result] == [1, 1]
    assert sorted(os.listdir(tmp_path)) == ["one.zip", "two.zip"]


@pytest.mark.parametrize("mode", MODES)
def test_media_info(mode: str, control: Control) -> None:
    urls = ["https://files.test/one.mp4", "https://files.test/two.mp4"]
    kind, options = MODES[mode]
    if kind == "operator":
        arguments: dict[str, Any] = {"upload_urls": urls, "poll_interval": 0.03}
    else:
        keys = ["j-1", "j-2"]
        for key, url in zip(keys, urls, strict=True):
            control.create_job(ICE.api, key, fields={"UploadURL": url, "MediaId": f"m-{key}"})
        arguments = {"job_ids": keys, "poke_interval": 0.03}
    ran = run(lambda: getattr(ICE, kind)(task_id="t", **arguments, **options, fetch_media_info=True))
    assert ran.state == SUCCESS, ran.error
    infos = [each["result"]["media_info"] for each in ran.result]
    assert [each["result"]["MediaId"] for each in ran.result] == [each["MediaId"] for each in infos]
    files = [each["FileInfoList"][0]["FileBasicInfo"] for each in infos]
    assert [each["FileName"] for each in files] == ["one.mp4", "two.mp4"]
    assert all(each["FileUrl"].endswith("?***") for each in files)
    assert "Signature=" not in repr([ran.log, ran.ti.xcoms])


def test_media_info_that_cannot_be_had(control: Control) -> None:
    attempts = Attempts(
        lambda: ICE.operator(task_id="t", **ICE.submitting(), poll_interval=0.03, fetch_media_info=True)
    )
    control.fault("http", "GetMediaInfo", status=403, code="Forbidden.RAM", message="No.")
    with pytest.raises(ResultUnavailable, match=r"Forbidden\.RAM.*\n") as unavailable:
        attempts.run()
    assert attempts.ti.xcoms["return_value"]["outcome"] == "succeeded"
    assert "fetches from the same job" in unavailable.value.next_step
    control.clear_faults()
    assert attempts.run()["result"]["media_info"]["MediaBasicInfo"]["Status"] == "Normal"
    assert control.stats()["submits"][ICE.api] == 1
