# SPDX-License-Identifier: Apache-2.0
"""One request on its way through a cloud: what is called, with what, and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.state import State


@dataclass(slots=True)
class Received:
    """A request as it came over the transport.

    :param method: HTTP method.
    :param path: path as sent, percent-encoding included.
    :param query: decoded query parameters in their order.
    :param headers: values by lower-case name.
    :param body: the body.
    :param base_url: scheme and host the client used.
    :param request_id: 32 hexadecimal digits.
    """

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, Sequence[str]]
    body: bytes
    base_url: str
    request_id: str

    def header(self, name: str) -> str:
        """The first value of a header, empty if there is none.

        :param name: lower-case name.
        """
        values = self.headers.get(name)
        return values[0] if values else ""


@dataclass(frozen=True, slots=True)
class Forced:
    """A raw status to show instead of a job's own.

    :param status: the status; None is one as well, and shown as the API shows that there is none.
    """

    status: Any


@dataclass(slots=True)
class Call:
    """A request whose operation is known.

    :param received: the request.
    :param state: the state of the clouds.
    :param parameters: Alibaba Cloud's business parameters, or the query parameters of a Huawei Cloud request.
    :param path: the variables in the path.
    :param keys: keys of the jobs it is about, for the statistics; the handler adds them.
    :param forced: what a fault makes the answer show, if one does.
    """

    received: Received
    state: State
    parameters: Mapping[str, str]
    path: Mapping[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    forced: Forced | None = None

    @property
    def now(self) -> float:
        """Real time, by which jobs move."""
        return self.state.clock.now()

    def status(self, job: Job, now: float) -> Any:
        """The raw status to show for a job.

        :param job: the job asked about.
        :param now: the moment of which the whole answer tells.
        """
        return job.status(now) if self.forced is None else self.forced.status
