# SPDX-License-Identifier: Apache-2.0
"""Credentials and clocks, right and wrong, against the local clouds' own checks."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.clients import PROJECT, alibaba, huawei
from support.clock import CommonClock
from transport_driving import DRIVERS, Outcome, call_async, call_at_once, call_sync, dli_poll, dms_poll

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts
from airflow_cloudjobs.transport.flow import CloudClient, Credential
from airflow_cloudjobs.transport.message import HttpAnswer
from airflow_cloudjobs.transport.sync import SyncCaller

LOGIN = "KeystoneCreateUserTokenByPassword"
LOOKUP = "KeystoneListProjects"
READS = {
    "alibaba": ApiRequest("dms-enterprise", "ListUserTenants", idempotent=True),
    "huawei": ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", idempotent=True),
}
CLIENTS: dict[str, Callable[..., CloudClient]] = {
    "alibaba": alibaba,
    "huawei": lambda cloud, **extra: huawei(cloud, **{"project_id": PROJECT, **extra}),
}

Driver = Callable[[CloudClient, ApiRequest], Outcome]


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> Driver:
    return DRIVERS[request.param]


@pytest.fixture(params=CLIENTS)
def which(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def calls(control: Control, operation: str) -> int:
    count: int = control.stats()["operations"].get(operation, {}).get("calls", 0)
    return count


def failed(outcome: Outcome) -> CloudApiError:
    assert isinstance(outcome, CloudApiError), outcome
    return outcome


def good(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, dict), outcome
    return outcome


class TestKeys:
    def test_a_good_key(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        good(driver(CLIENTS[which](cloud), READS[which]))

    def test_a_wrong_secret(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        error = failed(driver(CLIENTS[which](cloud, password="wrong-s3cret"), READS[which]))
        assert error.kind is ErrorKind.DENIED
        assert error.code == {"alibaba": "SignatureDoesNotMatch", "huawei": "APIGW.0301"}[which]
        assert "password" in error.hint
        assert "wrong-s3cret" not in f"{error} {error.as_dict()}"

    def test_a_refusal_that_repeats_the_secret(self, cloud: LocalCloud, which: str) -> None:
        """Nor does an error that it comes from, which some handlers of logs go through."""
        client = CLIENTS[which](cloud)
        signing = client.send_signed(READS[which], Credential("key", "wrong-s3cret"))
        next(signing)
        with pytest.raises(CloudApiError) as caught:
            signing.send(
                HttpAnswer(
                    403,
                    {},
                    b'{"Code": "X", "error_code": "X", "Message": "not wrong-s3cret", "error_msg": "not wrong-s3cret"}',
                )
            )
        error: BaseException | None = caught.value
        while error is not None:
            assert "wrong-s3cret" not in f"{error} {error!r} {vars(error)} {error.args}"
            error = error.__cause__ or error.__context__

    def test_an_unknown_key(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        error = failed(driver(CLIENTS[which](cloud, login="NOBODY"), READS[which]))
        assert error.kind is ErrorKind.DENIED
        assert "login" in error.hint

    def test_a_refusal_is_asked_for_once(self, cloud: LocalCloud, control: Control, driver: Driver, which: str) -> None:
        driver(CLIENTS[which](cloud, password="wrong"), READS[which])
        assert calls(control, READS[which].operation) == 1


class TestTemporaryKeys:
    def test_a_good_one(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        good(driver(self._client(cloud, which, cloud.control.issue_credentials(which)), READS[which]))

    def test_an_expired_one_says_so(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        key = cloud.control.issue_credentials(which)
        cloud.control.expire_credentials(key["access_key"])
        error = failed(driver(self._client(cloud, which, key), READS[which]))
        assert error.kind is ErrorKind.EXPIRED
        assert "expired" in error.hint
        assert key["security_token"] not in f"{error} {error.as_dict()}"
        assert key["secret"] not in f"{error} {error.as_dict()}"
        assert calls(cloud.control, READS[which].operation) == 1

    def test_one_without_its_token(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        key = cloud.control.issue_credentials(which)
        client = CLIENTS[which](cloud, login=key["access_key"], password=key["secret"])
        assert failed(driver(client, READS[which])).kind is ErrorKind.DENIED

    def test_one_with_anothers_token(self, cloud: LocalCloud, driver: Driver, which: str) -> None:
        one, other = (cloud.control.issue_credentials(which) for _ in range(2))
        client = self._client(cloud, which, {**one, "security_token": other["security_token"]})
        assert failed(driver(client, READS[which])).kind is ErrorKind.DENIED

    def _client(self, cloud: LocalCloud, which: str, key: dict[str, str]) -> CloudClient:
        extra = {"auth": "sts"} if which == "alibaba" else {}
        return CLIENTS[which](
            cloud,
            login=key["access_key"],
            password=key["secret"],
            security_token=key["security_token"],
            **extra,
        )


@pytest.mark.parametrize("skew", [1200, -1200])
class TestClock:
    """This machine's clock and the cloud's are 20 minutes apart; 15 are allowed."""

    def test_it_is_corrected_once_with_one_warning(
        self, cloud: LocalCloud, which: str, driver: Driver, skew: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.control.skew_clock(skew)
        client = CLIENTS[which](cloud)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                good(driver(client, READS[which]))
        warnings = [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]
        assert len(warnings) == 1
        assert ("behind" if skew > 0 else "ahead of") in warnings[0]
        assert client.clock_offset == pytest.approx(skew, abs=5)
        assert calls(cloud.control, READS[which].operation) == 4

    def test_many_callers_at_once_all_work(
        self, cloud: LocalCloud, which: str, skew: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The first refusal corrects the clock; those refused beside it must not be left out."""
        cloud.control.skew_clock(skew)
        with caplog.at_level(logging.WARNING):
            outcomes = asyncio.run(call_at_once(CLIENTS[which](cloud), [READS[which]] * 50))
        assert [outcome for outcome in outcomes if isinstance(outcome, CloudApiError)] == []
        assert len([record for record in caplog.records if "clock" in record.getMessage()]) == 1

    def test_threads_at_once_all_work(self, cloud: LocalCloud, which: str, skew: float) -> None:
        cloud.control.skew_clock(skew)
        barrier = threading.Barrier(5)
        with SyncCaller(CLIENTS[which](cloud)) as caller, ThreadPoolExecutor(5) as pool:

            def call(_: int) -> dict[str, Any]:
                barrier.wait(5)
                return caller.call(READS[which])

            assert len(list(pool.map(call, range(5)))) == 5

    def test_the_look_up_of_the_project_is_corrected_too(
        self, cloud: LocalCloud, driver: Driver, skew: float, caplog: pytest.LogCaptureFixture
    ) -> None:
        cloud.control.skew_clock(skew)
        with caplog.at_level(logging.WARNING):
            good(driver(huawei(cloud), READS["huawei"]))
        assert len([record for record in caplog.records if "clock" in record.getMessage()]) == 1

    def test_a_token_needs_no_clock(self, cloud: LocalCloud, driver: Driver, skew: float) -> None:
        cloud.control.skew_clock(skew)
        client = huawei(cloud, auth="token")
        for _ in range(2):
            good(driver(client, READS["huawei"]))
        assert calls(cloud.control, LOGIN) == 1


