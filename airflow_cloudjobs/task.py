# SPDX-License-Identifier: Apache-2.0
"""What operators and sensors have in common: one job API, its arguments, its wait, its result."""

from __future__ import annotations

import functools
import inspect
import random
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cloudjobs import compat, metrics
from airflow_cloudjobs.apis import hook_class_of
from airflow_cloudjobs.compat import BaseOperator
from airflow_cloudjobs.exceptions import JobUntold, SubmitRefused
from airflow_cloudjobs.hook import CALL_PATIENCE, CloudHook
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument
from airflow_cloudjobs.jobs.redact import signatures
from airflow_cloudjobs.jobs.result import result_of
from airflow_cloudjobs.jobs.several import is_several, listed
from airflow_cloudjobs.jobs.spec import JobSpec, Observation
from airflow_cloudjobs.jobs.wait import Ending, JobEnd, Note, Wait, WaitPlan
from airflow_cloudjobs.links import CONSOLE_URL, CloudConsoleLink
from airflow_cloudjobs.settings import InvalidConnection
from airflow_cloudjobs.trigger import OWNER, CloudJobTrigger

if TYPE_CHECKING:
    _Base = BaseOperator
else:
    _Base = object

DEFER_GRACE = timedelta(minutes=10)
"""How much later than we do Airflow itself gives up: only if no triggerer is there to do it in time."""


