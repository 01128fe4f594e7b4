# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud Intelligent Media Services (ICE/IMS, version 2020-11-09): uploads by URL."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

from airflow_cloudjobs.alibaba.base import AlibabaOperator, AlibabaSensor
from airflow_cloudjobs.exceptions import JobOutcomeUnknown, JobTimedOut
from airflow_cloudjobs.hook import CALL_PATIENCE
from airflow_cloudjobs.jobs.arguments import Arguments
from airflow_cloudjobs.jobs.compiled import compiled
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.finder import Finder, Unclear
from airflow_cloudjobs.jobs.identity import MARKER, Identity
from airflow_cloudjobs.jobs.job_api import Call, JobApi
from airflow_cloudjobs.jobs.many import as_list, is_sequence
from airflow_cloudjobs.jobs.outcome import JobResult
from airflow_cloudjobs.jobs.redact import without_signatures
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import Record
from airflow_cloudjobs.task import CloudJobTask

SUBMIT = "UploadMediaByURL"

MOST_URLS = 20
MOST_LISTED = 100
METADATA_FIELDS = (
    "Description",
    "FileSize",
    "CoverURL",
    "CateId",
    "Tags",
    "TemplateGroupId",
    "WorkflowId",
    "FileExtension",
)


UPLOAD = JobApi(
    "ice.url_upload",
    "ice@2020-11-09",
    title="ICE upload by URL",
    source="https://www.alibabacloud.com/help/en/ims/developer-reference/api-ice-2020-11-09-geturluploadinfos",
    submit=Call(
        SUBMIT,
        query={
            "UploadURLs": "{upload_urls}",
            "MediaMetaData": "{media_metadata?}",
            "PostProcessConfig": "{post_process_config?}",
            "UploadTargetConfig": "{upload_target_config?}",
            "UserData": "{user_data?}",
            "AppId": "{app_id?}",
            "EntityId": "{entity_id?}",
        },
    ),
    key="UploadJobs[].JobId",
    many="upload_urls",
    poll=Call("GetUrlUploadInfos", query={"JobIds": "{keys:,}"}),
    job="URLUploadInfoList[JobId]",
    batch=10,
    status="Status",
    # The words are those of "Status: the status of a URL-based upload job" in VOD's basic data types, to which
    # the page refers; its own sample shows a media status (Normal), so those that can stand there count too.
    running="PENDING PROCESSING DOWNLOADING DOWNLOAD_SUCCESS UPLOADING UPLOAD_SUCCESS",
    succeeded="SUCCESS NORMAL",
    failed="DOWNLOAD_FAIL UPLOAD_FAIL UPLOADFAIL FAIL FAILED",
    cancelled="CANCELED CANCELLED",
    reason="ErrorCode ErrorMessage",
    interval=60,
    console="https://ims.console.aliyun.com/summary",
)
_upload = compiled(UPLOAD)


def _submit(**arguments: Any) -> ApiRequest:
    return _upload.submit(**{**arguments, "upload_urls": _joined(as_list(arguments["upload_urls"]))})


def _joined(urls: Sequence[str]) -> str:
    """Each address is encoded before they are joined, so that a comma inside of one does not part it."""
    return ",".join(quote(url, safe="") for url in urls)


