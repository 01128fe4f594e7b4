# SPDX-License-Identifier: Apache-2.0
"""What Airflow reads of this provider (entry point ``apache_airflow_provider``)."""

from __future__ import annotations

from typing import Any

from airflow_cloudjobs import __version__
from airflow_cloudjobs.connection.fields import table_of
from airflow_cloudjobs.connection.form import conn_fields, field_behaviour
from airflow_cloudjobs.jobs.limit import MAX_XCOM_BYTES

_STATE_PATH = (
    "Where Airflow before 3.3 remembers what a task has submitted, so that a retry after a crash goes on with the job "
    "instead of submitting another: a folder that all workers share, as an absolute path, or one in an object store, "
    "as ObjectStoragePath takes it. A local folder must exist. Each Airflow needs one of its own. Nobody deletes old "
    "files: have those removed (by a lifecycle rule) that are older than the longest time from a submit to the task's "
    "last retry, 30 days at least. Empty: nothing is remembered. Not used on Airflow 3.3 and later, which has a store "
    "of its own."
)

_SHOW_SQL = (
    "True: rendered fields show the SQL of tasks, with what Airflow masks in it. False: its first word, length and "
    "hash only. A task's argument show_sql goes before it."
)

_MAX_XCOM_BYTES = (
    "The most bytes, as JSON in UTF-8, of a task's result in XCom. A longer one is cut where it is longest; its field "
    "'cut' and the task's log name what was. Keys, statuses and request ids are never cut, so a list of very many "
    "jobs may take more. A whole number from 1024 on."
)

_PRODUCTS = {
    "Alibaba Cloud DMS": "airflow_cloudjobs.alibaba.dms",
    "Alibaba Cloud ICE": "airflow_cloudjobs.alibaba.ice",
    "Huawei Cloud DLI": "airflow_cloudjobs.huawei.dli",
    "Huawei Cloud DRS": "airflow_cloudjobs.huawei.drs",
}
_HOOKS = {
    "Alibaba Cloud": "airflow_cloudjobs.alibaba.hook",
    "Huawei Cloud": "airflow_cloudjobs.huawei.hook",
    "Huawei Cloud DLI": "airflow_cloudjobs.huawei.sql",
}


def get_provider_info() -> dict[str, Any]:
    """The provider's metadata, as Airflow's ``provider_info.schema.json`` has it."""
    products = [{"integration-name": name, "python-modules": [module]} for name, module in _PRODUCTS.items()]
    return {
        "package-name": "airflow-provider-cloudjobs",
        "name": "Cloud jobs",
        "description": "Submit jobs to Alibaba Cloud and Huawei Cloud and wait for their real end, deferrable.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": name, "external-doc-url": url, "tags": ["service"]}
            for name, url in (
                ("Alibaba Cloud", "https://www.alibabacloud.com"),
                ("Alibaba Cloud DMS", "https://www.alibabacloud.com/help/en/dms/"),
                ("Alibaba Cloud ICE", "https://www.alibabacloud.com/help/en/ims/"),
                ("Huawei Cloud", "https://www.huaweicloud.com/intl/en-us/"),
                ("Huawei Cloud DLI", "https://support.huaweicloud.com/intl/en-us/dli/"),
                ("Huawei Cloud DRS", "https://support.huaweicloud.com/intl/en-us/drs/"),
            )
        ],
        "operators": products,
        "sensors": products,
        "hooks": [{"integration-name": name, "python-modules": [module]} for name, module in _HOOKS.items()],
        "triggers": [{"integration-name": name, "python-modules": ["airflow_cloudjobs.trigger"]} for name in _PRODUCTS],
        "extra-links": ["airflow_cloudjobs.links.CloudConsoleLink"],
        "connection-types": [
            _connection_type("alibaba_cloudjobs", "alibaba.hook.AlibabaCloudHook", "Alibaba Cloud (cloudjobs)"),
            _connection_type("huawei_cloudjobs", "huawei.hook.HuaweiCloudHook", "Huawei Cloud (cloudjobs)"),
            _connection_type("huawei_dli", "huawei.sql.DliHook", "Huawei Cloud DLI SQL (cloudjobs)"),
        ],
        "config": {
            "cloudjobs": {
                "description": "Tasks of airflow-provider-cloudjobs.",
                "options": {
                    "state_path": {
                        "description": _STATE_PATH,
                        "version_added": "0.2.0",
                        "type": "string",
                        "example": "s3://aws_default@bucket/airflow/cloudjobs",
                        "default": "",
                    },
                    "show_sql": {
                        "description": _SHOW_SQL,
                        "version_added": "0.2.0",
                        "type": "boolean",
                        "example": None,
                        "default": "False",
                    },
                    "max_xcom_bytes": {
                        "description": _MAX_XCOM_BYTES,
                        "version_added": "0.2.0",
                        "type": "integer",
                        "example": None,
                        "default": str(MAX_XCOM_BYTES),
                    },
                },
            }
        },
    }


def _connection_type(conn_type: str, hook: str, name: str) -> dict[str, Any]:
    table = table_of(hook.partition(".")[0]).of_type(conn_type)
    return {
        "connection-type": conn_type,
        "hook-class-name": f"airflow_cloudjobs.{hook}",
        "hook-name": name,
        "conn-fields": conn_fields(table),
        # In metadata the names have hyphens.
        "ui-field-behaviour": {name.replace("_", "-"): value for name, value in field_behaviour(table).items()},
    }
