# SPDX-License-Identifier: Apache-2.0
"""What has been asked of the clouds: counts, and the last requests, bounded; nothing secret is kept."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

from airflow_cloudjobs.localcloud.operation import Operation

#: Requests remembered one by one.
KEPT_REQUESTS = 10_000
#: Keys whose calls are counted, for each API and kind.
KEPT_KEYS = 100_000
#: Kinds of calls that are counted by the jobs they are about.
_OF_JOBS = ("submit", "poll", "cancel")


class Statistics:
    """Counters since the last reset."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.refused: dict[str, Counter[str]] = {}
        self._by_key: dict[tuple[str, str], Counter[str]] = {}
        self.submits: Counter[str] = Counter()
        self.cancels: Counter[str] = Counter()
        self.nonces_replayed = 0
        self.mixed_pairs = 0
        self.faults_struck: Counter[str] = Counter()
        self.requests: deque[tuple[float, str, tuple[str, ...], int, str, str]] = deque(maxlen=KEPT_REQUESTS)

    def count(self, operation: Operation[Any], keys: list[str], status: int, code: str, fault: str, now: float) -> None:
        """LogLine one request.

        :param operation: what was called.
        :param keys: keys of the jobs it was about.
        :param status: HTTP status answered; 0 if the connection was cut instead.
        :param code: the vendor's error code, or the kind of a fault that spoilt the answer; empty for a success.
        :param fault: kind of the injected fault, empty if there was none.
        :param now: seconds since the epoch.
        """
        self.calls[operation.name] += 1
        if code:
            self.refused.setdefault(operation.name, Counter())[code] += 1
        if fault:
            self.faults_struck[fault] += 1
        if operation.kind in _OF_JOBS:
            asked = self._by_key.setdefault((operation.kind, operation.api), Counter())
            if len(asked) < KEPT_KEYS:
                asked.update(keys)
        self.requests.append((now, operation.name, tuple(keys), status, code, fault))

    def of_job(self, api: str, key: str) -> dict[str, int]:
        """How often a job was submitted, asked for and cancelled: ``submits``, ``polls``, ``cancels``.

        :param api: id of the API.
        :param key: the job's key.
        """
        return {f"{kind}s": asked[key] if (asked := self._by_key.get((kind, api))) else 0 for kind in _OF_JOBS}

    def report(self, tail: int) -> dict[str, Any]:
        """Everything as JSON.

        :param tail: how many of the last requests to list.
        """
        operations = {
            name: {
                "calls": calls,
                "ok": calls - sum(self.refused.get(name, Counter()).values()),
                "refused": dict(self.refused.get(name, {})),
            }
            for name, calls in sorted(self.calls.items())
        }
        fields = ("time", "operation", "keys", "status", "code", "fault")
        last = list(self.requests)[-tail:] if tail else []
        return {
            "operations": operations,
            "polls": {api: dict(polls) for (kind, api), polls in self._by_key.items() if kind == "poll"},
            "submits": dict(self.submits),
            "cancels": dict(self.cancels),
            "nonces_replayed": self.nonces_replayed,
            "mixed_pairs": self.mixed_pairs,
            "faults_struck": dict(self.faults_struck),
            "requests": [dict(zip(fields, request, strict=True)) for request in last],
        }
