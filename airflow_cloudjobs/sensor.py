# SPDX-License-Identifier: Apache-2.0
"""The base of all sensors: wait for jobs that somebody else has submitted."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_cloudjobs import compat
from airflow_cloudjobs.compat import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    default_deferrable,
    first_reschedule,
    try_number_of,
)
from airflow_cloudjobs.exceptions import JobFailedForGood, JobOutcomeUnknown, JobTimedOut, SubmitFailed, TaskRefused
from airflow_cloudjobs.failure import what_happened
from airflow_cloudjobs.jobs.arguments import needs_a_worker
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.wait import Wait, WaitPlan
from airflow_cloudjobs.state_path import StateTrouble, task_store
from airflow_cloudjobs.task import CloudJobTask, with_short_trace

SEEN = "cloudjobs_seen"
"""Where a sensor in reschedule mode keeps what it found at earlier pokes of this try."""


def _earliest_return() -> datetime:
    """Before this moment a task that leaves its worker now must not come back."""
    return datetime.now(UTC) + timedelta(seconds=compat.EVENT_HOLD)


TRIGGER = "airflow_cloudjobs.trigger.CloudJobTrigger"
"""What waits for a sensor that starts on a triggerer; by its path, so that parsing a DAG does not load it."""


class CloudJobSensor(CloudJobTask, BaseSensorOperator):
    """Waits until a job has ended, and fails if it did not succeed.

    Airflow's own ``timeout``, ``mode``, ``soft_fail`` and ``never_fail`` mean the same in poke, reschedule and
    deferrable mode. The task's result is that of the operator of the same API. A sensor never cancels a job.

    :param region: the vendor's region id; None takes the connection's.
    :param endpoint: address of the service, e.g. of a VPC; None takes the connection's, or the vendor's.
    :param deferrable: wait on the triggerer instead of on the worker; default
        ``[operators] default_deferrable``. Goes before ``mode``.
    :param end_from_trigger: a success ends the task on the triggerer, without another worker (Airflow >= 3.3;
        not for tasks with outlets). ``on_success_callback`` then runs in the dag processor. Default False.
    :param start_from_trigger: begin on the triggerer, without a worker (Airflow >= 3.3). Only for arguments that are
        written in the DAG or templated without XComs; a mapped task begins on a worker all the same. Arguments are
        then checked when the DAG is parsed only, and ``timeout`` is watched by Airflow. Default False.
    :param poke_interval: the longest pause between two polls, seconds or a timedelta (in reschedule mode every pause,
        of ten seconds at least); None takes the API's own: 10 for DMS, DLI and DRS, 60 for ICE, the ``interval`` of a
        ``JobApi`` (30 unless it says another).
    :raises TaskRefused: an argument or the connection cannot work.
    :raises SubmitFailed: Airflow did not hand the connection out when the wait began (retried).
    :raises JobFailedForGood: the job failed or was cancelled.
    :raises JobTimedOut: time ran out.
    :raises JobOutcomeUnknown: the cloud would not tell whether the job ended, and how.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        deferrable: bool = default_deferrable(),
        end_from_trigger: bool = False,
        start_from_trigger: bool = False,
        poke_interval: float | timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=self.spec.interval if poke_interval is None else poke_interval, **kwargs)
        self._arguments(vars(self), rendered=True).seconds("poke_interval", None)
        self.region = region
        self.endpoint = endpoint
        self.deferrable = deferrable
        self.end_from_trigger = end_from_trigger
        self.start_from_trigger = start_from_trigger
        self._began = time.time()
        self._wait: Wait | None = None

    def _check_arguments(self, *, rendered: bool) -> None:
        super()._check_arguments(rendered=rendered)
        if self.start_from_trigger and not rendered:
            self._plan_start_from_trigger()

    def _plan_start_from_trigger(self) -> None:
        """Have Airflow begin this task with the trigger, which renders what it is asked for itself."""
        from airflow.triggers.base import StartTriggerArgs  # slow, and for this alone

        key, scope = getattr(self, self.key_argument), self._scope
        conn, place = self._hook_class().conn_name_attr, {"region": self.region, "endpoint": self.endpoint}
        written = {self.key_argument: key, **scope, conn: getattr(self, conn), **place}
        why = ""
        if not compat.triggers_end_tasks():
            why = "needs Airflow 3.3 or newer"
        elif not self.deferrable:
            why = "needs deferrable=True"
        elif key is None:
            why = f"needs {self.key_argument!r}"
        elif late := [name for name, value in written.items() if needs_a_worker(value)]:
            why = f"needs {late[0]!r} written in the DAG: a trigger cannot ask for XComs"
        if why:
            raise self._arguments({}, rendered=False).refuse("start_from_trigger", why)
        self.asked = {"keys": key, "scope": scope, "conn_id": self._conn_id, **place}
        # Airflow renders in the trigger what is a template field here and an argument of it there.
        self.template_fields = (*type(self).template_fields, "asked")
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=TRIGGER,
            trigger_kwargs={
                "api": self._stored_api(),
                "asked": self.asked,
                "plan": {"interval": self.poke_interval},
                "end_task": {"several": self._is_many(), "push": self.do_xcom_push} if self.end_from_trigger else None,
                "progress": self.do_xcom_push,
            },
            next_method="execute_complete",
            timeout=timedelta(seconds=self.timeout),
        )

    @with_short_trace
    def execute(self, context: Any) -> Any:
        """Look once; then wait in the mode that was asked for."""
        # Airflow's own clock for ``timeout`` starts now too; ours must not be the later one, or its message, which
        # knows nothing of the job, would come first.
        self._began, self._wait = time.time(), None
        self._stay_inside(context)
        if not self.deferrable:
            interval = self.poke_interval
            try:
                with self._skipping(context):  # Airflow's own watch over ``timeout`` knows soft_fail only
                    return super().execute(context)
            except AirflowRescheduleException as again:
                again.reschedule_date = max(again.reschedule_date, _earliest_return())
                raise
            finally:
                self.poke_interval = interval
        with self._skipping(context):
            seen = self.poke(context)
            if not seen and self._wait is not None:
                self._defer(context, self._wait)
            return seen.xcom_value

    def _give_up_airflow(self) -> str:
        self.mode = "poke"
        super()._give_up_airflow()
        return " or giving it back between two looks"

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event."""
        with self._skipping(context):
            return super().execute_complete(context, event)

    @with_short_trace
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral, also after one that Airflow has ended itself."""
        with self._saying_what_is_next(context):
            try:
                return super().resume_execution(next_method, next_kwargs, context)
            except AirflowSkipException:
                if self._said_of is None:
                    raise
                raise self._skip() from None  # Airflow puts words of its own in the place of ours

    def poke(self, context: Any) -> PokeReturnValue:
        """Look once at the jobs that are due."""
        with self._skipping(context):
            try:
                return self._poke(context)
            finally:
                self._set_pause()

    def _poke(self, context: Any) -> PokeReturnValue:
        if self._wait is None:
            self._wait = self._begin(context)
        wait, before = self._wait, self._to_keep(self._wait)
        self.hook.poll_once(wait, self._scope, self._log_line)
        if wait.over:
            return PokeReturnValue(True, self._results(context, wait.results))
        if self.reschedule and self._to_keep(wait) != before:
            self._keep(context, wait)
        if wait.plan.deadline is not None and time.time() >= wait.plan.deadline:
            wait.give_up(time.time())
            return PokeReturnValue(True, self._results(context, wait.results))
        self._tell_progress(context, wait)
        return PokeReturnValue(False)

    def _begin(self, context: Mapping[str, Any]) -> Wait:
        first = first_reschedule(context) if self.reschedule else None
        try:
            self._ready()
        except SubmitFailed as error:
            if not first:
                raise
            # In the middle of a wait that ends nothing; the look that follows tells how long it may last.
            self.log.warning("%s", what_happened(error))
        seen = self._kept(context) if self.reschedule else {}
        keys = seen.get("keys") or self._given_keys()
        self._announce(context, keys)
        started = first or self._began
        limits = [started + self.timeout]
        if first and self.execution_timeout:
            limits.append(first + self.execution_timeout.total_seconds())
        elif limit := self._execution_deadline(context):
            limits.append(limit)
        # What was seen before is not known everywhere: then the pokes before are taken for answered.
        answered = bool(first) and seen.get("answered", True)
        wait = self._new_wait(
            keys,
            WaitPlan(started, self.poke_interval, min(limits), looked=bool(first), answered=answered),
            seen.get("doubts"),
            seen.get("misdirected"),
        )
        if self.reschedule and not seen:
            self._keep(context, wait)
        return wait

    def _kept(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the poke before has remembered."""
        try:
            seen = store.get(SEEN) if (store := task_store(context)) else None
        except StateTrouble as error:
            self.log.warning("Looking without what was seen before: %s", error)
            return {}
        return seen if seen and seen.get("try") == try_number_of(context) else {}

    @staticmethod
    def _to_keep(wait: Wait) -> dict[str, Any]:
        """What the next poke has to know of this one."""
        return {"doubts": wait.unknown_since, "answered": wait.answered, "misdirected": wait.misdirected_since}

    def _keep(self, context: Mapping[str, Any], wait: Wait) -> None:
        """Remember for the next poke which jobs are waited for, and what was seen."""
        if store := task_store(context):
            try:
                store.set(SEEN, {"try": try_number_of(context), "keys": wait.keys, **self._to_keep(wait)})
            except StateTrouble as error:
                self.log.warning("The next look will not know what this one has seen: %s", error)

    def _set_pause(self) -> None:
        """Airflow's pause before the next poke, grown from a second where looking again costs no new process."""
        if self.deferrable or self.exponential_backoff or self._wait is None:
            return
        now, plan = time.time(), self._wait.plan
        if not self.reschedule:
            self.poke_interval = self._wait.pause(now)
        elif plan.deadline is not None:
            self.poke_interval = min(plan.interval, max(0.0, plan.deadline - now))

    def _limit(self, error: BaseException) -> str:
        attempt = self.execution_timeout.total_seconds() if self.execution_timeout else math.inf
        return "execution_timeout" if isinstance(error, AirflowTaskTimeout) or attempt < self.timeout else "timeout"

    def _keys_of(self, error: BaseException) -> list[str]:
        if keys := super()._keys_of(error):
            return keys
        if self._wait is not None:
            return list(self._wait.keys)
        # What was refused may be no keys; those that are found by a call are not looked for once more.
        given = None if isinstance(error, TaskRefused) else getattr(self, self.key_argument)
        return [] if given is None else [str(key) for key in as_list(given)]

    def _is_skipped(self, error: BaseException) -> bool:
        if isinstance(error, (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException)):
            return bool(self.soft_fail or self.never_fail)
        return bool(self.never_fail and not self.silent_fail)

    @contextmanager
    def _skipping(self, context: Mapping[str, Any]) -> Iterator[None]:
        """``soft_fail`` and ``never_fail`` by the rules that Airflow has in poke mode."""
        try:
            with self._saying_what_is_next(context):
                yield
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (Exception, AirflowTaskTimeout) as error:
            if self._is_skipped(error):
                raise self._skip() from error
            raise

    def _skip(self) -> AirflowSkipException:
        return AirflowSkipException(f"Skipping instead of failing: {self._failure.summary}")

    def _ended_badly(self, bad: Sequence[JobResult]) -> Exception:
        outcomes = {result.outcome for result in bad}
        if outcomes & {Outcome.FAILED, Outcome.CANCELLED}:
            return JobFailedForGood("the job did not succeed", bad)
        if Outcome.TIMED_OUT in outcomes:
            return JobTimedOut("time ran out", bad)
        return JobOutcomeUnknown("the cloud does not tell what became of the job", bad)
