# SPDX-License-Identifier: Apache-2.0
"""The Huawei Cloud hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.connection.form import field_behaviour, form_widgets
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.huawei.fields import FIELDS
from airflow_cloudjobs.huawei.settings import HuaweiSettings, huawei_settings
from airflow_cloudjobs.jobs.request import ApiRequest

if TYPE_CHECKING:
    from airflow_cloudjobs.transport.flow import CloudClient


class HuaweiCloudHook(CloudHook):
    """Calls any API of Huawei Cloud, signed with SDK-HMAC-SHA256 or by an IAM token.

    :param huaweicloud_conn_id: the Airflow connection; one of the huawei provider's layout works too.
    :param region: region id, e.g. ``cn-north-4``; None takes the connection's.
    :param endpoint: address of all services but that of the login, e.g. of a VPC; None takes the connection's.
    """

    cloud = "huawei"
    conn_name_attr = "huaweicloud_conn_id"
    default_conn_name = "huaweicloud_default"
    conn_type = "huawei_cloudjobs"
    hook_name = "Huawei Cloud (cloudjobs)"

    def __init__(
        self, huaweicloud_conn_id: str = default_conn_name, region: str | None = None, endpoint: str | None = None
    ) -> None:
        super().__init__(huaweicloud_conn_id, region, endpoint)

    @classmethod
    def read_settings(cls, fields: ConnectionFields, region: str | None = None) -> HuaweiSettings:
        """The connection, checked."""
        return huawei_settings(fields, region)

    @classmethod
    def make_client(cls, settings: Any) -> CloudClient:
        """A client with the vendor's signer."""
        from airflow_cloudjobs.huawei.client import HuaweiClient

        return HuaweiClient(settings)

    def probes(self) -> Mapping[str, ApiRequest]:
        """ListQueues of DLI and ListJobs of DRS: read-only and light."""
        return {
            "DLI": ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", idempotent=True),
            "DRS": ApiRequest(
                "drs",
                "ListJobs",
                "GET",
                "/v5/{project_id}/jobs",
                {"job_type": "sync", "limit": "1"},
                idempotent=True,
            ),
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's fields for Airflow before 3.2; later ones read them from the provider's metadata."""
        return form_widgets(FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The form's labels for Airflow before 3.2; later ones read them from the provider's metadata."""
        return field_behaviour(FIELDS)
