# SPDX-License-Identifier: Apache-2.0
"""One cancel, on a worker or on a triggerer: when to ask again, and what to say of a job that cannot be cancelled.

:func:`cancelling` decides without I/O: it yields what to ask the cloud and is sent what came of it. :func:`cancel`
drives it on a worker, :func:`acancel` on an event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.jobs.answers import polled
from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import JobSpec, Observation, Scope
from airflow_cloudjobs.jobs.wait import LogLine
from airflow_cloudjobs.next_step import end_by_hand

if TYPE_CHECKING:
    from airflow_cloudjobs.hook import CloudHook

log = logging.getLogger(__name__)

CANCEL_BACKOFF = Backoff(first=1.0, cap=5.0)
"""The pauses before a cancel is sent again: short, since a task that is killed has ten or twenty seconds for it."""


@dataclass(frozen=True, slots=True)
class CancelStep:
    """What to ask the cloud next.

    :param request: the call.
    :param pause: seconds to wait before it.
    """

    request: ApiRequest
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class CancelResult:
    """What became of a cancel.

    :param api: the API's public id.
    :param key: the job.
    :param refusal: why the cloud did not cancel it; None if it did.
    :param ended: True if it was refused for a job that has ended, and need not be cancelled.
    """

    api: str
    key: str
    refusal: CloudApiError | None = None
    ended: bool = False

    @property
    def done(self) -> bool:
        """False if the job may run on."""
        return self.refusal is None or self.ended

    def log_line(self, console: str) -> LogLine:
        """The line for the task's log; an error if somebody has to see to the job.

        :param console: the address of the vendor's console.
        """
        name = f"{self.api} {self.key}"
        if self.refusal is None:
            return LogLine(logging.INFO, f"{name}: cancelled")
        if self.ended:
            return LogLine(logging.INFO, f"{name}: had ended before it could be cancelled")
        by_hand = end_by_hand("it", console)
        return LogLine(logging.ERROR, f"{name}: could not be cancelled: {self.refusal}. {by_hand}")


Reply = Mapping[str, Any] | CloudApiError
"""What the cloud answers, or the error that comes instead."""


def has_ended(spec: JobSpec, seen: Observation | CloudApiError) -> bool:
    """True if the cloud has said of a job that it has ended.

    :param spec: its API.
    :param seen: what came of a poll.
    """
    return isinstance(seen, Observation) and spec.states.outcome(seen.status) is not None


def cancelling(
    spec: JobSpec, key: str, scope: Scope, *, deadline: float, now: Callable[[], float], random: Callable[[], float]
) -> Generator[CancelStep, Reply | None, CancelResult]:
    """Cancel a job, again after passing trouble; if it stays refused, poll once: it may have ended by itself.

    Yields what to ask the cloud, is sent what came of it, and returns what became of the cancel.

    :param spec: the job's API, one that can cancel.
    :param key: the job.
    :param scope: what else names it.
    :param deadline: the cancel is not sent again later than this, in seconds of the clock.
    :param now: the clock.
    :param random: draws the pauses, from 0 to 1.
    """
    assert spec.cancel is not None  # noqa: S101 - who has nothing to cancel with does not come here
    pause = 0.0
    for attempt in itertools.count():
        reply = yield CancelStep(spec.cancel(key, scope), pause)
        if not isinstance(reply, CloudApiError):
            return CancelResult(spec.api, key)
        refusal = reply
        pause = CANCEL_BACKOFF.after(attempt, refusal.retry_after, random)
        if not refusal.retryable or now() + pause > deadline:
            break
        log.warning("%s %s: could not be cancelled, trying again in %.1f s: %s", spec.api, key, pause, refusal)
    poll = spec.poll([key], scope)
    reply = yield CancelStep(poll)
    return CancelResult(spec.api, key, refusal, ended=_tells_an_end(spec, key, poll, reply))


def _tells_an_end(spec: JobSpec, key: str, poll: ApiRequest, reply: Reply | None) -> bool:
    if reply is None or isinstance(reply, CloudApiError):
        return False
    try:
        return has_ended(spec, polled(spec, [key], poll, reply)[key])
    except CloudApiError:
        return False  # in no form that is documented


def cancel(hook: CloudHook, spec: JobSpec, key: str, scope: Scope, *, deadline: float) -> CancelResult:
    """Cancel a job, blocking.

    :param hook: calls the cloud.
    :param spec: the job's API, one that can cancel.
    :param key: the job.
    :param scope: what else names it.
    :param deadline: when to stop asking again, as ``time.monotonic`` tells it.
    :return: what became of it.
    """
    flow = cancelling(spec, key, scope, deadline=deadline, now=time.monotonic, random=random.random)
    reply: Reply | None = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration as end:
            result: CancelResult = end.value
            return result
        time.sleep(step.pause)
        try:
            reply = hook.call_for_job(step.request)
        except CloudApiError as error:
            reply = error


async def acancel(hook: CloudHook, spec: JobSpec, key: str, scope: Scope, *, deadline: float) -> CancelResult:
    """The same on the running event loop."""
    flow = cancelling(spec, key, scope, deadline=deadline, now=time.monotonic, random=random.random)
    reply: Reply | None = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration as end:
            result: CancelResult = end.value
            return result
        await asyncio.sleep(step.pause)
        try:
            reply = await hook.acall(step.request)
        except CloudApiError as error:
            reply = error
