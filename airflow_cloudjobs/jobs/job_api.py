# SPDX-License-Identifier: Apache-2.0
"""A job API as plain data: what a DAG author writes in a few lines, a trigger's row holds, and a catalogue lists.

Nothing in it is code, an import path or an expression, so it *is* JSON. Every mistake in it is refused when the value
is made, with the field that it is in; how it is run is in :mod:`airflow_cloudjobs.jobs.compiled`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from hashlib import sha256
from typing import Any

from airflow_cloudjobs.jobs.frozen import FrozenDict, frozen, thawed
from airflow_cloudjobs.jobs.operation import parts_of
from airflow_cloudjobs.jobs.paths import check_path, choice
from airflow_cloudjobs.jobs.placeholders import HOLE, holes_in

MOST_BYTES = 4096
"""The longest JSON text of an API: it stands in the row of every trigger that waits for its jobs."""

KEY, KEYS, TOKEN, MARKER, PROJECT = "key", "keys", "token", "marker", "project_id"
OURS = (KEY, KEYS, TOKEN, MARKER, PROJECT)
"""The placeholders that are filled in for the author; all others are parameters of the task."""

CONSOLES = {
    "alibaba": "https://home.console.aliyun.com/",
    "huawei": "https://console.huaweicloud.com/console/?region={region}",
}

_READING = re.compile(r"(Batch)?(Get|Describe|List|Query|Show|Search|Count|Check|Fetch)(?![a-z])")
_CHANGING = re.compile(
    r"(Batch)?(Create|Delete|Remove|Start|Stop|Run|Submit|Cancel|Kill|Terminate|Modify|Update|Set|Put|Add|Release|"
    r"Restart|Reboot|Reset|Execute|Invoke|Import|Upload|Change|Attach|Detach|Grant|Revoke|Abort|Pause|Resume)(?![a-z])"
)
_SERVICE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*(?:@\d{4}-\d{2}-\d{2})?", re.ASCII)
_ID = re.compile(r"[a-z0-9_-]+\.[a-z0-9_-]+", re.ASCII)
_PATH = re.compile(r"/|(?:/(?:[A-Za-z0-9_.~:@!$&'()*+,;=-]|%[0-9A-Fa-f]{2}|\{[^{}]*\})+)+", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9-]+", re.ASCII)
_SIGNED_HEADERS = frozenset({"host", "authorization", "content-type", "content-length", "cookie", "transfer-encoding"})
_SIGNED_PREFIXES = ("x-acs-", "x-sdk-", "x-auth-", "x-security-", "x-project-id", "proxy-")
_SECRET = re.compile(r"passw(or)?d|passphrase|secret|access_?key|private_?key|credential", re.IGNORECASE)
REST = ("query", "body", "form")


def looks_secret(name: str) -> bool:
    """True if a parameter is a secret by its name."""
    return _SECRET.search(name) is not None


class InvalidJobApi(ValueError):
    """A job API that cannot work, or would lie.

    :param owner: which one, for people.
    :param where: the field that the mistake is in.
    :param problem: what is wrong and what is allowed.
    """

    def __init__(self, owner: str, where: str, problem: str) -> None:
        super().__init__(f"{owner}: {where} {problem}")
        self.owner = owner
        self.where = where
        self.problem = problem


def _frozen_field(owner: str, name: str, value: Any) -> Any:
    try:
        return frozen(value)
    except TypeError as error:
        raise InvalidJobApi(owner, name, f"holds {error}") from None


def _words(owner: str, name: str, value: Any) -> tuple[str, ...]:
    """Words separated by blanks, or a sequence of them."""
    if isinstance(value, str):
        words = tuple(value.split())
        if odd := [word for word in words if word[-1] in ",;|"]:
            raise InvalidJobApi(
                owner, name, f"holds {odd[0]!r}; words are separated by blanks alone (a list holds any text)"
            )
        return words
    if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
        return tuple(frozen(item) for item in value)
    raise InvalidJobApi(owner, name, f"is {value!r}; give words in one text, separated by blanks, or a list of texts")


@dataclass(frozen=True)
class Call:
    """One call of a cloud's API. ``{name}`` in its path and its values stands for the job's key or a parameter.

    :param call: ``Operation`` (RPC of Alibaba Cloud), ``Operation METHOD /path``, or ``METHOD /path`` (Huawei Cloud).
    :param query: parameters of the query, by the API's names; structures travel as JSON text.
    :param body: what is sent as JSON.
    :param form: what is sent as a form, by name.
    :param headers: further headers.
    :param rest: where a submit's parameters go that nothing names: ``query``, ``body`` or ``form``; by default the
        query of RPC, GET and DELETE calls and the JSON body of all others.
    :param flat: parameters that travel as ``Name.1``, ``Name.2.Field`` instead of JSON text.
    :param reads: True if it changes nothing, though neither its method nor its name says so.
    """

    call: str
    _: KW_ONLY
    query: Mapping[str, Any] = FrozenDict()
    body: Any = None
    form: Mapping[str, Any] = FrozenDict()
    headers: Mapping[str, str] = FrozenDict()
    rest: str = ""
    flat: str | Sequence[str] = ()
    reads: bool = False

    def __post_init__(self) -> None:
        owner = f"Call({self.call!r})"
        if not isinstance(self.call, str) or parts_of(self.call) is None:
            raise InvalidJobApi(owner, "call", "must be 'Operation', 'Operation METHOD /path' or 'METHOD /path'")
        self._put(call=" ".join(self.call.split()), flat=_words(owner, "flat", self.flat))
        for name in ("query", "body", "form", "headers"):
            self._put(**{name: _frozen_field(owner, name, getattr(self, name))})
        for name in ("query", "form", "headers"):
            if not isinstance(getattr(self, name), Mapping):
                raise InvalidJobApi(owner, name, "must be a mapping, by the API's names")
        if not isinstance(self.reads, bool):
            raise InvalidJobApi(owner, "reads", f"is {self.reads!r}; allowed are True and False")
        if self.rest not in ("", *REST):
            raise InvalidJobApi(owner, "rest", f"is {self.rest!r}; allowed are {', '.join(map(repr, REST))}")
        self._check_path(owner)
        self._check_headers(owner)
        self._check_body(owner)
        for name in ("query", "body", "form", "headers"):
            try:
                holes_in(getattr(self, name))
            except ValueError as error:
                raise InvalidJobApi(owner, name, str(error)) from None

    def _put(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_path(self, owner: str) -> None:
        if not _PATH.fullmatch(self.path) or any(not part.strip(".") for part in self.path.split("/")[1:] if part):
            raise InvalidJobApi(
                owner,
                "call",
                f"has the path {self.path!r}: parts between slashes, percent-encoded, "
                "without a query (that is 'query=')",
            )
        if any(match[2] for match in HOLE.finditer(self.path)):
            raise InvalidJobApi(owner, "call", "has a placeholder in its path that may be left out, or is a list")
        try:
            holes = holes_in(self.path)
        except ValueError as error:
            raise InvalidJobApi(owner, "call", str(error)) from None
        if KEYS in holes:
            raise InvalidJobApi(owner, "call", "has {keys} in its path, which takes one {key}")

    def _check_headers(self, owner: str) -> None:
        for name, value in self.headers.items():
            if not _HEADER.fullmatch(name):
                raise InvalidJobApi(owner, "headers", f"has the name {name!r}; allowed are letters, digits and '-'")
            if name.lower() in _SIGNED_HEADERS or name.lower().startswith(_SIGNED_PREFIXES):
                raise InvalidJobApi(owner, "headers", f"has {name!r}, which is the client's own")
            if not isinstance(value, str) or not value.isascii() or not value.isprintable():
                raise InvalidJobApi(owner, "headers", f"has {name!r}, whose value must be ASCII text in one line")

    def _check_body(self, owner: str) -> None:
        if self.form and self.body is not None:
            raise InvalidJobApi(owner, "form", "is given beside 'body': a request has one of them")
        if (self.rest == "form" and self.body is not None) or (self.rest == "body" and self.form):
            raise InvalidJobApi(owner, "rest", f"is {self.rest!r}, and the request has another body")
        if self.method == "GET" and (self.form or self.body is not None or self.rest in ("body", "form")):
            raise InvalidJobApi(owner, "call", "is a GET, which has no body")
        if self.rest == "body" and self.body is not None and not isinstance(self.body, Mapping):
            raise InvalidJobApi(owner, "rest", "is 'body', which is no mapping that more could go into")

    @cached_property
    def _parts(self) -> tuple[str, str, str]:
        parts = parts_of(self.call)
        assert parts is not None  # noqa: S101 - it was looked at when this was made
        return parts

    @property
    def operation(self) -> str:
        """The vendor's name of the operation, or the call itself where it has none."""
        return self._parts[0] or self.call

    @property
    def named(self) -> bool:
        """Whether the operation has a name."""
        return bool(self._parts[0])

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self._parts[1]

    @property
    def path(self) -> str:
        """The path, with placeholders; ``/`` for RPC."""
        return self._parts[2]

    @property
    def harmless(self) -> bool:
        """True if it certainly changes nothing in the cloud."""
        # RPC operations may be called with GET whatever they do, so only their name counts.
        name = self._parts[0]
        if _CHANGING.match(name) or self.method in ("PUT", "PATCH", "DELETE"):
            return False
        return self.reads or bool(_READING.match(name)) or (self.method == "GET" and self.path != "/")

    @property
    def place_of_rest(self) -> str:
        """Where parameters go that nothing names; empty if they have no place."""
        if self.rest:
            return self.rest
        if self.path == "/" or self.method in ("GET", "DELETE"):
            return "query"
        return "body" if self.body is None or isinstance(self.body, Mapping) else ""

    def holes(self) -> dict[str, bool]:
        """The placeholders in it, each with whether it must be given."""
        found = dict.fromkeys(holes_in(self.path), True)
        for part in (self.query, self.body, self.form, self.headers):
            for name, needed in holes_in(part).items():
                found[name] = found.get(name, False) or needed
        return found

    def as_dict(self) -> Any:
        """As a JSON value: the text alone, if there is no more to it."""
        return _without_defaults(self, "call")


