# SPDX-License-Identifier: Apache-2.0
"""Faults to inject: which requests they hit, how often, and what they do. Deciding only; ``serving`` acts.

Kinds:

``http``
    an error of the given ``status`` (default 503) in the vendor's envelope, with ``code`` and ``message`` if
    given; a status of 200 gives the services that have one their soft error (DMS ``Success=false``, green
    ``Code``, DLI ``is_success=false``). ``retry_after`` becomes a header.
``throttle``
    the vendor's own throttling: Alibaba Cloud HTTP 400 ``Throttling.User`` (header ``x-acs-retry-after``),
    Huawei Cloud HTTP 429 ``APIGW.0308`` (header ``Retry-After``).
``reset``
    the TCP connection is reset, no answer.
``hang``
    nothing for ``delay`` seconds (default 30), then the connection is closed without an answer.
``slow``
    the right answer, ``delay`` seconds late (default 1).
``html``
    a proxy's page instead of the answer, with ``status`` (default 502).
``truncated``
    the answer's JSON cut in half, with the length of the half; with ``broken`` the full length is announced
    and the connection breaks in the middle of the body.
``empty``
    an empty body with ``status`` (default 200).
``status``, ``null_status``
    the right answer, but the job's raw status is ``value``, or null.
"""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from typing import Any

from airflow_cloudjobs.localcloud.operation import Operation

KINDS = ("http", "throttle", "reset", "hang", "slow", "html", "truncated", "empty", "status", "null_status")

#: Kinds that act on a right answer, so the request is always carried out first.
AFTER_THE_FACT = frozenset({"slow", "truncated", "status", "null_status"})


@dataclass(slots=True)
class Fault:
    """One fault.

    :param kind: what happens, one of :data:`KINDS`.
    :param target: which requests: an operation (``GetUserUploadFileJob``, ``ShowSqlJobStatus``), an API id
        (``dli.sql_job``), a group (``poll``, ``submit``, ``cancel``, ``login``, ``read``), a service (as
        :class:`~airflow_cloudjobs.localcloud.operation.Operation` has it: ``dms``, ``dli``, ``metadata`` ...), a cloud
        (``alibaba``, ``huawei``) or ``*``.
    :param count: how many requests it hits; without limit if None.
    :param seconds: how long it is active from now on; without limit if None.
    :param after: matching requests to let pass first.
    :param after_commit: carry the request out first, so that the cloud has taken the job and the client
        cannot know.
    :param status: HTTP status of ``http``, ``html`` and ``empty``.
    :param code: the vendor's error code for ``http``.
    :param message: the vendor's message for ``http``.
    :param retry_after: value of the vendor's retry header, as it is sent.
    :param delay: seconds of ``hang`` and ``slow``.
    :param broken: for ``truncated``: break the connection in the body.
    :param value: the raw status for ``status``.
    :raises ValueError: an unknown kind.
    """

    kind: str
    target: str = "*"
    count: int | None = None
    seconds: float | None = None
    after: int = 0
    after_commit: bool = False
    status: int | None = None
    code: str = ""
    message: str = ""
    retry_after: str | None = None
    delay: float | None = None
    broken: bool = False
    value: Any = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {self.kind!r}")
        if self.retry_after is not None:
            self.retry_after = str(self.retry_after)

    @property
    def acts_after(self) -> bool:
        """Whether the request is carried out before the fault strikes."""
        return self.after_commit or self.kind in AFTER_THE_FACT

    def hits(self, operation: Operation[Any]) -> bool:
        """Whether a request of this operation is meant.

        :param operation: what is called.
        """
        return self.target in {
            "*",
            operation.name,
            operation.api,
            operation.kind,
            operation.service,
            operation.cloud,
        }


@dataclass(slots=True)
class _Placed:
    number: int
    fault: Fault
    until: float
    struck: int = 0
    passed: int = 0


class FaultBoard:
    """The faults in force, oldest first; the first that hits a request acts."""

    def __init__(self) -> None:
        self._placed: list[_Placed] = []
        self._numbers = itertools.count(1)

    def add(self, fault: Fault, now: float) -> int:
        """Put a fault into force; returns its number.

        :param fault: what to do to whom.
        :param now: seconds since the epoch.
        """
        number = next(self._numbers)
        until = float("inf") if fault.seconds is None else now + fault.seconds
        self._placed.append(_Placed(number, fault, until))
        return number

    def take(self, operation: Operation[Any], now: float) -> Fault | None:
        """The fault that strikes this request, which is counted against it.

        :param operation: what is called.
        :param now: seconds since the epoch.
        """
        if not self._placed:
            return None
        self._drop_over(now)
        for placed in self._placed:
            if not placed.fault.hits(operation):
                continue
            if placed.passed < placed.fault.after:
                placed.passed += 1
                continue
            placed.struck += 1
            return placed.fault
        return None

    def list(self, now: float) -> list[dict[str, Any]]:
        """The faults with their number, how often each has struck, and the seconds each has ``left`` (None: no limit).

        :param now: seconds since the epoch.
        """
        self._drop_over(now)
        return [
            {
                "number": placed.number,
                "struck": placed.struck,
                "left": None if placed.fault.seconds is None else placed.until - now,
                **asdict(placed.fault),
            }
            for placed in self._placed
        ]

    def clear(self, number: int | None = None) -> None:
        """Take a fault away, or all of them.

        :param number: which one; all if None.
        """
        self._placed = [] if number is None else [p for p in self._placed if p.number != number]

    def _drop_over(self, now: float) -> None:
        self._placed = [placed for placed in self._placed if now < placed.until and not _spent(placed)]


def _spent(placed: _Placed) -> bool:
    return placed.fault.count is not None and placed.struck >= placed.fault.count
