# SPDX-License-Identifier: Apache-2.0
"""All job APIs by their public id, and the hook of each cloud. Nothing is imported before it is asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_cloudjobs.hook import CloudHook
    from airflow_cloudjobs.jobs.job_api import JobApi
    from airflow_cloudjobs.jobs.spec import JobSpec

SPECS = {
    "dms.file_upload": "airflow_cloudjobs.alibaba.dms:FILE_UPLOAD",
    "dms.data_track_export": "airflow_cloudjobs.alibaba.dms:DATA_TRACK_EXPORT",
    "ice.url_upload": "airflow_cloudjobs.alibaba.ice:URL_UPLOAD",
    "dli.sql_job": "airflow_cloudjobs.huawei.dli:SQL_JOB",
    "drs.object_template": "airflow_cloudjobs.huawei.drs:OBJECT_TEMPLATE",
}

CATALOGUE = {
    "emr.spark_job": "airflow_cloudjobs.catalogue.alibaba:EMR_SPARK_JOB",
    "adb.spark_app": "airflow_cloudjobs.catalogue.alibaba:ADB_SPARK_APP",
    "dataworks.adhoc_workflow": "airflow_cloudjobs.catalogue.alibaba:DATAWORKS_ADHOC_WORKFLOW",
    "maxcompute.job": "airflow_cloudjobs.catalogue.alibaba:MAXCOMPUTE_JOB",
    "ecs.command": "airflow_cloudjobs.catalogue.alibaba:ECS_COMMAND",
    "oos.execution": "airflow_cloudjobs.catalogue.alibaba:OOS_EXECUTION",
    "fc.async_task": "airflow_cloudjobs.catalogue.alibaba:FC_ASYNC_TASK",
    "flink.job": "airflow_cloudjobs.catalogue.alibaba:FLINK_JOB",
    "mps.transcode": "airflow_cloudjobs.catalogue.alibaba:MPS_TRANSCODE",
    "ice.media_producing": "airflow_cloudjobs.catalogue.alibaba:ICE_MEDIA_PRODUCING",
    "imm.media_convert": "airflow_cloudjobs.catalogue.alibaba:IMM_MEDIA_CONVERT",
    "green.video": "airflow_cloudjobs.catalogue.alibaba:GREEN_VIDEO",
    "dli.spark_batch": "airflow_cloudjobs.catalogue.huawei:DLI_SPARK_BATCH",
    "mrs.job": "airflow_cloudjobs.catalogue.huawei:MRS_JOB",
    "mrs.sql": "airflow_cloudjobs.catalogue.huawei:MRS_SQL",
    "cdm.job": "airflow_cloudjobs.catalogue.huawei:CDM_JOB",
    "dataarts.job": "airflow_cloudjobs.catalogue.huawei:DATAARTS_JOB",
    "dataarts.script": "airflow_cloudjobs.catalogue.huawei:DATAARTS_SCRIPT",
    "modelarts.training": "airflow_cloudjobs.catalogue.huawei:MODELARTS_TRAINING",
    "modelarts.workflow": "airflow_cloudjobs.catalogue.huawei:MODELARTS_WORKFLOW",
    "functiongraph.async": "airflow_cloudjobs.catalogue.huawei:FUNCTIONGRAPH_ASYNC",
    "drs.migration": "airflow_cloudjobs.catalogue.huawei:DRS_MIGRATION",
    "oms.task": "airflow_cloudjobs.catalogue.huawei:OMS_TASK",
    "dws.job": "airflow_cloudjobs.catalogue.huawei:DWS_JOB",
    "mpc.transcode": "airflow_cloudjobs.catalogue.huawei:MPC_TRANSCODE",
}
"""The APIs that are data and come with the package; they are used through the classes of ``alibaba.jobs`` and
``huawei.jobs``."""

KNOWN = (*SPECS, *CATALOGUE)
"""The ids of all."""

HOOKS = {
    "alibaba": "airflow_cloudjobs.alibaba.hook:AlibabaCloudHook",
    "huawei": "airflow_cloudjobs.huawei.hook:HuaweiCloudHook",
}


def spec_of(api: str | Mapping[str, Any]) -> JobSpec:
    """The spec of an API.

    :param api: its public id, or a :class:`~airflow_cloudjobs.jobs.job_api.JobApi` as JSON values.
    :raises ValueError: naming the ids there are, or what is wrong with the API.
    """
    if isinstance(api, str) and api in SPECS:
        spec: JobSpec = _load(SPECS[api])
        return spec
    from airflow_cloudjobs.jobs.compiled import compiled  # which not every process needs

    return compiled(declared_api(api)) if isinstance(api, str) else _own_spec(json.dumps(api, sort_keys=True))


@lru_cache(maxsize=256)
def _own_spec(text: str) -> JobSpec:
    """The spec of a DAG's own API; a thousand waits for its jobs check it once."""
    from airflow_cloudjobs.jobs.compiled import compiled
    from airflow_cloudjobs.jobs.job_api import JobApi

    return compiled(JobApi.from_json(text))


def declared_api(api: str) -> JobApi:
    """An API of the catalogue, as data.

    :param api: its public id.
    :raises ValueError: naming the ids there are.
    """
    if api not in CATALOGUE:
        raise ValueError(f"there is no API {api!r}; known are {', '.join(KNOWN)}")
    found: JobApi = _load(CATALOGUE[api])
    return found


def stored_form(api: JobApi) -> str | dict[str, Any]:
    """An API as a trigger's row holds it: the id of one in the catalogue, so that it is corrected there for waits under
    way too, and whole if it is a DAG's own."""
    return api.api if api.api in CATALOGUE and declared_api(api.api) == api else api.as_dict()


def is_registered(spec: JobSpec) -> bool:
    """True if a trigger that is given the API's id finds this very spec."""
    module, _, name = SPECS.get(spec.api, "").partition(":")
    return getattr(sys.modules.get(module), name, None) is spec


def hook_class_of(cloud: str) -> type[CloudHook]:
    """The hook of a cloud."""
    hook: type[CloudHook] = _load(HOOKS[cloud])
    return hook


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
