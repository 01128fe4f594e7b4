# SPDX-License-Identifier: Apache-2.0
"""The base of all operators: submit a job, or adopt one, and wait for its end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar, Literal, NoReturn

from airflow_cloudjobs import ask, next_step
from airflow_cloudjobs.compat import (
    BaseOperator,
    TaskDeferralError,
    TaskDeferralTimeout,
    default_deferrable,
    try_number_of,
)
from airflow_cloudjobs.connection.source import UNREAD
from airflow_cloudjobs.exceptions import (
    ExecutionTimedOut,
    JobFailed,
    JobOutcomeUnknown,
    JobTimedOut,
    LookUpFailed,
    SubmitOutcomeUnknown,
)
from airflow_cloudjobs.failure import what_happened
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.jobs.outcome import JOB_ENDS, JobResult, Outcome, results_in
from airflow_cloudjobs.jobs.submission import Submission
from airflow_cloudjobs.jobs.wait import WaitPlan
from airflow_cloudjobs.owner import JobOwner
from airflow_cloudjobs.submit import SubmitOnce
from airflow_cloudjobs.task import with_short_trace


class CloudJobOperator(JobOwner, BaseOperator):
    """Submits a job and waits for its end, or waits for one that exists if the key argument is given.

    The task's result is ``{"api", "job_key", "outcome", "status", "result", "request_id", "console_url"}``,
    a list of these where a list was asked for. XCom ``job_key`` is there before the wait begins.

    :param region: the vendor's region id; None takes the connection's.
    :param endpoint: address of the service, e.g. of a VPC; None takes the connection's, or the vendor's.
    :param deferrable: wait on the triggerer instead of on the worker; default
        ``[operators] default_deferrable``.
    :param wait_for_completion: False ends the task once the job is submitted (outcome ``submitted``), deferrable or
        not; default True.
    :param poll_interval: the longest pause between two polls in seconds; pauses begin at a second and grow.
        None takes the API's own: 10 for DMS, DLI and DRS, 60 for ICE, the ``interval`` of a ``JobApi`` (30 unless it
        says another).
    :param wait_timeout: seconds (or a timedelta) to wait for the job; None for no limit but Airflow's
        ``execution_timeout``.
    :param cancel_on_kill: cancel the job when the task is killed, out of time, or ends in any other way that leaves
        nobody to wait for the job, where the API can. None cancels a job that this task submitted and leaves an
        adopted one alone.
    :param durable: a retry goes on with the job of the attempt before, and submits anew only after a failed
        one; clearing the task submits anew. Needs Airflow >= 3.3, or ``[cloudjobs] state_path``; without both only
        for APIs whose jobs can be looked up (DLI, ICE). False submits at every attempt. Default True.
    :param on_unknown_submit: what to do where the cloud may have taken the job, and its API cannot tell (DMS, DRS):
        ``"fail"`` (the default), or ``"ask"`` a person on Airflow's page (Airflow >= 3.1), who names the job, has it
        submitted anew, or has the task fail. It waits for the answer without a worker, until ``execution_timeout``, if
        it has one.
    :param end_from_trigger: a success ends the task on the triggerer, without another worker (Airflow >= 3.3;
        not for tasks with outlets). ``on_success_callback`` then runs in the dag processor. Default False.
    :raises JobFailed: the job failed or was cancelled (retried, if the task has retries).
    :raises JobTimedOut: ``wait_timeout`` ran out.
    :raises ExecutionTimedOut: ``execution_timeout`` ran out (retried, as Airflow retries what runs out of it).
    :raises JobOutcomeUnknown: the cloud would not tell whether the job ended, and how; it is cancelled as above.
    :raises SubmitFailed: no job was taken because of passing trouble (retried).
    :raises TaskRefused: the cloud, or a check, refused the job.
    :raises LookUpFailed: the cloud may have taken the job, and could not be asked just now (retried).
    :raises SubmitOutcomeUnknown: the cloud may have taken the job, but did not say so.
    """

    # Airflow's registry of operators reads this, by the name that the class gives it, to list those that are durable.
    __supports_durable_execution: ClassVar[bool] = True

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
        on_unknown_submit: Literal["fail", "ask"] = "fail",
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
        self.on_unknown_submit = on_unknown_submit
        self.end_from_trigger = end_from_trigger

    @classmethod
    def _needed_arguments(cls) -> dict[str, str]:
        return super()._needed_arguments() | dict.fromkeys(cls.spec.parameters, "an argument of the submit")

    def _check_arguments(self, *, rendered: bool) -> None:
        arguments = self._arguments(vars(self), rendered=rendered)
        ask.check(arguments, self.spec)
        if not self.wait_for_completion and (fetching := self._fetches):
            raise arguments.refuse("wait_for_completion", f"must be True for {fetching[0]}: that needs the job's end")
        super()._check_arguments(rendered=rendered)

    def submit_arguments(self) -> dict[str, Any]:
        """The arguments of the spec's ``submit``, which the task has by the same names."""
        return {name: getattr(self, name) for name in self.spec.parameters}

    def is_new(self, arguments: Arguments, *needed: str) -> bool:
        """True if a job is to be submitted and what it needs is given; False if one is adopted."""
        others = [name for name in self.spec.parameters if name not in (*needed, *self.spec.scope)]
        return not arguments.adopts(self.key_argument, needed, others)

    def _key_before_submit(self) -> str | None:
        """The job's key, where the API gives it none of its own."""
        key: str | None = getattr(self, self.key_argument)
        return key

    @with_short_trace
    def execute(self, context: Any) -> Any:
        """Submit or adopt, and wait."""
        self._stay_inside(context)
        self._context, self._jobs, self._may_run, self._cancelled = context, [], [], []
        with self._answering():
            return self._execute(context)

    def _give_up_airflow(self) -> str:
        # What is remembered belongs to the task that Airflow runs, whose code may call several operators.
        self.durable, self.on_unknown_submit = False, "fail"
        super()._give_up_airflow()
        return "; a retry submits again, a kill cancels nothing, and nobody is asked about a submit of unknown fate"

    def _execute(self, context: Any, answer: ask.Answer | None = None) -> Any:
        self._ready()
        if self._adopts:
            keys, plan = self._given_keys(), self._plan(context, time.time())
        else:
            keys, plan = self._submit(context, answer)
        self._answer_for(keys)
        if self._killed:
            self.on_kill()
        self._announce(context, keys)
        if not self.wait_for_completion:
            return self._shaped([self._result(JobResult(key, Outcome.SUBMITTED)) for key in keys])
        return self._waited(context, keys, plan)

    def _waited(self, context: Any, keys: Sequence[str], plan: WaitPlan) -> Any:
        """Wait for jobs, here or on a triggerer, and give the task's result."""
        wait = self._new_wait(keys, plan)
        self.hook.poll_once(wait, self._scope, self._log_line)
        if not wait.over:
            if self.deferrable:
                self._defer(context, wait, cancel=bool(self._to_cancel))
            self.hook.wait(wait, self._scope, self._log_line, lambda: self._tell_progress(context, wait))
        return self._results(context, wait.results)

    def _submit(self, context: Mapping[str, Any], answer: ask.Answer | None = None) -> tuple[list[str], WaitPlan]:
        """The jobs of this task, submitted now or by an attempt before, and the plan of their wait."""
        asks = self.on_unknown_submit == "ask"
        if answer and answer.adopts and (problem := self._misnamed(answer)):
            self.log.warning("%s: %s", self.spec.api, problem)
            self._ask(context, answer.doubt)
        self._submitting = True
        once = self._once(context)
        if once.abandoned and self._may_cancel():
            self._cancel([key for key in once.abandoned if not self._has_ended(key)])
        try:
            submission = self._decided(once, answer) if answer else once.submission()
        except SubmitOutcomeUnknown as error:
            self._submitting = False
            if asks and once.pending:
                self._ask(context, ask.Doubt(once.pending, what_happened(error).rstrip(" ."), try_number_of(context)))
            raise
        self._submitting = False
        plan = self._plan(context, submission.at).after(submission, self.spec.not_found_grace)
        return list(submission.keys), plan

    def _once(self, context: Mapping[str, Any]) -> SubmitOnce:
        return SubmitOnce(
            self.spec,
            self.hook,
            self.submit_arguments(),
            self._scope,
            key=self._key_before_submit(),
            context=context,
            durable=self.durable,
            deadline=self._plan(context, time.time()).deadline,
        )

    def _situation(self, error: BaseException, context: Mapping[str, Any]) -> next_step.Situation:
        return replace(
            super()._situation(error, context),
            who=next_step.Who.ADOPTER if self._adopts else next_step.Who.SUBMITTER,
            goes_on=self._is_gone_on_with(error),
            running=self._may_run,
            key_argument="" if self.key_argument in self.spec.parameters else self.key_argument,
            submitting=self._submitting,
        )

    def _ask(self, context: Mapping[str, Any], doubt: ask.Doubt) -> NoReturn:
        """Leave the worker until a person has told what became of a submit.

        :raises SubmitOutcomeUnknown: nobody can be asked.
        """
        from airflow_cloudjobs.answer_trigger import AnswerTrigger

        settings, deadline = self.hook.settings, self._execution_deadline(context)
        question = ask.Question(
            self.spec,
            doubt,
            sent={name: value for name, value in self.submit_arguments().items() if name not in self.hidden_arguments},
            key_argument=self.key_argument,
            known_key=self._key_before_submit() or "",
            endpoint=settings.endpoint(self.spec.service),
            region=settings.region,
            console=self._console_url,
            deadline=deadline,
        )
        self.log.warning("%s. Asking a person, on Airflow's page of what is required", doubt.why)
        try:
            question.put(context)
        except Exception as error:
            raise SubmitOutcomeUnknown(f"{doubt.why}. Nobody could be asked: {error}") from error
        trigger = AnswerTrigger(ti_id=str(context["ti"].id), deadline=deadline, handed_over=time.time())
        self.defer(trigger=trigger, method_name="answered", kwargs={"doubt": doubt.as_dict()})

    def answered(self, context: Any, doubt: Mapping[str, Any], event: Mapping[str, Any] | None = None) -> Any:
        """Go on after a person's answer.

        :param doubt: what it is about.
        :param event: the answer, or that there was none in time.
        """
        answer = ask.Answer.of(ask.Doubt.from_dict(doubt), event or {})
        if answer.doubt.try_number != try_number_of(context):
            self.log.warning("Not believing an answer to attempt %s: starting over", answer.doubt.try_number)
            return self.execute(context)
        self.log.info("%s: the answer of %s is %r %s", self.spec.api, answer.who, answer.choice, answer.key)
        if answer.choice == ask.FAIL:
            words = f"{answer.who} chose to fail" if ask.is_answer(event) else "nobody answered in time"
            raise SubmitOutcomeUnknown(f"{answer.doubt.why}. Asked what to do, {words}")
        return self._execute(context, answer)

    def _misnamed(self, answer: ask.Answer) -> str:
        """Why the job that a person has named cannot be waited for; empty if it can."""
        if self._key_before_submit():
            return ""
        try:
            self._arguments({ask.KEY_FIELD: answer.key}, rendered=True).keys(ask.KEY_FIELD)
        except InvalidArgument as error:
            return f"the key that {answer.who} typed {error.problem}"
        seen = self.hook.fetch(self.spec, [answer.key], self._scope)[answer.key]
        if isinstance(seen, CloudApiError) and seen.kind in (ErrorKind.NOT_FOUND, ErrorKind.INVALID):
            return f"there is no job with the key {answer.key!r} that {answer.who} typed: {seen}"
        return ""

    def _decided(self, once: SubmitOnce, answer: ask.Answer) -> Submission:
        """What a person wants a submit of unknown fate to be."""
        if answer.choice == ask.ANEW:
            return once.anew()
        return once.adopted(answer.doubt.submission, self._key_before_submit() or answer.key)

    @with_short_trace
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral; one that Airflow has ended, since no triggerer did in time, with a last look."""
        self._context = context
        self._is_back()
        with self._answering():
            try:
                return super().resume_execution(next_method, next_kwargs, context)
            except TaskDeferralTimeout:
                keys, now = self._stored_keys(context), time.time()
                if not keys:
                    raise
                self._answer_for(keys)
                wait = self._new_wait(keys, WaitPlan(now, self.poll_interval, now))
                self.hook.poll_once(wait, self._scope, self._log_line)
                return self._results(context, wait.results)
            except TaskDeferralError:
                self._answer_for(self._stored_keys(context))
                raise

    def _stored_keys(self, context: Mapping[str, Any]) -> list[str]:
        """The jobs that this task was deferred on, where no event names them; none if they are not known."""
        if self._adopts:
            return self._given_keys()
        keys = self._pushed_keys(context, "job_key")
        if not keys:
            self.log.error("Not known on what this task was deferred. Console: %s", self._console_url)
        return keys

    def _pushed_keys(self, context: Mapping[str, Any], xcom: str) -> list[str]:
        """The keys of jobs that this attempt has pushed; none if it has not, or they cannot be read."""
        ti: Any = context["ti"]
        try:
            pushed = ti.xcom_pull(task_ids=ti.task_id, key=xcom, map_indexes=ti.map_index)
        except Exception as error:
            self.log.warning("XCom %r could not be read: %r", xcom, error)
            pushed = None
        return [str(key) for key in as_list(pushed or [])]

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event."""
        if ask.is_answer(event) and self.durable:
            # A question outlives a clear of the task that asked. Airflow 3.3 then takes an answer to it for the event
            # of whatever the task is deferred on.
            self.log.warning("Not believing an answer to a question of an attempt before: going on with the job")
            return self.execute(context)
        try:
            keys = [str(result["key"]) for result in results_in(event or {})]
        except (KeyError, TypeError):
            keys = []
        self._answer_for(keys or self._stored_keys(context))
        return super().execute_complete(context, event)

    def _results(self, context: Mapping[str, Any], results: Sequence[JobResult]) -> Any:
        """The task's result; from here on it has to see only to the jobs that have not ended."""
        open_keys = {one.key for one in results if one.outcome not in JOB_ENDS}
        self._jobs = [key for key in self._jobs if key in open_keys]
        self._may_run = [one.key for one in results if one.key in open_keys]
        return super()._results(context, results)

    def _plan(self, context: Mapping[str, Any], started: float) -> WaitPlan:
        """The plan of a wait that began then, in this attempt or in one before."""
        limits = [self._execution_deadline(context)]
        if self.wait_timeout is not None:
            limits.append(started + self.wait_timeout)
        known = [limit for limit in limits if limit is not None]
        return WaitPlan(started, self.poll_interval, min(known) if known else None)

    def _limit(self, error: BaseException) -> str:
        return "wait_timeout" if isinstance(error, JobTimedOut) else "execution_timeout"

    def _ended_badly(self, bad: Sequence[JobResult]) -> Exception:
        outcomes = {result.outcome for result in bad}
        if Outcome.TIMED_OUT in outcomes:
            late = self._to_cancel
            self._jobs = []
            attempt_ends = self._execution_deadline(self._context)
            # The wait ends with the earlier of two limits. Where both have passed by now it was the attempt's, after
            # which Airflow would retry too. With one limit alone there is nothing to compare, and the clock of the
            # triggerer that found it passed may be ahead of ours.
            if attempt_ends is not None and (self.wait_timeout is None or time.time() >= attempt_ends):
                self._end_attempt(late)
                return ExecutionTimedOut("time ran out", bad)
            self._cancel(late)
            # An AirflowSensorTimeout, as a sensor's is, since Airflow does not retry that: ``wait_timeout`` is the time
            # of all attempts together, and is used up.
            return JobTimedOut("time ran out", bad)
        if outcomes <= {Outcome.FAILED, Outcome.CANCELLED}:
            return JobFailed("the job did not succeed", bad)
        if all(
            one.error is not None and one.error.code == UNREAD and one.error.kind is ErrorKind.UNKNOWN for one in bad
        ):
            # Airflow did not hand the connection out, which says nothing of the jobs: a retry goes on with them.
            failure = LookUpFailed("the cloud does not tell what became of the job")
            failure.__cause__ = bad[0].error
            return failure
        keys, self._jobs = self._to_cancel, []
        self._cancel(keys)
        return JobOutcomeUnknown("the cloud does not tell what became of the job", bad)
