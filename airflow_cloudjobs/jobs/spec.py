# SPDX-License-Identifier: Apache-2.0
"""What a job API is: how to submit, how to ask, which statuses mean what.

An API is data (``job_api.py``); what is made of that, with what of it only code says, is a :class:`JobSpec`, and
everything that waits is written against this module only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from airflow_cloudjobs.jobs import paths
from airflow_cloudjobs.jobs.finder import Finder
from airflow_cloudjobs.jobs.outcome import Outcome
from airflow_cloudjobs.jobs.redact import text_without_signatures, without_signatures
from airflow_cloudjobs.jobs.request import ApiRequest, as_text

REQUEST_IDS = frozenset({"RequestId", "request_id", "requestId"})
"""Fields of an answer that are none of the job's."""

MOST_NAMES, LONGEST_NAME = 12, 40
"""How many fields of an answer are named to people, and how many characters of each."""

Scope = Mapping[str, Any]
"""What names a job beside its key (tenant, ticket, ...), by the API's parameter names in snake_case."""

Record = Mapping[str, Any]
"""One job as the cloud describes it, with the API's own field names."""


@dataclass(frozen=True, slots=True)
class StateMap:
    """Every documented status of an API in exactly one bucket; what is in none is never success.

    :param in_progress: the job goes on.
    :param succeeded: the job has ended and did what it was asked.
    :param failed: the job has ended and did not.
    :param cancelled: somebody ended the job.
    :param ignore_case: compare without regard to case, for APIs whose own pages mix it.
    """

    in_progress: frozenset[str]
    succeeded: frozenset[str]
    failed: frozenset[str]
    cancelled: frozenset[str] = frozenset()
    ignore_case: bool = False
    _verdicts: dict[str, Outcome | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        buckets = (
            (None, self.in_progress),
            (Outcome.SUCCEEDED, self.succeeded),
            (Outcome.FAILED, self.failed),
            (Outcome.CANCELLED, self.cancelled),
        )
        if not (self.succeeded and self.failed):
            raise ValueError("a state map needs at least one status for success and one for failure")
        for outcome, statuses in buckets:
            for status in statuses:
                word = self._folded(status)
                if word in self._verdicts:
                    raise ValueError(f"status {status!r} stands in two buckets of a state map")
                self._verdicts[word] = outcome

    def _folded(self, status: str) -> str:
        return status.upper() if self.ignore_case else status

    def knows(self, status: str) -> bool:
        """True if the status is a documented one."""
        return self._folded(status) in self._verdicts

    def outcome(self, status: str) -> Outcome | None:
        """How a job with this status ended; None if it has not, or if the status is not documented."""
        return self._verdicts.get(self._folded(status))


class Observation(NamedTuple):
    """One job, as one answer showed it.

    :param status: the raw status; empty if the answer had none.
    :param record: the job's fields in the answer.
    :param request_id: the vendor's id of the request that showed it.
    """

    status: str
    record: Record
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """How an API lists the jobs that are in progress, for where many are awaited.

    Only the jobs that a list shows in progress are believed; all others are asked for one by one, so that each end is
    read from the job itself.

    :param request: builds the request for a page, from 1.
    :param records: finds the jobs in an answer, by key.
    :param size: how many jobs a full page holds.
    """

    request: Callable[[int, Scope], ApiRequest]
    records: Callable[[Mapping[str, Any]], Mapping[str, Record]]
    size: int


@dataclass(frozen=True, slots=True)
class Explain:
    """Where an API says why a job has failed, if not in what the poll shows.

    :param request: builds the request for it, given the job's key and scope.
    :param reason: the reason in the answer to that; empty if there is none.
    """

    request: Callable[[str, Scope], ApiRequest]
    reason: Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, slots=True)
class Measure:
    """Where an API says how much of a job is done, if not in what the poll shows.

    :param request: builds the request for it, given the job's key and scope.
    :param part: that part, from 0 to 1, in the answer to it; raises TypeError or ValueError if it is not there.
    """

    request: Callable[[str, Scope], ApiRequest]
    part: Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True, kw_only=True)
