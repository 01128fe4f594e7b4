# SPDX-License-Identifier: Apache-2.0
"""The base of all operators: submit a job, or adopt one, and wait for its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from airflow_cloudjobs import task_state
from airflow_cloudjobs.cancel import cancel, has_ended
from airflow_cloudjobs.compat import (
    AirflowTaskTimeout,
    BaseOperator,
    TaskDeferralTimeout,
    default_deferrable,
    task_store,
)
from airflow_cloudjobs.exceptions import ExecutionTimedOut, JobFailed, JobOutcomeUnknown, JobTimedOut
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome
from airflow_cloudjobs.jobs.wait import WaitPlan
from airflow_cloudjobs.submit import SubmitOnce, give_up
from airflow_cloudjobs.task import CloudJobTask
from airflow_cloudjobs.task_class import submit_parameters
from airflow_cloudjobs.trigger import results_in

CANCEL_PATIENCE = 10.0
"""Seconds for which a worker tries to cancel one job."""


class CloudJobOperator(CloudJobTask, BaseOperator):
    """Submits a job and waits for its end, or waits for one that exists if the key argument is given.

    The task's result is ``{"api", "job_key", "outcome", "status", "result", "request_id", "console_url"}``,
    a list of these where a list was asked for. XCom ``job_key`` is there before the wait begins.

    :param region: the vendor's region id; None takes the connection's.
    :param endpoint: address of the service, e.g. of a VPC; None takes the connection's, or the vendor's.
    :param deferrable: wait on the triggerer instead of on the worker; default
        ``[operators] default_deferrable``.
    :param wait_for_completion: False ends the task once the job is submitted (outcome ``submitted``).
    :param poll_interval: the longest pause between two polls in seconds; pauses begin at a second and grow.
        None takes the API's own default.
    :param wait_timeout: seconds (or a timedelta) to wait for the job; None for no limit but Airflow's
        ``execution_timeout``.
    :param cancel_on_kill: cancel the job when the task is killed or out of time, where the API can. None
        cancels a job that this task submitted and leaves an adopted one alone.
    :param durable: a retry goes on with the job of the attempt before, and submits anew only after a failed
        one; clearing the task submits anew. Needs Airflow >= 3.3; before, only for APIs whose jobs can be
        looked up (DLI, ICE). False submits at every attempt.
    :param end_from_trigger: a success ends the task on the triggerer, without another worker (Airflow >= 3.3;
        not for tasks with outlets). ``on_success_callback`` then runs in the dag processor.
    :raises JobFailed: the job failed or was cancelled (retried, if the task has retries).
    :raises JobTimedOut: ``wait_timeout`` ran out.
    :raises ExecutionTimedOut: ``execution_timeout`` ran out (retried, as Airflow retries what runs out of it).
    :raises JobOutcomeUnknown: the cloud would not tell how the job ended.
    :raises SubmitFailed: no job was taken because of passing trouble (retried).
    :raises SubmitRefused: the cloud, or a check, refused the job.
    :raises LookUpFailed: the cloud may have taken the job, and could not be asked just now (retried).
    :raises SubmitOutcomeUnknown: the cloud may have taken the job, but did not say so.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint: str | None = None,
        deferrable: bool = default_deferrable(),
        wait_for_completion: bool = True,
        poll_interval: float | timedelta | None = None,
        wait_timeout: float | timedelta | None = None,
        cancel_on_kill: bool | None = None,
        durable: bool = True,
        end_from_trigger: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.region = region
        self.endpoint = endpoint
        self.deferrable = deferrable
        self.wait_for_completion = wait_for_completion
        spans = self._arguments({"poll_interval": poll_interval, "wait_timeout": wait_timeout}, rendered=True)
        self.poll_interval = spans.seconds("poll_interval", self.spec.interval)
        self.wait_timeout = spans.seconds("wait_timeout", None)
        self.cancel_on_kill = cancel_on_kill
        self.durable = durable
        self.end_from_trigger = end_from_trigger
        self._to_cancel: list[str] = []
        self._context: Mapping[str, Any] = {}
        self._submitting = False
        self._killed = False

    @classmethod
    def _needed_arguments(cls) -> dict[str, str]:
        return super()._needed_arguments() | dict.fromkeys(submit_parameters(cls.spec), "an argument of the submit")

    def submit_arguments(self) -> dict[str, Any]:
        """The arguments of the spec's ``submit``, which the task has by the same names."""
        return {name: getattr(self, name) for name in submit_parameters(self.spec)}

    def is_new(self, arguments: Arguments, *needed: str) -> bool:
        """True if a job is to be submitted and what it needs is given; False if one is adopted."""
        others = [name for name in submit_parameters(self.spec) if name not in (*needed, *self.spec.scope)]
        return not arguments.adopts(self.key_argument, needed, others)

    @property
    def _adopts(self) -> bool:
        return getattr(self, self.key_argument) is not None

    def _may_cancel(self) -> bool:
        wanted = not self._adopts if self.cancel_on_kill is None else self.cancel_on_kill
        return wanted and self.spec.cancel is not None

    def execute(self, context: Any) -> Any:
        """Submit or adopt, and wait."""
        self._context = context
        self._ready()
        if self._adopts:
            keys, plan = self._given_keys(), self._plan(context, time.time())
        else:
            keys, plan = self._submit(context)
        if self._may_cancel():
            self._to_cancel = keys
        if self._killed:
            self.on_kill()
        self._announce(context, keys)
        if not self.wait_for_completion:
            return self._shaped([self._result(JobResult(key, Outcome.SUBMITTED)) for key in keys])
        wait = self._new_wait(keys, plan)
        self.hook.poll_once(wait, self._scope, self._log_line)
        if not wait.over:
            if self.deferrable:
                self._defer(context, wait, cancel=bool(self._to_cancel))
            self.hook.wait(wait, self._scope, self._log_line)
        return self._results(context, wait.results)

    def _submit(self, context: Mapping[str, Any]) -> tuple[list[str], WaitPlan]:
        """The jobs of this task, submitted now or by an attempt before, and the plan of their wait."""
        self._submitting = True
        once = SubmitOnce(
            self.spec,
            self.hook,
            self.submit_arguments(),
            self._scope,
            key=getattr(self, self.key_argument),
            context=context,
            durable=self.durable,
            advice=f"Look for it in the console ({self._console_url}): if it is there, wait for it with a sensor "
            "or by giving its key to this operator; to submit anew, clear this task",
        )
        if once.abandoned and self._may_cancel():
            self._cancel([key for key in once.abandoned if not self._has_ended(key)])
        submission = once.submission()
        self._submitting = False
        plan = replace(
            self._plan(context, submission.at),
            not_found_until=submission.at + self.spec.not_found_grace,
            baseline=submission.baseline,
            trusted_after=submission.trusted_after,
        )
        return list(submission.keys), plan

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral; one that Airflow has ended, since no triggerer did in time, with a last look."""
        self._context = context
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            ti, now = context["ti"], time.time()
            stored = ti.xcom_pull(task_ids=ti.task_id, key="job_key", map_indexes=ti.map_index)
            if not stored:
                raise
            keys = [str(key) for key in as_list(stored)]
            self._to_cancel = keys if self._may_cancel() else []
            wait = self._new_wait(keys, WaitPlan(now, self.poll_interval, now))
            self.hook.poll_once(wait, self._scope, self._log_line)
            return self._results(context, wait.results)

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event."""
        if event and self._may_cancel():
            self._to_cancel = [str(result["key"]) for result in results_in(event)]
        return super().execute_complete(context, event)

    def on_kill(self) -> None:
        """Cancel the jobs that this task is answerable for; called by Airflow when it stops the task.

        It does so for a user who has ended or cleared the task, and also when only the worker is replaced. In the
        latter case the next attempt goes on with the jobs, so they are left alone; where that cannot be found out, too.
        """
        if self._submitting:
            self._killed = True  # the answer to the submit says what there is to cancel
            return
        if not self._to_cancel:
            return
        jobs = ", ".join(self._to_cancel)
        if isinstance(sys.exc_info()[1], AirflowTaskTimeout):
            self._end_attempt(self._to_cancel)
            return
        try:
            wanted = self.durable and not task_state.is_given_up(self._context)
        except Exception as error:
            hint = f"If it is to end, cancel it in the console: {self._console_url}"
            self.log.error("Not known whether the task was ended, so %s is not cancelled: %r. %s", jobs, error, hint)
            return
        if wanted:
            self.log.info("Not cancelling %s: the next attempt goes on with it", jobs)
        else:
            self._cancel(self._to_cancel)

    def _end_attempt(self, late: Sequence[str]) -> None:
        """This attempt is out of time: cancel what may be, and have the next one submit anew.

        What cannot be cancelled runs on, and the next attempt goes on with it. What is cancelled may still be shown as
        running for a while, so that has to be remembered.
        """
        if self._cancel(late) and self.durable and (store := task_store(self._context)):
            try:
                task_state.run_in_thread(lambda: give_up(store), patience=2.0)
            except Exception as error:
                self.log.warning("Could not remember that %s is given up: %r", ", ".join(late), error)

    def _plan(self, context: Mapping[str, Any], started: float) -> WaitPlan:
        """The plan of a wait that began then, in this attempt or in one before."""
        limits = [self._execution_deadline(context)]
        if self.wait_timeout is not None:
            limits.append(started + self.wait_timeout)
        known = [limit for limit in limits if limit is not None]
        return WaitPlan(started, self.poll_interval, min(known) if known else None)

    def _failure(self, bad: Sequence[JobResult], message: str) -> Exception:
        outcomes = {result.outcome for result in bad}
        if Outcome.TIMED_OUT in outcomes:
            late = [one.key for one in bad if one.outcome is Outcome.TIMED_OUT and one.key in self._to_cancel]
            attempt_ends = self._execution_deadline(self._context)
            # The wait ends with the earlier of two limits. Where both have passed by now it was the attempt's, after
            # which Airflow would retry too. With one limit alone there is nothing to compare, and the clock of the
            # triggerer that found it passed may be ahead of ours.
            if attempt_ends is not None and (self.wait_timeout is None or time.time() >= attempt_ends):
                self._end_attempt(late)
                return ExecutionTimedOut(message, bad)
            self._cancel(late)
            # An AirflowSensorTimeout, as a sensor's is, since Airflow does not retry that: ``wait_timeout`` is the time
            # of all attempts together, and is used up.
            return JobTimedOut(message, bad)
        if outcomes <= {Outcome.FAILED, Outcome.CANCELLED}:
            return JobFailed(message, bad)
        return JobOutcomeUnknown(message, bad)

    def _cancel(self, keys: Sequence[str]) -> bool:
        """Ask the cloud to cancel jobs; that one has ended already is no trouble.

        :return: whether there were any, and all of them are cancelled or ended.
        """
        done = bool(keys)
        for key in keys:
            result = cancel(self.hook, self.spec, key, self._scope, deadline=time.monotonic() + CANCEL_PATIENCE)
            self._log_line(result.log_line(self._console_url))
            done = done and result.done
        return done

    def _has_ended(self, key: str) -> bool:
        return has_ended(self.spec, self.hook.fetch(self.spec, [key], self._scope)[key])