def test_a_clock_that_is_right_is_not_corrected(cloud: LocalCloud, which: str, driver: Driver) -> None:
    """A cloud that complains although the clocks agree has another trouble: say it, once."""
    code = {"alibaba": "InvalidTimeStamp.Expired", "huawei": "APIGW.0303"}[which]
    cloud.control.fault("http", which, status=400, code=code)
    client = CLIENTS[which](cloud)
    assert failed(driver(client, READS[which])).kind is ErrorKind.CLOCK
    assert client.clock_offset == 0
    assert calls(cloud.control, READS[which].operation) == 1


def test_a_clock_that_stays_wrong_is_corrected_once(cloud: LocalCloud, which: str, driver: Driver) -> None:
    code = {"alibaba": "InvalidTimeStamp.Expired", "huawei": "APIGW.0303"}[which]
    cloud.control.skew_clock(7200)
    cloud.control.fault("http", which, status=400, code=code)
    error = failed(driver(CLIENTS[which](cloud), READS[which]))
    assert error.kind is ErrorKind.CLOCK
    assert "NTP" in error.hint
    assert calls(cloud.control, READS[which].operation) == 2


class TestToken:
    def test_it_is_cached(self, cloud: LocalCloud, driver: Driver) -> None:
        client = huawei(cloud, auth="token")
        for _ in range(5):
            good(driver(client, READS["huawei"]))
        assert calls(cloud.control, LOGIN) == 1
        assert client.credential is not None
        assert client.credential.project_id == PROJECT

    def test_fifty_callers_log_in_once(self, cloud: LocalCloud) -> None:
        outcomes = asyncio.run(call_at_once(huawei(cloud, auth="token"), [READS["huawei"]] * 50))
        assert all(isinstance(outcome, dict) for outcome in outcomes)
        assert calls(cloud.control, LOGIN) == 1
        assert calls(cloud.control, "ListQueues") == 50

    def test_five_threads_log_in_once(self, cloud: LocalCloud) -> None:
        with SyncCaller(huawei(cloud, auth="token")) as caller, ThreadPoolExecutor(5) as pool:
            assert len(list(pool.map(lambda _: caller.call(READS["huawei"]), range(20)))) == 20
        assert calls(cloud.control, LOGIN) == 1

    def test_an_ended_one_is_renewed_once(self, cloud: LocalCloud, driver: Driver) -> None:
        client = huawei(cloud, auth="token")
        good(driver(client, READS["huawei"]))
        cloud.control.expire_tokens()
        good(driver(client, READS["huawei"]))
        good(driver(client, READS["huawei"]))
        assert calls(cloud.control, LOGIN) == 2

    def test_fifty_callers_renew_once(self, cloud: LocalCloud) -> None:
        client = huawei(cloud, auth="token")
        good(call_async(client, READS["huawei"]))
        cloud.control.expire_tokens()
        outcomes = asyncio.run(call_at_once(client, [READS["huawei"]] * 50))
        assert all(isinstance(outcome, dict) for outcome in outcomes)
        assert calls(cloud.control, LOGIN) == 2

    def test_one_that_is_never_accepted_is_renewed_once(self, cloud: LocalCloud, driver: Driver) -> None:
        message = "The token must be updated."
        cloud.control.fault("http", "dli", status=401, code="APIGW.0307", message=message)
        assert failed(driver(huawei(cloud, auth="token"), READS["huawei"])).kind is ErrorKind.EXPIRED
        assert calls(cloud.control, LOGIN) == 2

    def test_it_is_renewed_before_its_end(self, cloud: LocalCloud, driver: Driver) -> None:
        cloud.control.settings(token_seconds=2000.0)
        client, clock = huawei(cloud, auth="token"), CommonClock(cloud.control)
        clock.give(client)
        good(driver(client, READS["huawei"]))
        clock.move(1400.0)
        good(driver(client, READS["huawei"]))
        assert calls(cloud.control, LOGIN) == 1
        clock.move(350.0)
        good(driver(client, READS["huawei"]))
        assert calls(cloud.control, LOGIN) == 2
        assert "APIGW.0307" not in str(cloud.control.stats()["operations"])

    def test_a_wrong_password_is_tried_once(self, cloud: LocalCloud, driver: Driver) -> None:
        error = failed(driver(huawei(cloud, auth="token", password="wrong-passw0rd"), READS["huawei"]))
        assert error.kind is ErrorKind.DENIED
        assert "password" in error.hint
        assert "wrong-passw0rd" not in f"{error} {error.as_dict()}"
        assert calls(cloud.control, LOGIN) == 1
        assert calls(cloud.control, "ListQueues") == 0

    def test_fifty_callers_do_not_try_a_wrong_password_fifty_times(self, cloud: LocalCloud) -> None:
        """IAM locks accounts after repeated failures; those who waited for the login share its refusal."""
        outcomes = asyncio.run(call_at_once(huawei(cloud, auth="token", password="wrong"), [READS["huawei"]] * 50))
        assert {failed(outcome).kind for outcome in outcomes} == {ErrorKind.DENIED}
        assert calls(cloud.control, LOGIN) == 1

    def test_an_unknown_account(self, cloud: LocalCloud, driver: Driver) -> None:
        error = failed(driver(huawei(cloud, auth="token", domain="nobody"), READS["huawei"]))
        assert error.kind is ErrorKind.DENIED
        assert "domain" in error.hint

    def test_trouble_at_the_login_passes(self, cloud: LocalCloud, driver: Driver) -> None:
        cloud.control.fault("http", LOGIN, status=503, count=1)
        client = huawei(cloud, auth="token")
        error = failed(driver(client, READS["huawei"]))
        assert (error.kind, error.operation) == (ErrorKind.TRANSIENT, LOGIN)
        for _ in range(50):  # a login that failed may be left alone for a moment
            if isinstance(driver(client, READS["huawei"]), dict):
                break
            time.sleep(0.1)
        good(driver(client, READS["huawei"]))

    def test_trouble_at_the_login_leaves_nothing_in_doubt(self, cloud: LocalCloud, driver: Driver) -> None:
        """The submit itself was never sent, so it may be repeated."""
        cloud.control.fault("http", LOGIN, status=503, count=1)
        submit = ApiRequest("dli", "CreateSqlJob", path="/v1.0/{project_id}/jobs/submit-job", body={"sql": "x"})
        error = failed(driver(huawei(cloud, auth="token"), submit))
        assert error.retryable
        assert not error.ambiguous
        assert cloud.control.stats()["submits"] == {}

    def test_a_project_by_its_id(self, cloud: LocalCloud, driver: Driver) -> None:
        client = huawei(cloud, auth="token", project_id=PROJECT)
        good(driver(client, READS["huawei"]))
        assert client.credential is not None
        assert client.credential.project_id == PROJECT

    def test_no_secret_is_sent_with_a_token(self, cloud: LocalCloud) -> None:
        client = huawei(cloud, auth="token")
        good(call_sync(client, READS["huawei"]))
        assert client.credential is not None
        sent = client.sign(READS["huawei"], client.credential)
        assert sent.headers["X-Auth-Token"] == client.credential.session_token
        assert "Authorization" not in sent.headers
        assert accounts.IAM_PASSWORD not in str(sent.headers)


