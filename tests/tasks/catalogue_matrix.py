# SPDX-License-Identifier: Apache-2.0
"""Runs tasks of the catalogue's APIs, each case once, and keeps what came of it for the tests and for the table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from support.catalogue_cases import ENDS, Served
from support.jobapis import MODES
from taskbench import Ran, run

from airflow_cloudjobs.jobs.many import as_list
from airflow_cloudjobs.localcloud import Control

INTERVAL = 0.03

#: The pause and the limit of a wait for a job that never ends: so long that a busy machine takes a look before.
LONG_INTERVAL, TIME_LIMIT = 0.4, 1.0

#: kind -> the arguments for the pause between two looks and for the time limit
_TIMES = {"operator": ("poll_interval", "wait_timeout"), "sensor": ("poke_interval", "timeout")}


@dataclass(frozen=True)
class Seen:
    """What came of a task.

    :param ran: what Airflow would make of it.
    :param jobs: the cloud's jobs in the end.
    :param submits: jobs that the cloud took.
    :param cancels: cancels that it carried out.
    :param cancel_calls: cancels that it was asked for.
    """

    ran: Ran
    jobs: list[dict[str, Any]]
    submits: int
    cancels: int
    cancel_calls: int

    @property
    def results(self) -> list[dict[str, Any]]:
        """The task's results, where it has one too."""
        return as_list(self.ran.result)


@dataclass
class CatalogueMatrix:
    """What came of the tasks that were run, by API, mode and end."""

    cells: dict[tuple[str, str, str], Seen] = field(default_factory=dict)

    def of(self, control: Control, row: Served, mode: str, end: str) -> Seen:
        """What comes of a task; it is run if it was not yet.

        :param control: the local clouds.
        :param row: the API.
        :param mode: one of ``MODES``.
        :param end: one of the API's ends.
        """
        place = (row.api, mode, end)
        if place not in self.cells:
            self.cells[place] = _seen(control, row, mode, end)
        return self.cells[place]

    def lines(self) -> list[tuple[str, ...]]:
        """The table: APIs and modes down, ends across; submits, and cancels that were asked for, beside each state."""
        table = [("API", "mode", *ENDS)]
        for api, mode in dict.fromkeys(place[:2] for place in self.cells):
            table.append((api, mode, *(_cell(self.cells.get((api, mode, end))) for end in ENDS)))
        return table


def submits(mode: str, end: str) -> bool:
    """Whether the task makes its job."""
    return MODES[mode][0] == "operator" and end != "unknown key"


def task(row: Served, mode: str, arguments: dict[str, Any], *, interval: float = INTERVAL, limit: float = 60.0) -> Any:
    """A task, as its DAG file makes it.

    :param row: the API.
    :param mode: one of ``MODES``.
    :param arguments: what names the job, or makes it.
    :param interval: the longest pause between two looks in seconds.
    :param limit: the most seconds to wait.
    """
    kind, options = MODES[mode]
    pause, time_limit = _TIMES[kind]
    cls = row.operator if kind == "operator" else row.sensor
    return cls(task_id="t", **arguments, **options, **{pause: interval, time_limit: limit})


def prepare(control: Control, row: Served) -> None:
    """Make what must be there before the job of a submit."""
    if row.keyed:
        control.create_job("drs.job", row.key())


def _seen(control: Control, row: Served, mode: str, end: str) -> Seen:
    control.reset()
    if submits(mode, end):
        prepare(control, row)
        control.plan(row.api, **row.life(end))
        arguments = row.submitting()
    else:
        if end != "unknown key":
            control.create_job(row.api, row.key(), **row.life(end))
        arguments = row.waiting(row.key())
    times = {"interval": LONG_INTERVAL, "limit": TIME_LIMIT} if end == "time out" else {}
    ran = run(lambda: task(row, mode, arguments, **times))
    stats = control.stats()
    cancel = row.declared.calls.get("cancel")
    calls = stats["operations"].get(cancel.operation, {"calls": 0})["calls"] if cancel else 0
    accepted = (stats[what].get(row.api, 0) for what in ("submits", "cancels"))
    return Seen(ran, control.jobs(row.api), *accepted, calls)


def _cell(seen: Seen | None) -> str:
    return f"{seen.ran.state} {seen.submits}/{seen.cancel_calls}" if seen else ""