def _submitted(answer: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[str]:
    """One job per address, in the order of the addresses."""
    waiting: dict[str, list[str]] = {}
    for job in answer.get("UploadJobs") or ():
        waiting.setdefault(str(job.get("SourceURL")), []).append(str(job.get("JobId") or ""))
    started = [key for keys in waiting.values() for key in keys]
    urls = as_list(arguments["upload_urls"])
    if len(started) == len(urls) and not all(url in waiting for url in urls):
        return started  # the cloud spells the addresses in another way
    without = [url for url in urls if not waiting.get(url)]
    if without:
        raise CloudApiError(
            f"no job was started for {', '.join(map(without_signatures, without))}"
            + (f"; started were {', '.join(started)}" if started else ""),
            kind=ErrorKind.INVALID,
            operation=SUBMIT,
            request_id=str(answer.get("RequestId") or ""),
        )
    return [waiting[url].pop(0) if len(waiting[url]) > 1 else waiting[url][0] for url in urls]


def find_by_url(url: str) -> ApiRequest:
    """The request for the jobs of an address."""
    return ApiRequest("ice", "GetUrlUploadInfos", query={"UploadURLs": _joined([url])}, idempotent=True)


def _mark(arguments: Mapping[str, Any], identity: Identity) -> dict[str, Any]:
    """The marker goes where the cloud lets callers put their own data, and comes back from there."""
    user_data = arguments["user_data"] or {}
    data = dict(json.loads(user_data) if isinstance(user_data, str) else user_data)
    data["Extend"] = {**(data.get("Extend") or {}), MARKER: identity.marker}
    return {**arguments, "user_data": data}


def _ask(arguments: Mapping[str, Any], identity: Identity) -> list[ApiRequest]:
    # One address a call: an answer holds a hundred jobs at most, and an address may have been uploaded every day.
    return [find_by_url(url) for url in dict.fromkeys(as_list(arguments["upload_urls"]))]


def _found(
    answers: Sequence[Mapping[str, Any]], arguments: Mapping[str, Any], identity: Identity, superseded: Collection[str]
) -> list[str]:
    """Our job of each address; all of them or none, since one request starts all."""
    urls = as_list(arguments["upload_urls"])
    # UserData is not always valid JSON in the vendor's own samples, so it is not parsed.
    ours = {
        str(info.get("JobId")): info
        for answer in answers
        for info in answer.get("URLUploadInfoList") or ()
        if identity.marker in str(info.get("UserData")) and str(info.get("JobId")) not in superseded
    }
    newest = _newest_by_url(ours.values())
    if all(url in newest for url in urls):
        return [str(newest[url]["JobId"]) for url in urls]
    if len(ours) == len(urls):
        return list(ours)  # the cloud spells the addresses in another way
    if ours:
        raise Unclear(f"of {len(urls)} uploads that were asked for together, {len(ours)} are listed: {', '.join(ours)}")
    if any(len(answer.get("URLUploadInfoList") or ()) >= MOST_LISTED for answer in answers):
        raise Unclear(f"only {MOST_LISTED} of the uploads from an address are listed, and ours may be another")
    return []


def _newest_by_url(infos: Iterable[Record]) -> dict[str, Record]:
    newest: dict[str, Record] = {}
    for info in infos:
        url = str(info.get("UploadURL"))
        if url not in newest or _begun(info) > _begun(newest[url]):
            newest[url] = info
    return newest


def _begun(info: Record) -> str:
    """When a job was begun; such times sort as texts."""
    return str(info.get("CreationTime"))


URL_UPLOAD = replace(_upload, submit=_submit, submitted=_submitted, finder=Finder(_mark, _ask, _found))


class _FetchesMediaInfo(CloudJobTask):
    """A task that asks for what ICE knows of a media file, once it is stored. Source: GetMediaInfo."""

    fetching_arguments = ("fetch_media_info",)
    fetch_media_info: bool

    def _fetched(self, result: JobResult) -> Mapping[str, Any]:
        if not self.fetch_media_info:
            return {}
        query = {"MediaId": str(result.record["MediaId"])}
        request = ApiRequest("ice", "GetMediaInfo", query=query, idempotent=True)
        answer = self.hook.call_for_job(request, patience=CALL_PATIENCE)
        return {"media_info": without_signatures(answer["MediaInfo"])}


class IceUrlUploadOperator(_FetchesMediaInfo, AlibabaOperator):
    """Have ICE fetch media files from addresses, and wait until each is stored.

    One job per address. It can take hours, so the longest pause between two polls is a minute. ICE has no way
    to cancel such a job. By its page ICE takes audio and video files of up to 5 GB, in the regions cn-shanghai,
    cn-beijing and cn-shenzhen. Sources: UploadMediaByURL, GetUrlUploadInfos.

    :param upload_urls: address of a media file, or a list of up to 20; each needs a file extension, or a
        ``FileExtension`` in ``media_metadata``. None only with ``job_ids``.
    :param media_metadata: for single addresses: ``[{"SourceURL", "Title", "Description", "FileSize",
        "CoverURL", "CateId", "Tags", "TemplateGroupId", "WorkflowId", "FileExtension"}]``, the first two needed.
        None for none.
    :param post_process_config: what to do after the upload: ``{"ProcessType": "Workflow", "ProcessID": …}``; None for
        nothing.
    :param upload_target_config: where to store: ``{"StorageType": "oss", "StorageLocation": …}``; None leaves
        it to ICE.
    :param user_data: ``{"MessageCallback": {…}, "Extend": {…}}``; comes back in the result. None for none.
    :param app_id: the ICE application; None for the default one.
    :param entity_id: the entity of the media files; None for none.
    :param job_ids: an upload job that exists, or several, to wait for instead of starting any; None starts
        one for each address.
    :param fetch_media_info: True adds what ICE knows of the stored file (GetMediaInfo: title, format, duration, …) to
        the result, as ``media_info``, one call for each. Default False.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.operator.CloudJobOperator`.
    """

    spec = URL_UPLOAD
    key_argument = "job_ids"
    named_by = "upload_urls"
    reads = ("upload_urls",)
    makes = "MediaId"

    def __init__(
        self,
        *,
        upload_urls: str | Sequence[str] | None = None,
        media_metadata: Sequence[Mapping[str, Any]] | None = None,
        post_process_config: Mapping[str, Any] | None = None,
        upload_target_config: Mapping[str, Any] | None = None,
        user_data: Mapping[str, Any] | str | None = None,
        app_id: str | None = None,
        entity_id: str | None = None,
        job_ids: str | Sequence[str] | None = None,
        fetch_media_info: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.upload_urls = upload_urls
        self.media_metadata = media_metadata
        self.post_process_config = post_process_config
        self.upload_target_config = upload_target_config
        self.user_data = user_data
        self.app_id = app_id
        self.entity_id = entity_id
        self.job_ids = job_ids
        self.fetch_media_info = fetch_media_info

    def check(self, arguments: Arguments) -> None:
        """The limits that the API's pages give."""
        if not self.is_new(arguments, "upload_urls"):
            return
        arguments.is_text("app_id", "entity_id")
        arguments.is_url("upload_urls")
        if arguments.known("upload_urls"):
            urls = as_list(arguments.values["upload_urls"])
            if len(urls) > MOST_URLS:
                raise arguments.refuse("upload_urls", f"has {len(urls)} addresses; allowed are {MOST_URLS} at most")
        if arguments.known("user_data"):
            _check_user_data(arguments)
        arguments.is_list("media_metadata")
        if arguments.known("media_metadata"):
            for item in arguments.values["media_metadata"]:
                arguments.check_fields("media_metadata", item, ("SourceURL", "Title"), METADATA_FIELDS)
        arguments.has_fields("post_process_config", ("ProcessType",), ("ProcessID",))
        arguments.has_fields("upload_target_config", ("StorageType", "StorageLocation"))
        if arguments.known("upload_urls") and (
            arguments.known("media_metadata") or not arguments.given("media_metadata")
        ):
            self._check_extensions(arguments)

    def _check_extensions(self, arguments: Arguments) -> None:
        """ICE tells the media type by the extension, which the metadata may give instead of the address."""
        urls = as_list(arguments.values["upload_urls"])
        metadata = {item["SourceURL"]: item for item in arguments.values["media_metadata"] or ()}
        for place, url in enumerate(urls):
            extension = os.path.splitext(urlsplit(url).path)[1] or metadata.get(url, {}).get("FileExtension")
            if not extension:
                raise arguments.refuse(
                    "upload_urls",
                    f"has no file extension at place {place + 1}; put one into the address, or "
                    "'FileExtension' into its 'media_metadata'",
                )
        for source in metadata:
            if source not in urls:
                raise arguments.refuse("media_metadata", "has a SourceURL that is not among 'upload_urls'")

    def _is_many(self) -> bool:
        return is_sequence(self.upload_urls if self.job_ids is None else self.job_ids)


def _check_user_data(arguments: Arguments) -> None:
    data = arguments.values["user_data"]
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:
            raise arguments.refuse("user_data", "is a text that is not JSON") from None
    arguments.check_fields("user_data", data, (), ("MessageCallback", "Extend"))
    if not isinstance(data.get("Extend") or {}, Mapping):
        raise arguments.refuse("user_data", "has an Extend that is no mapping")


class IceUrlUploadSensor(_FetchesMediaInfo, AlibabaSensor):
    """Wait until media files that ICE fetches by URL are stored. Source: GetUrlUploadInfos.

    :param job_ids: an upload job, or several; None with ``upload_urls``.
    :param upload_urls: the address of a file, or several, instead: the newest job of each is waited for. Since
        addresses may be signed, only the jobs' ids are kept while waiting. None with ``job_ids``.
    :param fetch_media_info: True adds what ICE knows of the stored file (GetMediaInfo: title, format, duration, …) to
        the result, as ``media_info``, one call for each. Default False.

    For the other parameters, the result and what is raised see
    :class:`~airflow_cloudjobs.sensor.CloudJobSensor`.
    """

    spec = URL_UPLOAD
    key_argument = "job_ids"
    reads = ("upload_urls",)
    makes = "MediaId"

    def __init__(
        self,
        *,
        job_ids: str | Sequence[str] | None = None,
        upload_urls: str | Sequence[str] | None = None,
        fetch_media_info: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_ids = job_ids
        self.upload_urls = upload_urls
        self.fetch_media_info = fetch_media_info

    def check(self, arguments: Arguments) -> None:
        """One of the two is needed."""
        arguments.exactly_one("job_ids", "upload_urls")
        arguments.keys("job_ids")
        arguments.is_url("upload_urls")

    def _is_many(self) -> bool:
        return is_sequence(self.upload_urls if self.job_ids is None else self.job_ids)

    def _given_keys(self) -> list[str]:
        if self.job_ids is not None:
            return super()._given_keys()
        # One address a call, so that it does not matter how the cloud spells it in its answer.
        return [self._newest_job(url) for url in as_list(self.upload_urls)]

    def _newest_job(self, url: str) -> str:
        """The job that was last begun for an address."""
        remaining = self._began + self.timeout - time.time()
        try:
            # There is no key yet to wait for on a triggerer, so trouble in between is ridden out here.
            answer = self.hook.call(find_by_url(url), patience=max(CALL_PATIENCE, remaining))
        except CloudApiError as error:
            kind = JobTimedOut if error.retryable else JobOutcomeUnknown
            raise kind(f"{self.spec.api}: uploads by address could not be looked up: {error}") from error
        infos = answer.get("URLUploadInfoList") or ()
        if not infos:
            unknown = CloudApiError(f"the cloud knows no upload of {without_signatures(url)}", kind=ErrorKind.NOT_FOUND)
            raise JobOutcomeUnknown(f"{self.spec.api}: {unknown}") from unknown
        return str(max(infos, key=_begun)["JobId"])
