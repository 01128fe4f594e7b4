# SPDX-License-Identifier: Apache-2.0
"""The APIs of the catalogue that the local clouds serve: what a task of each is given. The API says all else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_cloudjobs.alibaba.jobs import AlibabaJobOperator, AlibabaJobSensor
from airflow_cloudjobs.apis import declared_api
from airflow_cloudjobs.huawei.jobs import HuaweiJobOperator, HuaweiJobSensor
from airflow_cloudjobs.jobs.job_api import JobApi
from airflow_cloudjobs.localcloud.accounts import DEFAULT_ALIBABA_REGION, DEFAULT_HUAWEI_REGION
from airflow_cloudjobs.localcloud.scripts import VOCABULARIES
from airflow_cloudjobs.localcloud.vocabulary import Vocabulary

SECRET = "select_iban_of_everybody"
"""What stands in every parameter that is secret by its API."""

REGION_OF = {"alibaba": DEFAULT_ALIBABA_REGION, "huawei": DEFAULT_HUAWEI_REGION}
"""The regions of the connections to the local clouds."""

REASON = "disk full on node 7"
"""Why a job of ``Served.life`` fails."""

ENDS = ("succeeded", "failed", "cancelled", "unknown status", "unknown key", "time out")

GONE = "no job"
REFUSED = "refused"
FAILED = "a failure"
"""What the cloud's answer about a job that does not exist comes to: that there is none, a refusal in a code that no
table has, or a failure, where the API says both in the same words."""


@dataclass(frozen=True)
class Served:
    """One API of the catalogue.

    :param api: its id.
    :param new: the parameters of a submit, in which ``{mark}``, ``{key}`` and ``{secret}`` are filled in.
    :param success: the words of success.
    :param bad: parameters of it that the cloud does not take, and says so in a 200; empty if it has no such answer.
    :param nobody: what is answered about a job that does not exist: ``GONE``, ``REFUSED`` or ``FAILED``.
    :param reason: whether the API says why a job failed.
    :param cancels_in: the only status in which a job can be cancelled; empty if it can in each.
    """

    api: str
    new: Mapping[str, Any]
    success: str
    bad: Mapping[str, Any] | None = None
    nobody: str = GONE
    reason: bool = True
    cancels_in: str = ""

    def __str__(self) -> str:
        return self.api

    @cached_property
    def declared(self) -> JobApi:
        """The entry of the catalogue."""
        return declared_api(self.api)

    @property
    def words(self) -> Vocabulary:
        """The words in which the local cloud tells of its jobs."""
        return VOCABULARIES[self.api]

    @property
    def operator(self) -> Callable[..., Any]:
        """The class that submits."""
        return AlibabaJobOperator if self.declared.cloud == "alibaba" else HuaweiJobOperator

    @property
    def sensor(self) -> Callable[..., Any]:
        """The class that waits."""
        return AlibabaJobSensor if self.declared.cloud == "alibaba" else HuaweiJobSensor

    def console(self, key: str) -> str:
        """Where the vendor's console shows a job; the connection to the local clouds names no project.

        :param key: the job's key.
        """
        region, page = REGION_OF[self.declared.cloud], self.declared.job_page
        if page and "{project_id}" not in page:
            return page.format(key=key, **self.new)
        return self.declared.console.replace("{region}", region)

    @property
    def cancels(self) -> bool:
        """Whether the API has a cancel."""
        return self.declared.cancel is not None

    @property
    def keyed(self) -> bool:
        """Whether a parameter of the submit is the job's key, so that something must be there before the job."""
        return self.declared.key_given and not self.declared.takes_token

    @property
    def code(self) -> bool:
        """Whether it has a code for that."""
        return bool(self.words.code)

    @property
    def failure(self) -> str:
        """The raw status of failure."""
        return str(self.words.failure)

    @property
    def ends(self) -> tuple[str, ...]:
        """The ends that a job of it can have, and a wait for one."""
        return tuple(end for end in ENDS if end != "cancelled" or self.declared.cancelled)

    @property
    def cancelled_word(self) -> str:
        """The status of a job that somebody has ended; that of failure where the API has none."""
        shown = str(self.words.cancelled)  # which is no end to the API where the local cloud goes on showing a pause
        return shown if not self.declared.cancelled or shown in self.declared.cancelled else self.declared.cancelled[0]

    def life(self, end: str) -> dict[str, Any]:
        """What the local cloud is told for a job with this end.

        :param end: one of ``ENDS`` but for ``unknown key``, which no job has.
        """
        word = self.cancelled_word
        lives: dict[str, dict[str, Any]] = {
            "succeeded": {"end": "success"},
            "failed": {"end": "fail", "reason": REASON},
            "cancelled": {"end": "cancelled" if word == str(self.words.cancelled) else word},
            "unknown status": {"end": "unknown"},
            "time out": {"steps": [[self.words.running[0][0], 0]]},
        }
        return lives[end]

    def key(self, number: int = 1) -> str:
        """A key in the form of the API's.

        :param number: another one for every number.
        """
        return str(4710 + number) if self.words.numbered else f"job-of-the-test-{number}"

    def submitting(self, mark: str = "x", key: str = "", secret: str = SECRET) -> dict[str, Any]:
        """The operator's arguments for a new job.

        :param mark: a text in its input, which may be one that the local cloud reads.
        :param key: the key, where the submit names it.
        :param secret: what stands in its secret parameters.
        """
        fills = {"{mark}": mark, "{key}": key or self.key(), "{secret}": secret}
        return {"api": self.api, "parameters": _filled(self.new, fills)}

    def waiting(self, key: Any) -> dict[str, Any]:
        """The arguments that name a job."""
        given = self.submitting()["parameters"]
        scope = {name: given[name] for name in self.declared.job_parameters if name in given}
        return {"api": self.api, "key": key, **({"parameters": scope} if scope else {})}


