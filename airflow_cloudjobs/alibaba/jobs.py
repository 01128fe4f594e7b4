# SPDX-License-Identifier: Apache-2.0
"""Any job API of Alibaba Cloud that is data, from a DAG: see docs/declare-an-api.md."""

from __future__ import annotations

from airflow_cloudjobs.alibaba.base import TEMPLATED, AlibabaOperator, AlibabaSensor
from airflow_cloudjobs.declared import DeclaredOperator, DeclaredSensor


class AlibabaJobOperator(DeclaredOperator, AlibabaOperator):
    """Submit a job of any API of Alibaba Cloud, and wait for its end.

    For the parameters see :class:`~airflow_cloudjobs.declared.DeclaredOperator`.
    """

    cloud = "alibaba"
    template_fields = ("parameters", "key", *TEMPLATED)


class AlibabaJobSensor(DeclaredSensor, AlibabaSensor):
    """Wait for jobs of any API of Alibaba Cloud.

    For the parameters see :class:`~airflow_cloudjobs.declared.DeclaredSensor`.
    """

    cloud = "alibaba"
    template_fields = ("parameters", "key", *TEMPLATED)