class TestProject:
    def test_it_is_looked_up_once(self, cloud: LocalCloud, driver: Driver) -> None:
        client = huawei(cloud)
        for _ in range(3):
            good(driver(client, READS["huawei"]))
        assert calls(cloud.control, LOOKUP) == 1

    def test_fifty_callers_look_it_up_once(self, cloud: LocalCloud) -> None:
        outcomes = asyncio.run(call_at_once(huawei(cloud), [READS["huawei"]] * 50))
        assert all(isinstance(outcome, dict) for outcome in outcomes)
        assert calls(cloud.control, LOOKUP) == 1

    def test_one_that_is_given_is_not_looked_up(self, cloud: LocalCloud, driver: Driver) -> None:
        good(driver(huawei(cloud, project_id=PROJECT), READS["huawei"]))
        assert calls(cloud.control, LOOKUP) == 0

    def test_one_of_somebody_else(self, cloud: LocalCloud, driver: Driver) -> None:
        error = failed(driver(huawei(cloud, project_id="0" * 32), READS["huawei"]))
        assert error.kind is ErrorKind.DENIED

    def test_the_wrong_secret_at_the_look_up(self, cloud: LocalCloud, driver: Driver) -> None:
        error = failed(driver(huawei(cloud, password="wrong"), READS["huawei"]))
        assert (error.kind, error.operation) == (ErrorKind.DENIED, LOOKUP)


