# SPDX-License-Identifier: Apache-2.0
"""What the job APIs of the REST services share: how a job is submitted, found again and cancelled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.huawei.rest import json_object
from airflow_cloudjobs.localcloud.jobs import Job, Script
from airflow_cloudjobs.localcloud.operation import Kind, Operation

Route = tuple[str, str, Operation[Call]]


@dataclass(frozen=True, slots=True)
class KeptJobs:
    """The jobs of one API.

    A job belongs to what its submit's path names (project, cluster, job name); one that the control API made without
    such fields belongs to whatever is asked for.

    :param api: id of the API.
    :param service: the vendor's name of the service.
    :param bad: the service's error code for a bad parameter.
    :param unknown: the same for a job that does not exist.
    :param late: the same for the cancel of a job that has ended.
    :param unknown_status: the HTTP status for a job that does not exist.
    """

    api: str
    service: str
    bad: str
    unknown: str
    late: str
    unknown_status: int = 400

    def route(self, method: str, path: str, name: str, kind: Kind, handler: Callable[[Call], Answer]) -> Route:
        """A line of a table of routes.

        :param method: HTTP method.
        :param path: path with variables in braces.
        :param name: the vendor's name of the operation.
        :param kind: what it does to a job.
        :param handler: carries it out.
        """
        return method, path, Operation("huawei", self.service, name, kind, handler, self.api)

    def body(self, call: Call, **required: type) -> dict[str, Any]:
        """The JSON body of a call.

        :param call: the call.
        :param required: fields that have to be there and not empty, each with its type.
        :raises Refused: no JSON object, or a field that is missing or of another type.
        """
        body = json_object(call, self.bad) if call.received.body else {}
        for name, kind in required.items():
            if not body.get(name) or not isinstance(body[name], kind):
                raise self.refused(f"The parameter {name} is missing or invalid.")
        return body

    def refused(self, message: str) -> Refused:
        """The refusal of a bad parameter.

        :param message: what is wrong.
        """
        return Refused(400, self.bad, message)

    def script(self, call: Call) -> Script:
        """The life that a new job gets by the body and, for marks only, the path of its submit.

        :param call: the submit.
        """
        body = call.received.body.decode(errors="replace")
        return call.state.script(self.api, body, " ".join(call.path.values()))

    def submit(self, call: Call, key: str, fields: Mapping[str, Any], script: Script | None = None) -> Job:
        """Start a job.

        :param call: the submit.
        :param key: the job's key.
        :param fields: what it was submitted with; what the path names is added.
        :param script: its life, if it is not that of :meth:`script`.
        """
        call.keys.append(key)
        return call.state.submit(self.api, key, {**fields, **call.path}, script or self.script(call))

    def number(self, call: Call, first: int) -> str:
        """A key for a new job of an API whose keys are numbers.

        :param call: the submit.
        :param first: the smallest one.
        """
        number = first + call.state.stats.submits[self.api]
        while call.state.jobs.get(self.api, str(number)) is not None:
            number += 1
        return str(number)

    def all(self, call: Call, **wanted: str) -> list[Job]:
        """The jobs that belong to what the path names, oldest first.

        :param call: the call.
        :param wanted: further fields and their values.
        """
        return [job for job in call.state.jobs.of(self.api) if job.fits({**call.path, **wanted})]

    def find(self, call: Call, key: str, **wanted: str) -> Job:
        """The job of a key, which has to belong to what the path names.

        :param call: the call.
        :param key: the key.
        :param wanted: further fields and their values.
        :raises Refused: there is none.
        """
        job = self.get(call, key, **wanted)
        if job is None:
            raise Refused(self.unknown_status, self.unknown, f"The job {key} does not exist.")
        return job

    def get(self, call: Call, key: str, **wanted: str) -> Job | None:
        """The same, or None.

        :param call: the call.
        :param key: the key.
        :param wanted: further fields and their values.
        """
        call.keys.append(key)
        job = call.state.jobs.get(self.api, key)
        return job if job is not None and job.fits({**call.path, **wanted}) else None

    def cancel(self, call: Call, job: Job, *, reason: str = "", code: str = "") -> None:
        """Cancel a job, which shows it a moment later.

        :param call: the call.
        :param job: the job.
        :param reason: what the API says of a cancelled job.
        :param code: the same as an error code.
        :raises Refused: it has ended.
        """
        if job.ended(call.now):
            raise Refused(400, self.late, f"The job {job.key} has ended and cannot be cancelled.")
        call.state.cancel(job, reason, code)


def reason(call: Call, job: Job) -> str:
    """What the API says about the end of a job; empty before it.

    :param call: the call.
    :param job: the job.
    """
    return job.script.reason if job.ended(call.now) else ""


def milliseconds(moment: float) -> int:
    """A moment or a time as the services write it.

    :param moment: in seconds.
    """
    return int(moment * 1000)


def only(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Some fields of an object, those that are there.

    :param fields: the object.
    :param names: their names.
    """
    return {name: fields[name] for name in names if name in fields}
