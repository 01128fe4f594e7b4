# SPDX-License-Identifier: Apache-2.0
"""Every credential mode, blocking and on an event loop: works, outlives its credentials, ends when it is revoked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from credential_modes import (
    CONN_ID,
    DRIVERS,
    MODES,
    PROBES,
    SEEN,
    TEMPORARY,
    Mode,
    driver,
    environment,
    mode_ids,
    write_token,
)

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.localcloud import Control, LocalCloud

LIFE = 5.0
"""Seconds that a credential lives in the long run."""

RUN = 21.0
"""Seconds of the long run: more than four lives."""

EARLIEST = 0.75 * (LIFE - 1.0)
"""Seconds after which a credential is renewed at the earliest: Alibaba Cloud's times have no fractions."""


@pytest.fixture
def token_file(cloud: LocalCloud, tmp_path: Path) -> Path:
    file = tmp_path / "token"
    write_token(cloud, file)
    return file


@pytest.fixture(params=MODES, ids=mode_ids)
def mode(request: pytest.FixtureRequest, cloud: LocalCloud, token_file: Path) -> Iterator[Mode]:
    with environment(request.param.environment(cloud, token_file)):
        yield request.param


class TestWorks:
    @pytest.fixture(autouse=True)
    def connection(self, monkeypatch: pytest.MonkeyPatch, mode: Mode, cloud: LocalCloud, token_file: Path) -> None:
        connection = mode.connection(cloud, token_file)
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))

    def test_blocking(self, mode: Mode, cloud: LocalCloud) -> None:
        hook = mode.hook()
        for _ in range(3):
            assert hook.call(PROBES[mode.cloud])
        assert mode.made(cloud) == (1 if mode.temporary else 0)
        SEEN[mode.name, "blocking", "works"] = f"{mode.made(cloud)} login"

    def test_asyncio(self, mode: Mode, cloud: LocalCloud) -> None:
        async def calls() -> list[dict[str, object]]:
            return list(await asyncio.gather(*(mode.hook().acall(PROBES[mode.cloud]) for _ in range(3))))

        assert all(asyncio.run(calls()))
        assert mode.made(cloud) == (1 if mode.temporary else 0)
        SEEN[mode.name, "asyncio", "works"] = f"{mode.made(cloud)} login"

    def test_connection_test(self, mode: Mode) -> None:
        good, told = mode.hook().test_connection()
        assert good, told


@dataclass
class Outcome:
    """What came of one mode and driver in the long run."""

    calls: int = 0
    slowest: float = 0.0
    keys: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


@dataclass
class LongRun:
    """What came of all of them."""

    outcomes: dict[tuple[str, str], Outcome]
    logins: dict[str, int]
    stats: dict[str, dict[str, object]]
    seconds: float


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> LongRun:
    """All temporary modes at once, each calling again and again while its credentials, and the tokens that the logins
    need, live for :data:`LIFE`."""
    home = tmp_path_factory.mktemp("home")
    run = LongRun({}, {}, {}, 0.0)
    with ExitStack() as stack:
        stack.enter_context(environment({"HOME": str(home), "ALIBABA_CLOUD_ECS_METADATA_DISABLED": "true"}))
        clouds: dict[str, LocalCloud] = {}
        files: dict[str, Path] = {}
        for mode in TEMPORARY:
            life = {"token_seconds": LIFE} if mode.auth == "token" else {"key_seconds": LIFE}
            clouds[mode.name] = stack.enter_context(LocalCloud(**life))
            files[mode.name] = home / mode.name.replace(" ", "-")
            write_token(clouds[mode.name], files[mode.name], LIFE)
            stack.enter_context(environment(mode.environment(clouds[mode.name], files[mode.name])))
        stopped = threading.Event()

        def mount() -> None:
            while not stopped.wait(0.4 * LIFE):
                for name, file in files.items():
                    write_token(clouds[name], file, LIFE)

        mounting = threading.Thread(target=mount)
        mounting.start()
        started = time.monotonic()

        async def use(mode: Mode, name: str) -> None:
            outcome = run.outcomes.setdefault((mode.name, name), Outcome())
            client = await asyncio.to_thread(mode.client, mode.connection(clouds[mode.name], files[mode.name]))
            async with driver(name, client) as calls:
                while time.monotonic() - started < RUN:
                    begun = time.monotonic()
                    try:
                        await calls.call(PROBES[mode.cloud])
                        outcome.calls += 1
                    except Exception as error:
                        outcome.failures.append(f"after {time.monotonic() - started:.1f} s: {error}")
                    outcome.slowest = max(outcome.slowest, time.monotonic() - begun)
                    if client.credential:
                        outcome.keys.add(client.credential.key or client.credential.session_token)
                    await asyncio.sleep(0.15)

        async def all_of_them() -> None:
            await asyncio.gather(*(use(mode, name) for mode in TEMPORARY for name in DRIVERS))

        try:
            asyncio.run(all_of_them())
        finally:
            run.seconds = time.monotonic() - started
            stopped.set()
            mounting.join()
        for mode in TEMPORARY:
            run.logins[mode.name] = mode.made(clouds[mode.name])
            run.stats[mode.name] = clouds[mode.name].control.stats(0)
    return run


