# SPDX-License-Identifier: Apache-2.0
"""Tasks for any job API that is data: what the operators and sensors of ``alibaba.jobs`` and ``huawei.jobs`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from airflow_cloudjobs import apis
from airflow_cloudjobs.ask import Answer
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument, is_template
from airflow_cloudjobs.jobs.compiled import compiled, known_key
from airflow_cloudjobs.jobs.frozen import frozen, thawed
from airflow_cloudjobs.jobs.hidden import Hidden, plain
from airflow_cloudjobs.jobs.job_api import JobApi, looks_secret
from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.outcome import JOB_ENDS, JobResult, Outcome
from airflow_cloudjobs.operator import CloudJobOperator
from airflow_cloudjobs.sensor import CloudJobSensor
from airflow_cloudjobs.task import CloudJobTask

PARAMETERS, KEY = "parameters", "key"


class DeclaredTask(CloudJobTask):
    """A task whose API is an argument and not its class's."""

    cloud: ClassVar[str]
    key_argument = KEY
    api: JobApi
    parameters: Any
    key: Any

    template_fields_renderers = {PARAMETERS: "json"}
    shallow_copy_attrs = ("api", "spec")

    def _take(self, api: Any, parameters: Any, key: Any, task_id: Any) -> None:
        """Keep the arguments, the API resolved and checked; before anything else, since defaults come from it."""
        self.api = self._resolved(api, f"{type(self).__name__} {task_id!r}")
        self.spec = compiled(self.api)
        self.parameters = parameters
        self.key = key

    @classmethod
    def _resolved(cls, api: Any, owner: str) -> JobApi:
        if isinstance(api, str):
            if api in apis.SPECS:
                raise InvalidArgument(owner, "api", f"is {api!r}, which has operator and sensor classes of its own")
            try:
                api = apis.declared_api(api)
            except ValueError as error:
                raise InvalidArgument(owner, "api", f"is {api!r}: {error}") from None
        if not isinstance(api, JobApi):
            raise InvalidArgument(
                owner,
                "api",
                f"is a {type(api).__name__}; give a JobApi, or the id of one in the catalogue (of JSON values, "
                "JobApi.from_dict makes one). It is never a template",
            )
        if api.cloud != cls.cloud:
            raise InvalidArgument(
                owner, "api", f"is {api.api!r}, whose service {api.service!r} is one of {api.cloud.title()} Cloud"
            )
        return api

    @classmethod
    def _hook_class(cls) -> type[CloudHook]:
        return apis.hook_class_of(cls.cloud)

    def _stored_api(self) -> str | Mapping[str, Any]:
        return apis.stored_form(self.api)

    @property
    def _given(self) -> Mapping[str, Any]:
        """The parameters that are given, as far as they are known."""
        if not isinstance(self.parameters, Mapping):
            return {}
        return {name: value for name, value in self.parameters.items() if value is not None}

    @property
    def _scope(self) -> dict[str, Any]:
        """Those that name a job beside its key, as a trigger's row holds them."""
        return {name: _plain(self._given[name]) for name in self.spec.scope if name in self._given}

    @property
    def _beside_key(self) -> Any:
        return self.parameters

    def _hidden_in(self, name: str, value: Any) -> list[str]:
        if name != PARAMETERS:
            return super()._hidden_in(name, value)
        return [*_texts_of(value, self._is_secret), *_texts_of(value, self._is_hidden_sql)]

    def _as_shown(self, name: str, value: Any) -> Any:
        return _with_hidden(value, self._is_hidden_sql) if name == PARAMETERS else super()._as_shown(name, value)

    def _sql(self) -> list[str]:
        return list(_texts_of(plain(self.parameters), lambda name: name in self.api.sql))

    def _is_secret(self, parameter: str) -> bool:
        return parameter in self.api.secret or looks_secret(parameter)

    def _is_hidden_sql(self, parameter: str) -> bool:
        return parameter in self.api.sql and self._hides_sql

    def _check_parameters(self, arguments: Arguments, needed: Mapping[str, bool], what: str) -> None:
        """The parameters are a mapping, and what is needed is in it."""
        if not arguments.known(PARAMETERS) and not isinstance(self.parameters, Mapping):
            if self.parameters is not None:
                return  # a template for all of them
            parameters: Mapping[Any, Any] = {}
        else:
            parameters = self.parameters
        if not isinstance(parameters, Mapping):
            raise arguments.refuse(PARAMETERS, f"is a {type(parameters).__name__}; it must be a mapping")
        for name, value in parameters.items():
            if not isinstance(name, str):
                raise arguments.refuse(PARAMETERS, f"has the name {name!r}; names are texts, as on the API's page")
            if arguments.rendered or not is_template(value):
                try:
                    frozen(value)
                except TypeError as error:
                    raise arguments.refuse(PARAMETERS, f"has {name!r}, which holds {error}") from None
        for name, must in needed.items():
            if must and parameters.get(name) is None:
                raise arguments.refuse(PARAMETERS, f"lacks {name!r}, which {what} of {self.api.api} needs")

    def _results_of(self, event: Mapping[str, Any] | None) -> list[JobResult]:
        """What a trigger found, judged again by this DAG's own API: the row that the trigger was made from may hold an
        older one, and is not what decides."""
        return [self._judged(result) for result in super()._results_of(event)]

    def _judged(self, result: JobResult) -> JobResult:
        if result.outcome not in JOB_ENDS:
            return result
        try:
            status = self.spec.status_of(result.record) if result.record else result.status
        except TypeError:
            status = ""
        outcome = self.spec.states.outcome(status) if self.spec.states.knows(status) else None
        if outcome is result.outcome:
            return result
        self.log.warning(
            "%s %s: its trigger says %s; by the API as this DAG has it, %r is %s",
            self.api.api,
            result.key,
            result.outcome.value,
            status,
            outcome.value if outcome else "no end",
        )
        if outcome is None:
            reason = f"{status!r} is no end of a job by the API as this DAG has it, and its trigger took it for one"
            return replace(result, outcome=Outcome.UNREADABLE, status=status, reason=reason)
        reason = self.spec.reason_of(result.record) if outcome is not Outcome.SUCCEEDED else ""
        return replace(result, outcome=outcome, status=status, reason=reason)


