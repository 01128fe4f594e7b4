# SPDX-License-Identifier: Apache-2.0
"""API errors: what they say, how they travel, and what each cloud's codes are classified as."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.alibaba import errors as alibaba
from airflow_cloudjobs.huawei import errors as huawei
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind, leaves_open

errors = st.builds(
    CloudApiError,
    st.text(),
    kind=st.sampled_from(ErrorKind),
    operation=st.text(),
    code=st.text(),
    request_id=st.text(),
    http_status=st.integers(0, 599),
    retry_after=st.none() | st.floats(0, 1e6),
    ambiguous=st.booleans(),
    hint=st.text(),
)


@given(errors)
def test_an_error_survives_json_pickle_and_copy(error: CloudApiError) -> None:
    travelled = CloudApiError.from_dict(json.loads(json.dumps(error.as_dict())))
    for again in (travelled, pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - our own bytes
        assert isinstance(again, CloudApiError)
        assert again.as_dict() == error.as_dict()
        assert str(again) == str(error)


def test_an_error_of_another_version_is_read_all_the_same() -> None:
    """A triggerer may run a newer or an older version than the worker."""
    newer = CloudApiError.from_dict({"message": "m", "kind": "a kind of tomorrow", "code": "C", "a field": "x"})
    assert (newer.kind, newer.code, newer.message) == (ErrorKind.UNKNOWN, "C", "m")
    older = CloudApiError.from_dict({"message": "m"})
    assert (older.kind, older.code, older.retry_after) == (ErrorKind.UNKNOWN, "", None)


def test_an_error_says_all_it_knows() -> None:
    error = CloudApiError(
        "no such thing",
        kind=ErrorKind.NOT_FOUND,
        operation="ShowSqlJobStatus",
        code="DLI.0023",
        request_id="r-1",
        http_status=404,
        hint="Check the key",
    )
    for fact in ("ShowSqlJobStatus", "DLI.0023", "no such thing", "HTTP 404", "r-1", "Check the key"):
        assert fact in str(error)


def test_an_error_in_a_log_tells_what_it_is() -> None:
    error = CloudApiError("m", kind=ErrorKind.THROTTLED, operation="Op", code="C", http_status=429)
    assert repr(error) == "CloudApiError('m', kind='throttled', operation='Op', code='C', http_status=429)"
    assert repr(CloudApiError("m", kind=ErrorKind.DENIED)) == "CloudApiError('m', kind='denied')"
    assert error.args == ("m",)


class TestAnErrorDoesNotChange:
    @pytest.mark.parametrize("name", CloudApiError("m", kind=ErrorKind.DENIED).as_dict())
    def test_a_field_is_neither_set_nor_taken_away(self, name: str) -> None:
        error = CloudApiError("m", kind=ErrorKind.DENIED)
        before = error.as_dict()
        with pytest.raises(AttributeError, match="but"):
            setattr(error, name, "x")
        with pytest.raises(AttributeError):
            delattr(error, name)
        assert error.as_dict() == before

    def test_python_sets_what_it_needs_on_it(self) -> None:
        error, cause = CloudApiError("m", kind=ErrorKind.DENIED), ValueError("why")
        error.add_note("a note")

        @contextmanager
        def managed() -> Iterator[None]:
            yield  # on its way out, contextlib sets the traceback again

        def fails() -> None:
            try:
                raise KeyError("handled")
            except KeyError:
                raise error from cause

        with pytest.raises(CloudApiError) as caught, managed():
            fails()
        assert caught.value is error
        assert (error.__cause__, error.__suppress_context__, error.__notes__) == (cause, True, ["a note"])
        assert isinstance(error.__context__, KeyError)
        error.__cause__ = error.__context__ = error.__traceback__ = None
        error.__suppress_context__ = False

    def test_a_changed_copy(self) -> None:
        error = CloudApiError("m", kind=ErrorKind.EXPIRED, operation="Op", code="C", ambiguous=True)
        changed = error.but(kind=ErrorKind.DENIED, hint="h", retry_after=2.0, message="n", ambiguous=False)
        assert changed.as_dict() == error.as_dict() | {
            "kind": "denied",
            "hint": "h",
            "retry_after": 2.0,
            "message": "n",
            "ambiguous": False,
        }
        assert (error.kind, error.message, changed.args) == (ErrorKind.EXPIRED, "m", ("n",))
        with pytest.raises(TypeError):
            error.but(colour="red")

    def test_a_changed_copy_shows_where_the_error_came_from_and_shows_it_once(self) -> None:
        def fails() -> None:
            raise CloudApiError("the trouble", kind=ErrorKind.EXPIRED) from OSError("below it")

        def changes() -> None:
            try:
                fails()
            except CloudApiError as error:
                raise error.but(kind=ErrorKind.DENIED) from error.__cause__

        with pytest.raises(CloudApiError) as caught:
            changes()
        shown = "".join(traceback.format_exception(caught.value))
        assert "in fails" in shown
        assert shown.count("CloudApiError: the trouble") == shown.count("OSError: below it") == 1

    def test_a_copy_raised_later_keeps_its_cause(self) -> None:
        with pytest.raises(CloudApiError) as caught:
            raise CloudApiError("m", kind=ErrorKind.EXPIRED) from OSError("below it")
        later = caught.value.but(hint="h")
        assert repr(later.__cause__) == "OSError('below it')"
        assert later.__suppress_context__


@pytest.mark.parametrize("kind", ErrorKind)
def test_only_passing_trouble_is_retryable(kind: ErrorKind) -> None:
    error = CloudApiError("m", kind=kind)
    assert error.retryable is (kind in (ErrorKind.TRANSIENT, ErrorKind.THROTTLED))


ALIBABA = [
    # Codes come before the status: a throttle is HTTP 400 at some services.
    ("Throttling", 400, ErrorKind.THROTTLED),
    ("Throttling.User", 400, ErrorKind.THROTTLED),
    ("Throttling.Api", 503, ErrorKind.THROTTLED),
    ("Throttling.User.Flow", 429, ErrorKind.THROTTLED),
    ("ServiceUnavailable", 503, ErrorKind.TRANSIENT),
    ("ServiceUnAvailable", 503, ErrorKind.TRANSIENT),
    ("InternalError", 500, ErrorKind.TRANSIENT),
    ("InternalError", 200, ErrorKind.TRANSIENT),
    ("SignatureNonceUsed", 400, ErrorKind.TRANSIENT),
    ("InvalidTimeStamp.Expired", 400, ErrorKind.CLOCK),
    ("IllegalTimestamp", 400, ErrorKind.CLOCK),
    ("InvalidSecurityToken.Expired", 400, ErrorKind.EXPIRED),
    ("InvalidSecurityToken.Malformed", 400, ErrorKind.DENIED),
    ("InvalidSecurityToken.MismatchWithAccessKey", 403, ErrorKind.DENIED),
    ("MissingSecurityToken", 400, ErrorKind.DENIED),
    ("SignatureDoesNotMatch", 400, ErrorKind.DENIED),
    ("SignatureDoesNotMatch", 403, ErrorKind.DENIED),
    ("IncompleteSignature", 400, ErrorKind.DENIED),
    ("InvalidAccessKeyId.NotFound", 404, ErrorKind.DENIED),
    ("InvalidAccessKeyId.NotFound", 400, ErrorKind.DENIED),
    ("InvalidAccessKeyId.Inactive", 403, ErrorKind.DENIED),
    ("Forbidden.RAM", 403, ErrorKind.DENIED),
    ("Forbidden", 403, ErrorKind.DENIED),
    ("Forbidden.RiskControl", 403, ErrorKind.DENIED),
    ("NoPermission", 403, ErrorKind.DENIED),
    ("NoPermission", 200, ErrorKind.DENIED),
    ("OperationDenied.Suspended", 403, ErrorKind.DENIED),
    ("UserNotExist", 404, ErrorKind.DENIED),
    ("TenantNotExist", 404, ErrorKind.DENIED),
    ("MissingParameter", 400, ErrorKind.INVALID),
    ("InvalidParameter", 400, ErrorKind.INVALID),
    ("UnsupportedOperation", 400, ErrorKind.INVALID),
    ("NoSuchVersion", 400, ErrorKind.INVALID),
    ("InvalidAction.NotFound", 404, ErrorKind.INVALID),
    ("InvalidVersion", 404, ErrorKind.INVALID),
    ("JobNotExist", 200, ErrorKind.NOT_FOUND),
    ("", 404, ErrorKind.NOT_FOUND),
    ("", 429, ErrorKind.THROTTLED),
    ("", 500, ErrorKind.TRANSIENT),
    ("SomethingNew", 504, ErrorKind.TRANSIENT),
    ("SomethingNew", 403, ErrorKind.DENIED),
    ("SomethingNew", 400, ErrorKind.UNKNOWN),
    ("UnknownError", 200, ErrorKind.UNKNOWN),
]


@pytest.mark.parametrize(("code", "status", "kind"), ALIBABA)
def test_alibaba_codes(code: str, status: int, kind: ErrorKind) -> None:
    assert alibaba.classify(code, status) is kind


HUAWEI = [
    ("APIGW.0308", 429, "", ErrorKind.THROTTLED),
    ("APIG.0308", 429, "", ErrorKind.THROTTLED),
    ("APIGW.0303", 401, "", ErrorKind.CLOCK),
    ("APIGW.0307", 401, "The token must be updated.", ErrorKind.EXPIRED),
    ("", 401, "The token must be updated", ErrorKind.EXPIRED),
    ("APIGW.0301", 401, "Incorrect IAM authentication information: verify aksk signature fail", ErrorKind.DENIED),
    ("APIGW.0301", 401, "Incorrect IAM authentication information: decrypt token fail", ErrorKind.DENIED),
    ("APIGW.0302", 403, "", ErrorKind.DENIED),
    ("APIGW.0101", 404, "", ErrorKind.INVALID),
    ("APIGW.0201", 400, "", ErrorKind.INVALID),
    ("DLI.0001", 400, "", ErrorKind.INVALID),
    ("DLI.0002", 400, "", ErrorKind.NOT_FOUND),
    ("DLI.0003", 400, "", ErrorKind.DENIED),
    ("DLI.0004", 400, "", ErrorKind.INVALID),
    ("DLI.0023", 404, "", ErrorKind.NOT_FOUND),
    ("DLI.0999", 400, "", ErrorKind.TRANSIENT),
    ("DLI.0019", 400, "", ErrorKind.TRANSIENT),
    ("DRS.10000010", 400, "Job does not exist, please check job ID.", ErrorKind.NOT_FOUND),
    ("DRS.M00289", 400, "", ErrorKind.NOT_FOUND),
    ("DRS.M00202", 400, "", ErrorKind.INVALID),
    ("", 404, "", ErrorKind.NOT_FOUND),
    ("", 429, "", ErrorKind.THROTTLED),
    ("", 502, "", ErrorKind.TRANSIENT),
    ("X.1", 500, "", ErrorKind.TRANSIENT),
    ("X.1", 403, "", ErrorKind.DENIED),
    ("X.1", 400, "", ErrorKind.UNKNOWN),
]


@pytest.mark.parametrize(("code", "status", "message", "kind"), HUAWEI)
def test_huawei_codes(code: str, status: int, message: str, kind: ErrorKind) -> None:
    assert huawei.classify(code, status, message) is kind


def test_a_sql_error_that_speaks_of_tokens_is_no_expired_credential() -> None:
    """Parsers speak of tokens too; the code says that it is the statement."""
    message = "extraneous input 'expire' expecting token EOF"
    assert huawei.classify("DLI.0004", 400, message) is ErrorKind.INVALID


@given(st.text(max_size=20), st.sampled_from([500, 502, 503, 504]))
def test_an_unlisted_code_under_5xx_is_transient(code: str, status: int) -> None:
    if alibaba.classify(code, 400) is ErrorKind.UNKNOWN:
        assert alibaba.classify(code, status) is ErrorKind.TRANSIENT
    if huawei.classify(code, 400, "") is ErrorKind.UNKNOWN:
        assert huawei.classify(code, status, "") is ErrorKind.TRANSIENT


@pytest.mark.parametrize(
    ("kind", "status", "open_"),
    [
        (ErrorKind.TRANSIENT, 200, True),
        (ErrorKind.TRANSIENT, 400, True),
        (ErrorKind.TRANSIENT, 503, True),
        (ErrorKind.THROTTLED, 503, False),
        (ErrorKind.THROTTLED, 400, False),
        (ErrorKind.UNKNOWN, 500, True),
        (ErrorKind.INVALID, 400, False),
        (ErrorKind.DENIED, 403, False),
    ],
)
def test_what_a_refusal_leaves_open(kind: ErrorKind, status: int, open_: bool) -> None:
    assert leaves_open(kind, status) is open_
