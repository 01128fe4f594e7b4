# SPDX-License-Identifier: Apache-2.0
"""What operators and sensors have in common: one job API, its arguments, its wait, its result."""

from __future__ import annotations

import logging
import random
import time
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any, ClassVar, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

from airflow_cloudjobs import compat, metrics, next_step, task_class, task_state
from airflow_cloudjobs.apis import hook_class_of
from airflow_cloudjobs.compat import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralError,
)
from airflow_cloudjobs.connection.settings import InvalidConnection, InvalidPlace, check_place
from airflow_cloudjobs.exceptions import (
    JobOutcomeUnknown,
    ResultUnavailable,
    SubmitFailed,
    TaskRefused,
    WithNextStep,
)
from airflow_cloudjobs.failure import Failure, facts_of, request, shortened, what_happened
from airflow_cloudjobs.hook import CALL_PATIENCE, CloudHook
from airflow_cloudjobs.jobs.arguments import NO_XCOM, Arguments, InvalidArgument, is_template
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.outcome import JobResult, Outcome, results_in
from airflow_cloudjobs.jobs.progress import PROGRESS, Pace, progress_at_end, progress_of, was_told
from airflow_cloudjobs.jobs.redact import text_without_signatures
from airflow_cloudjobs.jobs.result import asset_extra, result_of
from airflow_cloudjobs.jobs.span import span
from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.jobs.wait import LogLine, Wait, WaitPlan
from airflow_cloudjobs.links import CONSOLE_URL, CloudConsoleLink
from airflow_cloudjobs.task_lineage import TracedTask
from airflow_cloudjobs.xcoms import InvalidSetting, max_xcom_bytes, short_enough

DEFER_GRACE = timedelta(minutes=10)
"""How much later than we do Airflow itself gives up: only if no triggerer is there to do it in time."""

LONGEST_NAME = 100
"""Characters of the name of a mapped instance; Airflow's database takes 250."""

Given = ParamSpec("Given")
Result = TypeVar("Result")


def with_short_trace(method: Callable[Given, Result]) -> Callable[Given, Result]:
    """Have an exception of ours leave a task without the frames that it came through: its text says all of it.

    :param method: what Airflow calls.
    """

    @wraps(method)
    def called(*arguments: Given.args, **named: Given.kwargs) -> Result:
        try:
            return method(*arguments, **named)
        except WithNextStep as error:
            raise error.with_traceback(None) from None

    return called