class TestExpires:
    @pytest.mark.parametrize("name", DRIVERS)
    @pytest.mark.parametrize("mode", TEMPORARY, ids=mode_ids)
    def test_many_lives(self, long_run: LongRun, mode: Mode, name: str) -> None:
        outcome = long_run.outcomes[mode.name, name]
        assert outcome.failures == []
        assert outcome.calls > 10
        lives = RUN / LIFE
        assert lives - 1 <= len(outcome.keys) <= long_run.seconds / EARLIEST + 2
        SEEN[mode.name, name, "expires"] = f"{outcome.calls} calls, {len(outcome.keys)} credentials, 0 failed"

    @pytest.mark.parametrize("mode", TEMPORARY, ids=mode_ids)
    def test_logins_are_bounded_by_lives(self, long_run: LongRun, mode: Mode) -> None:
        keys = sum(len(long_run.outcomes[mode.name, name].keys) for name in DRIVERS)
        # The chain of the vendor's SDK asks twice for what it has to be asked twice for.
        assert long_run.logins[mode.name] <= (2 if mode.auth == "default" else 1) * keys + len(DRIVERS)

    @pytest.mark.parametrize("mode", TEMPORARY, ids=mode_ids)
    def test_no_request_mixes_credentials(self, long_run: LongRun, mode: Mode) -> None:
        assert long_run.stats[mode.name]["mixed_pairs"] == 0
        operations = long_run.stats[mode.name]["operations"]
        refused = [code for operation in operations.values() for code in operation["refused"]]
        assert not {"SignatureDoesNotMatch", "InvalidSecurityToken.Malformed", "MissingSecurityToken"} & set(refused)

    def test_renewals_come_before_the_end(self, long_run: LongRun) -> None:
        """But for the chain of the vendor's SDK, which may not know when what it gives will end."""
        for mode in TEMPORARY:
            if mode.auth != "default":
                operation = long_run.stats[mode.name]["operations"][PROBES[mode.cloud].operation]
                assert operation["refused"] == {}, mode.name


class TestEnds:
    """A credential that ends before its time, and a login that is not allowed any more."""

    @pytest.fixture(params=DRIVERS)
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_ended_early(self, mode: Mode, name: str, cloud: LocalCloud, control: Control, token_file: Path) -> None:
        client = mode.client(mode.connection(cloud, token_file))

        async def calls() -> None:
            async with driver(name, client) as made:
                await made.call(PROBES[mode.cloud])
                ended = control.expire_tokens() if mode.auth == "token" else control.expire_keys(mode.cloud)
                assert ended == (1 if mode.temporary or mode.issued else 0)
                await made.call(PROBES[mode.cloud])

        if mode.issued:  # nothing can renew what the connection holds
            with pytest.raises(CloudApiError, match="fresh") as caught:
                asyncio.run(calls())
            assert caught.value.kind is ErrorKind.EXPIRED
            SEEN[mode.name, name, "ended early"] = "expired: asks for a fresh one"
            return
        asyncio.run(calls())
        assert mode.made(cloud) == (2 if mode.temporary else 0)
        SEEN[mode.name, name, "ended early"] = f"{mode.made(cloud)} logins, 0 failed"

    def test_revoked(self, mode: Mode, name: str, cloud: LocalCloud, control: Control, token_file: Path) -> None:
        connection = mode.connection(cloud, token_file)
        client = mode.client(connection)

        async def calls() -> CloudApiError:
            async with driver(name, client) as made:
                await made.call(PROBES[mode.cloud])
                if mode.temporary:
                    control.revoke_logins(mode.cloud)
                else:
                    control.disable_key(connection["login"])
                with pytest.raises(CloudApiError) as caught:
                    await made.call(PROBES[mode.cloud])
                with pytest.raises(CloudApiError):
                    await made.call(PROBES[mode.cloud])
                return caught.value

        error = asyncio.run(calls())
        assert not error.retryable
        assert error.kind is ErrorKind.DENIED
        if mode.temporary:
            assert f"auth '{mode.auth}' of connection '{CONN_ID}'" in str(error)
            # One login that worked and one that did not: a refused login is not repeated at once.
            assert mode.made(cloud) <= 2
        SEEN[mode.name, name, "revoked"] = f"{error.kind}: {error.code or error.operation}"
