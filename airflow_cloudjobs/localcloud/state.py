# SPDX-License-Identifier: Apache-2.0
"""Everything the clouds remember, in one place, so that a reset is one new object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from airflow_cloudjobs.localcloud.accounts import Accounts
from airflow_cloudjobs.localcloud.clock import Clock
from airflow_cloudjobs.localcloud.faults import FaultBoard
from airflow_cloudjobs.localcloud.jobs import KEPT_JOBS, Job, JobStore, Script
from airflow_cloudjobs.localcloud.scripts import (
    VOCABULARIES,
    ScriptOverride,
    finish,
    natural_failure,
    read_marks,
    script_for,
)
from airflow_cloudjobs.localcloud.stats import Statistics

#: A nonce is refused if it was seen in the last 30 minutes.
NONCE_LIFE = 30 * 60
#: Jobs that are found by the same value of a field; the oldest are forgotten first.
KEPT_BY_FIELD = 100


@dataclass(frozen=True, slots=True)
class Settings:
    """What the vendors' pages leave open, and how fast the clouds are.

    :param job_seconds: time a job takes, in seconds, unless a plan or its input says otherwise.
    :param seconds_per_poll: how far each poll brings a job's life on, in seconds; None if jobs live by the clock.
        With 1.0, ``job_seconds=3`` is a job whose fourth poll sees the end, however busy the machine is.
    :param stale_seconds: how long DRS reports the earlier import of a task after a new upload, in seconds.
    :param cancel_seconds: how long a cancelled job still shows that it has not ended, in seconds.
    :param latency_seconds: time added to every answer, in seconds.
    :param token_seconds: life of an IAM token, in seconds (the vendor's is 24 hours).
    :param key_seconds: life of the temporary keys that token services, metadata services and the credentials URI
        hand out, in seconds; less if less was asked for.
    :param download_url_seconds: life of a signed download URL, in seconds.
    :param dms_not_found: answer of DMS for an unknown key: ``soft`` (HTTP 200, ``Success=false``), ``http``
        (HTTP 404 with ``Code``) or ``absent`` (``Success=true`` without the object). The vendor does not say.
    :param dli_not_found: error of DLI for an unknown job: ``DLI.0002`` (HTTP 400) or ``DLI.0023`` (HTTP 404).
        The vendor does not say.
    :param ice_non_exists: form of ICE's ``NonExists``: ``quoted`` (``"['id']"``, as the vendor's sample has
        it) or ``plain``.
    :param drs_no_import: how DRS answers for the progress of a task to which no template was uploaded yet: ``false``
        (HTTP 200, ``send_success=false``) or the error ``DRS.10000010`` (HTTP 400). The vendor does not say.
    """

    job_seconds: float = 6.0
    seconds_per_poll: float | None = None
    stale_seconds: float = 0.5
    cancel_seconds: float = 0.3
    latency_seconds: float = 0.0
    token_seconds: float = 24 * 3600.0
    key_seconds: float = 3600.0
    download_url_seconds: float = 3600.0
    dms_not_found: str = "soft"
    dli_not_found: str = "DLI.0002"
    ice_non_exists: str = "quoted"
    drs_no_import: str = "false"

    def __post_init__(self) -> None:
        choices = {
            "dms_not_found": ("soft", "http", "absent"),
            "dli_not_found": ("DLI.0002", "DLI.0023"),
            "ice_non_exists": ("quoted", "plain"),
            "drs_no_import": ("false", "DRS.10000010"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {getattr(self, name)!r}")

    def changed(self, changes: dict[str, Any]) -> Settings:
        """These settings with some of them changed.

        :param changes: new values by name.
        :raises ValueError: a name that is no setting, a value it cannot have.
        """
        unknown = set(changes) - {each.name for each in fields(self)}
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)


@dataclass(slots=True)
class Plan:
    """A script waiting for the next jobs of an API.

    :param override: how they shall go.
    :param count: for how many jobs; for all of them if None.
    :param match: only for a job whose input contains this text.
    """

    override: ScriptOverride
    count: int | None = 1
    match: str = ""


class Nonces:
    """The nonces of the last half hour; two generations, so that forgetting the old ones costs nothing."""

    def __init__(self) -> None:
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._turned = 0.0

    def fresh(self, nonce: str, now: float) -> bool:
        """Whether a nonce is new; it is remembered.

        :param nonce: with the access key that used it.
        :param now: seconds since the epoch.
        """
        if now - self._turned > NONCE_LIFE:
            self._old = self._young if now - self._turned < 2 * NONCE_LIFE else set()
            self._young, self._turned = set(), now
        mark = hash(nonce)
        if mark in self._young or mark in self._old:
            return False
        self._young.add(mark)
        return True


class TokenReused(Exception):
    """A submit had the token of another one that asked for something else."""


class Tokens:
    """By which submits jobs were started, for APIs that take a repeated submit once."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], tuple[dict[str, Any], Job]] = {}

    def job(self, api: str, token: str, asked: dict[str, Any]) -> Job | None:
        """The job that an earlier submit with this token has started; None if there was none.

        :param api: id of the API.
        :param token: what the caller chose to know the submit by; empty if it has none.
        :param asked: what is asked for.
        :raises TokenReused: the earlier one asked for something else.
        """
        first, job = self._taken.get((api, token), (asked, None))
        if first != asked:
            raise TokenReused(token)
        return job

    def take(self, token: str, asked: dict[str, Any], job: Job) -> None:
        """Remember the submit that started a job.

        :param token: its token; one that has none is forgotten.
        :param asked: what it asked for.
        :param job: the job.
        """
        if not token:
            return
        self._taken[job.api, token] = dict(asked), job
        if len(self._taken) > KEPT_JOBS:
            del self._taken[next(iter(self._taken))]


