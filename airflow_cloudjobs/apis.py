# SPDX-License-Identifier: Apache-2.0
"""All job APIs by their public id, and the hook of each cloud. Nothing is imported before it is asked for."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_cloudjobs.hook import CloudHook
    from airflow_cloudjobs.jobs.spec import JobSpec

SPECS = {
    "dms.file_upload": "airflow_cloudjobs.alibaba.dms:FILE_UPLOAD",
    "dms.data_track_export": "airflow_cloudjobs.alibaba.dms:DATA_TRACK_EXPORT",
    "ice.url_upload": "airflow_cloudjobs.alibaba.ice:URL_UPLOAD",
    "dli.sql_job": "airflow_cloudjobs.huawei.dli:SQL_JOB",
    "drs.object_template": "airflow_cloudjobs.huawei.drs:OBJECT_TEMPLATE",
}

HOOKS = {
    "alibaba": "airflow_cloudjobs.alibaba.hook:AlibabaCloudHook",
    "huawei": "airflow_cloudjobs.huawei.hook:HuaweiCloudHook",
}


def spec_of(api: str) -> JobSpec:
    """The spec of an API.

    :param api: its public id.
    :raises ValueError: naming the ids there are.
    """
    if api not in SPECS:
        raise ValueError(f"there is no API {api!r}; known are {', '.join(SPECS)}")
    spec: JobSpec = _load(SPECS[api])
    return spec


def is_registered(spec: JobSpec) -> bool:
    """True if a trigger that is given the API's id finds this very spec."""
    module, _, name = SPECS.get(spec.api, "").partition(":")
    return getattr(sys.modules.get(module), name, None) is spec


def hook_class_of(cloud: str) -> type[CloudHook]:
    """The hook of a cloud."""
    hook: type[CloudHook] = _load(HOOKS[cloud])
    return hook


def _load(place: str):  # type: ignore[no-untyped-def]  # whatever stands there
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
