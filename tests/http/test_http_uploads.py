# SPDX-License-Identifier: Apache-2.0
"""Files are streamed as one part of a form, with their length and their name."""

from __future__ import annotations

import asyncio
import tracemalloc
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from http_driving import PROJECT, OddServer, answer_bytes, call_sync, huawei

from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.http.aio import AsyncCaller, session_for
from airflow_cloudjobs.http.sync import SyncCaller
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest, FormFile
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.localcloud.huawei.multipart import parts

SPEC = spec_of("drs.object_template")
NAMES = [
    "plain.json",
    "with blank.json",
    'quo"te.json',
    "ünïcode-日本.json",
    "semi;colon=.json",
    "per%22cent.json",
    "'.json",
]


def upload(path: Path) -> ApiRequest:
    return SPEC.submit(job_id="j", file_path=str(path))


def unchecked(path: Path) -> ApiRequest:
    """The same of a file that DRS would not take, or that is not there."""
    return ApiRequest("drs", "UploadDbObjectTemplate", path="/v5/{project_id}", file=FormFile("file", str(path)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 70_000])
@pytest.mark.parametrize("auth", ["aksk", "token"])
def test_a_file_arrives_with_its_size_and_is_accepted(
    cloud: LocalCloud, tmp_path: Path, name: str, size: int, auth: str
) -> None:
    cloud.control.create_job("drs.job", key="j")
    path = tmp_path / name
    path.write_bytes(b'"' + b"x" * (size - 2) + b'"' if size > 1 else b"1")
    answer = call_sync(huawei(cloud, project_id=PROJECT, auth=auth), upload(path))
    assert isinstance(answer, dict), answer
    assert answer["send_success"] is True
    [job] = cloud.control.jobs("drs.object_template")
    assert job["key"] == "j"


class Slurp(OddServer):
    """An odd server that reads the whole form before it answers."""

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        asked = b""
        while b"\r\n\r\n" not in asked:
            asked += peer.recv(65536)
        head, _, body = asked.partition(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        size = len(body)
        while size < length:
            block = peer.recv(1 << 20)
            size += len(block)
            if length < 1 << 20:
                body += block
        self.requests.append(head + b"\r\n\r\n" + body)
        self.size = size
        peer.sendall(self._answer)
        peer.close()
        peer, _ = self._listener.accept()
        peer.close()


@pytest.mark.parametrize("name", [*NAMES, "two\r\nlines.json"])
def test_the_form_can_be_read_by_others(tmp_path: Path, name: str) -> None:
    """By a form parser and by a mail parser: one part, the field ``file``, the file's own bytes and name."""
    content = b'{"k": "\r\n--boundary\r\n"}'
    path = tmp_path / name
    path.write_bytes(content)
    with Slurp(answer_bytes("200 OK", b'{"send_success": true}')) as server:
        call_sync(huawei(f"http://{server.address}", project_id=PROJECT), upload(path))
        [sent] = server.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
    kind = headers["Content-Type"]
    assert int(headers["Content-Length"]) == len(body)
    assert "Transfer-Encoding" not in headers
    [part] = parts(kind.encode().decode("latin-1"), body) or []
    shown = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")  # as browsers write such names
    assert (part.name, part.file_name, part.size) == ("file", shown, len(content))
    mail = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body, policy=policy.HTTP)
    [only] = mail.iter_parts()
    assert only.get_payload(decode=True) == content


def test_a_big_file_is_not_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with path.open("wb") as target:
        target.truncate(64 << 20)
    with Slurp(answer_bytes("200 OK", b'{"send_success": true}')) as server:
        client = huawei(f"http://{server.address}", project_id=PROJECT)
        with SyncCaller(client) as caller:
            tracemalloc.start()
            answer = caller.call(unchecked(path))
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert answer["send_success"] is True
        assert server.size > 64 << 20
    assert peak < 8 << 20


def test_a_file_that_is_gone_is_no_riddle(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"gone\.json"), SyncCaller(huawei("http://127.0.0.1:1", project_id=PROJECT)) as c:
        c.call(unchecked(tmp_path / "gone.json"))


def test_an_upload_without_an_answer_is_ambiguous(cloud: LocalCloud, tmp_path: Path) -> None:
    cloud.control.create_job("drs.job", key="j")
    cloud.control.fault("reset", "submit", after_commit=True, count=1)
    path = tmp_path / "a.json"
    path.write_text("{}")
    error = call_sync(huawei(cloud, project_id=PROJECT), upload(path))
    assert isinstance(error, CloudApiError)
    assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)
    assert cloud.control.stats()["submits"] == {"drs.object_template": 1}


def test_files_are_not_sent_from_an_event_loop() -> None:
    client = huawei("http://127.0.0.1:1", project_id=PROJECT)

    async def main() -> None:
        async with session_for(client.wire) as session:
            with pytest.raises(ValueError, match="blocking driver"):
                await AsyncCaller(client, session).call(unchecked(Path("/x.json")))

    asyncio.run(main())
