# SPDX-License-Identifier: Apache-2.0
"""The one trigger: waits for jobs of any API on a triggerer's event loop."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_cloudjobs import compat, task_state
from airflow_cloudjobs.apis import hook_class_of, spec_of
from airflow_cloudjobs.cancel import acancel
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.progress import PROGRESS, progress_at_end, was_told
from airflow_cloudjobs.jobs.result import result_of
from airflow_cloudjobs.jobs.spec import Measure
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan
from airflow_cloudjobs.links import CONSOLE_URL, CloudConsoleLink
from airflow_cloudjobs.next_step import end_by_hand
from airflow_cloudjobs.telling import told_of
from airflow_cloudjobs.xcoms import short_enough

ASK_LIMIT = 90.0
"""Seconds for finding out about a kill. A triggerer that nothing has asked before builds what answers, and on a busy
machine that takes longer than the 30 s after which Airflow no longer waits for it."""

KILL_LIMIT = 20.0
"""Seconds for cancelling."""

LAST_WORDS = 5.0
"""The seconds at the end of it in which no cancel is begun any more, but what became of it is found out and logged."""

REGION_PATIENCE = 2.0
"""Seconds that a log line waits for the region in the console's address."""

STORE_BACKOFF = Backoff(first=1.0, cap=60.0, jitter=0.0)
STORE_REPEATS = 6
"""How often XComs that cannot be stored are tried again, within a minute, before they end a trigger. Nothing is drawn:
how many are stored at a time is limited elsewhere."""

_at_work: set[asyncio.Future[None]] = set()
"""Cancels under way; asyncio itself keeps no task alive that nobody refers to."""


