# SPDX-License-Identifier: Apache-2.0
"""What can be called: an operation of a service. It knows no request, so that faults and statistics can use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from airflow_cloudjobs.localcloud.accounts import Cloud
from airflow_cloudjobs.localcloud.answers import Answer

Kind = Literal["submit", "poll", "cancel", "read", "login"]
#: What a handler is given: the request on its way.
Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Operation(Generic[Asked]):
    """One operation of one service.

    :param cloud: ``alibaba`` or ``huawei``.
    :param service: ``dms``, ``metadata``, ``credentials-uri``, or the vendor's name of any other.
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
    handler: Callable[[Asked], Answer]
    api: str = ""
    signed: bool = True
