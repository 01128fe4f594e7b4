# SPDX-License-Identifier: Apache-2.0
"""Logins that are shared, fail, come too often, or meet a wrong clock; and what they tell."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from credential_modes import (
    CONN_ID,
    DRIVERS,
    MODES,
    PROBES,
    TEMPORARY,
    Mode,
    driver,
    environment,
    mode_ids,
    write_token,
)
from support.clock import CommonClock

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts
from airflow_cloudjobs.transport.sync import SyncCaller

RAM_ROLE = next(mode for mode in MODES if mode.auth == "ram_role_arn")
OIDC_ROLE = next(mode for mode in MODES if mode.auth == "oidc_role_arn")
AGENCY = next(mode for mode in MODES if mode.auth == "ecs_agency")
IAM_USER = next(mode for mode in MODES if mode.auth == "token")

OWN = [mode for mode in TEMPORARY if mode.auth != "default"]
"""Without the vendors' SDKs, which know only this machine's clock."""


@pytest.fixture
def token_file(cloud: LocalCloud, tmp_path: Path) -> Path:
    file = tmp_path / "token"
    write_token(cloud, file)
    return file


@pytest.fixture(params=TEMPORARY, ids=mode_ids)
def mode(request: pytest.FixtureRequest, cloud: LocalCloud, token_file: Path) -> Iterator[Mode]:
    with environment(request.param.environment(cloud, token_file)):
        yield request.param


class TestShared:
    def test_fifty_calls_on_a_loop(self, mode: Mode, cloud: LocalCloud, control: Control, token_file: Path) -> None:
        client = mode.client(mode.connection(cloud, token_file))

        async def calls() -> None:
            async with driver("asyncio", client) as made:
                await asyncio.gather(*(made.call(PROBES[mode.cloud]) for _ in range(50)))
                assert mode.made(cloud) == 1
                control.expire_keys(mode.cloud)
                control.expire_tokens()
                write_token(cloud, token_file)
                await asyncio.gather(*(made.call(PROBES[mode.cloud]) for _ in range(50)))

        asyncio.run(calls())
        assert mode.made(cloud) == 2
        assert control.stats(0)["mixed_pairs"] == 0

    def test_twenty_threads(self, mode: Mode, cloud: LocalCloud, control: Control, token_file: Path) -> None:
        with (
            SyncCaller(mode.client(mode.connection(cloud, token_file))) as caller,
            ThreadPoolExecutor(20) as threads,
        ):
            assert len(list(threads.map(lambda _: caller.call(PROBES[mode.cloud]), range(60)))) == 60
        assert mode.made(cloud) == 1
        assert control.stats(0)["mixed_pairs"] == 0

    @pytest.mark.parametrize("kind", ["http", "reset"])
    def test_failure_is_shared_too(
        self, mode: Mode, cloud: LocalCloud, control: Control, token_file: Path, kind: str
    ) -> None:
        client = mode.client(mode.connection(cloud, token_file))
        control.fault(kind, "login")

        async def calls() -> list[object]:
            async with driver("asyncio", client) as made:
                return list(
                    await asyncio.gather(
                        *(made.call(PROBES[mode.cloud]) for _ in range(50)),
                        return_exceptions=True,
                    )
                )

        errors = asyncio.run(calls())
        assert all(isinstance(error, CloudApiError) and error.retryable and not error.ambiguous for error in errors)
        # aiohttp repeats a GET or PUT itself if the connection breaks, and the vendors' SDKs may ask more than once.
        assert control.faults()[0]["struck"] <= {"http": 1, "reset": 2}[kind] * (2 if mode.auth == "default" else 1)


class TestFails:
    def test_old_credential_is_used_while_it_lives(
        self, cloud: LocalCloud, control: Control, token_file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        control.settings(key_seconds=2000.0)
        clock = CommonClock(control)

        async def use(name: str) -> None:
            client = AGENCY.client(AGENCY.connection(cloud, token_file))
            clock.give(client)
            async with driver(name, client) as made:
                await made.call(PROBES["huawei"])
                first = client.credential
                barrier.release()
                await stale.wait()
                for _ in range(5):
                    await made.call(PROBES["huawei"])
                assert client.credential is first
                barrier.release()
                await dead.wait()
                await made.call(PROBES["huawei"])
                assert client.credential is not first

        async def calls() -> None:
            tasks = [asyncio.create_task(use(name)) for name in DRIVERS]
            for _ in DRIVERS:
                await barrier.acquire()
            await asyncio.to_thread(control.fault, "http", "login")
            await asyncio.to_thread(clock.move, 1750.0)
            stale.set()
            for _ in DRIVERS:
                await barrier.acquire()
            struck = (await asyncio.to_thread(control.faults))[0]["struck"]
            assert struck == len(DRIVERS)  # one attempt each, then a rest
            await asyncio.to_thread(control.clear_faults)
            await asyncio.to_thread(clock.move, 300.0)
            dead.set()
            await asyncio.gather(*tasks)

        barrier, stale, dead = asyncio.Semaphore(0), asyncio.Event(), asyncio.Event()
        with caplog.at_level(logging.WARNING, "airflow_cloudjobs"):
            asyncio.run(calls())
        warnings = [record.getMessage() for record in caplog.records if "could not be renewed" in record.getMessage()]
        assert len(warnings) == len(DRIVERS)
        assert all("ecs_agency" in warning or "503" in warning for warning in warnings)

    @pytest.mark.parametrize("mode", [RAM_ROLE, AGENCY], ids=mode_ids)
    def test_hook_rides_out_a_failing_login(
        self, mode: Mode, cloud: LocalCloud, control: Control, token_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(mode.connection(cloud, token_file)))
        control.fault("http", "login", count=1)
        assert mode.hook().call(PROBES[mode.cloud])

    def test_wrong_password_is_not_tried_again_at_once(
        self, cloud: LocalCloud, control: Control, token_file: Path
    ) -> None:
        connection = IAM_USER.connection(cloud, token_file) | {"password": "canary-password"}
        with SyncCaller(IAM_USER.client(connection)) as caller:
            for _ in range(5):
                with pytest.raises(CloudApiError) as caught:
                    caller.call(PROBES["huawei"])
                assert caught.value.kind is ErrorKind.DENIED
                assert "check login, password, 'domain'" in str(caught.value)
                assert "canary" not in str(caught.value)
        assert IAM_USER.made(cloud) == 1

    @pytest.mark.parametrize(
        ("extra", "told"),
        [
            ({"role_arn": accounts.ALIBABA_ROLE_ARN + "x"}, "The role in 'role_arn' does not exist"),
            ({"external_id": "wrong"}, "check login, password, 'security_token', 'role_arn' and 'external_id'"),
            ({"role_session_name": "no blanks"}, "RoleSessionName"),
        ],
    )
    def test_role_that_cannot_be_assumed(
        self, cloud: LocalCloud, token_file: Path, extra: dict[str, str], told: str
    ) -> None:
        connection = RAM_ROLE.connection(cloud, token_file)
        connection["extra"] |= extra
        with SyncCaller(RAM_ROLE.client(connection)) as caller, pytest.raises(CloudApiError) as caught:
            caller.call(PROBES["alibaba"])
        assert told in str(caught.value)
        assert "auth 'ram_role_arn'" in str(caught.value)
        assert not caught.value.retryable
        assert caught.value.kind is not ErrorKind.NOT_FOUND

    def test_wrong_key_behind_a_role(self, cloud: LocalCloud, token_file: Path) -> None:
        connection = RAM_ROLE.connection(cloud, token_file) | {"password": "canary-secret"}
        with SyncCaller(RAM_ROLE.client(connection)) as caller, pytest.raises(CloudApiError) as caught:
            caller.call(PROBES["alibaba"])
        assert caught.value.kind is ErrorKind.DENIED
        assert "password" in str(caught.value)
        assert "canary" not in str(caught.value)

    def test_expired_token_file(self, cloud: LocalCloud, token_file: Path) -> None:
        write_token(cloud, token_file, -1.0)
        with SyncCaller(OIDC_ROLE.client(OIDC_ROLE.connection(cloud, token_file))) as caller:
            with pytest.raises(CloudApiError, match="'oidc_token_file' has expired") as caught:
                caller.call(PROBES["alibaba"])
            assert not caught.value.retryable
            write_token(cloud, token_file)
            time.sleep(1.1)  # the rest after a failed login
            assert caller.call(PROBES["alibaba"])

    def test_token_file_that_vanishes_later(self, cloud: LocalCloud, control: Control, token_file: Path) -> None:
        with SyncCaller(OIDC_ROLE.client(OIDC_ROLE.connection(cloud, token_file))) as caller:
            caller.call(PROBES["alibaba"])
            control.expire_keys("alibaba")
            token_file.write_text("")
            with pytest.raises(CloudApiError, match=r"field 'oidc_token_file' is .* which is empty") as caught:
                caller.call(PROBES["alibaba"])
            assert caught.value.kind is ErrorKind.INVALID


class TestClock:
    @pytest.mark.parametrize("skew", [3600.0, -3600.0])
    @pytest.mark.parametrize("name", DRIVERS)
    @pytest.mark.parametrize("mode", OWN, ids=mode_ids)
    def test_login_with_a_wrong_clock(
        self, mode: Mode, cloud: LocalCloud, control: Control, token_file: Path, name: str, skew: float
    ) -> None:
        control.skew_clock(skew)
        write_token(cloud, token_file)
        client = mode.client(mode.connection(cloud, token_file))

        async def calls() -> None:
            async with driver(name, client) as made:
                for _ in range(3):
                    await made.call(PROBES[mode.cloud])

        asyncio.run(calls())
        assert mode.made(cloud) <= 2


class TestSecrets:
    def test_nowhere(
        self,
        mode: Mode,
        cloud: LocalCloud,
        control: Control,
        token_file: Path,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """In no log line, error, repr or output, whether the login works, fails or is refused."""
        connection = mode.connection(cloud, token_file)
        secrets = {connection.get("password", ""), token_file.read_text().strip()}
        told: list[str] = []
        with caplog.at_level(logging.DEBUG):
            client = mode.client(connection)
            told.append(repr(vars(client)))
            with SyncCaller(client) as caller:
                caller.call(PROBES[mode.cloud])
                secrets |= set(client.credential.secrets() if client.credential else ())
                told.append(repr(vars(client)))
                control.revoke_logins(mode.cloud)
                with pytest.raises(CloudApiError) as caught:
                    caller.call(PROBES[mode.cloud])
                told += [str(caught.value), repr(caught.value), json.dumps(caught.value.as_dict())]
        told += [record.getMessage() + str(record.exc_text or "") for record in caplog.records]
        output = capfd.readouterr()
        told += [output.out, output.err]
        assert output.err == ""
        for secret in secrets - {""}:
            assert not any(secret in text for text in told)

    def test_no_thread_is_left_behind(self, mode: Mode, cloud: LocalCloud, token_file: Path) -> None:
        with SyncCaller(mode.client(mode.connection(cloud, token_file))) as caller:
            caller.call(PROBES[mode.cloud])
        assert not [thread for thread in threading.enumerate() if "APScheduler" in thread.name]
