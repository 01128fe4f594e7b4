# SPDX-License-Identifier: Apache-2.0
"""A job that follows a task's own once that has succeeded, and takes its result: an export.

It goes the way of the first one, by the operator's own code: submitted once, awaited on a worker or a triggerer,
cancelled with its task. What is different is here: a task that is at its second job knows the first (``_first``), has
a record of its own in the task's store, and makes one result of both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cloudjobs import ask, next_step
from airflow_cloudjobs.failure import Failure
from airflow_cloudjobs.hook import CALL_PATIENCE
from airflow_cloudjobs.jobs.arguments import NO_XCOM
from airflow_cloudjobs.jobs.many import is_sequence
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome, results_in
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import WaitPlan
from airflow_cloudjobs.submit import STORED_FOLLOWING, SubmitOnce
from airflow_cloudjobs.task import with_short_trace

if TYPE_CHECKING:
    from airflow_cloudjobs.operator import CloudJobOperator

    _Base = CloudJobOperator
else:
    # Airflow gives every class of tasks a constructor, and one here would pass over that of the cloud's operator.
    _Base = object


@dataclass(frozen=True)
class Following:
    """A job that follows.

    :param name: what it is called: in the task's result, and in XCom ``<name>_job_key``.
    :param argument: the task's argument that asks for it.
    :param spec: the API of the task's own job, but for the submit and how that is looked up. Its ``parameters`` are
        the task's arguments that it takes; it is given the first job's ``job_key`` and ``record`` too.
    """

    name: str
    argument: str
    spec: JobSpec


class FollowedOperator(_Base):
    """An operator one of whose arguments asks for a job that follows."""

    following: ClassVar[Following]

    _first: JobResult | None = None
    """The task's own job, from its success on: all that is waited for and seen to is the one that follows then."""
    _last: JobResult | None = None
    """How the job that follows has ended."""
    _began: float | None = None
    """When the first wait began, seconds since the epoch: ``wait_timeout`` is the time of both."""

    @property
    def _is_followed(self) -> bool:
        return getattr(self, self.following.argument) is not None

    @property
    def _fetches(self) -> list[str]:
        argument = self.following.argument
        return [*super()._fetches, *([argument] if getattr(self, argument) else [])]

    @property
    def _adopts(self) -> bool:
        return self._first is None and super()._adopts

    @property
    def _records(self) -> tuple[str, ...]:
        return super()._records if self._first is None else (*super()._records, STORED_FOLLOWING)

    @property
    def _pushed_as(self) -> str:
        return f"{self.following.name}_job_key"

    def _check_arguments(self, *, rendered: bool) -> None:
        super()._check_arguments(rendered=rendered)
        arguments, name = self._arguments(vars(self), rendered=rendered), self.following.argument
        if name in self._gone:
            raise arguments.refuse(name, NO_XCOM)
        if not self._is_followed:
            return
        if arguments.known(self.key_argument) and is_sequence(getattr(self, self.key_argument)):
            raise arguments.refuse(name, f"is for one job: give {self.key_argument!r} as text, not as a list")

    def _execute(self, context: Any, answer: ask.Answer | None = None) -> Any:
        self._first = self._last = self._began = None
        return super()._execute(context, answer)

    def _waited(self, context: Any, keys: Sequence[str], plan: WaitPlan) -> Any:
        self._began = self._began or plan.started
        return super()._waited(context, keys, plan)

    def _results(self, context: Any, results: Sequence[JobResult]) -> Any:
        if self._first is not None:
            [self._last] = results
            first = self._first = self._first if self._first.record else self._seen(self._first)
            return super()._results(context, [first, *results])
        if self._is_followed and results[0].outcome is Outcome.SUCCEEDED:
            return self._follow(context, results[0])
        return super()._results(context, results)

    def _seen(self, result: JobResult) -> JobResult:
        """A job of which the key alone is known, as the cloud shows it."""
        seen = self.hook.fetch(self.spec, [result.key], self._scope, patience=CALL_PATIENCE)[result.key]
        if isinstance(seen, Observation):
            return self._public(replace(result, status=seen.status, record=seen.record, request_id=seen.request_id))
        self.log.warning("%s %s: its result is without the cloud's fields: %s", self.spec.api, result.key, seen)
        return result

    def _follow(self, context: Any, first: JobResult) -> Any:
        """Submit the job that follows, and wait for it too."""
        self._first = self._public(first)
        self._began = self._began or time.time() - first.seconds
        self._answer_for([])
        self.log.info("%s, now the %s", self._came_out(first), self.following.name)
        try:
            keys, plan = self._submit(context)
        except Exception:
            if self.do_xcom_push:
                self._push(context, "return_value", self._result(first))
            raise
        self._answer_for(keys)
        if self._killed:
            self.on_kill()
        self.log.info("%s of %s: %s", self.following.name, first.key, keys[0])
        self._push(context, self._pushed_as, keys[0])
        return self._waited(context, keys, plan)

    def _once(self, context: Mapping[str, Any]) -> SubmitOnce:
        if self._first is None:
            return super()._once(context)
        spec = self.following.spec
        given = {name: getattr(self, name) for name in spec.parameters}
        asked = getattr(self, self.following.argument)
        return SubmitOnce(
            spec,
            self.hook,
            {**given, "job_key": self._first.key, "record": self._first.record},
            self._scope,
            key=None,
            context=context,
            durable=self.durable,
            deadline=self._plan(context, time.time()).deadline,
            record=STORED_FOLLOWING,
            follows=f"{self._first.key} {asked}",
        )

    def _plan(self, context: Mapping[str, Any], started: float) -> WaitPlan:
        plan = super()._plan(context, started)
        if self._first is None or self._began is None:
            return plan
        return replace(plan, deadline=super()._plan(context, self._began).deadline)

    def _carried(self) -> dict[str, Any] | None:
        if not self._is_followed:
            return super()._carried()
        return {"began": self._began, "first": self._first.as_dict() if self._first else None}

    @with_short_trace
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral, on the first job or on the one that follows."""
        kwargs = dict(next_kwargs or {})
        carried, self._began = "began" in kwargs, kwargs.pop("began", None)
        first = kwargs.pop("first", None)
        self._first = JobResult.from_dict(first) if first else None
        # Airflow puts others in the place of these where it has ended the deferral itself, and in ``dag.test()``.
        if not carried and self._is_followed and self._pushed_keys(context, self._pushed_as):
            self._first = next((JobResult(key, Outcome.SUCCEEDED) for key in self._stored_keys(context)), None)
        return super().resume_execution(next_method, kwargs, context)

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event."""
        if self._first and self._first.key in [one.get("key") for one in results_in(event or {})]:
            self.log.warning("Not believing an event about %s again: going on", self._first.key)
            keys = self._stored_keys(context)
            self._answer_for(keys)
            return self._waited(context, keys, self._plan(context, time.time()))
        return super().execute_complete(context, event)

    def _stored_keys(self, context: Mapping[str, Any]) -> list[str]:
        return self._pushed_keys(context, self._pushed_as) if self._first else super()._stored_keys(context)

    def _name_instance(self, context: Mapping[str, Any], keys: Sequence[str] = ()) -> None:
        super()._name_instance(context, keys[:1])

    def _fetched_of_all(self, results: Sequence[JobResult]) -> tuple[list[Mapping[str, Any]], list[JobResult]]:
        fetched, unavailable = super()._fetched_of_all(results[:1] if self._first else results)
        return [*fetched, *({} for _ in results[len(fetched) :])], unavailable

    def _result(self, result: JobResult) -> dict[str, Any]:
        value = super()._result(result)
        if self._last and self._first and result.key == self._first.key:
            last, argument = self._last, self.following.argument
            value["result"][self.following.name] = {
                "job_key": last.key,
                "outcome": last.outcome.public,
                "status": last.status,
                "reason": last.reason,
                "request_id": last.request_id,
                argument: getattr(self, argument),
            }
        return value

    def _failure_of(self, error: BaseException, context: Mapping[str, Any]) -> Failure:
        failure = super()._failure_of(error, context)
        if self._first is None:
            return failure
        both = f"; this is the {self.following.name}, the job before it has succeeded ({self._first.key})"
        return replace(failure, what=[f"{each.rstrip(' .')}{both}" for each in failure.what])

    def _situation(self, error: BaseException, context: Mapping[str, Any]) -> next_step.Situation:
        situation = super()._situation(error, context)
        if self._first is None:
            return situation
        own = getattr(self, self.key_argument) is None
        return replace(situation, following=self.following.name, follows=self._first.key if own else "")
