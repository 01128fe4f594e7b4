# SPDX-License-Identifier: Apache-2.0
"""The matrix: which task, on which job, in which mode, and what Airflow shall make of it.

A case is data, so that the DAG files that run it and the tests that judge it say the same. A sensor's job is
made beforehand and goes on for ever until somebody has looked at it; then it gets its script. So every wait
looks at least twice, however long Airflow takes to begin it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from support.catalogue_cases import SHAPES, Served
from support.jobapis import APIS, DLI, DMS_UPLOAD, DRS, ICE, MODES, JobApi

NOWHERE = "no-such-job"

SECRET_VARIABLE = "secret_parameter"
"""Airflow's variable that the secret parameters of the catalogue's APIs are from."""

#: Seconds to wait for a job that never ends; enough for a first look on a busy machine.
TIME_LIMIT = 15.0

#: Seconds from the first look at a job to its end. Also the pause that is asked for in reschedule mode, which is too
#: short for Airflow (``compat.EVENT_HOLD``), so that the sensor makes a longer one.
REST = 6.0

#: end -> (how the script of the job is called, the state of the task)
ENDS: Mapping[str, tuple[str | None, str]] = {
    "succeeded": ("success", "success"),
    "failed": ("fail", "failed"),
    "cancelled": ("cancelled", "failed"),
    "unknown status": ("unknown", "failed"),
    "unknown key": (None, "failed"),
    "timeout": ("forever", "failed"),
}


@dataclass(frozen=True)
class Case:
    """One task of the matrix.

    :param dag: the DAG it is in.
    :param api: the API.
    :param mode: one of ``MODES``.
    :param end: how the job ends, one of ``ENDS``.
    :param flag: ``soft_fail`` or ``never_fail`` if the sensor skips instead of failing.
    """

    dag: str
    api: JobApi | Served
    mode: str
    end: str
    flag: str = ""
    arguments: dict[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return self.task_id

    @property
    def kind(self) -> str:
        """``operator`` or ``sensor``."""
        return MODES[self.mode][0]

    @property
    def cls(self) -> type[Any]:
        """The class of the task."""
        return self.api.operator if self.kind == "operator" else self.api.sensor

    @property
    def name(self) -> str:
        """The class's name, or the API's id where the class is one for all APIs."""
        return self.api.api if isinstance(self.api, Served) else self.cls.__name__

    @property
    def task_id(self) -> str:
        """Names the case."""
        words = f"{self.api.api} {self.mode} {self.end} {self.flag}".split()
        return "_".join(words).replace(".", "_").replace("-", "_")

    @property
    def key(self) -> str:
        """The job that the task finds, or the DRS task that it uploads to."""
        return NOWHERE if self.end == "unknown key" else f"{self.dag}-{self.task_id}"

    @property
    def state(self) -> str:
        """The state that the task shall have in the end."""
        state = ENDS[self.end][1]
        return "skipped" if state == "failed" and self.flag else state

    @property
    def submits(self) -> bool:
        """Whether the task makes the job."""
        return self.kind == "operator" and (self.end != "unknown key" or self.api is DRS)

    @property
    def ends_by(self) -> str | None:
        """The script that a job made beforehand gets once it was looked at; None if there is no such job."""
        script = ENDS[self.end][0]
        return None if self.submits or script is None else script

    @property
    def drs_task(self) -> str:
        """The DRS task that has to be there before the job; empty if none has."""
        if not self.submits or self.key == NOWHERE:
            return ""
        job = self._job("")
        return str(job.get("parameters", job).get("job_id", ""))

    def kwargs(self, folder: str) -> dict[str, Any]:
        """The arguments of the class, as a DAG file has them.

        :param folder: where the files are that DRS gets.
        """
        kwargs = {"task_id": self.task_id, **MODES[self.mode][1], **self._job(folder)}
        limit = TIME_LIMIT if self.end == "timeout" else 200
        # A status that nobody knows is waited out for ten intervals.
        pause = 0.3 if self.end == "unknown status" else 1.0
        if self.kind == "operator":
            kwargs |= {"poll_interval": pause, "wait_timeout": limit}
        else:
            kwargs |= {"poke_interval": REST if self.mode == "reschedule" else pause, "timeout": limit}
        return kwargs | ({self.flag: True} if self.flag else {})

    def _job(self, folder: str) -> dict[str, Any]:
        if not self.submits:
            return self.api.waiting(self.key)
        mark = f"localcloud={ENDS[self.end][0] or 'success'}"
        if isinstance(self.api, Served):
            return self.api.submitting(mark, f"{self.key}-{mark}", f"{{{{ var.value.{SECRET_VARIABLE} }}}}")
        new = self.api.submitting(self.key, f"{folder}/{mark}.json")
        for name in ("upload_url", "upload_urls"):
            if name in new:
                new[name] = f"{new[name]}?{mark}"
        if "sql" in new:
            new["sql"] = f"{new['sql']} -- {mark}"
        if "rollback_sql_type" in new:
            new["filter_table_list"] = [mark]
        return new


def _cases() -> list[Case]:
    cases = [Case("ends", api, mode, end) for api in APIS for mode in MODES for end in ("succeeded", "failed")]
    cases += [Case("ends", DLI, mode, "cancelled") for mode in MODES]
    for end in ("unknown status", "unknown key", "timeout"):
        cases += [Case("doubts", api, mode, end) for api in (DMS_UPLOAD, DLI) for mode in MODES]
        cases += [Case("doubts", api, mode, end) for api in (ICE, DRS) for mode in ("deferrable", "poke")]
    sensors = [mode for mode, (kind, _) in MODES.items() if kind == "sensor"]
    for flag in ("soft_fail", "never_fail"):
        for end in ("failed", "unknown key", "timeout"):
            cases += [Case("skips", DLI, mode, end, flag) for mode in sensors]
    cases += [Case("catalogue", row, "deferrable", end) for row in SHAPES for end in ("succeeded", "failed")]
    return cases


CASES = _cases()