def test_no_nonce_is_used_twice(cloud: LocalCloud, control: Control) -> None:
    key = control.create_job("dms.file_upload", end="forever")["key"]
    client = alibaba(cloud)
    asyncio.run(call_at_once(client, [dms_poll(key)] * 200))
    with SyncCaller(client) as caller:
        for _ in range(20):
            caller.call(dms_poll(key))
    stats = control.stats()
    assert stats["nonces_replayed"] == 0
    assert stats["operations"]["GetUserUploadFileJob"] == {"calls": 220, "ok": 220, "refused": {}}
    credential = client.credential
    assert credential is not None
    nonces = {client.sign(dms_poll(key), credential).headers["x-acs-signature-nonce"] for _ in range(1000)}
    assert len(nonces) == 1000


def test_each_attempt_is_signed_anew(cloud: LocalCloud) -> None:
    """A mended clock means a second attempt, which must not replay the nonce of the first."""
    cloud.control.skew_clock(1200)
    good(call_sync(alibaba(cloud), READS["alibaba"]))
    assert cloud.control.stats()["nonces_replayed"] == 0


def test_an_error_says_which_host_was_asked_where_that_may_be_the_trouble(cloud: LocalCloud) -> None:
    error = failed(call_sync(huawei(cloud, project_id=PROJECT), ApiRequest("dli", "Nothing", "GET", "/v9/nothing")))
    assert "region" in error.hint
    assert "endpoints" in error.hint


@pytest.mark.parametrize("key", ["no-such-job", "a b", "ü", "%2e%2e"])
def test_an_unknown_job_is_not_found(cloud: LocalCloud, driver: Driver, key: str) -> None:
    from airflow_cloudjobs.apis import spec_of

    request = spec_of("dli.sql_job").poll([key], {})
    assert failed(driver(huawei(cloud, project_id=PROJECT), request)).kind is ErrorKind.NOT_FOUND
    assert failed(driver(huawei(cloud, project_id=PROJECT), dli_poll("x"))).kind is ErrorKind.NOT_FOUND
