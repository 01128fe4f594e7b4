# SPDX-License-Identifier: Apache-2.0
"""From a job API that is data to the spec that everything which waits is written against.

All that can be looked at once is looked at here, so that a poll costs what one by hand-written code does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from airflow_cloudjobs.jobs import paths
from airflow_cloudjobs.jobs.arguments import InvalidArgument
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.finder import Finder, Unclear
from airflow_cloudjobs.jobs.identity import Identity
from airflow_cloudjobs.jobs.job_api import CONSOLES, KEY, KEYS, MARKER, PROJECT, TOKEN, Call, Find, JobApi
from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.placeholders import (
    ABSENT,
    HOLE,
    Fill,
    NotGiven,
    Unfit,
    filler,
    header_text,
    holes_in,
    path_part,
    text_filler,
    texts_in,
)
from airflow_cloudjobs.jobs.redact import text_without_signatures
from airflow_cloudjobs.jobs.request import ApiRequest, as_text
from airflow_cloudjobs.jobs.spec import (
    REQUEST_IDS,
    Explain,
    JobSpec,
    Measure,
    Record,
    Scope,
    StateMap,
    reasons,
    request_id_of,
)

TOKEN_ARGUMENT = "{token}"  # noqa: S105 - the name of an argument, which no parameter of an API has
"""The argument of a submit that holds its token."""

_NOTHING: Mapping[str, Any] = {}


@lru_cache(maxsize=256)
def compiled(api: JobApi) -> JobSpec:
    """The spec of an API; the same one for equal APIs.

    :param api: the API.
    """
    poll = _Requests(api, "poll")
    cancel = _Requests(api, "cancel") if api.cancel is not None else None
    explain = _Requests(api, "explain") if api.explain is not None else None
    measure = _Requests(api, "measure") if api.measure is not None else None
    explained = tuple(map(paths.every, api.explained))
    return JobSpec(
        api=api.api,
        lane=f"{api.api}@{api.digest}",
        title=api.title or api.api,
        cloud=api.cloud,
        service=api.service_name,
        page=api.source,
        submit=_submit(api),
        parameters=tuple(api.submit_parameters),
        submitted=_submitted(api),
        token=TOKEN_ARGUMENT if api.takes_token else "",
        key_is_token=api.key_is_token,
        many=api.many,
        poll=poll.for_one if KEY in api.calls["poll"].holes() else poll.for_some,
        records=_records(api),
        status=api.status,
        states=StateMap(
            in_progress=frozenset(api.running),
            succeeded=frozenset(api.succeeded),
            failed=frozenset(api.failed),
            cancelled=frozenset(api.cancelled),
            ignore_case=not api.case_sensitive,
        ),
        reason=tuple(api.reason),
        explain=Explain(explain.about, lambda answer: reasons(explained, answer)) if explain else None,
        progress=_progress(api),
        measure=Measure(measure.about, _part(api.measured)) if measure else None,
        counts=tuple(api.counts),
        omit=frozenset(api.omit),
        signed_urls=frozenset(api.signed_urls),
        scope=tuple(api.job_parameters),
        batch=api.batch,
        interval=api.interval,
        cancel=cancel.about if cancel else None,
        finder=_finder(api, api.find) if api.find else None,
        # A key that is known before the submit may be that of an earlier job too, whose end is none of ours.
        stale_results=api.key_given and not api.key_is_token,
        console=api.console or CONSOLES[api.cloud],
        job_page=_job_page(api),
    )


def _progress(api: JobApi) -> Callable[[Record], str]:
    reads = [(path, paths.one(path)) for path in api.progress_paths]
    fill = text_filler(api.progress) if "{" in api.progress else lambda words: "".join(words.values())

    def progress(record: Record) -> str:
        try:
            words = {path: paths.word(read(record)) for path, read in reads}
        except TypeError:
            return ""  # comfort, which is left out where the answer has another form
        return fill(words) if all(words.values()) else ""

    return progress


def _job_page(api: JobApi) -> Callable[[Mapping[str, Any]], str]:
    fill = text_filler(api.job_page, path_part)

    def job_page(names: Mapping[str, Any]) -> str:
        try:
            return fill(names)
        except (NotGiven, Unfit):
            return ""

    return job_page


def _part(path: str) -> Callable[[Mapping[str, Any]], float]:
    read = paths.one(path)

    def part(answer: Mapping[str, Any]) -> float:
        found = float(paths.word(read(answer)))
        if not 0.0 <= found <= 1.0:
            raise ValueError(f"{path!r} is {found}, which is no part")
        return found

    return part


class _Requests:
    """Makes the requests of one call of an API."""

    def __init__(self, api: JobApi, name: str) -> None:
        call = api.calls[name]
        self._owner = api.api
        self._call = call
        self._service, self._version = api.service_name, api.version
        # Cancelling twice does no harm, and only what reads is asked otherwise.
        self._idempotent = name != "submit"
        # Nothing is read from the answer to a cancel, or to the submit of a job whose key is known: it may be empty.
        self._lax = name == "cancel" or (name == "submit" and api.key_given)
        self._path = _path(call.path)
        self._query = _Texts(call.query, call)
        self._form = _Texts(call.form, call) if call.form or call.rest == "form" else None
        self._headers = [(header, filler(value)) for header, value in call.headers.items()]
        self._body = filler(call.body)
        self.needed = frozenset(hole for hole, needed in call.holes().items() if needed and hole != PROJECT)

    def for_one(self, keys: Sequence[str], scope: Scope) -> ApiRequest:
        """The request that asks for one job."""
        return self.make({**scope, KEY: keys[0]})

    def for_some(self, keys: Sequence[str], scope: Scope) -> ApiRequest:
        """The request that asks for some jobs, or for all of which the scope's is one."""
        return self.make({**scope, KEYS: list(keys)})

    def about(self, key: str, scope: Scope) -> ApiRequest:
        """The request about a job."""
        return self.make({**scope, KEY: key})

    def make(self, values: Mapping[str, Any], rest: Mapping[str, Any] = _NOTHING) -> ApiRequest:
        """A request.

        :param values: what is filled in.
        :param rest: parameters of a submit that nothing names.
        :raises InvalidArgument: naming what is missing, or cannot stand where it is to.
        """
        try:
            return self._made(values, rest)
        except NotGiven as missing:
            problem = f"lacks {missing.name!r}, which {self._call.operation} needs"
            raise InvalidArgument(self._owner, "parameters", problem) from None
        except Unfit as error:
            if error.name in (KEY, KEYS):
                raise InvalidArgument(self._owner, KEY, error.problem) from None
            raise InvalidArgument(self._owner, "parameters", f"cannot be sent: {error}") from None

    def _made(self, values: Mapping[str, Any], rest: Mapping[str, Any]) -> ApiRequest:
        place = self._call.place_of_rest if rest else ""
        if rest and not place:
            raise Unfit(next(iter(rest)), f"is nothing that {self._call.operation} takes")
        body = self._body(values)
        if place == "body":
            body = {**(body or {}), **rest}
        return ApiRequest(
            self._service,
            self._call.operation,
            self._call.method,
            self._path(values),
            self._query(values, rest if place == "query" else _NOTHING),
            None if body is ABSENT else body,
            idempotent=self._idempotent,
            version=self._version,
            headers=self._filled_headers(values) if self._headers else _NOTHING,
            form=self._form(values, rest if place == "form" else _NOTHING) if self._form else None,
            lax=self._lax,
        )

    def _filled_headers(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        filled = ((name, fill(values)) for name, fill in self._headers)
        return {name: header_text(name, value) for name, value in filled if value is not ABSENT}


def _path(path: str) -> Callable[[Mapping[str, Any]], str]:
    """What fills a path in, but for the project, which the client knows."""
    if set(HOLE.findall(path)) <= {(PROJECT, "")}:
        return lambda values: path
    return text_filler(path, path_part, keep=PROJECT)


class _Texts:
    """The parameters of a query or a form, as the texts that travel."""

    def __init__(self, template: Mapping[str, Any], call: Call) -> None:
        self._flat = frozenset(call.flat)
        self._constant = None if any(map(HOLE.search, texts_in(template))) else self._as_texts(template)
        self._fill: Fill = filler(template)

    def __call__(self, values: Mapping[str, Any], rest: Mapping[str, Any]) -> Mapping[str, str]:
        if self._constant is not None:
            return {**self._constant, **self._as_texts(rest)} if rest else self._constant
        return self._as_texts({**self._fill(values), **rest} if rest else self._fill(values))

    def _as_texts(self, values: Mapping[str, Any]) -> dict[str, str]:
        if not self._flat:
            return {
                name: value if type(value) is str else as_text(value)
                for name, value in values.items()
                if value is not None
            }
        texts: dict[str, str] = {}
        for name, value in values.items():
            if value is not None:
                texts.update(_flattened(name, value) if name in self._flat else [(name, as_text(value))])
        return texts


def _flattened(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """A parameter as ``Name.1``, ``Name.2.Field``."""
    if isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _flattened(f"{name}.{inner}", item)
    elif is_sequence(value):
        for place, item in enumerate(as_list(value), 1):
            yield from _flattened(f"{name}.{place}", item)
    elif value is not None:
        yield name, as_text(value)


def _submit(api: JobApi) -> Callable[..., ApiRequest]:
    if api.submit is None:

        def refuse(**arguments: Any) -> ApiRequest:
            raise InvalidArgument(api.api, "api", "has no submit: give the key of a job that exists")

        return refuse
    requests = _Requests(api, "submit")
    # What stands in the key alone is no parameter of the call, as what only the look-up names is one all the same.
    named = {*api.calls["submit"].holes(), *(match[1] for match in HOLE.finditer(api.key))}

    def submit(**arguments: Any) -> ApiRequest:
        token = arguments.pop(TOKEN_ARGUMENT, None)
        rest = {name: value for name, value in arguments.items() if name not in named and value is not None}
        return requests.make({**arguments, TOKEN: token}, rest)

    return submit


def known_key(api: JobApi, arguments: Mapping[str, Any]) -> str:
    """The key of a job where it is known before the submit; empty where the answer names it.

    :param api: the API.
    :param arguments: those of the submit.
    :raises InvalidArgument: naming the parameter that is missing, or no part of a key.
    """
    if not api.key_given:
        return ""
    try:
        key = str(text_filler(api.key)({**arguments, TOKEN: arguments.get(TOKEN_ARGUMENT)}))
        path_part(KEY, key)
    except NotGiven as missing:
        raise InvalidArgument(api.api, "parameters", f"lacks {missing.name!r}, which is the job's key") from None
    except Unfit as error:
        raise InvalidArgument(api.api, "parameters", f"gives no key: {error}") from None
    return key


def _submitted(api: JobApi) -> Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]]:
    read_keys = paths.every(api.key) if api.submit is not None and not api.key_given else None
    refused = [
        (path, paths.every(path), frozenset(map(str.upper, words.split() if isinstance(words, str) else words)))
        for path, words in api.refused.items()
    ]
    explained = tuple(map(paths.every, api.reason))
    in_path = any(KEY in holes_in(call.path) for name, call in api.calls.items() if name != "submit")
    operation = api.calls["submit"].operation if api.submit is not None else ""

    def submitted(answer: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
        def problem(message: str, kind: ErrorKind, **more: Any) -> CloudApiError:
            return CloudApiError(message, kind=kind, operation=operation, request_id=request_id_of(answer), **more)

        try:
            keys = [paths.word(found) for found in read_keys(answer)] if read_keys else [known_key(api, arguments)]
            for path, every, words in refused:
                for found in every(answer):
                    if as_text(found).upper() in words:
                        reason = reasons(explained, answer)
                        started = f"; started were {', '.join(filter(None, keys))}" if api.many and any(keys) else ""
                        raise problem(
                            f"the answer says {path} = {as_text(found)}{reason and f': {reason}'}{started}",
                            ErrorKind.INVALID,
                        )
            for key in filter(None, keys) if in_path else ():
                path_part(KEY, key)
        except (TypeError, Unfit) as error:
            raise problem(
                f"the answer does not name the job as it should: {text_without_signatures(str(error))}",
                ErrorKind.UNKNOWN,
                ambiguous=True,
            ) from None
        wanted = len(as_list(arguments.get(api.many))) if api.many else 1
        if keys and len(keys) != wanted:
            raise problem(
                f"the answer names {len(keys)} jobs ({', '.join(keys)}) where {wanted} was asked for",
                ErrorKind.UNKNOWN,
                ambiguous=True,
            )
        return keys

    return submitted


def _records(api: JobApi) -> Callable[[Mapping[str, Any], Sequence[str]], Mapping[str, Record]]:
    chosen = paths.choice(api.job) if api.job else None
    if chosen:
        return _chosen(*chosen)
    read = paths.one(api.job)

    def records(answer: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Record]:
        record = read(answer)
        if record is None or record == {}:
            return {}
        if not isinstance(record, Mapping):
            raise TypeError(f"{api.job!r} is a {type(record).__name__}, not an object")
        return {keys[0]: record}

    def whole(answer: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Record]:
        return {keys[0]: {name: value for name, value in answer.items() if name not in REQUEST_IDS}}

    return records if api.job else whole


def _chosen(where: str, by: str) -> Callable[[Mapping[str, Any], Sequence[str]], Mapping[str, Record]]:
    """What picks the jobs with the keys out of a list."""
    lists, key_of = paths.every(where), paths.one(by)

    def records(answer: Mapping[str, Any], keys: Sequence[str]) -> Mapping[str, Record]:
        found: dict[str, Record] = {}
        for items in lists(answer):
            if not is_sequence(items):
                raise TypeError(f"{where!r} is a {type(items).__name__}, not a list")
            for item in items:
                key = paths.word(key_of(item))
                if key in keys:
                    if key in found:
                        raise ValueError(f"{where!r} holds the job {key!r} twice")
                    found[key] = item
        return found

    return records


def _finder(api: JobApi, find: Find) -> Finder:
    requests = _Requests(api, "find")
    mark = filler(api.marked)
    where, by = paths.choice(find.job) or ("", "")
    listed, key_of, shows = paths.listed(where), paths.one(by), paths.every(find.shows)

    def marked(arguments: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
        try:
            marks = mark({**arguments, MARKER: identity.marker})
        except NotGiven as missing:
            raise InvalidArgument(
                api.api, "parameters", f"lacks {missing.name!r}, which the job's mark needs"
            ) from None
        return {**arguments, **{name: _merged(name, arguments.get(name), value) for name, value in marks.items()}}

    def asked(arguments: Mapping[str, Any], identity: Identity) -> list[ApiRequest]:
        return [requests.make({**arguments, MARKER: identity.marker})]

    def found(
        answers: Sequence[Mapping[str, Any]],
        arguments: Mapping[str, Any],
        identity: Identity,
        superseded: Collection[str],
    ) -> list[str]:
        try:
            items = [item for answer in answers for item in listed(answer)]
            for item in items:
                if any(identity.marker in as_text(shown) for shown in shows(item)):
                    key = paths.word(key_of(item))
                    if key and key not in superseded:
                        return [key]
        except TypeError as error:
            raise Unclear(f"the list of {find.lists.operation} has another form: {error}") from None
        if find.most and len(items) >= find.most:
            raise Unclear(f"{find.lists.operation} lists {find.most} jobs at most, and ours may be another")
        return []

    def _merged(name: str, old: Any, new: Any) -> Any:
        """A parameter with our mark in it."""
        if isinstance(old, str) and isinstance(new, Mapping):
            try:
                old = json.loads(old)
            except ValueError:
                raise InvalidArgument(
                    api.api, "parameters", f"has {name!r}, which is no JSON to put a mark in"
                ) from None
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            return {**old, **{inner: _merged(name, old.get(inner), value) for inner, value in new.items()}}
        if is_sequence(new):
            return [*(as_list(old) if old is not None else []), *new]
        return new

    return Finder(marked, asked, found)
