# SPDX-License-Identifier: Apache-2.0
"""Intelligent Media Services (ICE) 2020-11-09: uploads by URL, storage list, media.

Quirks kept from the vendor's page: a good job has ``ErrorCode`` "200" and ``ErrorMessage`` "Success",
``FileSize`` is a string, ``CompleteTime`` is not ISO 8601 although it says so, an unknown job is HTTP 200
with a strange element in ``NonExists``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from airflow_cloudjobs.localcloud.accounts import OSS_ACCESS_KEY
from airflow_cloudjobs.localcloud.alibaba.rpc import answer, invalid, long, required, structured
from airflow_cloudjobs.localcloud.answers import Answer, Refused
from airflow_cloudjobs.localcloud.call import Call
from airflow_cloudjobs.localcloud.clock import iso
from airflow_cloudjobs.localcloud.jobs import Job
from airflow_cloudjobs.localcloud.operation import Operation

VERSION = "2020-11-09"
UPLOAD = "ice.url_upload"

_MOST_SUBMITTED = 20
_MOST_ASKED = 10
_MOST_ANSWERED = 100


def upload_media_by_url(call: Call) -> Answer:
    """UploadMediaByURL: one upload job for each URL."""
    urls = _urls(required(call, "UploadURLs"), "UploadURLs", _MOST_SUBMITTED)
    metadata = {each.get("SourceURL"): each for each in _metadata(call)}
    for name in ("UserData", "PostProcessConfig", "UploadTargetConfig"):
        structured(call, name, dict)
    for url in urls:
        extension = metadata.get(url, {}).get("FileExtension") or "." in urlsplit(url).path.rpartition("/")[2]
        if not extension:
            raise invalid("UploadURLs", f"no file extension in {url} and no FileExtension in its metadata")
    jobs = []
    for url in urls:
        fields = {
            "UploadURL": url,
            "MediaId": secrets.token_hex(16),
            "UserData": call.parameters.get("UserData", ""),
            "AppId": call.parameters.get("AppId", "app-1000000"),
            "Title": metadata.get(url, {}).get("Title", ""),
        }
        job = call.state.submit(UPLOAD, secrets.token_hex(16), fields, call.state.script(UPLOAD, url))
        call.keys.append(job.key)
        jobs.append({"JobId": job.key, "MediaId": fields["MediaId"], "SourceURL": url})
    return answer(call, {"UploadJobs": jobs})


def get_url_upload_infos(call: Call) -> Answer:
    """GetUrlUploadInfos: how far upload jobs are, by job id or by URL, ten at most."""
    found: list[Job] = []
    missing: list[str] = []
    if call.parameters.get("JobIds"):
        asked = [each.strip() for each in call.parameters["JobIds"].split(",") if each.strip()]
        if len(asked) > _MOST_ASKED:
            raise invalid("JobIds", f"at most {_MOST_ASKED} job IDs are allowed")
        call.keys.extend(asked)
        for key in dict.fromkeys(asked):
            job = call.state.jobs.get(UPLOAD, key)
            found.append(job) if job is not None else missing.append(key)
    elif call.parameters.get("UploadURLs"):
        for url in dict.fromkeys(_urls(call.parameters["UploadURLs"], "UploadURLs", _MOST_ASKED)):
            jobs = call.state.found_by(UPLOAD, url)
            found.extend(jobs)
            if not jobs:
                missing.append(url)
        call.keys.extend(job.key for job in found)
    else:
        raise Refused(400, "MissingParameter", "You must specify either JobIds or UploadURLs.")
    quoted = call.state.settings.ice_non_exists == "quoted"
    return answer(
        call,
        {
            "NonExists": [f"['{each}']" if quoted else each for each in missing],
            "URLUploadInfoList": [_info(call, job) for job in found[:_MOST_ANSWERED]],
        },
    )


def get_storage_list(call: Call) -> Answer:
    """GetStorageList: where media is stored."""
    storage = {
        "AppId": call.parameters.get("AppId", "app-1000000"),
        "CreationTime": "2024-01-15T08:00:00Z",
        "DefaultStorage": True,
        "EditingTempFileStorage": False,
        "ModifiedTime": "2024-01-15T08:00:00Z",
        "Path": "",
        "Status": "Normal",
        "StorageLocation": "outin-localcloud.oss-cn-shanghai.aliyuncs.com",
        "StorageType": "vod_oss_bucket",
    }
    matches = all(call.parameters.get(name) in (None, "", storage[name]) for name in ("Status", "StorageType"))
    return answer(call, {"StorageInfoList": [storage] if matches else []})


def get_media_info(call: Call) -> Answer:
    """GetMediaInfo: one media asset, by its id or by the URL it came from; its basic information only."""
    long(call, "AuthTimeout")
    media, url = call.parameters.get("MediaId", ""), call.parameters.get("InputURL", "")
    if not (media or url):
        raise Refused(400, "MissingParameter", "You must specify either MediaId or InputURL.")
    for job in call.state.jobs.of(UPLOAD):
        if (media and job.fields.get("MediaId") == media) or (not media and job.fields.get("UploadURL") == url):
            return answer(call, {"MediaInfo": _media(call, job)})
    raise Refused(404, "InvalidParameter.MediaId", f"The specified media asset does not exist: {media or url}")


OPERATIONS = (
    Operation("alibaba", "ice", "UploadMediaByURL", "submit", upload_media_by_url, UPLOAD),
    Operation("alibaba", "ice", "GetUrlUploadInfos", "poll", get_url_upload_infos, UPLOAD),
    Operation("alibaba", "ice", "GetStorageList", "read", get_storage_list),
    Operation("alibaba", "ice", "GetMediaInfo", "read", get_media_info),
)


def _urls(joined: str, name: str, most: int) -> list[str]:
    """The URLs of a parameter in which each was percent-encoded before they were joined with commas."""
    urls = [unquote(each.strip()) for each in joined.split(",") if each.strip()]
    if len(urls) > most:
        raise invalid(name, f"at most {most} URLs are allowed")
    for url in urls:
        if not re.match(r"https?://[^/]", url):
            raise invalid(name, f"{url} is not an HTTP or HTTPS URL")
    return urls


def _metadata(call: Call) -> list[dict[str, Any]]:
    metadata = structured(call, "MediaMetaData", list) or []
    for each in metadata:
        if not isinstance(each, dict) or not each.get("SourceURL"):
            raise invalid("MediaMetaData", "SourceURL is required in each element")
        if not each.get("Title"):
            raise invalid("MediaMetaData", "Title is required in each element")
    return metadata


def _info(call: Call, job: Job) -> dict[str, Any]:
    now, script = call.now, job.script
    ended = job.ended(now)
    failed = ended and not script.succeeds
    done = datetime.fromtimestamp(job.ended_at(), UTC).strftime("%Y-%m-%d %H:%M:%S") if ended else ""
    return {
        "CreationTime": iso(job.started),
        "Status": call.status(job, now),
        "ErrorMessage": script.reason if failed else "Success",
        "ErrorCode": script.code if failed else "200",
        "CompleteTime": done,
        "JobId": job.key,
        "UserData": job.fields.get("UserData", ""),
        "UploadURL": job.fields.get("UploadURL", ""),
        "MediaId": job.fields.get("MediaId", ""),
        "FileSize": str(_size(job)),
    }


def _media(call: Call, job: Job) -> dict[str, Any]:
    succeeded = job.succeeded(call.now)
    name = urlsplit(job.fields.get("UploadURL", "")).path.rpartition("/")[2]
    created = iso(job.started)
    # Signed for as long as ``AuthTimeout`` says, an hour if it says nothing.
    expires = int(call.state.clock.shown()) + (long(call, "AuthTimeout") or 3600)
    query = urlencode({"Expires": expires, "OSSAccessKeyId": OSS_ACCESS_KEY, "Signature": secrets.token_urlsafe(20)})
    basic = {
        "MediaId": job.fields.get("MediaId", ""),
        "Status": "Normal" if succeeded else "Preparing",
        "MediaType": "video",
        "Title": job.fields.get("Title") or name,
        "InputURL": job.fields.get("UploadURL", ""),
        "Source": "vod",
        "UploadSource": "url",
        "UserData": job.fields.get("UserData", ""),
        "CreateTime": created,
        "ModifiedTime": created,
    }
    file = {
        "FileName": name,
        "FileSize": str(_size(job)),
        "FileStatus": "Normal",
        "FileType": "source_file",
        "FileUrl": f"https://outin-localcloud.oss-cn-shanghai.aliyuncs.com/{basic['MediaId']}/{quote(name)}?{query}",
        "FormatName": name.rpartition(".")[2],
        "Duration": "12.5",
    }
    return {
        "MediaId": basic["MediaId"],
        "MediaBasicInfo": basic,
        "FileInfoList": [{"FileBasicInfo": file}] if succeeded else [],
    }


def _size(job: Job) -> int:
    digest = hashlib.md5(job.fields.get("UploadURL", "").encode(), usedforsecurity=False).hexdigest()
    return int(job.fields.get("FileSize", 64_610 + int(digest[:5], 16)))
