# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between us and a cloud's API, typed so that nobody has to read a message to decide.

An API error says something about one *call*. It is never a job's failure: a job has failed only when the
cloud lists a failed status for it (see :mod:`airflow_cloudjobs.jobs.spec`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from airflow_cloudjobs.jobs.stored import stored_fields


class ErrorKind(StrEnum):
    """What an error asks of the one who called."""

    TRANSIENT = "transient"
    """Network trouble, 5xx, half an answer: the same call may work in a moment."""

    THROTTLED = "throttled"
    """Refused because of too many calls: the same call works later."""

    EXPIRED = "expired"
    """The credential is past its life: works with a renewed one."""

    CLOCK = "clock"
    """The time in the signature is too far from the cloud's: works with a corrected one."""

    NOT_FOUND = "not_found"
    """The job, or what it stands on, does not exist (or does not exist yet)."""

    DENIED = "denied"
    """Key, secret, signature or permission: nothing helps but another credential or grant."""

    INVALID = "invalid"
    """The cloud understood and refused the request as such."""

    UNKNOWN = "unknown"
    """A refusal with a code that no table of ours lists."""


def leaves_open(kind: ErrorKind, http_status: int) -> bool:
    """True for a refusal after which the cloud may have acted all the same.

    Trouble inside of the cloud comes as HTTP 200 and 400 too, so the status alone does not tell; what is one call too
    many was turned away before anything was done.

    :param kind: what the error asks for.
    :param http_status: the answer's.
    """
    return kind is ErrorKind.TRANSIENT or (http_status >= 500 and kind is not ErrorKind.THROTTLED)


@dataclass(eq=False, repr=False)
class CloudApiError(Exception):
    """One call to a cloud's API did not give what it was asked for. It never changes, see :meth:`but`.

    :param message: the vendor's words, or ours where the vendor said nothing.
    :param kind: what the error asks of the caller.
    :param operation: the vendor's name of the operation, e.g. ``GetUserUploadFileJob``.
    :param code: the vendor's error code, or a name of ours in angle brackets (``<timeout>``).
    :param request_id: the vendor's request id, for its support; empty if there was no answer.
    :param http_status: 0 if there was no answer.
    :param retry_after: seconds the cloud asked us to wait, or None.
    :param ambiguous: True if the cloud may have acted on the request all the same.
    :param misdirected: True if the host is none, or does not speak as it was spoken to: from the beginning of a wait a
        mistake that no waiting mends, rather than an outage.
    :param hint: what a person can do about it.
    """

    message: str
    _: KW_ONLY
    kind: ErrorKind
    operation: str = ""
    code: str = ""
    request_id: str = ""
    http_status: int = 0
    retry_after: float | None = None
    ambiguous: bool = False
    misdirected: bool = False
    hint: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.message)

    # A frozen dataclass would refuse what Python itself sets on an exception: its traceback, its cause, its notes.
    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) and not name.startswith("__"):
            raise AttributeError(f"a CloudApiError does not change: use but({name}=...)")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if not name.startswith("__"):
            raise AttributeError("a CloudApiError does not change")
        super().__delattr__(name)

    def but(self, **changes: Any) -> CloudApiError:
        """The error with other fields.

        Where the first one is being handled, raise it ``from error.__cause__``, or the same trouble is shown twice.

        :param changes: the fields that are to be different.
        :return: a copy, that shows where the error came from.
        """
        changed = replace(self, **changes).with_traceback(self.__traceback__)
        changed.__cause__, changed.__context__ = self.__cause__, self.__context__
        changed.__suppress_context__ = self.__suppress_context__
        return changed

    @property
    def retryable(self) -> bool:
        """True where the same call, made later, may work."""
        return self.kind in (ErrorKind.TRANSIENT, ErrorKind.THROTTLED)

    @property
    def reason(self) -> str:
        """The vendor's own words on one line: its code, and its message without a full stop."""
        words = " ".join(self.message.split()).rstrip(" .")
        return words if self.code.startswith("<") or not self.code else f"{self.code}: {words}"

    def __str__(self) -> str:
        facts = [f"HTTP {self.http_status}"] if self.http_status else []
        if self.request_id:
            facts.append(f"request id {self.request_id}")
        head = " ".join(part for part in (self.operation, self.code) if part)
        text = f"{head}: {self.message}" if head else self.message
        if facts:
            text += f" ({', '.join(facts)})"
        return f"{text}. {self.hint}" if self.hint else text

    def __repr__(self) -> str:
        facts = {"operation": self.operation, "code": self.code, "http_status": self.http_status}
        shown = "".join(f", {name}={value!r}" for name, value in facts.items() if value)
        return f"{type(self).__name__}({self.message!r}, kind={self.kind.value!r}{shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return CloudApiError.from_dict, (self.as_dict(),)

    def as_dict(self) -> dict[str, Any]:
        """The error as JSON-able values, to travel in a trigger's event."""
        return {**asdict(self), "kind": self.kind.value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CloudApiError:
        """The inverse of :meth:`as_dict`; fields and kinds of another version do no harm."""
        known = stored_fields(cls, data)
        try:
            known["kind"] = ErrorKind(known.get("kind", ErrorKind.UNKNOWN))
        except ValueError:
            known["kind"] = ErrorKind.UNKNOWN
        return cls(known.pop("message", ""), **known)