def _filled(value: Any, fills: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for hole, text in fills.items():
            value = value.replace(hole, text)
        return value
    if isinstance(value, Mapping):
        return {name: _filled(item, fills) for name, item in value.items()}
    return [_filled(item, fills) for item in value] if isinstance(value, list) else value


_OUTPUT = {"OutputObject": "out-{mark}.mp4", "TemplateId": "S00000001-200010", "Encryption": {"Key": "{secret}"}}
MEDIA = {"MediaURL": "https://b.oss-cn-hangzhou.aliyuncs.com/out.mp4"}

SERVED = (
    Served(
        "emr.spark_job",
        {
            "workspaceId": "w-1",
            "name": "daily",
            "codeType": "JAR",
            "jobDriver": {"sparkSubmit": {"entryPoint": "oss://b/a.jar", "entryPointArguments": ["{mark}"]}},
        },
        "Success",
    ),
    Served(
        "adb.spark_app",
        {
            "DBClusterId": "amv-1",
            "ResourceGroupName": "spark",
            "AppType": "BATCH",
            "Data": '{"file": "oss://b/a.jar", "args": ["{mark}", "{secret}"]}',
        },
        "COMPLETED",
    ),
    Served(
        "oos.execution",
        {"RegionId": "cn-hangzhou", "TemplateName": "daily", "Parameters": {"day": "{mark}"}},
        "Success",
    ),
    Served(
        "ecs.command",
        {
            "RegionId": "cn-hangzhou",
            "Type": "RunShellScript",
            "CommandContent": "echo {secret} {mark}",
            "InstanceId": ["i-1", "i-2"],
        },
        "Success",
    ),
    Served(
        "mps.transcode",
        {
            "Input": {"Bucket": "b", "Location": "oss-cn-hangzhou", "Object": "in.mp4"},
            "OutputBucket": "b",
            "PipelineId": "p-1",
            "Outputs": [_OUTPUT],
        },
        "TranscodeSuccess",
        bad={"Outputs": [{"OutputObject": "out.mp4"}]},
        cancels_in="Submitted",
    ),
    Served(
        "green.video",
        {"Service": "videoDetection", "ServiceParameters": {"url": "https://files.test/a.mp4?{mark}"}},
        "200",
        bad={"ServiceParameters": {"url": "ftp://files.test/a.mp4"}},
        nobody=FAILED,
    ),
    Served("fc.async_task", {"functionName": "resize", "qualifier": "LATEST", "body": {"day": "{mark}"}}, "Succeeded"),
    Served(
        "imm.media_convert",
        {
            "ProjectName": "p-1",
            "Sources": [{"URI": "oss://b/in.avi?{mark}"}],
            "Targets": [{"URI": "oss://b/out", "Container": "mp4"}],
        },
        "Succeeded",
    ),
    Served("ice.media_producing", {"OutputMediaConfig": MEDIA, "Timeline": {"VideoTracks": ["{mark}"]}}, "Success"),
    Served("dli.spark_batch", {"file": "app.jar", "className": "org.example.Daily", "args": ["{mark}"]}, "success"),
    Served(
        "mrs.job",
        {"cluster_id": "c-1", "job_type": "SparkSubmit", "job_name": "daily", "arguments": ["{mark}"]},
        "SUCCEEDED",
        bad={"arguments": ["localcloud=refused"]},
        nobody=REFUSED,
        reason=False,
    ),
    Served("cdm.job", {"cluster_id": "c-1", "job_name": "orders", "variables": {"day": "{mark}"}}, "SUCCEEDED"),
    Served(
        "dataarts.job",
        {"workspace": "w-1", "job_name": "orders", "jobParams": [{"name": "day", "value": "{mark}"}]},
        "success forceSuccess ignoreSuccess",
        nobody=REFUSED,
        reason=False,
    ),
    Served("modelarts.training", {"kind": "job", "metadata": {"name": "train", "description": "{mark}"}}, "Completed"),
    Served(
        "oms.task",
        {
            "task_type": "object",
            "src_node": {
                "bucket": "from",
                "region": "cn-north-4",
                "cloud_type": "HuaweiCloud",
                "object_key": ["{mark}"],
            },
            "dst_node": {"bucket": "to", "region": "cn-north-4"},
        },
        "5",
        nobody=REFUSED,
    ),
    Served(
        "drs.migration",
        {"job_id": "{key}"},
        "FULL_TRANSFER_COMPLETE INCRE_TRANSFER_STARTED",
        bad={"job_id": "nobody-made-it"},
    ),
    Served(
        "functiongraph.async",
        {"function_urn": "urn:fss:cn-north-4:1:function:default:f:latest", "body": {"day": "{mark}"}},
        "SUCCESS",
    ),
)
"""All of them; ``test_catalogue_matrix.py`` sees to that."""

BY_ID: Mapping[str, Served] = {row.api: row for row in SERVED}

SHAPES = tuple(
    BY_ID[api]
    for api in (
        "emr.spark_job",  # a token in a JSON body
        "adb.spark_app",  # a form
        "ecs.command",  # a list that the job is chosen from by its id, parameters that travel flat
        "mps.transcode",  # several jobs of a submit, and a poll
        "mrs.job",  # refusals in a 200, what else names the job
        "cdm.job",  # a key that is a number, of what is known by its name too
        "oms.task",  # statuses that are numbers
        "drs.migration",  # a key that is known before, a POST that reads
    )
)
"""One of each shape, for what takes longer."""