class DeclaredOperator(DeclaredTask, CloudJobOperator):
    """Submits a job of any API that is data and waits for its end, or waits for one that exists.

    :param api: the API: a :class:`~airflow_cloudjobs.api.JobApi`, or the id of one in the catalogue (``cloudjobs
        apis``). Never a template.
    :param parameters: the parameters of the submit, by the API's own names, those of its path too. Templates, however
        deep. None for none.
    :param key: a job that exists, or several, to wait for instead of starting one; ``parameters`` then need only hold
        what names a job beside its key. None starts one.
    :param show_sql: True shows the SQL among the parameters (``JobApi.sql``) in rendered fields; False shows its first
        word, length and hash only. None takes Airflow's ``[cloudjobs] show_sql``, which is False by default.

    For the other parameters, the result and what is raised see :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    def __init__(
        self,
        *,
        api: JobApi | str,
        parameters: Mapping[str, Any] | None = None,
        key: str | Sequence[str] | None = None,
        show_sql: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self._take(api, parameters, key, kwargs.get("task_id"))
        super().__init__(**kwargs)
        self.show_sql = show_sql
        self._built()

    def check(self, arguments: Arguments) -> None:
        """What the API needs is given, and nothing that it fills in itself."""
        if self.key is not None:
            arguments.keys(KEY)
            self._check_parameters(arguments, self.api.job_parameters, "a job")
        elif self.api.submit is None:
            raise arguments.refuse(KEY, f"is missing: {self.api.api} has no submit, so it waits for jobs that exist")
        else:
            self._check_parameters(arguments, self.api.submit_parameters, "the submit")
            self._check_parameters(arguments, self.api.job_parameters, "the wait")
            self._check_taken(arguments)

    def _check_taken(self, arguments: Arguments) -> None:
        submit = self.api.calls["submit"]
        places = {"query": submit.query, "form": submit.form, "body": submit.body}
        place = places.get(submit.place_of_rest)
        for name in self._given:
            if isinstance(place, Mapping) and name in place and name not in self.api.submit_parameters:
                raise arguments.refuse(PARAMETERS, f"has {name!r}, which {self.api.api} fills in itself")

    def submit_arguments(self) -> dict[str, Any]:
        """The parameters."""
        return {name: _plain(value) for name, value in self._given.items()}

    def _key_before_submit(self) -> str | None:
        return known_key(self.api, self._given) if self.spec.stale_results else None

    def _is_many(self) -> bool:
        if self.key is not None:
            return is_sequence(self.key)
        return bool(self.api.many) and is_sequence(self._given.get(self.api.many))

    def _execute(self, context: Any, answer: Answer | None = None) -> Any:
        if self.key is None and answer is None:
            for limit in self.api.limits:
                self.log.info("%s has %s", self.api.api, limit)
        return super()._execute(context, answer)


class DeclaredSensor(DeclaredTask, CloudJobSensor):
    """Waits for jobs of any API that is data.

    :param api: the API: a :class:`~airflow_cloudjobs.api.JobApi`, or the id of one in the catalogue (``cloudjobs
        apis``). Never a template.
    :param key: the job, or several.
    :param parameters: what names the job beside its key, by the API's own names; others are not looked at, so that
        those of the submit may be given. Templates, however deep. None for none.

    For the other parameters, the result and what is raised see :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    def __init__(
        self,
        *,
        api: JobApi | str,
        key: str | Sequence[str],
        parameters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._take(api, parameters, key, kwargs.get("task_id"))
        super().__init__(**kwargs)
        self._built()

    def check(self, arguments: Arguments) -> None:
        """A key is needed, and what else names the job."""
        arguments.required(KEY)
        arguments.keys(KEY)
        self._check_parameters(arguments, self.api.job_parameters, "a job")


def _plain(value: Any) -> Any:
    """A value as JSON has it: what Airflow gives of a mapped task is a list of its own kind."""
    return thawed(frozen(value)) if isinstance(value, Mapping) or is_sequence(value) else value


def _texts_of(value: Any, chosen: Callable[[str], bool], *, inside: bool = False) -> Iterator[str]:
    """The texts of the parameters that are chosen by their names, however deep these stand."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts_of(item, chosen, inside=inside or chosen(str(name)))
    elif is_sequence(value):
        for item in as_list(value):
            yield from _texts_of(item, chosen, inside=inside)
    elif inside and value not in (None, "", True, False):
        yield str(value)


def _with_hidden(value: Any, chosen: Callable[[str], bool], *, inside: bool = False) -> Any:
    """Parameters in which these texts read as digests; the same object if there are none."""
    if isinstance(value, str) and inside:
        return Hidden(value) if value else value
    if type(value) is dict:
        shown = {name: _with_hidden(item, chosen, inside=inside or chosen(str(name))) for name, item in value.items()}
        return shown if any(shown[name] is not item for name, item in value.items()) else value
    if type(value) is list:
        items = [_with_hidden(item, chosen, inside=inside) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    return value
