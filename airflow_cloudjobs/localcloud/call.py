# SPDX-License-Identifier: Apache-2.0
"""One request on its way through a cloud: what is called, with what, and by whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from airflow_cloudjobs.localcloud.accounts import Cloud
    from airflow_cloudjobs.localcloud.answers import Answer
    from airflow_cloudjobs.localcloud.jobs import Job
    from airflow_cloudjobs.localcloud.state import State

Kind = Literal["submit", "poll", "cancel", "read", "login"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one service.

    :param cloud: ``alibaba`` or ``huawei``.
    :param service: ``dms``, ``ice``, ``sts``, ``oss``, ``dli``, ``drs``, ``iam``, ``metadata`` or
        ``credentials-uri``.
    :param name: the vendor's name of the operation.
    :param kind: what it does to a job.
    :param handler: carries it out.
    :param api: id of the job API it belongs to, if any.
    :param signed: False if Alibaba Cloud lets anybody call it; Huawei Cloud lets anybody call a ``login``.
    """

    cloud: Cloud
    service: str
    name: str
    kind: Kind
    handler: Callable[[Call], Answer]
    api: str = ""
    signed: bool = True


@dataclass(slots=True)
class Received:
    """A request as it came over the wire.

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


@dataclass(slots=True)
class Call:
    """A request whose operation is known.

    :param received: the request.
    :param state: the state of the clouds.
    :param parameters: Alibaba Cloud's business parameters, or the query parameters of a Huawei Cloud request.
    :param path: the variables in the path.
    :param keys: keys of the jobs it is about, for the statistics; the handler adds them.
    :param forced: a raw status to show instead of the job's own, as a list of one; empty if there is none.
    """

    received: Received
    state: State
    parameters: Mapping[str, str]
    path: Mapping[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    forced: list[Any] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Real time, by which jobs move."""
        return self.state.clock.now()

    def status(self, job: Job, now: float) -> Any:
        """The raw status to show for a job.

        :param job: the job asked about.
        :param now: the moment of which the whole answer tells.
        """
        return self.forced[0] if self.forced else job.status(now)
