# SPDX-License-Identifier: Apache-2.0
"""Files are sent as one part of a form, with their length and their name, by both drivers."""

from __future__ import annotations

import tracemalloc
import warnings
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from support.clients import PROJECT, huawei
from transport_driving import DRIVERS, OddServer, answer_bytes

from airflow_cloudjobs.apis import spec_of
from airflow_cloudjobs.huawei.drs import MOST_BYTES
from airflow_cloudjobs.jobs.arguments import InvalidArgument
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
    "导入 模板.json",
]
both = pytest.mark.parametrize("driver", DRIVERS)


def upload(path: Path) -> ApiRequest:
    return SPEC.submit(job_id="j", file_path=str(path))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 70_000])
@pytest.mark.parametrize("auth", ["aksk", "token"])
@both
def test_a_file_arrives_with_its_size_and_is_accepted(
    cloud: LocalCloud, tmp_path: Path, name: str, size: int, auth: str, driver: str
) -> None:
    cloud.control.create_job("drs.job", key="j")
    path = tmp_path / name
    path.write_bytes(b'"' + b"x" * (size - 2) + b'"' if size > 1 else b"1")
    answer = DRIVERS[driver](huawei(cloud, project_id=PROJECT, auth=auth), upload(path))
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
            body += block
        self.requests.append(head + b"\r\n\r\n" + body)
        peer.sendall(self._answer)
        peer.close()
        peer, _ = self._listener.accept()
        peer.close()


@pytest.mark.parametrize("name", [*NAMES, "two\r\nlines.json"])
@pytest.mark.parametrize("padding", [0, 3 << 20])
@both
def test_the_form_can_be_read_by_others(tmp_path: Path, name: str, padding: int, driver: str) -> None:
    """By a form parser and by a mail parser: one part, the field ``file``, the file's own bytes and name."""
    content = b'{"k": "\r\n--boundary\r\n"}' + padding * b" "
    path = tmp_path / name
    path.write_bytes(content)
    with Slurp(answer_bytes("200 OK", b'{"send_success": true}')) as server:
        DRIVERS[driver](huawei(f"http://{server.address}", project_id=PROJECT), upload(path))
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


@both
def test_the_biggest_file_is_sent_without_a_warning(tmp_path: Path, driver: str) -> None:
    path = tmp_path / "biggest.json"
    path.write_bytes(MOST_BYTES * b"1")
    with Slurp(answer_bytes("200 OK", b'{"send_success": true}')) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = DRIVERS[driver](huawei(f"http://{server.address}", project_id=PROJECT), upload(path))
        assert isinstance(answer, dict), answer
        [sent] = server.requests
    assert MOST_BYTES * b"1" in sent


def test_a_file_that_is_too_big_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "big.json"
    with path.open("wb") as target:
        target.truncate(64 << 20)
    tracemalloc.start()
    with pytest.raises(InvalidArgument, match=f"{64 << 20} bytes; allowed are 1 to {MOST_BYTES}"):
        upload(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_what_was_checked_is_sent_whatever_becomes_of_the_file(cloud: LocalCloud, tmp_path: Path) -> None:
    """An attempt after the first too, when the file may be gone or be another one."""
    cloud.control.create_job("drs.job", key="j")
    path = tmp_path / "a.json"
    path.write_text("{}")
    request = upload(path)
    path.unlink()
    for _ in range(2):
        answer = DRIVERS["sync"](huawei(cloud, project_id=PROJECT), request)
        assert isinstance(answer, dict), answer
    assert request.file is not None
    assert (request.file.file_name, request.file.content) == ("a.json", b"{}")


def test_the_content_is_not_shown() -> None:
    request = ApiRequest("drs", "UploadDbObjectTemplate", file=FormFile("file", "a.json", b"c4nary"))
    assert "c4nary" not in repr(request)


def test_a_file_that_is_gone_is_no_riddle(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=r"gone\.json.*no such file"):
        upload(tmp_path / "gone.json")


@both
def test_an_upload_without_an_answer_is_ambiguous(cloud: LocalCloud, tmp_path: Path, driver: str) -> None:
    cloud.control.create_job("drs.job", key="j")
    cloud.control.fault("reset", "submit", after_commit=True, count=1)
    path = tmp_path / "a.json"
    path.write_text("{}")
    error = DRIVERS[driver](huawei(cloud, project_id=PROJECT), upload(path))
    assert isinstance(error, CloudApiError)
    assert (error.kind, error.ambiguous) == (ErrorKind.TRANSIENT, True)
    assert cloud.control.stats()["submits"] == {"drs.object_template": 1}