class JobSpec:
    """A job API.

    :param api: the public id, ``<product>.<job>``; never renamed.
    :param title: a few words for people.
    :param cloud: ``alibaba`` or ``huawei``.
    :param service: the vendor's short name of the service, as requests carry it.
    :param page: the vendor's page that documents the poll.
    :param submit: builds the request that starts a job from the operator's submit arguments.
    :param parameters: the names of these arguments, which an operator of the API has too.
    :param submitted: the keys of the jobs that an answer to ``submit`` names, given the arguments of ``submit`` too;
        raises ``CloudApiError`` where the answer says that a job was not taken.
    :param many: the argument of ``submit`` that holds an item for each job, in the order of the keys, so that only
        those that failed are submitted again; empty where a submit starts one job.
    :param poll: builds the request that asks for some jobs, given their keys and scope.
    :param records: picks the jobs out of an answer to ``poll``, by key; a key left out does not exist.
    :param status: where a record has the status.
    :param states: what each status means.
    :param reason: where a record says why a job failed.
    :param explain: where else the reason is, for failed jobs whose record gives none; None where there is no such call.
    :param progress: says how far a job is, from its record; empty if the record does not tell.
    :param measure: where else that is, for jobs that go on; None where there is no such call.
    :param counts: fields of a record that say how much there is, for the events of assets.
    :param omit: fields that are left out of results (query texts, say).
    :param signed_urls: fields whose value grants access to whoever holds it; only given where asked for.
    :param scope: what may name a job beside its key, by the names that ``poll`` and the tasks have for it.
    :param batch: how many jobs one poll may ask for.
    :param listing: how jobs in progress are listed; None where the API has no list, or takes several jobs a poll.
    :param interval: seconds between two polls once a job runs for long, unless the task says otherwise.
    :param cancel: builds the request that cancels a job; None where the API has none.
    :param finder: how our own job can be found again; None where the API has no way.
    :param stale_results: True if right after a submit the cloud may still show the end of an earlier job.
    :param not_found_grace: seconds after our own submit in which "no such job" means "not yet".
    :param console: address of the vendor's console, with ``{region}``.
    :param job_page: makes the address of a job's own page there, of ``key``, ``region``, ``project_id`` and the scope;
        empty if one that it needs is not known, or there is no such page.
    :param token: the argument of ``submit`` that takes a text by which the cloud knows a repeated submit and takes it
        once; empty where the API has none.
    :param key_is_token: True if that text is in the job's key, so that a job with this key is the submit's.
    :param lane: names the waits that may be asked for together.
    """

    api: str
    lane: str
    title: str
    cloud: str
    service: str
    page: str
    submit: Callable[..., ApiRequest]
    parameters: tuple[str, ...]
    submitted: Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]]
    poll: Callable[[Sequence[str], Scope], ApiRequest]
    records: Callable[[Mapping[str, Any], Sequence[str]], Mapping[str, Record]]
    status: str
    states: StateMap
    reason: tuple[str, ...]
    many: str = ""
    explain: Explain | None = None
    progress: Callable[[Record], str] = field(default=lambda record: "")
    measure: Measure | None = None
    counts: tuple[str, ...] = ()
    omit: frozenset[str] = frozenset()
    signed_urls: frozenset[str] = frozenset()
    scope: tuple[str, ...] = ()
    batch: int = 1
    listing: Listing | None = None
    interval: float = 30.0
    cancel: Callable[[str, Scope], ApiRequest] | None = None
    finder: Finder | None = None
    stale_results: bool = False
    not_found_grace: float = 60.0
    console: str
    job_page: Callable[[Scope], str] = field(default=lambda names: "")
    token: str = ""
    key_is_token: bool = False

    def __post_init__(self) -> None:
        product, _, job = self.api.partition(".")
        if not (product and job):
            raise ValueError(f"api id {self.api!r} must look like 'product.job'")
        if self.batch < 1:
            raise ValueError(f"{self.api}: batch must be at least 1")
        if self.listing and self.batch > 1:
            raise ValueError(f"{self.api}: an API that takes several jobs a poll needs no listing")
        if self.interval <= 0:
            raise ValueError(f"{self.api}: interval must be more than 0 seconds")

    def console_at(self, region: str, keys: Sequence[str] = (), scope: Scope = MappingProxyType({})) -> str:
        """Where the vendor's console shows jobs: the page of a job, if it has one; else, and for several, a list.

        :param region: the region's id; empty if it is not known: then the address is that of the console's first page.
        :param keys: the jobs, as far as they are known.
        :param scope: what names them beside their keys, and ``project_id``, where it is known.
        """
        if len(keys) == 1 and (page := self.job_page({**scope, "region": region, "key": keys[0]})):
            return page
        if region:
            return self.console.format(region=region)
        return self.console.partition("{region}")[0].partition("?")[0]

    def observe(self, answer: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Observation]:
        """What an answer to a poll says of each key it was asked for; unknown keys are absent."""
        return self.seen(answer, self.records(answer, keys))

    def seen(self, answer: Mapping[str, Any], records: Mapping[str, Record]) -> dict[str, Observation]:
        """Records of an answer as observations."""
        request_id = request_id_of(answer)
        return {key: Observation(self.status_of(record), record, request_id) for key, record in records.items()}

    def status_of(self, record: Record) -> str:
        """The raw status in a record; empty if there is none.

        :raises TypeError: for what is neither text nor number.
        """
        return paths.word(self._status(record))

    def reason_of(self, record: Record) -> str:
        """The vendor's words on why a job is as it is."""
        return reasons(self._reasons, record)

    @cached_property
    def _status(self) -> Callable[[Any], Any]:
        return paths.one(self.status)

    @cached_property
    def _reasons(self) -> tuple[paths.Every, ...]:
        return tuple(map(paths.every, self.reason))

    def public_fields(self, record: Record, *, signed_urls: bool = False) -> dict[str, Any]:
        """A record as it may be shown: without omitted fields, and without what grants access.

        :param signed_urls: True keeps the fields that are signed addresses.
        """
        result: dict[str, Any] = {}
        for name, value in record.items():
            if name in self.signed_urls:
                if signed_urls and isinstance(value, str):
                    result[name] = value.strip()  # DMS ends its DownloadUrl with a newline
            elif name not in self.omit:
                result[name] = without_signatures(value)
        return result


def request_id_of(answer: Mapping[str, Any]) -> str:
    """The vendor's id of the request that an answer is to; empty if it names none."""
    return str(answer.get("RequestId") or answer.get("request_id") or answer.get("requestId") or "")


def fields_in(answer: Mapping[str, Any]) -> str:
    """The names of what an answer has, for people: where something is not, they see where it may be."""
    names = [repr(str(name))[1:-1][:LONGEST_NAME] for name in answer if name not in REQUEST_IDS]
    return f"{', '.join(names[:MOST_NAMES])}{', …' if len(names) > MOST_NAMES else ''}" if names else "nothing"


def reasons(read: Sequence[paths.Every], value: Any) -> str:
    """What a job, or an answer, says of why it is as it is; empty if that has another form than it should have.

    :param read: read the reasons, each of which is told once.
    :param value: what they read from.
    """
    try:
        words = [as_text(found).strip() for every in read for found in every(value)]
    except TypeError:
        return ""  # which is no reason not to believe the end
    return text_without_signatures(": ".join(dict.fromkeys(word for word in words if word)))
