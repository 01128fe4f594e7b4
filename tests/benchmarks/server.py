# SPDX-License-Identifier: Apache-2.0
"""The cloud of the benchmarks: a TLS server in a process of its own that answers polls and little else.

It checks no signature and parses as little as it can, so that what is measured is the client. Every job runs
for ever, unless the server is told otherwise; it counts calls, keys, refusals and connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

HOST = "127.0.0.1"


class Cloud:
    """A running server, as a context manager.

    :param latency: seconds that every answer takes.
    :param rate: calls a second that it takes, in bursts of as many; the others are refused. None takes all.
    """

    def __init__(self, *, latency: float = 0.0, rate: float | None = None) -> None:
        self._told = {"latency": latency, **({"rate": rate} if rate else {})}

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="cloudjobs-bench-")
        folder = Path(self._folder.name)
        self.ca_file = str(folder / "ca.pem")
        make_certificates(folder)
        self._process = subprocess.Popen([sys.executable, __file__, str(folder)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._context = ssl.create_default_context(cafile=self.ca_file)
        self.tell(**self._told)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._folder.cleanup()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{HOST}:{self.port}"

    def tell(self, **changes: float) -> None:
        """Change ``latency``, ``rate`` (0: no limit); set the counters to zero."""
        self._ask("tell?" + urlencode(changes))

    def counts(self) -> dict[str, Any]:
        """``calls`` {operation: n}, ``keys``, ``refused``, ``connections`` since the counters were set to zero."""
        counts: dict[str, Any] = json.loads(self._ask("counts"))
        return counts

    def connection(self, vendor: str) -> dict[str, Any]:
        """An Airflow connection to it, in Airflow's JSON form.

        :param vendor: ``alibaba`` or ``huawei``.
        """
        extra = {"ca_bundle": self.ca_file, "region": "cn-shanghai" if vendor == "alibaba" else "cn-north-4"}
        if vendor == "huawei":
            extra["project_id"] = "0123456789abcdef0123456789abcdef"
        return {
            "conn_type": f"{vendor}_cloudjobs",
            "login": "AKEXAMPLE",
            "password": "SKEXAMPLE",
            "host": HOST,
            "port": self.port,
            "schema": "https",
            "extra": extra,
        }

    def _ask(self, what: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/_bench/{what}", context=self._context) as answer:  # noqa: S310 - ours
            body: bytes = answer.read()
            return body


def make_certificates(folder: Path) -> None:
    """A certificate authority (``ca.pem``) and a server certificate of it (``server.pem``, key included)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name("benchmark authority"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
        )

    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.BasicConstraints(ca=True, path_length=None)
    ca = certificate("benchmark authority", ca_key).add_extension(authority, critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))])
    served = certificate("localhost", key).add_extension(names, critical=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))
    (folder / "server.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + served.sign(ca_key, hashes.SHA256()).public_bytes(pem)
    )


@dataclass
class _State:
    """What the server knows.

    :param ours: SQL jobs in progress that are waited for: ``job-0`` and so on.
    :param theirs: others.
    :param tokens: calls that may come at once now, where there is a limit.
    """

    latency: float = 0.0
    rate: float = 0.0
    tokens: float = 0.0
    filled: float = 0.0
    ours: float = 0.0
    theirs: float = 0.0
    keys: int = 0
    refused: int = 0
    connections: int = 0

    def __post_init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def tell(self, changes: dict[str, list[str]]) -> None:
        for field, values in changes.items():
            setattr(self, field, float(values[0]))
        self.tokens, self.filled = self.rate, time.monotonic()
        self.keys = self.refused = self.connections = 0
        self.calls.clear()

    def page(self, number: int) -> bytes:
        """A page of the SQL jobs in progress, those of others first."""
        listed = range(100 * (number - 1), min(100 * number, int(self.theirs + self.ours)))
        keys = (f"job-{n - int(self.theirs)}" if n >= self.theirs else f"theirs-{n}" for n in listed)
        jobs = b",".join(SQL_JOB.replace(SQL_JOB_ID, key.encode()) for key in keys)
        return b'{"is_success": true, "jobs": [%s]}' % jobs

    def refuses(self) -> bool:
        """True if a call is one too many."""
        if not self.rate:
            return False
        now = time.monotonic()
        self.tokens = min(self.rate, self.tokens + (now - self.filled) * self.rate)
        self.filled = now
        if self.tokens < 1.0:
            self.refused += 1
            return True
        self.tokens -= 1.0
        return False