def _call(owner: str, name: str, value: Any) -> Call:
    if isinstance(value, Call):
        return value
    try:
        if isinstance(value, str):
            return Call(value)
        if isinstance(value, Mapping) and isinstance(value.get("call"), str):
            return Call(
                value["call"], **_known(f"{owner}: {name}", Call, {n: v for n, v in value.items() if n != "call"})
            )
    except InvalidJobApi as error:
        if error.owner.startswith(owner):
            raise
        raise InvalidJobApi(owner, name, str(error)) from None
    raise InvalidJobApi(owner, name, f"is {value!r}; give a Call, or its text")


@dataclass(frozen=True)
class Find:
    """How a job of ours is found again where it is not known whether a submit got through: a list that shows its mark.

    :param call: the call that lists jobs; ``{marker}`` and the parameters of the submit stand in it.
    :param job: where they stand in the answer, the newest first, and which field is the key: ``jobs[job_id]``.
    :param shows: where an item shows the marker, from the item on.
    :param most: how many items the list holds at most; if so many are listed and ours is none of them, it is not told
        whether it exists. 0 if the call lists all, or only ours.
    """

    call: Call | str
    job: str
    shows: str
    most: int = 0

    def __post_init__(self) -> None:
        owner = f"Find({str(self.job)!r})"
        object.__setattr__(self, "call", _call(owner, "call", self.call))
        try:
            if not choice(self.job):
                raise ValueError(f"{self.job!r} must be a list and the field of the key, e.g. 'jobs[job_id]'")
            check_path(self.shows, several=True)
        except (TypeError, ValueError) as error:
            raise InvalidJobApi(owner, "job or shows", f"is wrong: {error}") from None
        if isinstance(self.most, bool) or not isinstance(self.most, int) or self.most < 0:
            raise InvalidJobApi(owner, "most", f"is {self.most!r}; it must be a whole number")

    @property
    def lists(self) -> Call:
        """The call that lists jobs."""
        assert isinstance(self.call, Call)  # noqa: S101 - for the type checker
        return self.call

    def as_dict(self) -> dict[str, Any]:
        """As a JSON value."""
        return {**_without_defaults(self), "call": self.lists.as_dict()}


