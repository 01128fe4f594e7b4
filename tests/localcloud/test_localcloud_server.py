# SPDX-License-Identifier: Apache-2.0
"""The server as a whole: its connections, its command line, TLS, load, and a clean end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import requests
import yarl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import airflow_cloudjobs
from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts

Sign = Callable[..., requests.PreparedRequest]
Send = Callable[[requests.PreparedRequest], requests.Response]

ROOT = Path(airflow_cloudjobs.__file__).parent.parent


def test_connections_are_airflows(cloud: LocalCloud) -> None:
    assert cloud.alibaba_connection(region="cn-beijing", tid=3001) == {
        "conn_type": "alibaba_cloudjobs",
        "login": accounts.ALIBABA_ACCESS_KEY,
        "password": accounts.ALIBABA_SECRET,
        "host": cloud.host,
        "port": cloud.port,
        "schema": "http",
        "extra": {"region": "cn-beijing", "tid": 3001},
    }
    by_key, by_token = cloud.huawei_connection(), cloud.huawei_connection("token", read_timeout=3)
    assert by_key["login"] == accounts.HUAWEI_ACCESS_KEY
    assert by_key["extra"] == {"region": "cn-north-4"}
    assert (by_token["login"], by_token["password"]) == (accounts.IAM_USER, accounts.IAM_PASSWORD)
    assert by_token["extra"] == {
        "region": "cn-north-4",
        "auth": "token",
        "domain": accounts.IAM_DOMAIN,
        "read_timeout": 3,
    }


def test_two_clouds_know_nothing_of_each_other(cloud: LocalCloud) -> None:
    with LocalCloud(job_seconds=1) as other:
        other.control.create_job("dli.sql_job", "only-here")
        assert cloud.control.jobs() == []
        assert other.port != cloud.port
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((other.host, other.port), timeout=2)


def test_it_ends_in_time_although_clients_hang(sign_huawei: Sign) -> None:
    with LocalCloud() as other:
        other.control.fault("hang", delay=60)
        waiting = socket.create_connection((other.host, other.port), timeout=30)
        waiting.sendall(b"GET /v1.0/x/queues HTTP/1.1\r\nHost: h\r\n\r\n")
        idle = socket.create_connection((other.host, other.port), timeout=30)
        deadline = time.monotonic() + 5
        while not other.control.faults()[0]["struck"] and time.monotonic() < deadline:
            time.sleep(0.01)
        before = time.monotonic()
    assert time.monotonic() - before < 8
    assert not [thread for thread in threading.enumerate() if thread.name == f"localcloud-{other.port}"]
    waiting.close()
    idle.close()


@pytest.mark.parametrize("path", ["/", "/v1.0//queues", "/%2e%2e/etc", "/_localcloud/nothing", "/idbsaasstore/x.zip"])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_nonsense_is_answered(cloud: LocalCloud, send: Send, method: str, path: str) -> None:
    named = {"x-acs-action": "Nothing"} if path == "/" else {}
    request = requests.Request(method, cloud.url + path, headers=named, data=b"\xff\x00{" * 3).prepare()
    assert 400 <= send(request).status_code < 500


def test_a_browser_is_given_a_page_that_needs_nothing_else(cloud: LocalCloud, send: Send, control: Control) -> None:
    answer = send(requests.Request("GET", cloud.url + "/").prepare())
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"""(src|href)=["'](?!data:)|@import|url\(""", answer.text)
    assert control.stats()["operations"] == {}, "it is no call of a cloud"
    for key in ("first", "second", "third"):
        control.create_job("dli.sql_job", key)
    newest = send(requests.Request("GET", cloud.url + "/_localcloud/jobs?tail=2").prepare()).json()["jobs"]
    assert [(job["cloud"], job["key"], job["life"]) for job in newest] == [
        ("huawei", key, [["LAUNCHING", 0.0]]) for key in ("second", "third")
    ]
    call = send(requests.Request("GET", cloud.url + "/?Action=Nothing&Version=2018-11-01").prepare())
    assert call.status_code == 404
    assert call.json()["Code"] == "InvalidAction.NotFound"


def test_a_body_that_is_too_large(cloud: LocalCloud, sign_huawei: Sign, send: Send, control: Control) -> None:
    request = sign_huawei("POST", "/v1.0/{project}/jobs/submit-job", b"x" * (12 * 1024 * 1024 + 1))
    answer = send(request)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "APIGW.0201")


def certificate(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(cert_file), str(key_file)


def test_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    with LocalCloud(host="localhost", tls_cert=cert, tls_key=key) as cloud:
        assert cloud.url.startswith("https://localhost:")
        assert cloud.alibaba_connection()["schema"] == "https"
        assert cloud.control.settings()["job_seconds"] == 6.0
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(cloud.url + "/v3/auth/domains", verify=cert, timeout=5)
            assert answer.status_code == 401
            cloud.control.fault("reset", count=1)
            with pytest.raises(requests.ConnectionError):
                session.get(cloud.url + "/v3/auth/domains", verify=cert, timeout=5)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_connections_and_ends_on_a_signal(sent: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "airflow_cloudjobs.localcloud", "--port", "0", "--job-seconds", "1.5"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(3)]
        exports = dict(shlex.split(line)[1].split("=", 1) for line in lines[1:])
        assert set(exports) == {"AIRFLOW_CONN_ALIBABACLOUD_DEFAULT", "AIRFLOW_CONN_HUAWEICLOUD_DEFAULT"}
        alibaba = json.loads(exports["AIRFLOW_CONN_ALIBABACLOUD_DEFAULT"])
        assert alibaba["conn_type"] == "alibaba_cloudjobs"
        control = Control(f"http://127.0.0.1:{alibaba['port']}")
        assert control.settings()["job_seconds"] == 1.5
        process.send_signal(sent)
        assert process.wait(timeout=10) in {0, -sent}
        assert process.stderr.read() == ""


def test_many_jobs_and_many_polls_at_once(cloud: LocalCloud, control: Control, sign_huawei: Sign) -> None:
    count, rounds = 300, 5
    keys = [control.create_job("dli.sql_job", f"job-{number}", "forever")["key"] for number in range(count)]
    requests_signed = [sign_huawei("GET", f"/v1.0/{{project}}/jobs/{key}/status") for key in keys]

    async def poll_all() -> set[str]:
        seen: set[str] = set()
        connector = aiohttp.TCPConnector(limit=50)
        async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:

            async def poll(request: requests.PreparedRequest) -> None:
                url = yarl.URL(str(request.url), encoded=True)
                async with session.get(url, headers=dict(request.headers)) as answer:
                    seen.add((await answer.json())["status"])

            for _ in range(rounds):
                await asyncio.gather(*(poll(request) for request in requests_signed))
        return seen

    assert asyncio.run(poll_all()) <= {"LAUNCHING", "SCALING", "RUNNING"}
    stats = control.stats(tail=0)
    assert stats["operations"]["ShowSqlJobStatus"]["calls"] == count * rounds
    assert set(stats["polls"]["dli.sql_job"].values()) == {rounds}
    assert stats["connections"]["total"] <= 50