class _Protocol(asyncio.Protocol):
    """One connection, requests one after the other."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._state.connections += 1

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _content_length(head)
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            status, body = self._answer(head)
            latency = 0.0 if b" /_bench/" in head[:20] else self._state.latency
            if latency:
                asyncio.get_running_loop().call_later(latency, self._send, status, body)
            else:
                self._send(status, body)

    def _send(self, status: str, body: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json;charset=utf-8\r\nContent-Length: %d\r\n"
                b"X-Request-Id: 7C8EB5BC-7A5F-5BC9-9B59-000000000000\r\n\r\n" % (status.encode(), len(body)) + body
            )

    def _answer(self, head: bytes) -> tuple[str, bytes]:
        target = head.split(b" ", 2)[1].decode()
        if target.startswith("/_bench/"):
            return "200 OK", self._control(target)
        state = self._state
        if target == "/plain":
            state.calls["plain"] += 1
            return "200 OK", PLAIN
        alibaba = _header(head, b"x-acs-action")
        operation = alibaba.decode() or ("ListSqlJobs" if "/jobs?" in target else "ShowSqlJobStatus")
        state.calls[operation] += 1
        if state.refuses():
            return ("400 Bad Request", THROTTLED) if alibaba else ("429 Too Many Requests", APIGW_THROTTLED)
        if operation == "GetUrlUploadInfos":
            ids = parse_qs(urlsplit(target).query)["JobIds"][0].split(",")
            state.keys += len(ids)
            infos = ",".join(f'{{"JobId":"{each}","Status":"UPLOADING","FileSize":1024}}' for each in ids)
            return "200 OK", f'{{"RequestId":"7C8EB5BC","URLUploadInfoList":[{infos}]}}'.encode()
        if operation == "ListSqlJobs":
            return "200 OK", state.page(int(parse_qs(urlsplit(target).query)["current-page"][0]))
        state.keys += 1
        return "200 OK", PLAIN if alibaba else SQL_JOB

    def _control(self, target: str) -> bytes:
        state, parts = self._state, urlsplit(target)
        if parts.path == "/_bench/tell":
            state.tell(parse_qs(parts.query))
            return b"{}"
        names = ("keys", "refused", "connections")
        return json.dumps({"calls": state.calls, **{field: getattr(state, field) for field in names}}).encode()


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(b"\r\n" + name + b":")
    return head[at + len(name) + 3 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b""


def _content_length(head: bytes) -> int:
    return int(_header(head, b"content-length") or 0)


PLAIN = json.dumps(
    {
        "RequestId": "0C1CB646-1DE4-4AD0-B4A4-7D47DD52E931",
        "Success": True,
        "UploadFileJobDetail": {
            "JobKey": "file_upload_job_1",
            "FileName": "test.sql",
            "JobStatus": "RUNNING",
            "JobStatusDesc": "",
            "UploadedSize": 100,
            "FileSize": 2000,
            "UploadType": "URL",
            "UploadURL": "http://example.com/test.sql",
            "FileId": "",
        },
    }
).encode()

SQL_JOB_ID = b"208b08d4-0dc2-4dd7-8879-ddd4c020d7aa"
SQL_JOB = json.dumps(
    {
        "is_success": True,
        "message": "",
        "job_id": SQL_JOB_ID.decode(),
        "job_type": "QUERY",
        "job_mode": "async",
        "queue_name": "default",
        "owner": "test",
        "start_time": 1622104987000,
        "status": "RUNNING",
        "database_name": "dbtest",
        "table_name": "tbtest",
        "statement": "select * from t1",
        "duration": 150,
        "result_count": 3,
        "tags": [{"key": "key1", "value": "value1"}],
    }
).encode()

THROTTLED = json.dumps(
    {"Code": "Throttling.User", "Message": "Request was denied due to user flow control.", "RequestId": "0C1CB646"}
).encode()

APIGW_THROTTLED = json.dumps(
    {"error_code": "APIGW.0308", "error_msg": "The throttling threshold has been reached", "request_id": "0C1CB646"}
).encode()


async def _serve(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    state = _State()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Protocol(state), HOST, 0, ssl=context, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def _loop() -> asyncio.AbstractEventLoop:
    """uvloop where it is installed: the server shall cost the client's core nothing."""
    with contextlib.suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(Path(sys.argv[1])))
