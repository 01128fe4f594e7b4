# SPDX-License-Identifier: Apache-2.0
"""The Alibaba Cloud hook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.alibaba.fields import FIELDS
from airflow_cloudjobs.alibaba.settings import AlibabaSettings, alibaba_settings
from airflow_cloudjobs.connection.form import field_behaviour, form_widgets
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.hook import CloudHook
from airflow_cloudjobs.jobs.request import ApiRequest

if TYPE_CHECKING:
    from airflow_cloudjobs.transport.flow import CloudClient


class AlibabaCloudHook(CloudHook):
    """Calls any API of Alibaba Cloud, signed with V3 (ACS3-HMAC-SHA256).

    :param alibabacloud_conn_id: the Airflow connection; one of the alibaba provider's layout works too.
    :param region: region id, e.g. ``cn-shanghai``; None takes the connection's.
    :param endpoint: address of all services but that of the login, e.g. of a VPC; None takes the connection's.
    """

    cloud = "alibaba"
    conn_name_attr = "alibabacloud_conn_id"
    default_conn_name = "alibabacloud_default"
    conn_type = "alibaba_cloudjobs"
    hook_name = "Alibaba Cloud (cloudjobs)"

    def __init__(
        self, alibabacloud_conn_id: str = default_conn_name, region: str | None = None, endpoint: str | None = None
    ) -> None:
        super().__init__(alibabacloud_conn_id, region, endpoint)

    @classmethod
    def read_settings(cls, fields: ConnectionFields, region: str | None = None) -> AlibabaSettings:
        """The connection, checked."""
        return alibaba_settings(fields, region)

    @classmethod
    def make_client(cls, settings: Any) -> CloudClient:
        """A client with the vendor's signer."""
        from airflow_cloudjobs.alibaba.client import AlibabaClient

        return AlibabaClient(settings)

    def probes(self) -> Mapping[str, ApiRequest]:
        """ListUserTenants of DMS and GetStorageList of ICE: read-only, without parameters."""
        return {
            "DMS": ApiRequest("dms-enterprise", "ListUserTenants", idempotent=True),
            "ICE": ApiRequest("ice", "GetStorageList", idempotent=True),
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """The form's fields for Airflow before 3.2; later ones read them from the provider's metadata."""
        return form_widgets(FIELDS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """The form's labels for Airflow before 3.2; later ones read them from the provider's metadata."""
        return field_behaviour(FIELDS)