class CloudJobTask(TracedTask):
    """A task about jobs of one API.

    Subclasses name the API and check their arguments; everything else is here, in the operator or in the
    sensor base.
    """

    named_by: ClassVar[str] = ""
    """The argument by which Airflow's page calls a mapped instance, where that is not the key of its job."""

    fetching_arguments: ClassVar[tuple[str, ...]] = ()
    """The arguments that, once given, have a worker fetch something after the job's end."""
    fetched_after: ClassVar[Collection[Outcome]] = (Outcome.SUCCEEDED,)
    """The ends of a job after which there is something to fetch."""

    operator_extra_links = (CloudConsoleLink(),)
    ui_color = "#e8f3fc"

    region: str | None
    endpoint: str | None
    deferrable: bool
    end_from_trigger: bool
    include_download_url: bool = False
    _known_console = ""
    """The console's address, once it is known."""
    _said_of: BaseException | None = None
    """The error that the log was told of; a sensor's passes by more than once."""
    _failure: Failure
    """What it was told of that."""
    _pace: Pace | None = None
    """When the progress of a wait on this worker is to be told."""
    _statuses: Sequence[str] = ()
    """What the last look at its jobs has shown."""
    _trigger_trouble = ""
    """Why the trigger has ended, where Airflow says so."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse a misspelt argument; here, since Airflow sees before any constructor whether one is missing."""
        task_class.refuse_unknown(cls, kwargs)
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Complete a class that names its API, by the rules of :mod:`airflow_cloudjobs.task_class`."""
        super().__init_subclass__(**kwargs)
        if "spec" in vars(cls):
            task_class.refuse_misfit(cls, cls.spec, cls._needed_arguments())
            cls.template_fields = task_class.templated(cls, cls.template_fields)
            cls.__init__ = task_class.completed(cls.__init__, cls._built)  # type: ignore[method-assign]

    def _built(self) -> None:
        """What is done once the constructor of a task has run, as it does when the DAG is parsed."""
        self._check_arguments(rendered=False)
        self._is_built = True

    @classmethod
    def _needed_arguments(cls) -> dict[str, str]:
        """The arguments that a class of this API must have, and what each is for."""
        return {cls.key_argument: "the key", **dict.fromkeys(cls.spec.scope, "part of a job's name")}

    @abstractmethod
    def check(self, arguments: Arguments) -> None:
        """Raise ``InvalidArgument`` for what cannot work; called with and without rendered templates."""

    def _arguments(self, values: Mapping[str, Any], *, rendered: bool) -> Arguments:
        return Arguments(f"{type(self).__name__} {self.task_id!r}", values, rendered=rendered)

    def _check_arguments(self, *, rendered: bool) -> None:
        arguments = self._arguments(vars(self), rendered=rendered)
        arguments.required(self._hook_class().conn_name_attr)
        arguments.is_text("region", "endpoint", self._hook_class().conn_name_attr)
        arguments.not_empty("region", "endpoint")
        self._check_place(arguments)
        arguments.is_switch(*task_class.switches(type(self)))
        arguments.is_unicode(*(name for name in self.template_fields if name in vars(self)))
        if self.end_from_trigger:
            self._check_end_from_trigger(arguments)
        # Without its key an operator would take the task for one that submits.
        if none := [*self._became_none, *(name for name in self._gone if name == self.key_argument)]:
            raise arguments.refuse(none[0], NO_XCOM)
        try:
            self.check(arguments)
        except InvalidArgument as error:
            raise arguments.refuse(error.argument, NO_XCOM) if error.argument in self._gone else error from None
        self._check_requests(arguments)

    def _check_place(self, arguments: Arguments) -> None:
        """Region and endpoint may be ones of the cloud; whether they go with the connection is seen by the hook."""
        region, endpoint = (getattr(self, name) if arguments.known(name) else None for name in ("region", "endpoint"))
        try:
            check_place(self.spec.cloud, region, endpoint)
        except InvalidPlace as error:
            raise arguments.refuse(error.field, error.problem) from None

    def _check_requests(self, arguments: Arguments) -> None:
        """Every request about the jobs can be made, before there are any."""
        if not arguments.rendered and is_template(self._beside_key):
            return
        keys = self._given_keys() if arguments.known(self.key_argument) else ["key"]
        for key in keys:
            try:
                self.spec.poll([key], self._scope)
                if self.spec.cancel:
                    self.spec.cancel(key, self._scope)
                if self.spec.explain:
                    self.spec.explain.request(key, self._scope)
                if self.spec.measure:
                    self.spec.measure.request(key, self._scope)
            except InvalidArgument as error:
                argument = self.key_argument if error.argument == "key" else error.argument
                raise arguments.refuse(argument, error.problem) from None

    def _check_end_from_trigger(self, arguments: Arguments) -> None:
        """It is for tasks that lose nothing by not coming back to a worker."""
        why = ""
        if not compat.triggers_end_tasks():
            why = "needs Airflow 3.3 or newer"
        elif not self.deferrable:
            why = "needs deferrable=True"
        elif self.outlets:
            why = "is not for tasks with outlets: their asset events are sent by a worker"
        elif fetching := self._fetches:
            why = f"is not for {fetching[0]}: that needs a worker after the job's end"
        elif self.include_download_url:
            why = "is not for include_download_url: signed addresses do not pass the trigger"
        if why:
            raise arguments.refuse("end_from_trigger", why)

    def _is_rendered(self, context: Mapping[str, Any]) -> None:
        self._name_instance(context)
        self._prepare_lineage()

    @property
    def _fetches(self) -> list[str]:
        """The arguments by which there is something to do after the job's end."""
        return [name for name in self.fetching_arguments if getattr(self, name)]

    def _name_instance(self, context: Mapping[str, Any], keys: Sequence[str] = ()) -> None:
        """Have Airflow's page call a mapped instance by what tells it from the others, and not by its number.

        :param context: the task's context.
        :param keys: its jobs, where they are known.
        """
        names = [getattr(self, name, None) for name in (self.named_by, self.key_argument) if name]
        if shown := next((_shown_names(each) for each in [*names, keys] if each), ""):
            compat.name_mapped(context, shown)

    def _stay_inside(self, context: Mapping[str, Any]) -> None:
        """If the code of another task calls this one, do without all for which Airflow would have to bring it back.

        Airflow brings back only the task that it has begun, and that would know nothing of the job.
        """
        outer = context.get("task")
        if outer is None or (type(outer), outer.task_id) == (type(self), self.task_id):
            return
        self.log.warning(
            "Called by the code of task %r, so it waits on this worker without deferring%s. Better make it a task of "
            "its own in the DAG",
            outer.task_id,
            self._give_up_airflow(),
        )

    def _give_up_airflow(self) -> str:
        """Do without what Airflow does only for a task that it runs itself.

        :return: what else is lost, as the end of a sentence.
        """
        self.deferrable = self.end_from_trigger = False
        return ""

    def _ready(self) -> None:
        """Everything that can be known to be wrong before a request is sent, as a failure without retries.

        That Airflow does not hand the connection out is none: a secrets backend that is away looks just so.
        """
        self._reveal()
        try:
            self._check_arguments(rendered=True)
            max_xcom_bytes()
            endpoint = self.hook.settings_now().endpoint(self.spec.service)
            self.hook.get_conn()
        except (InvalidArgument, InvalidConnection, InvalidSetting) as error:
            raise TaskRefused(str(error)) from error
        except CloudApiError as error:
            raise SubmitFailed("nothing was sent") from error
        self.log.info("Calling %s, with connection %r", endpoint, self._conn_id)

    @contextmanager
    def _saying_what_is_next(self, context: Mapping[str, Any]) -> Iterator[None]:
        """Have an error that ends this task say what to do next."""
        try:
            yield
        except (AirflowSkipException, AirflowRescheduleException):
            raise
        except (Exception, AirflowTaskTimeout) as error:
            self._say_what_is_next(error, context)
            raise

    def _say_what_is_next(self, error: BaseException, context: Mapping[str, Any]) -> None:
        """In the log before any trace, and in the text of an exception of ours."""
        if error is self._said_of:
            return
        self._said_of = error
        self._failure = failure = self._failure_of(error, context)
        level = logging.WARNING if self._is_skipped(error) else logging.ERROR
        for line in failure.lines:
            self.log.log(level, "%s", line)
        if isinstance(error, WithNextStep):
            failure.tell(error)

    def _failure_of(self, error: BaseException, context: Mapping[str, Any]) -> Failure:
        """All there is to say of an error that ends this task."""
        results: Sequence[JobResult] = getattr(error, "results", ())
        several = len(results) > 1
        facts = [] if several else facts_of(error.__cause__ if isinstance(error.__cause__, CloudApiError) else None)
        for result in results[: not several]:
            facts = facts_of(result.error) or [request(result.request_id)]
        named = f"{self.spec.api} {', '.join(shortened(self._keys_of(error)))}".strip()
        return Failure(
            what=[self._became(one, error, several) for one in results] or [self._what_happened(error)],
            where=[fact for fact in (named, *facts) if fact],
            console=self._console_url,
            step=next_step.sentence(type(error), self._situation(error, context)),
        )

    def _became(self, result: JobResult, error: BaseException, several: bool) -> str:
        """What became of a job that did not succeed, the vendor's reason first."""
        trouble = result.error.reason if result.error else result.reason
        if result.outcome in (Outcome.FAILED, Outcome.CANCELLED):
            text = f"{result.status}: {result.reason or 'the cloud gives no reason'}"
        elif result.outcome is Outcome.SUCCEEDED:
            text = f"{trouble}; the job is {result.status}, but its result could not be fetched"
        elif result.outcome is Outcome.TIMED_OUT:
            seen = (
                f"while the job was {result.status or 'without a status'}"
                if result.record
                else "before the job was seen"
            )
            text = f"{self._time_out(error)} {seen}"
            text += f", and the last look failed: {trouble}" if result.error else ""
        elif result.error and result.error.misdirected:
            text = f"{trouble}; the cloud cannot be asked what became of the job"
        else:
            text = f"{trouble}; the cloud does not tell what became of the job"
        text += self._left_as([result.key])
        if several:
            text += f" ({', '.join(filter(None, [result.key, request(result.request_id)]))})"
        return text

    def _what_happened(self, error: BaseException) -> str:
        """What happened, where it is about no job in particular."""
        if isinstance(error, AirflowTaskTimeout):
            text = self._time_out(error)
        elif isinstance(error, TaskDeferralError):
            text = f"the trigger ended: {self._trigger_trouble or error}"
        else:
            text = what_happened(error)
        return text + self._left_as(self._keys_of(error))

    def _time_out(self, error: BaseException) -> str:
        """Which time ran out, by the argument that limits it."""
        name = self._limit(error)
        limit = getattr(self, name)
        seconds = limit.total_seconds() if isinstance(limit, timedelta) else limit
        if seconds is None:
            return "time ran out"
        return f"{name} of {f'{seconds:g} s' if seconds < 60 else span(seconds)} ran out"

    @abstractmethod
    def _limit(self, error: BaseException) -> str:
        """The argument whose time has run out."""

    def _left_as(self, keys: Sequence[str]) -> str:
        """What this task has made of jobs that had not ended; empty for nothing."""
        return ""

    def _keys_of(self, error: BaseException) -> list[str]:
        """The jobs that an error is about, as far as they are known."""
        return [result.key for result in getattr(error, "results", ())]

    def _is_skipped(self, error: BaseException) -> bool:
        """True if the task ends skipped, and not red, with an error."""
        return False

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral."""
        self._reveal()
        trace = (next_kwargs or {}).get("traceback") or []
        self._trigger_trouble = str(trace[-1]).strip() if trace else ""
        return super().resume_execution(next_method, next_kwargs, context)

    def _situation(self, error: BaseException, context: Mapping[str, Any]) -> next_step.Situation:
        """What the next step depends on."""
        results = getattr(error, "results", ())
        return next_step.Situation(
            who=next_step.Who.SENSOR,
            conn_id=self._conn_id,
            trouble=next_step.trouble_of(error, results),
            hint=next_step.hint_of(error, results),
            retried=self._is_retried(error, context),
            key_argument=self.key_argument,
            limit=self._limit(error),
        )

    @staticmethod
    def _is_retried(error: BaseException, context: Mapping[str, Any]) -> bool:
        """True if Airflow makes another attempt after an error."""
        # An interrupt comes from who runs the task by hand: Airflow's workers do not let one through.
        if isinstance(error, (AirflowFailException, AirflowSensorTimeout, KeyboardInterrupt)):
            return False
        return compat.try_number_of(context) <= int(getattr(context.get("ti"), "max_tries", 0) or 0)

    @classmethod
    def _hook_class(cls) -> type[CloudHook]:
        return hook_class_of(cls.spec.cloud)

    def _stored_api(self) -> str | Mapping[str, Any]:
        """The API as a trigger's row holds it."""
        return self.spec.api

    @property
    def hook(self) -> CloudHook:
        """The hook of the task's connection, made on first use."""
        if not hasattr(self, "_hook"):
            self._hook = self._hook_class()(self._conn_id, region=self.region, endpoint=self.endpoint)
        return self._hook

    @property
    def _conn_id(self) -> str:
        return str(getattr(self, self._hook_class().conn_name_attr))

    @property
    def _scope(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.spec.scope if getattr(self, name) is not None}

    @property
    def _beside_key(self) -> Any:
        """What names the jobs beside their keys, as it was given."""
        return self._scope

    @property
    def _console_url(self) -> str:
        """Never a reason to fail: it stands beside what matters, often after the job's end."""
        if not self._known_console:
            try:
                self._known_console = self.hook.console(self.spec, self._known_keys, self._scope)
            except Exception:
                self._known_console = self.spec.console_at(self.region or "", self._known_keys, self._scope)
        return self._known_console

    def _given_keys(self) -> list[str]:
        return [str(key) for key in as_list(getattr(self, self.key_argument))]

    def _is_many(self) -> bool:
        """True if a list was asked for, so that a list is given."""
        return is_sequence(getattr(self, self.key_argument))

    def _shaped(self, values: Sequence[Any]) -> Any:
        return list(values) if self._is_many() else values[0]

    def _announce(self, context: Mapping[str, Any], keys: Sequence[str]) -> None:
        """Show the job before the wait: whoever looks at a waiting task must find it."""
        self._known_keys, self._known_console = keys, ""
        url = self._console_url
        self._name_instance(context, keys)
        self.log.info("%s: %s. Console: %s", self.spec.title, ", ".join(keys), url)
        self._push(context, "job_key", self._shaped(keys))
        self._push(context, CONSOLE_URL, url)

    def _push(self, context: Mapping[str, Any], key: str, value: Any) -> None:
        """Store an XCom; a job that runs, or has ended, is not given up for one that cannot be stored."""
        if ti := context.get("ti"):
            try:
                ti.xcom_push(key=key, value=value)
            except Exception as error:
                self.log.warning("XCom %r could not be stored, going on without it: %r", key, error)

    def _tell_progress(self, context: Mapping[str, Any], wait: Wait) -> None:
        """Store how far a wait on this worker is, where that is due: at changes, and once a minute."""
        if not self.do_xcom_push or wait.over:
            return
        now, statuses = time.time(), [seen.status for seen in wait.seen.values()]
        self._pace = self._pace or Pace(wait.plan.started)
        if statuses != self._statuses:
            self._statuses = statuses
            self._pace.changed()
        if self._pace.due <= now:
            self._pace.told(now)
            self._push(context, PROGRESS, progress_of(wait, now))

    def _execution_deadline(self, context: Mapping[str, Any]) -> float | None:
        """When Airflow's ``execution_timeout`` ends; Airflow 3 does not watch it while a task is deferred."""
        if self.execution_timeout is None:
            return None
        started = getattr(context.get("ti"), "start_date", None)
        return (started.timestamp() if started else time.time()) + self.execution_timeout.total_seconds()

    def _new_wait(
        self,
        keys: Sequence[str],
        plan: WaitPlan,
        unknown_since: Mapping[str, float] | None = None,
        misdirected_since: float | None = None,
    ) -> Wait:
        return Wait(
            self.spec,
            keys,
            plan,
            random=random.random,
            unknown_since=unknown_since,
            misdirected_since=misdirected_since,
        )

    def _log_line(self, line: LogLine) -> None:
        self.log.log(line.level, line.text)

    def _defer(self, context: Mapping[str, Any], wait: Wait, *, cancel: bool = False) -> None:
        """Hand the wait to a triggerer.

        :param cancel: True has the trigger cancel the jobs when the task is killed.
        """
        from airflow_cloudjobs.trigger import CloudJobTrigger  # which no DAG file needs when it is parsed

        if cancel:
            compat.push_plain_xcom(context, task_state.OWNER, wait.keys)
        plan = wait.continued(time.time())
        timeout = None
        if plan.deadline is not None:
            timeout = timedelta(seconds=max(0.0, plan.deadline - time.time())) + DEFER_GRACE
        self.defer(
            trigger=CloudJobTrigger(
                api=self._stored_api(),
                keys=wait.keys,
                scope=self._scope,
                conn_id=self._conn_id,
                region=self.region,
                endpoint=self.endpoint,
                plan=plan.as_dict(),
                doubts=wait.unknown_since,
                cancel=cancel,
                try_number=compat.try_number_of(context),
                console_url=self._console_url,
                end_task={"several": self._is_many(), "push": self.do_xcom_push} if self.end_from_trigger else None,
                progress=self.do_xcom_push,
            ),
            method_name="execute_complete",
            kwargs=self._carried(),
            timeout=timeout,
        )

    def _carried(self) -> dict[str, Any] | None:
        """What this task has to know again when it comes back from a triggerer; None for nothing."""
        return None

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event."""
        attempt = (event or {}).get("try_number")
        if attempt is not None and attempt != compat.try_number_of(context):
            # Some versions of Airflow give a retry the event of the attempt before.
            self.log.warning("Not believing the event of attempt %s: starting over", attempt)
            return self.execute(context)
        self._known_console = str((event or {}).get("console_url") or "")
        return self._results(context, self._results_of(event))

    def _results_of(self, event: Mapping[str, Any] | None) -> list[JobResult]:
        """What a trigger found; a strange event is never taken for success."""
        try:
            if not event or event["api"] != self.spec.api:
                raise ValueError(f"it is about {(event or {}).get('api')!r}")
            results = [JobResult.from_dict(item) for item in results_in(event)]
            if not results:
                raise ValueError("it names no job")
        except (KeyError, TypeError, ValueError) as error:
            raise JobOutcomeUnknown(f"{self.spec.api}: the trigger's event cannot be read: {error!r}") from error
        if self.include_download_url:
            results = self._with_download_urls(results)
        return results

    def _with_download_urls(self, results: Sequence[JobResult]) -> list[JobResult]:
        """Signed addresses are not in events, since those are stored: ask for them again where wanted."""
        answers = self.hook.fetch(self.spec, [one.key for one in results], self._scope, patience=CALL_PATIENCE)
        with_urls = []
        for one in results:
            answer = answers[one.key]
            if isinstance(answer, Observation):
                with_urls.append(replace(one, record=answer.record))
            else:
                with_urls.append(one)
                self.log.warning("%s %s: its result is without the signed address: %s", self.spec.api, one.key, answer)
        return with_urls

    def _result(self, result: JobResult) -> dict[str, Any]:
        return result_of(self.spec, result, console_url=self._console_url, signed_urls=self.include_download_url)

    def _results(self, context: Mapping[str, Any], results: Sequence[JobResult]) -> Any:
        """The task's result; raises, with the result in XCom all the same, if a job did not succeed."""
        metrics.ended(self.spec.api, results)
        self._known_keys = [result.key for result in results]
        self._remember_made(results)
        self._name_instance(context, self._known_keys)
        fetched, unavailable = self._fetched_of_all(results)
        values = [self._result(result) for result in results]
        for value, more in zip(values, fetched, strict=True):
            value["result"] |= more
        value = short_enough(self._shaped(values), self.log.warning)
        bad = [self._public(self._explained(one)) for one in results if one.outcome is not Outcome.SUCCEEDED]
        if self.do_xcom_push and was_told(results):
            self._push(context, PROGRESS, progress_at_end(self.spec, results, time.time()))
        if not (bad or unavailable):
            self._say_what_came_out(results)
            self._tell_assets(context, as_list(value))  # without what follows the task's own job
            return value
        if self.do_xcom_push:
            # A task that handles the failure downstream wants to know which job it was, and why.
            self._push(context, "return_value", value)
        if bad:
            raise self._ended_badly(bad)
        raise ResultUnavailable("a result could not be fetched", [self._public(one) for one in unavailable])

    def _fetched(self, result: JobResult) -> Mapping[str, Any]:
        """What this task fetches of a job that has ended as :attr:`fetched_after` says, as more fields of ``result``.

        :raises Exception: it cannot be had: passing trouble has been met by asking again.
        """
        return {}

    def _fetched_of_all(self, results: Sequence[JobResult]) -> tuple[list[Mapping[str, Any]], list[JobResult]]:
        """What is fetched of each job, and those that succeeded and of which it cannot be had, with the reason."""
        fetched: list[Mapping[str, Any]] = []
        unavailable: list[JobResult] = []
        for result in results:
            try:
                fetched.append(self._fetched(result) if result.outcome in self.fetched_after else {})
            except Exception as error:
                self.log.warning("%s %s: its result could not be fetched: %s", self.spec.api, result.key, error)
                fetched.append({})
                if result.outcome is Outcome.SUCCEEDED:
                    answer = error if isinstance(error, CloudApiError) else None
                    unavailable.append(replace(result, reason=str(error), error=answer))
        return fetched, unavailable

    def _tell_assets(self, context: Mapping[str, Any], values: Sequence[Mapping[str, Any]]) -> None:
        """Have the events of this task's assets say which job made them; what is said there already stays."""
        try:
            extra = asset_extra(values, self.spec.counts, several=self._is_many())
            for told in compat.asset_event_extras(context, self.outlets or ()):
                told.update(extra | told)
        except Exception as error:
            self.log.warning("The asset events do not name the job: %r", error)

    def _say_what_came_out(self, results: Sequence[JobResult]) -> None:
        """The last line of a log in which all went well."""
        for line in shortened([self._came_out(result) for result in results]):
            self.log.info("%s", line)

    def _came_out(self, result: JobResult) -> str:
        figures = self.spec.progress(result.record)
        text = f"{self.spec.title} {result.key}: {result.status} after {span(result.seconds)}"
        return f"{text}, {figures}" if figures else text

    def _explained(self, result: JobResult) -> JobResult:
        """A failure with the reason that only another call tells; it stands, whatever comes of that call."""
        explain = self.spec.explain
        if not explain or result.reason or result.outcome is not Outcome.FAILED:
            return result
        try:
            reason = explain.reason(self.hook.call(explain.request(result.key, self._scope), patience=0.0))
        except Exception as error:
            self.log.warning("%s %s: could not be asked why it failed: %s", self.spec.api, result.key, error)
            return result
        return replace(result, reason=text_without_signatures(reason))

    def _public(self, result: JobResult) -> JobResult:
        """A result as callbacks may see it, in the exception: in blocking mode its record is as the cloud gave it."""
        return replace(result, record=self.spec.public_fields(result.record))

    @abstractmethod
    def _ended_badly(self, bad: Sequence[JobResult]) -> Exception:
        """The exception for jobs that did not succeed; what it says is added when it ends the task."""


def _shown_names(value: Any) -> str:
    """One or several keys or files in a line; an address by the name of its file, since its query may be signed."""
    texts = [urlsplit(text).path.rpartition("/")[2] if "://" in text else text for text in map(str, as_list(value))]
    line = ", ".join(texts)
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"