class CloudJobTrigger(BaseTrigger):
    """Waits until jobs have ended or time has run out, then tells how.

    While it waits it changes nothing in the cloud, so a second copy of it does no harm, and it keeps nothing
    that its arguments do not hold, so it can go on anywhere. Only when a user kills the task it cancels the jobs,
    if the task owns them. What statuses mean is looked up by the API's id: a
    corrected table serves waits that are already under way.

    :param api: the API's public id, or the whole API where a DAG has declared one of its own (``JobApi.as_dict``).
    :param keys: the jobs.
    :param scope: what names the jobs beside their keys.
    :param conn_id: the Airflow connection; credentials are never in here.
    :param region: the task's region; None takes the connection's.
    :param endpoint: the task's endpoint; None takes the connection's.
    :param plan: the wait's plan, see :class:`~airflow_cloudjobs.jobs.wait.WaitPlan`.
    :param doubts: since when something undocumented is seen, by key.
    :param cancel: True cancels the jobs when the task is killed.
    :param try_number: the attempt that waits; it is repeated in the event.
    :param console_url: the address of the vendor's console; empty if it has to be made of the connection's region.
    :param end_task: for a task that a success ends without another worker: whether ``several`` results are a
        list, and whether to ``push`` them.
    :param asked: for a task that no worker has begun: ``keys``, ``scope``, ``conn_id``, ``region`` and
        ``endpoint``, rendered here.
    :param progress: True tells meanwhile how far the wait is, in the task's XCom ``progress`` (Airflow >= 3.3).
    :param later: arguments of a newer version of this class; ignored.
    """

    def __init__(
        self,
        *,
        api: str | Mapping[str, Any],
        keys: Sequence[str] = (),
        conn_id: str = "",
        scope: Mapping[str, Any] | None = None,
        region: str | None = None,
        endpoint: str | None = None,
        plan: Mapping[str, Any] | None = None,
        doubts: Mapping[str, float] | None = None,
        cancel: bool = False,
        try_number: int | None = None,
        console_url: str = "",
        end_task: Mapping[str, Any] | None = None,
        asked: Mapping[str, Any] | None = None,
        progress: bool = False,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.api = api
        self.keys = list(keys)
        self.scope = dict(scope or {})
        self.conn_id = conn_id
        self.region = region
        self.endpoint = endpoint
        self.plan = dict(plan or {})
        self.doubts = dict(doubts or {})
        self.cancel = cancel
        self.try_number = try_number
        self.console_url = console_url
        self.end_task = dict(end_task) if end_task else None
        self.asked = asked
        self.progress = progress

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of this class and its arguments; no secret is among them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "api": self.api,
            "keys": self.keys,
            "scope": self.scope,
            "conn_id": self.conn_id,
            "region": self.region,
            "endpoint": self.endpoint,
            "plan": self.plan,
            "doubts": self.doubts,
            "cancel": self.cancel,
            "try_number": self.try_number,
            "console_url": self.console_url,
            "end_task": self.end_task,
            "asked": self.asked,
            "progress": self.progress,
        }

    @property
    def hook(self) -> CloudHook:
        """The hook of the task's connection."""
        hook_class = hook_class_of(spec_of(self.api).cloud)
        return hook_class(self.conn_id, region=self.region, endpoint=self.endpoint)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; the one event is ``{"api", "try_number", "results": [JobResult.as_dict(), …], "console_url"}``.

        What brings the task back to a worker, be it that event or an exception, does so no sooner than
        :data:`~airflow_cloudjobs.compat.EVENT_HOLD` after the task has left its worker.
        """
        try:
            event = await self._event()
        except asyncio.CancelledError:
            if self.task_instance is None and compat.is_run_by_hand():
                await self._interrupted()
            elif not compat.triggers_hear_of_kills():
                await self.on_kill()
            raise
        yield event

    async def _event(self) -> TriggerEvent:
        began = time.time()
        try:
            results = await self._waited()
        except Exception:
            await self._hold(began)
            raise
        if self.cancel and not compat.LATE_TASKS_RESUME:
            await self._cancel_surely([one.key for one in results if one.outcome is Outcome.TIMED_OUT], "time ran out")
        if self.end_task and await self._pushed(results, self.end_task):
            return compat.success_event()  # type: ignore[no-any-return]
        await self._hold(began)
        # The event is stored, so it carries only what a result may show.
        spec = spec_of(self.api)
        shown = [replace(one, record=spec.public_fields(one.record)) for one in results]
        event = {
            "api": spec.api,
            "try_number": self.try_number,
            "results": [one.as_dict() for one in shown],
            # The worker does not need the connection for it, which may be away by then.
            "console_url": await self._full_console(),
        }
        return TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's is untyped

    async def _waited(self) -> list[JobResult]:
        """How the jobs ended, once all have or time has run out."""
        spec = spec_of(self.api)
        # Airflow takes minutes for the XComs of a thousand tasks that begin together; their polls need not wait for it.
        stored = asyncio.create_task(self._store_facts(self._take_over(self.asked))) if self.asked else None
        now = time.time()
        plan = WaitPlan.from_dict({"started": now, "interval": spec.interval, **self.plan})
        wait = Wait(spec, self.keys, plan, random=random.random, resumed=now, unknown_since=self.doubts)
        try:
            await self._wait_for(wait)
            if stored:
                await stored
        finally:
            if stored:
                stored.cancel()
        return wait.results

    async def _wait_for(self, wait: Wait) -> None:
        """Wait, and tell meanwhile how far that is."""
        if not (self.progress and self.task_instance and compat.triggers_end_tasks()):
            await self.hook.wait_async(wait, self.scope, self._log_line)
            return
        measure = partial(self._measured, wait.spec.measure) if wait.spec.measure else None
        with told_of(wait, lambda told: compat.push_xcom(self, PROGRESS, told), measure) as changed:

            def noted(line: LogLine) -> None:
                self._log_line(line)
                changed()

            await self.hook.wait_async(wait, self.scope, noted)

    async def _measured(self, measure: Measure, key: str) -> float:
        """How much of a job is done, from 0 to 1, as the cloud tells; whatever goes wrong is raised."""
        return measure.part(await self.hook.acall(measure.request(key, self.scope)))

    async def _hold(self, began: float) -> None:
        """Let pass what is left of the time in which Airflow would fail a task that comes back.

        :param began: when this trigger began, seconds since the epoch.
        """
        if compat.is_run_by_hand():
            return  # without a scheduler
        await compat.hold(self.plan.get("handed_over", 0.0), began)

    def _take_over(self, asked: Mapping[str, Any]) -> str | list[str]:
        """Take over what a worker would have done before the wait.

        :return: the key, or all of them where several were asked for.
        """
        self.keys = [str(key) for key in as_list(asked["keys"])]
        self.scope, self.conn_id = asked["scope"], asked["conn_id"]
        self.region, self.endpoint = asked["region"], asked["endpoint"]
        return self.keys if is_sequence(asked["keys"]) else self.keys[0]

    async def _store_facts(self, job_key: str | list[str]) -> None:
        """Store what a worker would have stored before the wait."""
        for attempt in itertools.count():
            try:
                url = self.console_url = await self._console_url()
                await compat.push_xcom(self, "job_key", job_key)
                await compat.push_xcom(self, CONSOLE_URL, url)
                await compat.push_plain_xcom_of(self, CloudConsoleLink().xcom_key, url)
            except Exception as error:
                if isinstance(error, CloudApiError) and not error.retryable:
                    return  # the connection is wrong, which the wait says too
                if attempt == STORE_REPEATS:
                    raise
                self.log.warning("The key and the console's address could not be stored, trying again: %r", error)
                await asyncio.sleep(STORE_BACKOFF.after(attempt, None, random.random))
            else:
                return

    async def _console_url(self) -> str:
        return self.console_url or await self.hook.aconsole(spec_of(self.api), self.keys, self.scope)

    async def _pushed(self, results: Sequence[JobResult], end_task: Mapping[str, Any]) -> bool:
        """True if all succeeded and the task's result is where a worker would have put it."""
        if any(result.outcome is not Outcome.SUCCEEDED for result in results):
            return False  # failing needs a worker: retries and callbacks are its own
        spec = spec_of(self.api)
        try:
            if end_task["push"]:
                url = await self._console_url()
                values = [result_of(spec, result, console_url=url) for result in results]
                value = short_enough(values if end_task["several"] else values[0], self.log.warning)
                await compat.push_xcom(self, "return_value", value)
                if self.progress and was_told(results):
                    await compat.push_xcom(self, PROGRESS, progress_at_end(spec, results, time.time()))
        except Exception as error:
            self.log.warning("The result could not be stored from here, leaving it to a worker: %r", error)
            return False
        if self.cancel:
            await self._forget_owner()
        return True

    async def _forget_owner(self) -> None:
        """Take away the XCom that only a deferred task needs, since no worker will; nothing hangs on it any more."""
        try:
            await compat.delete_plain_xcom_of(self, task_state.OWNER)
        except Exception as error:
            self.log.debug("XCom %r stays: %r", task_state.OWNER, error)

    async def on_kill(self) -> None:
        """Cancel the jobs of a killed task, if it owns them.

        Airflow also calls this when the trigger only moves to another triggerer. Then the task is still deferred
        on these very jobs, and nothing must be cancelled; where that cannot be found out, nothing is.
        """
        spec = spec_of(self.api)
        if not (self.cancel and spec.cancel):
            return
        # Airflow 3.3 repeats its cancel about once a second until the trigger has ended, which strikes this method
        # too. So the work is done beside it, and goes on even if Airflow gives the method up (as it does with
        # Python 3.11, whose wait_for ends at the second cancel).
        work = asyncio.ensure_future(self._end_jobs())
        _at_work.add(work)
        work.add_done_callback(_at_work.discard)
        struck: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError as again:
                struck = again
        if struck:
            raise struck

    async def _end_jobs(self) -> None:
        jobs, unknown = ", ".join(self.keys), "whether the task was killed"
        try:
            async with asyncio.timeout(ASK_LIMIT):
                if await task_state.still_owns(self, task_state.OWNER, self.keys):
                    self.log.info("Not cancelling %s: the task still waits for it elsewhere", jobs)
                    return
            unknown = "whether the jobs of a killed task were cancelled"
            await self._cancel(self.keys, "its task was killed")
        except asyncio.CancelledError:
            self.log.error(
                "Stopped while the jobs of a killed task were cancelled. %s", end_by_hand(jobs, self._console())
            )
            raise
        except Exception as error:
            # Whatever it is, guessing could cancel a job that its task still wants.
            by_hand = end_by_hand(jobs, await self._full_console())
            self.log.error("Not known %s: %r. %s", unknown, error, by_hand)

    async def _interrupted(self) -> None:
        """Whoever runs the task by hand has stopped it, and nobody goes on."""
        if self.cancel and spec_of(self.api).cancel:
            await self._cancel_surely(self.keys, "it was interrupted")
        else:
            self.log.warning("Interrupted; %s may still run. Console: %s", ", ".join(self.keys), self._console())

    async def _cancel_surely(self, keys: Sequence[str], why: str) -> None:
        """Cancel jobs that the task may not get to cancel.

        :param keys: the jobs.
        :param why: for the log.
        """
        try:
            await self._cancel(keys, why)
        except Exception as error:
            by_hand = end_by_hand(", ".join(keys), await self._full_console())
            self.log.error("Not known whether jobs were cancelled, since %s: %r. %s", why, error, by_hand)

    async def _cancel(self, keys: Sequence[str], why: str) -> None:
        """Cancel jobs; whatever keeps it from being known whether they are is raised."""
        spec, hook, deadline = spec_of(self.api), self.hook, time.monotonic() + KILL_LIMIT - LAST_WORDS
        async with asyncio.timeout(KILL_LIMIT):
            for key in keys:
                self.log.info("%s %s: cancelling, since %s", spec.api, key, why)
                result = await acancel(hook, spec, key, self.scope, deadline=deadline)
                self._log_line(result.log_line(self._console() if result.done else await self._full_console()))

    def _console(self) -> str:
        """The console's address as far as it is known without the connection."""
        return self.console_url or spec_of(self.api).console_at(self.region or "", self.keys, self.scope)

    async def _full_console(self) -> str:
        """The console's address for a line of the log, which is not lost if the connection cannot be read."""
        try:
            async with asyncio.timeout(REGION_PATIENCE):
                return await self._console_url()
        except Exception:
            return self._console()

    def _log_line(self, line: LogLine) -> None:
        self.log.log(line.level, line.text)
