# SPDX-License-Identifier: Apache-2.0
"""Operators and sensors of Alibaba Cloud: the connection they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_cloudjobs.former import former_names
from airflow_cloudjobs.operator import CloudJobOperator
from airflow_cloudjobs.sensor import CloudJobSensor

CONNECTION = "alibabacloud_default"
TEMPLATED = ("alibabacloud_conn_id", "region", "endpoint")


class AlibabaOperator(CloudJobOperator):
    """An operator on Alibaba Cloud.

    :param alibabacloud_conn_id: the Airflow connection; default ``alibabacloud_default``.
    """

    template_fields: Sequence[str] = TEMPLATED

    def __init__(self, *, alibabacloud_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alibabacloud_conn_id = alibabacloud_conn_id


class AlibabaSensor(CloudJobSensor):
    """A sensor on Alibaba Cloud.

    :param alibabacloud_conn_id: the Airflow connection; default ``alibabacloud_default``.
    """

    template_fields: Sequence[str] = TEMPLATED

    def __init__(self, *, alibabacloud_conn_id: str = CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alibabacloud_conn_id = alibabacloud_conn_id


__getattr__ = former_names(__name__, {"AlibabaJobOperator": AlibabaOperator, "AlibabaJobSensor": AlibabaSensor})