class State:
    """The two clouds' memory.

    :param settings: the settings to start with and to return to at a reset.
    :param clock: the server's time.
    """

    def __init__(self, settings: Settings | None = None, clock: Clock | None = None) -> None:
        self._initial = settings or Settings()
        self.clock = clock or Clock()
        self.reset()

    def reset(self) -> None:
        """Forget everything: jobs, plans, faults, statistics, credentials, the clock's skew, settings."""
        self.settings = self._initial
        self.clock.skew = 0.0
        self.accounts = Accounts()
        self.jobs = JobStore()
        self.drs_tasks: dict[str, float] = {}
        self.faults = FaultBoard()
        self.stats = Statistics()
        self.nonces = Nonces()
        self.plans: dict[str, list[Plan]] = {}
        self.tokens = Tokens()
        self._found_by: dict[tuple[str, str], list[str]] = {}

    def plan(self, api: str, plan: Plan) -> None:
        """Keep a script for the next jobs of an API.

        :param api: id of the API.
        :param plan: the script and for which jobs.
        :raises ValueError: no such API, or steps that are none.
        """
        if api not in VOCABULARIES:
            raise ValueError(f"no such API: {api!r}; there are {', '.join(VOCABULARIES)}")
        script_for(api, [plan.override], self.settings.job_seconds)
        self.plans.setdefault(api, []).append(plan)

    def script(self, api: str, subject: str, marked: str = "") -> Script:
        """The script of a job about to be submitted.

        :param api: id of the API.
        :param subject: what the job works on (SQL, URL, file name): its marks count, and the word
            ``missing``.
        :param marked: further input in which only marks count.
        """
        overrides = [
            self._planned(api, f"{subject} {marked}"),
            read_marks(f"{subject} {marked}"),
            natural_failure(api, subject),
        ]
        return script_for(api, overrides, self.settings.job_seconds)

    def submit(self, api: str, key: str, fields: dict[str, Any], script: Script) -> Job:
        """Start a job.

        :param api: id of the API.
        :param key: the job's key.
        :param fields: what it was submitted with.
        :param script: its life.
        """
        self.stats.submits[api] += 1
        job = Job(api, key, fields, script, self.clock.now(), self.settings.seconds_per_poll)
        if field := VOCABULARIES[api].found_by:
            keys = self._found_by.setdefault((api, fields.get(field, "")), [])
            keys.append(key)
            del keys[:-KEPT_BY_FIELD]
            if len(self._found_by) > KEPT_JOBS:
                del self._found_by[next(iter(self._found_by))]
        return self.jobs.add(job)

    def found_by(self, api: str, value: str) -> list[Job]:
        """The jobs that have this value in the field by which the API finds them, oldest first.

        :param api: id of the API.
        :param value: the value.
        """
        keys = self._found_by.get((api, value), [])
        return [job for job in (self.jobs.get(api, key) for key in keys) if job is not None]

    def cancel(self, job: Job, reason: str = "", code: str = "") -> None:
        """Cancel a job that has not ended: it shows so for a while, then that it was cancelled.

        :param job: the job.
        :param reason: what the API says of a cancelled job.
        :param code: the same as an error code.
        """
        states, now = VOCABULARIES[job.api], self.clock.now()
        self.stats.cancels[job.api] += 1
        shown = job.status(now) if states.cancelling is None else states.cancelling
        job.play(finish(job.api, ((shown, self.settings.cancel_seconds), (states.cancelled, 0.0)), reason, code), now)

    def _planned(self, api: str, text: str) -> ScriptOverride | None:
        plans = self.plans.get(api, [])
        for plan in plans:
            if plan.match in text:
                if plan.count is not None:
                    plan.count -= 1
                    if plan.count <= 0:
                        plans.remove(plan)
                return plan.override
        return None
