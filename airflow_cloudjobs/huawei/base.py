# SPDX-License-Identifier: Apache-2.0
"""Operators and sensors of Huawei Cloud: the connection they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_cloudjobs.former import former_names
from airflow_cloudjobs.operator import CloudJobOperator
from airflow_cloudjobs.sensor import CloudJobSensor

CONNECTION = "huaweicloud_default"
TEMPLATED = ("huaweicloud_conn_id", "region", "endpoint")


class HuaweiOperator(CloudJobOperator):
    """An operator on Huawei Cloud.

    :param huaweicloud_conn_id: the Airflow connection; default ``huaweicloud_default``.
    """

    template_fields: Sequence[str] = TEMPLATED

    def __init__(self, *, huaweicloud_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.huaweicloud_conn_id = huaweicloud_conn_id


class HuaweiSensor(CloudJobSensor):
    """A sensor on Huawei Cloud.

    :param huaweicloud_conn_id: the Airflow connection; default ``huaweicloud_default``.
    """

    template_fields: Sequence[str] = TEMPLATED

    def __init__(self, *, huaweicloud_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.huaweicloud_conn_id = huaweicloud_conn_id


__getattr__ = former_names(__name__, {"HuaweiJobOperator": HuaweiOperator, "HuaweiJobSensor": HuaweiSensor})
