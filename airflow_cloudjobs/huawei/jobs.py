# SPDX-License-Identifier: Apache-2.0
"""Any job API of Huawei Cloud that is data, from a DAG: see docs/declare-an-api.md."""

from __future__ import annotations

from airflow_cloudjobs.declared import DeclaredOperator, DeclaredSensor
from airflow_cloudjobs.huawei.base import TEMPLATED, HuaweiOperator, HuaweiSensor


class HuaweiJobOperator(DeclaredOperator, HuaweiOperator):
    """Submit a job of any API of Huawei Cloud, and wait for its end.

    For the parameters see :class:`~airflow_cloudjobs.declared.DeclaredOperator`.
    """

    cloud = "huawei"
    template_fields = ("parameters", "key", *TEMPLATED)


class HuaweiJobSensor(DeclaredSensor, HuaweiSensor):
    """Wait for jobs of any API of Huawei Cloud.

    For the parameters see :class:`~airflow_cloudjobs.declared.DeclaredSensor`.
    """

    cloud = "huawei"
    template_fields = ("parameters", "key", *TEMPLATED)