class CloudJobTask(_Base):
    """A task about jobs of one API.

    Subclasses name the API and check their arguments; everything else is here, in the operator or in the
    sensor base.
    """

    spec: ClassVar[JobSpec]
    key_argument: ClassVar[str]
    """The argument that names the job, or several jobs."""
    hidden_arguments: ClassVar[tuple[str, ...]] = ()
    """The templated arguments whose text is shown nowhere."""
    untemplated: ClassVar[tuple[str, ...]] = ("include_download_url",)
    """The arguments of a subclass that are no templates."""

    operator_extra_links = (CloudConsoleLink(),)
    ui_color = "#e8f3fc"

    region: str | None
    endpoint: str | None
    deferrable: bool
    end_from_trigger: bool
    include_download_url: bool = False
    _is_built = False
    """True once the constructor has run: template fields that are set later are rendered ones."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Complete a class that names its API, and refuse one that does not fit it."""
        super().__init_subclass__(**kwargs)
        if "spec" in vars(cls):
            own = [
                name for name, one in inspect.signature(cls.__init__).parameters.items() if one.kind is one.KEYWORD_ONLY
            ]
            cls._fit(own)
            cls.template_fields = (*(name for name in own if name not in cls.untemplated), *cls.template_fields)
            cls.__init__ = _checked(cls.__init__)  # type: ignore[method-assign]

    @classmethod
    def _fit(cls, own: Sequence[str]) -> None:
        """Refuse a class whose arguments are not those that its API needs, or are Airflow's."""
        for name in (cls.key_argument, *cls.spec.scope):
            if name not in own:
                raise TypeError(f"{cls.__name__}: {cls.spec.api} needs an argument {name!r}")
        if taken := set(own) & set(inspect.signature(BaseOperator.__init__).parameters):
            raise TypeError(f"{cls.__name__}: Airflow has arguments {sorted(taken)} of its own")

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
        if self.end_from_trigger:
            self._check_end_from_trigger(arguments)
        self.check(arguments)

    def _check_end_from_trigger(self, arguments: Arguments) -> None:
        """It is for tasks that lose nothing by not coming back to a worker."""
        why = ""
        if not compat.TRIGGERS_END_TASKS:
            why = "needs Airflow 3.3 or newer"
        elif not self.deferrable:
            why = "needs deferrable=True"
        elif self.outlets:
            why = "is not for tasks with outlets: their asset events are sent by a worker"
        elif self.include_download_url:
            why = "is not for include_download_url: signed addresses do not pass the trigger"
        if why:
            raise arguments.refuse("end_from_trigger", why)

    def _ready(self) -> None:
        """Everything that can be known to be wrong before a request is sent, as a failure without retries."""
        try:
            self._check_arguments(rendered=True)
            endpoint = self.hook.settings.endpoint(self.spec.service)
            self.hook.get_conn()
        except (InvalidArgument, InvalidConnection, compat.AirflowNotFoundException) as error:
            raise SubmitRefused(str(error)) from error
        self.log.info("Calling %s, with connection %r", endpoint, self._conn_id)

    def __setattr__(self, name: str, value: Any) -> None:
        """Have Airflow hide what a template was rendered to, where that must not be shown.

        Rendering sets attributes, of mapped tasks too, before Airflow stores the rendered fields.
        """
        super().__setattr__(name, value)
        if name in self.template_fields and self._is_built:
            if name in self.hidden_arguments and isinstance(value, str) and value:
                compat.hide_in_logs(value)
            for secret in signatures(value):
                compat.hide_in_logs(secret)

    @classmethod
    def _hook_class(cls) -> type[CloudHook]:
        return hook_class_of(cls.spec.cloud)

    @property
    def hook(self) -> CloudHook:
        """The hook of the task's connection, made on first use."""
        if not hasattr(self, "_hook"):
            hook_class: Any = self._hook_class()
            self._hook: CloudHook = hook_class(self._conn_id, region=self.region, endpoint=self.endpoint)
        return self._hook

    @property
    def _conn_id(self) -> str:
        return str(getattr(self, self._hook_class().conn_name_attr))

    @property
    def _scope(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.spec.scope if getattr(self, name) is not None}

    @property
    def _console_url(self) -> str:
        return self.spec.console.format(region=self.hook.settings.region)

    def _asked_keys(self) -> list[str]:
        return [str(key) for key in listed(getattr(self, self.key_argument))]

    def _several(self) -> bool:
        """True if a list was asked for, so that a list is given."""
        return is_several(getattr(self, self.key_argument))

    def _shaped(self, values: Sequence[Any]) -> Any:
        return list(values) if self._several() else values[0]

    def _announce(self, context: Mapping[str, Any], keys: Sequence[str]) -> None:
        """Show the job before the wait: whoever looks at a waiting task must find it."""
        url = self._console_url
        self.log.info("%s: %s. Console: %s", self.spec.title, ", ".join(keys), url)
        if ti := context.get("ti"):
            ti.xcom_push(key="job_key", value=self._shaped(keys))
            ti.xcom_push(key=CONSOLE_URL, value=url)

    def _execution_deadline(self, context: Mapping[str, Any]) -> float | None:
        """When Airflow's ``execution_timeout`` ends; Airflow 3 does not watch it while a task is deferred."""
        if self.execution_timeout is None:
            return None
        started = getattr(context.get("ti"), "start_date", None)
        return (started.timestamp() if started else time.time()) + self.execution_timeout.total_seconds()

    def _new_wait(self, keys: Sequence[str], plan: WaitPlan, doubts: Mapping[str, float] | None = None) -> Wait:
        return Wait(self.spec, keys, plan, random=random.random, doubts=doubts)

    def _tell(self, note: Note) -> None:
        self.log.log(note.level, note.text)

    def _defer(self, context: Mapping[str, Any], wait: Wait, *, cancel: bool = False) -> None:
        """Hand the wait to a triggerer.

        :param cancel: True has the trigger cancel the jobs when the task is killed.
        """
        # What the cloud has just asked us to wait, the triggerer waits too.
        plan = replace(wait.plan, not_before=time.time() + wait.pause(time.time()), looked=True)
        if cancel and (ti := context.get("ti")):
            ti.xcom_push(key=OWNER, value=wait.keys)
        timeout = None
        if plan.deadline is not None:
            timeout = timedelta(seconds=max(0.0, plan.deadline - time.time())) + DEFER_GRACE
        self.defer(
            trigger=CloudJobTrigger(
                api=self.spec.api,
                keys=wait.keys,
                scope=self._scope,
                conn_id=self._conn_id,
                region=self.region,
                endpoint=self.endpoint,
                plan=plan.as_dict(),
                doubts=wait.doubts,
                cancel=cancel,
                try_number=compat.try_number_of(context),
                end_task={"several": self._several(), "push": self.do_xcom_push} if self.end_from_trigger else None,
            ),
            method_name="execute_complete",
            timeout=timeout,
        )

    def execute_complete(self, context: Any, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after the trigger's event."""
        attempt = (event or {}).get("try_number")
        if attempt is not None and attempt != compat.try_number_of(context):
            # Some versions of Airflow give a retry the event of the attempt before.
            self.log.warning("Not believing the event of attempt %s: starting over", attempt)
            return self.execute(context)
        return self._results(context, self._ends_of(event))

    def _ends_of(self, event: Mapping[str, Any] | None) -> list[JobEnd]:
        """What a trigger found; a strange event is never taken for success."""
        try:
            if not event or event["api"] != self.spec.api:
                raise ValueError(f"it is about {(event or {}).get('api')!r}")
            ends = [JobEnd.from_dict(item) for item in event["ends"]]
            if not ends:
                raise ValueError("it names no job")
        except (KeyError, TypeError, ValueError) as error:
            raise JobUntold(f"{self.spec.api}: the trigger's event cannot be read: {error!r}") from error
        if self.include_download_url:
            ends = self._with_download_urls(ends)
        return ends

    def _with_download_urls(self, ends: Sequence[JobEnd]) -> list[JobEnd]:
        """Signed addresses are not in events, since those are stored: ask for them again where wanted."""
        answers = self.hook.ask(self.spec, [end.key for end in ends], self._scope, patience=CALL_PATIENCE)
        with_urls = []
        for end in ends:
            answer = answers[end.key]
            if isinstance(answer, Observation):
                with_urls.append(replace(end, record=answer.record))
            else:
                with_urls.append(end)
                self.log.warning("%s %s: its result is without the signed address: %s", self.spec.api, end.key, answer)
        return with_urls

    def _result(self, end: JobEnd) -> dict[str, Any]:
        return result_of(self.spec, end, console_url=self._console_url, signed_urls=self.include_download_url)

    def _results(self, context: Mapping[str, Any], ends: Sequence[JobEnd]) -> Any:
        """The task's result; raises, with the result in XCom all the same, if a job did not succeed."""
        metrics.ended(self.spec.api, ends)
        results = self._shaped([self._result(end) for end in ends])
        bad = [end for end in ends if end.ending is not Ending.SUCCEEDED]
        if not bad:
            return results
        if self.do_xcom_push and (ti := context.get("ti")):
            # A task that handles the failure downstream wants to know which job it was, and why.
            ti.xcom_push(key="return_value", value=results)
        raise self._failure(bad, "\n".join(self._sentence(end) for end in bad))

    @abstractmethod
    def _failure(self, bad: Sequence[JobEnd], message: str) -> Exception:
        """The exception for jobs that did not succeed."""

    def _sentence(self, end: JobEnd) -> str:
        """All that somebody on call needs to know of one job."""
        head = f"{self.spec.title} {end.key} ({self.spec.api})"
        if end.ending in (Ending.FAILED, Ending.CANCELLED):
            text = f"{head} ended as {end.status}: {end.reason or 'the cloud gives no reason'}"
        elif end.ending is Ending.TIMED_OUT:
            text = f"{head}: {end.reason}"
        else:
            text = f"{head}: how it ended cannot be told: {end.reason}"
        if end.request_id:
            text += f" (request id {end.request_id})"
        return f"{text}. Console: {self._console_url}"


def _checked(init: Any) -> Any:
    """A constructor whose arguments are checked in the end, when all of them are set."""

    @functools.wraps(init)
    def checked(self: CloudJobTask, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        self._check_arguments(rendered=False)
        self._is_built = True

    return checked
