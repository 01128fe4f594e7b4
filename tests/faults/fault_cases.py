# SPDX-License-Identifier: Apache-2.0
"""What has to come of every task in every case: the fault run checks it, docs/recovery.md is made of it.

A case is declared here once: ``world.launch`` takes from here what it expects of a task, so the page, which
``recovery_page.py`` writes, cannot say what the run does not see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fault_table import Expected
from support import jobapis

APIS = tuple(jobapis.BY_ID)
DMS_UPLOAD, DMS_EXPORT, ICE, DLI, DRS = APIS

DATA = ("emr.spark_job", "imm.media_convert", "mrs.job")
"""Three of the catalogue: the submit of the first has a token, the jobs of the second carry a mark by which they are
found, the third has neither."""

EMR, IMM, MRS = DATA
EVERY = (*APIS, *DATA)

REPEATED = (EMR,)
"""APIs whose submit has a token: made again, it starts no other job."""

FOUND = (ICE, DLI, IMM)
"""APIs whose jobs can be looked up."""

NOT_FOUND = (DMS_UPLOAD, DMS_EXPORT, DRS, MRS)
"""APIs with neither."""

NO_CANCEL = (DMS_UPLOAD, DMS_EXPORT, ICE, DRS)
"""APIs that cannot cancel."""

WAITS_AGAIN = Expected()
"""Nothing is submitted twice, and the task ends as its job."""

SENSED = Expected(submits=0)
"""The same for a job that somebody else has submitted."""

UNKNOWN = Expected(state="failed", running=1, says=("the job may or may not run", "look for the job in"))
"""The task fails rather than submit twice."""

NOTHING = "nothing"
LOOK = (
    "look for the job in the console: if it is there, wait for it with a sensor or give its key to the operator; "
    "if not, clear the task"
)
CANCEL = "if the job is to end, cancel it in the console"
END_FIRST = "if the first job is to end, cancel it in the console"


@dataclass(frozen=True, slots=True)
class End:
    """What comes of some tasks of a case.

    :param ways: how they wait: the names of their DAGs after the API's.
    :param apis: their APIs.
    :param expected: what has to come of each task; of a mapped one, of each of its instances.
    :param to_do: what a person is to do about it.
    """

    ways: tuple[str, ...]
    apis: tuple[str, ...] = APIS
    expected: Expected = WAITS_AGAIN
    to_do: str = NOTHING


@dataclass(frozen=True, slots=True)
class Declared:
    """A case.

    :param case: its name in the run.
    :param event: what happens, as a user would say it; empty for what tells a user nothing new.
    :param ends: what comes of its tasks.
    """

    case: str
    event: str
    ends: tuple[End, ...]


DEFERRABLE, BLOCKING, SENSOR, ADOPTING = ("deferrable",), ("blocking",), ("sensor",), ("adopting",)
OPERATORS = (*DEFERRABLE, *BLOCKING)

CASES = (
    Declared(
        "worker killed, key stored",
        "A worker is lost (killed, out of memory, its machine gone) while its task waits",
        (End(BLOCKING, EVERY),),
    ),
    Declared(
        "worker killed, key not stored",
        "A worker is lost in the middle of the submit, before the job's key could be stored",
        (
            End(DEFERRABLE, FOUND),
            End(DEFERRABLE, REPEATED, Expected(posts=2)),
            End(DEFERRABLE, NOT_FOUND, UNKNOWN, LOOK),
        ),
    ),
    Declared(
        "worker frozen and replaced",
        "A worker hangs so long that Airflow starts the task on another, then goes on",
        (End(BLOCKING),),
    ),
    Declared("triggerer killed 3 times", "A triggerer is lost", (End(DEFERRABLE, EVERY), End(SENSOR, expected=SENSED))),
    Declared(
        "trigger moved", "A triggerer hangs, or is replaced, and another takes over its tasks", (End(DEFERRABLE),)
    ),
    Declared("scheduler killed", "The scheduler is lost, with its workers", (End(OPERATORS),)),
    Declared("API server down", "Airflow's API server is down for seconds", (End(OPERATORS),)),
    Declared("database crashed", "Airflow's database crashes and comes back within seconds", (End(OPERATORS),)),
    Declared(
        "503, 429, reset, HTML, truncated",
        "The cloud's API is in trouble while a job is polled (503, throttling, broken or strange answers)",
        (End(OPERATORS), End(SENSOR, expected=SENSED)),
    ),
    Declared(
        "token expired",
        "A temporary credential expires (an assumed role, an IAM token)",
        (End(OPERATORS), End(SENSOR, expected=SENSED)),
    ),
    Declared(
        "clock 20 min off",
        "The worker's clock differs from the cloud's by 20 minutes",
        (
            End(DEFERRABLE, to_do="set the clock (NTP)"),
            End(
                BLOCKING,
                expected=Expected(says=("signing with the cloud's time",), says_at_most=1),
                to_do="set the clock (NTP)",
            ),
        ),
    ),
    Declared(
        "marked failed, deferred",
        "You mark a deferred task as failed",
        (
            End(DEFERRABLE, NO_CANCEL, Expected(state="failed", by_hand=True, running=1), CANCEL),
            End(DEFERRABLE, (DLI,), Expected(state="failed", by_hand=True, cancels=1)),
            End(ADOPTING, (DLI,), Expected(state="failed", submits=0, by_hand=True, running=1), CANCEL),
            End(SENSOR, (DLI,), Expected(state="failed", submits=0, by_hand=True, running=1), CANCEL),
        ),
    ),
    Declared(
        "marked success, deferred",
        "You mark a deferred task as success",
        (
            End(DEFERRABLE, NO_CANCEL, Expected(by_hand=True, running=1), CANCEL),
            End(DEFERRABLE, (DLI,), Expected(cancels=1, by_hand=True)),
        ),
    ),
    Declared(
        "cleared, deferred",
        "You clear a deferred task",
        (
            End(DEFERRABLE, (DMS_UPLOAD, DMS_EXPORT, ICE), Expected(submits=2, running=1), END_FIRST),
            # Of the uploads to one DRS task only the last one counts.
            End(DEFERRABLE, (DRS,), Expected(submits=2)),
            # The trigger cancels it, and the next attempt does if it finds it running still.
            End(DEFERRABLE, (DLI,), Expected(submits=2, cancels=1, cancels_at_most=2)),
        ),
    ),
    Declared(
        "marked failed, blocking",
        "You mark a task as failed that waits on a worker",
        (
            End(BLOCKING, NO_CANCEL, Expected(state="failed", by_hand=True, running=1), CANCEL),
            End(BLOCKING, (DLI,), Expected(state="failed", by_hand=True, cancels=1)),
        ),
    ),
    Declared(
        "cleared, blocking",
        "You clear a task that waits on a worker",
        (
            End(BLOCKING, (DMS_UPLOAD, DMS_EXPORT, ICE), Expected(submits=2, running=1), END_FIRST),
            End(BLOCKING, (DRS,), Expected(submits=2)),
            End(BLOCKING, (DLI,), Expected(submits=2, cancels=1, cancels_at_most=2)),
        ),
    ),
    Declared(
        "cleared, worker killed",
        "You clear a task whose worker was lost while it waited",
        (
            End(BLOCKING, (EMR, MRS), Expected(submits=2, cancels=1)),
            End(BLOCKING, (IMM,), Expected(submits=2, running=1), END_FIRST),
        ),
    ),
    Declared(
        "cleared, worker killed while it submitted",
        "You clear a task whose worker was lost in the middle of the submit",
        (End(DEFERRABLE, DATA, Expected(submits=2, running=1), END_FIRST),),
    ),
    Declared(
        "marked failed while it submits",
        "You mark a task as failed in the middle of its submit",
        (End(BLOCKING, (DLI,), Expected(state="failed", by_hand=True, cancels=1)),),
    ),
    Declared(
        "out of time",
        "`wait_timeout` of an operator, or `timeout` of a sensor, runs out",
        (
            End(
                ("deferrable-limited",),
                NO_CANCEL,
                Expected(state="failed", running=1),
                "wait for the job by its key, or raise the limit and clear the task, which submits anew",
            ),
            End(
                ("deferrable-limited", "blocking-limited"),
                (DLI,),
                Expected(state="failed", cancels=1),
                "raise the limit, clear the task",
            ),
            End(
                ("adopting-limited",),
                (DLI,),
                Expected(state="failed", submits=0, running=1),
                "raise the limit, clear the task: it waits for the same job",
            ),
            End(
                ("sensor-limited",),
                expected=Expected(state="failed", submits=0, running=1),
                to_do="raise the limit, clear the task: it waits for the same job",
            ),
        ),
    ),
    Declared(
        "job fails, 2 retries",
        "The job itself fails, at every attempt",
        (
            End(
                DEFERRABLE,
                EVERY,
                Expected(submits=3, state="failed"),
                to_do="fix what the reason in the log says, clear the task",
            ),
        ),
    ),
    Declared(
        "cleared after success",
        "You clear a task that has succeeded",
        (End(DEFERRABLE, expected=Expected(submits=2)),),
    ),
    Declared(
        "mapped, all at once",
        "200 mapped tasks lose workers, the triggerer and the API server, with the cloud in trouble",
        (End(("mapped",), (DLI,)),),
    ),
    Declared(
        "red by Airflow's race, retried",
        'Airflow fails a task that came back too soon for its scheduler ("state mismatch")',
        (End(DEFERRABLE),),
    ),
    # With CeleryExecutor alone.
    Declared(
        "Celery worker killed, key stored",
        "CeleryExecutor: a Celery worker is lost with all that it runs, and started anew",
        (End(BLOCKING, (DLI, MRS)),),
    ),
    Declared(
        "Celery worker killed, key not stored",
        "CeleryExecutor: the same, in the middle of submits",
        (
            End(DEFERRABLE, (ICE, DLI)),
            End(DEFERRABLE, REPEATED, Expected(posts=2)),
            End(DEFERRABLE, (DMS_EXPORT, MRS), UNKNOWN, LOOK),
        ),
    ),
    Declared(
        "redis restarted",
        "CeleryExecutor: redis is restarted and has lost every message, while tasks are queued, deferred or on workers",
        (
            End(OPERATORS, (DMS_EXPORT, DLI, MRS)),
            End(SENSOR, (ICE, DRS), SENSED),
            # Airflow fails what it cannot hand to redis, and uses up a retry each time; this one has 50.
            End(("mapped-deferrable",), (DLI,), to_do="`retries` and a `retry_delay` that outlast redis' absence"),
        ),
    ),
    Declared(
        "message delivered twice",
        "CeleryExecutor: a task takes longer than `visibility_timeout`, so that redis delivers its message again",
        (End(BLOCKING, (DMS_UPLOAD, DLI, MRS)),),
    ),
    Declared(
        "one of two schedulers killed",
        "One of two schedulers is lost while many tasks defer",
        (End(("mapped",), (DLI,)),),
    ),
    Declared(
        "one of two triggerers killed",
        "One of two triggerers is lost; the other takes over its share of 500 waits",
        (End(("waits",), (DLI,), SENSED),),
    ),
    # Of these the suites say themselves what has to come; to a user they are the rows above, many times over.
    Declared("mapped, jobs of 1-20 s", "", (End(("mapped-short",), (DLI,)),)),
    Declared("mapped, rescheduled", "", (End(("mapped-reschedule",), (DLI,), SENSED),)),
    Declared("random kills", "", (End(("mapped-deferrable", "mapped-blocking"), EVERY),)),
)

PLACES = {
    (declared.case, way, api): end.expected
    for declared in CASES
    for end in declared.ends
    for way in end.ways
    for api in end.apis
}
"""What is expected of the tasks of a case, by the way they wait and their API."""


def expected_of(case: str, way: str, api: str) -> Expected:
    """What has to come of a task.

    :param case: what happens to it.
    :param way: how it waits.
    :param api: its API.
    :raises LookupError: if that is declared nowhere.
    """
    try:
        return PLACES[case, way, api]
    except KeyError:
        raise LookupError(f"declare in {__name__}.CASES what comes of {case!r}, {way!r}, {api!r}") from None


def apis_of(case: str, way: str) -> Iterator[str]:
    """The APIs that a case is declared for, in the order of :data:`EVERY`.

    :param case: what happens.
    :param way: how its tasks wait.
    """
    return (api for api in EVERY if (case, way, api) in PLACES)