_TEXTS = (
    "api",
    "service",
    "key",
    "job",
    "status",
    "progress",
    "measured",
    "many",
    "title",
    "source",
    "console",
    "job_page",
)
_BUCKETS = ("running", "succeeded", "failed", "cancelled")
_ASKED = ("submit", "poll", "cancel", "explain", "measure")
_WORDS = (*_BUCKETS, "reason", "explained", "counts", "omit", "signed_urls", "secret", "sql")


@dataclass(frozen=True)
class JobApi:
    """A job API of either cloud. Names, words and paths are the vendor's own, as on its page.

    :param api: the public id, ``<product>.<job>``, for logs, results and metrics.
    :param service: the service, as its host begins; for Alibaba Cloud with its version, ``ecs@2014-05-26``.
    :param submit: the call that starts a job; its parameters are those of the task, and those that it does not name
        go where ``rest`` says. ``{token}`` in it is a text that stays the same for all repeats of a submit: the cloud
        then takes it once. None for an API that is only waited for.
    :param key: where the submit's answer has the job's key (``jobRunId``, ``data.ids[]``), or, where it is known
        before, a text with placeholders (``{job_id}``, ``{token}``).
    :param poll: the call that shows the job ``{key}``, or several, ``{keys}``; it must change nothing.
    :param job: where the job stands in the answer: ``jobRun``, or ``jobs[id]`` for the item whose ``id`` is the key;
        empty if the answer is the job.
    :param status: where the job's status stands, from the job on.
    :param running: the words for a job that goes on (``""`` for a status that is not there yet).
    :param succeeded: the words for a job that did what it was asked.
    :param failed: the words for one that did not.
    :param cancelled: the words for one that somebody ended.
    :param case_sensitive: True if the case of these words counts; by default it does not, since vendors' own pages mix
        it.
    :param reason: where the job says why it failed; several paths are joined.
    :param explain: a further call that says why ``{key}`` failed, for jobs that give no reason themselves.
    :param explained: where its answer does.
    :param progress: where the job says how far it is, or a text with such places in it: ``{done} of {all} bytes``.
    :param measure: a further call that says how much of ``{key}`` is done while it goes on; it is made now and then.
    :param measured: where its answer does: a number from 0 to 1.
    :param counts: fields of the job that say how much there is; the event of a task's asset carries their numbers.
    :param cancel: the call that ends the job ``{key}``; None where the API has none.
    :param refused: what in a submit's answer means that no job was taken, by path: a word, or several.
    :param marked: what is put into the submit's parameters so that the job can be known again, with ``{marker}`` in it;
        objects are merged, lists grow.
    :param find: how it is found by that.
    :param batch: how many jobs one poll takes.
    :param many: the parameter of the submit that holds an item for each job that it starts.
    :param omit: fields of the job that are left out of results.
    :param signed_urls: fields of the job that grant access to whoever has them; left out too.
    :param secret: parameters, however deep, whose values are shown nowhere; so are those with a name that says so.
    :param sql: parameters, however deep, that hold SQL; hidden too, but for its first word, length and hash, unless the
        task or Airflow's settings say ``show_sql``.
    :param interval: seconds between two polls of a job that runs for long.
    :param title: a few words for people; the id if there are none.
    :param source: the vendor's page, or where else the words are from.
    :param console: address of the vendor's console; ``{region}`` in it is filled in.
    :param job_page: address of the page that its console has of one job: ``{key}`` stands in it, and whatever else is
        known: ``{region}``, ``{project_id}``, parameters that name the job. Empty if there is none; then, for several
        jobs, and where one of these is not known, ``console`` is what people are led to.
    :raises InvalidJobApi: (a ValueError) for every mistake that can be seen without asking the cloud.
    """

    api: str
    service: str
    _: KW_ONLY
    submit: Call | str | None = None
    key: str = ""
    poll: Call | str
    job: str = ""
    status: str
    running: str | Sequence[str]
    succeeded: str | Sequence[str]
    failed: str | Sequence[str]
    cancelled: str | Sequence[str] = ()
    case_sensitive: bool = False
    reason: str | Sequence[str] = ()
    explain: Call | str | None = None
    explained: str | Sequence[str] = ()
    progress: str = ""
    measure: Call | str | None = None
    measured: str = ""
    counts: str | Sequence[str] = ()
    cancel: Call | str | None = None
    refused: Mapping[str, str | Sequence[str]] = FrozenDict()
    marked: Mapping[str, Any] = FrozenDict()
    find: Find | None = None
    batch: int = 1
    many: str = ""
    omit: str | Sequence[str] = ()
    signed_urls: str | Sequence[str] = ()
    secret: str | Sequence[str] = ()
    sql: str | Sequence[str] = ()
    interval: float = 30.0
    title: str = ""
    source: str = ""
    console: str = ""
    job_page: str = ""

    def __post_init__(self) -> None:
        owner = self._owner
        for name in _TEXTS:
            if not isinstance(getattr(self, name), str):
                raise self._wrong(name, f"is {getattr(self, name)!r}; it must be text")
            self._put(name, _frozen_field(owner, name, getattr(self, name)))
        for name in _ASKED:
            if getattr(self, name) is not None:
                self._put(name, _call(owner, name, getattr(self, name)))
        for name in _WORDS:
            self._put(name, _words(owner, name, getattr(self, name)))
        for name in ("refused", "marked"):
            value = _frozen_field(owner, name, getattr(self, name))
            if not isinstance(value, Mapping):
                raise self._wrong(name, "must be a mapping")
            self._put(name, value)
        if isinstance(self.find, Mapping):
            self._put("find", Find(**_known(f"{owner}: find", Find, self.find)))
        if not isinstance(self.find, Find | None):
            raise self._wrong("find", f"is {self.find!r}; give a Find")
        if not isinstance(self.case_sensitive, bool):
            raise self._wrong("case_sensitive", f"is {self.case_sensitive!r}; allowed are True and False")
        for check in (
            self._check_names,
            self._check_numbers,
            self._check_words,
            self._check_paths,
            self._check_calls,
            self._check_submit,
            self._check_finding,
            self._check_secrets,
        ):
            check()
        size = len(self.to_json().encode())
        if size > MOST_BYTES:
            raise self._wrong(
                "it", f"has {size} bytes as JSON; allowed are {MOST_BYTES}, as it stands in triggers' rows"
            )

    @property
    def _owner(self) -> str:
        return f"JobApi {self.api!r}"

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _wrong(self, where: str, problem: str) -> InvalidJobApi:
        return InvalidJobApi(self._owner, where, problem)

    # -- what it says ---------------------------------------------------------------------------------------------

    @property
    def cloud(self) -> str:
        """``alibaba`` or ``huawei``; a service of Alibaba Cloud has a version."""
        return "alibaba" if "@" in self.service else "huawei"

    @property
    def service_name(self) -> str:
        """The service without its version."""
        return self.service.partition("@")[0]

    @property
    def version(self) -> str:
        """The version of an Alibaba Cloud service; empty for Huawei Cloud."""
        return self.service.partition("@")[2]

    @property
    def calls(self) -> dict[str, Call]:
        """The calls that there are, by the field they stand in."""
        named: dict[str, Any] = {name: getattr(self, name) for name in _ASKED}
        named["find"] = self.find and self.find.lists
        return {name: call for name, call in named.items() if call is not None}

    @property
    def key_given(self) -> bool:
        """True if the key is known before the submit."""
        return "{" in self.key

    @property
    def key_is_token(self) -> bool:
        """True if the caller gives each job a key of its own."""
        return self.key_given and TOKEN in holes_in(self.key)

    @property
    def takes_token(self) -> bool:
        """True if the cloud takes a repeated submit once."""
        return TOKEN in self._submit_holes()

    def _submit_holes(self) -> dict[str, bool]:
        submit = self.calls.get("submit")
        if submit is None:
            return {}
        return {**submit.holes(), **(holes_in(self.key) if self.key_given else {})}

    @cached_property
    def submit_parameters(self) -> dict[str, bool]:
        """The parameters that the submit names, each with whether it must be given; it takes others too."""
        holes = self._submit_holes()
        for more in (holes_in(self.marked), self.find.lists.holes() if self.find else {}):
            holes |= {name: needed or holes.get(name, False) for name, needed in more.items()}
        return {name: needed for name, needed in holes.items() if name not in OURS}

    @cached_property
    def job_parameters(self) -> dict[str, bool]:
        """The parameters that name a job beside its key, each with whether it must be given."""
        holes: dict[str, bool] = {}
        for name in _ASKED[1:]:
            if call := self.calls.get(name):
                for hole, needed in call.holes().items():
                    if hole not in OURS:
                        holes[hole] = holes.get(hole, False) or needed
        return dict(sorted(holes.items()))

    @property
    def progress_paths(self) -> tuple[str, ...]:
        """What is read of a job to say how far it is."""
        if "{" not in self.progress:
            return (self.progress,) if self.progress else ()
        try:
            return tuple(holes_in(self.progress))
        except ValueError as error:
            raise self._wrong("progress", str(error)) from None

    @property
    def limits(self) -> list[str]:
        """What tasks of this API cannot keep of their promises, since it gives no way to."""
        found = []
        if self.submit is not None and not self.takes_token and self.find is None:
            found.append(
                "no {token} and no look-up: a submit without an answer is not made again, and a person must look"
            )
        if self.cancel is None:
            found.append("no cancel: a killed task leaves its job running")
        return found

    # -- JSON -----------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """As JSON values, without what is as by default."""
        data: dict[str, Any] = _without_defaults(self)
        for name, call in self.calls.items():
            data[name] = call.as_dict()
        if self.find is not None:
            data["find"] = self.find.as_dict()
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> JobApi:
        """The inverse of :meth:`as_dict`, with all its checks.

        :raises InvalidJobApi: also for a field that is not known: an API half understood would lie.
        """
        if not isinstance(data, Mapping):
            raise InvalidJobApi("JobApi", "it", f"is a {type(data).__name__}, not an object with fields")
        known = _known(f"JobApi {data.get('api')!r}", cls, data)
        for name in ("api", "service", "poll", "status", "running", "succeeded", "failed"):
            if name not in known:
                raise InvalidJobApi(f"JobApi {data.get('api')!r}", name, "is missing")
        return cls(known.pop("api"), known.pop("service"), **known)

    def to_json(self) -> str:
        """As JSON text, the same for equal APIs."""
        return json.dumps(self.as_dict(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> JobApi:
        """The inverse of :meth:`to_json`."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise InvalidJobApi("JobApi", "it", f"is no JSON: {error}") from None
        return cls.from_dict(data)

    @cached_property
    def digest(self) -> str:
        """A short text that no other API has."""
        return sha256(self.to_json().encode()).hexdigest()[:16]

    def __hash__(self) -> int:
        return hash(self.digest)

    def __copy__(self) -> JobApi:
        return self

    def __deepcopy__(self, memo: Any) -> JobApi:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return JobApi.from_dict, (self.as_dict(),)

    # -- checks ---------------------------------------------------------------------------------------------------

    def _check_names(self) -> None:
        if not _ID.fullmatch(self.api):
            raise self._wrong("api", "must look like 'product.job': small letters, digits, '_' and '-'")
        if not _SERVICE.fullmatch(self.service):
            raise self._wrong(
                "service", f"is {self.service!r}; it must look like 'dli' (Huawei Cloud) or 'ecs@2014-05-26' (Alibaba)"
            )
        rest = self.console.replace("{region}", "")
        if self.console and (not rest.startswith("https://") or "{" in rest or "}" in rest):
            raise self._wrong("console", f"is {self.console!r}; it must begin with https://, and may hold {{region}}")
        if self.job_page:
            self._check_job_page()

    def _check_job_page(self) -> None:
        try:
            holes = holes_in(self.job_page)
        except ValueError as error:
            raise self._wrong("job_page", str(error)) from None
        known = [KEY, "region", PROJECT, *self.job_parameters]
        if other := [name for name in holes if name not in known]:
            raise self._wrong("job_page", f"has {{{other[0]}}}; known there are {', '.join(known)}")
        if not self.job_page.startswith("https://") or KEY not in holes:
            raise self._wrong("job_page", f"is {self.job_page!r}; it must begin with https://, and hold {{key}}")

    def _check_numbers(self) -> None:
        if isinstance(self.batch, bool) or not isinstance(self.batch, int) or not 1 <= self.batch <= 1000:
            raise self._wrong("batch", f"is {self.batch!r}; it must be a whole number from 1 to 1000")
        interval = self.interval
        if isinstance(interval, bool) or not isinstance(interval, (int, float)) or not 1 <= interval <= 86400:
            raise self._wrong("interval", f"is {interval!r}; it must be a number of seconds from 1 to 86400")
        self._put("interval", float(interval))

    def _check_words(self) -> None:
        for name in _BUCKETS[:3]:
            if not getattr(self, name):
                raise self._wrong(name, "names no status; give every word that the API's page has for it")
        seen: dict[str, str] = {}
        for name in _BUCKETS:
            for status in getattr(self, name):
                folded = status if self.case_sensitive else status.upper()
                if folded in seen:
                    other = "twice" if seen[folded] == name else f"in {seen[folded]!r} too"
                    other += "" if self.case_sensitive else "; case does not count"
                    raise self._wrong(name, f"holds {status!r}, which stands {other}")
                if not status and name != "running":
                    raise self._wrong(name, "holds an empty status: what is not shown is no end")
                seen[folded] = name

    def _check_paths(self) -> None:
        self._check_path("status", self.status, several=False)
        for path in self.progress_paths:
            self._check_path("progress", path, several=False)
        if self.measured:
            self._check_path("measured", self.measured, several=False)
        for name in ("reason", "explained"):
            for path in getattr(self, name):
                self._check_path(name, path, several=True)
        for path in self.refused:
            self._check_path("refused", path, several=True)
            for value in _words(self._owner, "refused", self.refused[path]) or ("",):
                if not value:
                    raise self._wrong("refused", f"has no word for {path!r}")
        try:
            chosen = choice(self.job) if self.job else None
        except ValueError as error:
            raise self._wrong("job", f"is wrong: {error}") from None
        if self.job and not chosen:
            self._check_path("job", self.job, several=False)
        for item in self.counts:
            if item in (*self.omit, *self.signed_urls):
                raise self._wrong("counts", f"holds {item!r}, which is left out of results")
        for name in ("counts", "omit", "signed_urls"):
            for item in getattr(self, name):
                if "." in item or "[" in item:
                    raise self._wrong(name, f"holds {item!r}; it takes fields of the job, no paths")
                if name != "counts" and item == self.status.partition(".")[0]:
                    raise self._wrong(name, f"holds {item!r}, which the status stands in")

    def _check_path(self, name: str, path: str, *, several: bool) -> None:
        try:
            check_path(path, several=several)
        except ValueError as error:
            raise self._wrong(name, f"is wrong: {error}") from None

    _ALLOWED = {
        "submit": {TOKEN, PROJECT},
        "poll": {KEY, KEYS, PROJECT},
        "cancel": {KEY, PROJECT},
        "explain": {KEY, PROJECT},
        "measure": {KEY, PROJECT},
        "find": {MARKER, PROJECT},
    }

    def _check_calls(self) -> None:
        for name, call in self.calls.items():
            holes = call.holes()
            self._check_ours(name, holes, self._ALLOWED[name])
            self._check_style(name, call, holes)
            if name != "submit" and call.rest:
                raise self._wrong(name, "has a 'rest': only a submit has parameters that nothing names")
            if name in ("poll", "find", "explain", "measure") and not call.harmless:
                raise self._wrong(
                    name,
                    f"would change something, by its name or method: {call.call!r}; if it does not, say reads=True",
                )
        poll = self.calls["poll"].holes()
        chosen = bool(self.job) and choice(self.job) is not None
        if KEY in poll and KEYS in poll:
            raise self._wrong("poll", "has both {key} and {keys}")
        if not (KEY in poll or KEYS in poll or chosen):
            raise self._wrong(
                "poll", "does not name the job: put {key} where the page has the job's id ({keys} for several)"
            )
        if self.batch > 1 and not (KEYS in poll and chosen):
            raise self._wrong("batch", f"is {self.batch}: such a poll needs {{keys}}, and a 'job' like 'jobs[id]'")
        if self.cancel is not None and not (set(self.calls["cancel"].holes()) - {PROJECT}):
            raise self._wrong("cancel", "does not name the job: {key} stands nowhere in it")
        if (self.explain is None) != (not self.explained):
            raise self._wrong("explained", "says where the answer to 'explain' has the reason: give both or neither")
        if (self.measure is None) != (not self.measured):
            raise self._wrong("measured", "says where the answer to 'measure' has the part: give both or neither")

    def _check_ours(self, name: str, holes: Collection[str], allowed: Collection[str]) -> None:
        for hole in holes:
            if hole in OURS and hole not in allowed:
                raise self._wrong(
                    name,
                    f"has {{{hole}}}; known there are {', '.join(f'{{{one}}}' for one in OURS if one in allowed)}"
                    " and the task's parameters",
                )
            if hole not in OURS and hole.lower().replace("-", "_") in OURS:
                raise self._wrong(name, f"has {{{hole}}}; is {{{hole.lower().replace('-', '_')}}} meant?")

    def _check_style(self, name: str, call: Call, holes: Collection[str]) -> None:
        if self.cloud == "huawei":
            if call.path == "/":
                raise self._wrong(
                    name,
                    f"is {call.call!r}; calls of Huawei Cloud have a method and a path, 'GET /v1/…'. If this is "
                    f"a service of Alibaba Cloud, give its version too: '{self.service}@YYYY-MM-DD'",
                )
            if call.form or call.rest == "form":
                raise self._wrong(name, "has a form, which Huawei Cloud's APIs do not take")
        elif not call.named:
            raise self._wrong(name, f"is {call.call!r}; calls of Alibaba Cloud begin with the operation's name")
        elif PROJECT in holes:
            raise self._wrong(name, "has {project_id}, which is Huawei Cloud's")
        if PROJECT in {hole for part in (call.query, call.body, call.form, call.headers) for hole in holes_in(part)}:
            raise self._wrong(name, "has {project_id}, which is filled in in the path only")

    def _check_submit(self) -> None:
        if self.submit is None:
            for name in ("key", "many", "marked", "refused", "find"):
                if getattr(self, name):
                    raise self._wrong(name, "is for a submit, and there is none")
            return
        if not self.key:
            raise self._wrong("key", "is missing: where does the submit's answer have the job's key?")
        if self.key_given:
            try:
                self._check_ours("key", holes_in(self.key), {TOKEN})
            except InvalidJobApi:
                raise
            except ValueError as error:
                raise self._wrong("key", str(error)) from None
            if self.many:
                raise self._wrong("many", "needs keys from the answer, one for each item")
        else:
            self._check_path("key", self.key, several=True)
        if self.many and "[]" not in self.key:
            raise self._wrong("key", f"is {self.key!r}, which finds one key; with 'many' it has [] in it")

    def _check_finding(self) -> None:
        try:
            marker = holes_in(self.marked)
        except ValueError as error:
            raise self._wrong("marked", str(error)) from None
        self._check_ours("marked", marker, {MARKER})
        if self.marked and MARKER not in marker:
            raise self._wrong("marked", "has no {marker} in it")
        if self.find is None:
            if self.marked:
                raise self._wrong("marked", "is for a look-up: give 'find' too")
            return
        if not self.marked:
            raise self._wrong("find", "needs 'marked': what the job is known by")
        if self.many:
            raise self._wrong("find", "cannot tell the jobs of one submit apart ('many')")

    def _check_secrets(self) -> None:
        for name in self.job_parameters:
            if looks_secret(name) or name in self.secret or name in self.sql:
                kind = "SQL" if name in self.sql else "a secret"
                raise self._wrong(
                    "poll", f"(or cancel, explain, measure) needs {name!r}, {kind}: the rows of triggers would hold it"
                )


def _without_defaults(value: Any, alone: str = "") -> Any:
    """A dataclass as JSON values, without what is as by default; if only one field is left, that alone."""
    data = {
        item.name: thawed(found)
        for item in fields(value)
        if (found := getattr(value, item.name)) != item.default and not isinstance(found, (Call, Find))
    }
    return data[alone] if alone and set(data) == {alone} else data


def _known(owner: str, cls: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a dataclass in data.

    :raises InvalidJobApi: for others.
    """
    names = [item.name for item in fields(cls)]
    for name in data:
        if name not in names:
            raise InvalidJobApi(
                owner,
                repr(name),
                f"is not known to this version of airflow-provider-cloudjobs; known are {', '.join(names)}. If a "
                "newer one wrote it, bring workers and triggerers up to date together",
            )
    return dict(data)


__all__ = ["Call", "Find", "InvalidJobApi", "JobApi"]
