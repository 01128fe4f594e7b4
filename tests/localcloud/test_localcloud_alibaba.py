# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud's typed clients, unchanged, against the local cloud."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import re
import time
import zipfile
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests
from alibabacloud_dms_enterprise20181101 import models as dms_models
from alibabacloud_dms_enterprise20181101.client import Client as DmsClient
from alibabacloud_ice20201109 import models as ice_models
from alibabacloud_ice20201109.client import Client as IceClient
from alibabacloud_tea_openapi.exceptions import ClientException, ServerException, ThrottlingException
from alibabacloud_tea_openapi.utils_models import Config

from airflow_cloudjobs.localcloud import Control, LocalCloud, accounts


def config(cloud: LocalCloud, **changes: Any) -> Config:
    fields = {
        "access_key_id": accounts.ALIBABA_ACCESS_KEY,
        "access_key_secret": accounts.ALIBABA_SECRET,
        "endpoint": f"{cloud.host}:{cloud.port}",
        "protocol": "http",
        "region_id": "cn-shanghai",
        **changes,
    }
    return Config(**fields)


@pytest.fixture
def dms(cloud: LocalCloud) -> Any:
    return DmsClient(config(cloud))


@pytest.fixture
def ice(cloud: LocalCloud) -> Any:
    return IceClient(config(cloud))


def until(ends: set[str], read: Callable[[], Any], status: Callable[[Any], str]) -> tuple[list[str], Any]:
    seen: list[str] = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        answer = read()
        if not seen or seen[-1] != status(answer):
            seen.append(status(answer))
        if seen[-1] in ends:
            return seen, answer
        time.sleep(0.01)
    raise AssertionError(f"no end in {seen}")


def in_order(seen: list[str], states: str) -> bool:
    """Whether these are some of the states in their order, the last included: a slow machine may miss others."""
    left = iter(states.split())
    return seen[-1] == states.split()[-1] and all(status in left for status in seen)


def upload(dms: Any, name: str = "fix.sql", url: str = "https://files.example.com/fix.sql", **more: Any) -> str:
    request = dms_models.CreateUploadFileJobRequest(file_name=name, file_source="datacorrect", upload_url=url, **more)
    body = dms.create_upload_file_job(request).body
    assert (body.success, body.error_code, body.error_message) == (True, "UnknownError", "UnknownError")
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", body.request_id)
    assert body.job_key
    return str(body.job_key)


def poll_upload(dms: Any, key: str, **more: Any) -> Any:
    return dms.get_user_upload_file_job(dms_models.GetUserUploadFileJobRequest(job_key=key, **more)).body


def test_upload_from_a_url(dms: Any) -> None:
    key = upload(dms, "Grüße 1.sql", "https://files.example.com/a b.sql?x=1&y=ü~*")
    seen, body = until(
        {"SUCCESS", "FAIL"}, lambda: poll_upload(dms, key), lambda body: body.upload_file_job_detail.job_status
    )
    assert in_order(seen, "INIT PENDING BE_SCHEDULED RUNNING SUCCESS")
    detail = body.upload_file_job_detail
    assert detail.job_key == key
    assert detail.file_name == "Grüße 1.sql"
    assert detail.file_source == "datacorrect"
    assert detail.upload_type == "URL"
    assert detail.upload_url == "https://files.example.com/a b.sql?x=1&y=ü~*"
    assert detail.file_size == detail.uploaded_size > 0
    assert detail.job_status_desc == "success"
    assert detail.attachment_key.endswith("Grüße 1.sql")


def test_upload_from_oss(dms: Any, control: Control) -> None:
    control.settings(job_seconds=600)
    target = dms_models.CreateUploadOSSFileJobRequestUploadTarget(
        bucket_name="bucket", endpoint="http://oss-cn-hangzhou.aliyuncs.com", object_name="dir/fix.sql"
    )
    request = dms_models.CreateUploadOSSFileJobRequest(
        file_name="fix.sql", file_source="big-file", upload_target=target
    )
    key = dms.create_upload_ossfile_job(request).body.job_key
    detail = poll_upload(dms, key).upload_file_job_detail
    assert detail.upload_type == "OSS"
    assert detail.upload_url is None
    assert detail.upload_ossparam.object_name == "dir/fix.sql"
    assert detail.uploaded_size < detail.file_size
    assert detail.attachment_key is None


@pytest.mark.parametrize(
    ("name", "url", "reason"),
    [
        ("fix.sql", "https://files.example.com/missing.sql", "file not found (HTTP 404): "),
        ("localcloud=fail.sql", "https://files.example.com/fix.sql", "failed to read the file"),
    ],
)
def test_a_failing_upload(dms: Any, name: str, url: str, reason: str) -> None:
    key = upload(dms, name, url)
    seen, body = until(
        {"SUCCESS", "FAIL"}, lambda: poll_upload(dms, key), lambda body: body.upload_file_job_detail.job_status
    )
    assert seen[-1] == "FAIL"
    assert body.success
    assert body.upload_file_job_detail.job_status_desc.startswith(reason)
    assert body.upload_file_job_detail.attachment_key is None


def test_an_unknown_upload_in_each_form_the_vendor_leaves_open(dms: Any, control: Control) -> None:
    body = poll_upload(dms, "nobody")
    assert (body.success, body.error_code, body.upload_file_job_detail) == (False, "JobNotExist", None)
    control.settings(dms_not_found="absent")
    body = poll_upload(dms, "nobody")
    assert (body.success, body.upload_file_job_detail) == (True, None)
    control.settings(dms_not_found="http")
    with pytest.raises(ClientException) as refused:
        poll_upload(dms, "nobody")
    assert (refused.value.status_code, refused.value.code) == (404, "JobNotExist")


def test_a_job_is_seen_only_from_its_tenant(dms: Any) -> None:
    key = upload(dms, tid=4004)
    assert poll_upload(dms, key, tid=4004).success
    assert not poll_upload(dms, key).success


def test_export_of_data_track_results(dms: Any, cloud: LocalCloud) -> None:
    request = dms_models.DownloadDataTrackResultRequest(
        order_id=406,
        rollback_sqltype="REVERSE",
        filter_table_list=["orders", "users"],
        filter_type_list=["INSERT"],
        filter_start_time="2024-01-01 00:00:00",
        column_filter=dms_models.DownloadDataTrackResultRequestColumnFilter(
            column_name="id", operator="EQUAL", value="1"
        ),
    )
    key = dms.download_data_track_result(request).body.download_key_id

    def read() -> Any:
        poll = dms_models.QueryDataTrackResultDownloadStatusRequest(order_id=406, download_key_id=key)
        return dms.query_data_track_result_download_status(poll).body

    seen, body = until({"DOWNLOAD_SUCCESS", "DOWNLOAD_FAIL"}, read, lambda body: body.status_result.download_status)
    assert in_order(seen, "INIT LISTING DOWNLOADING DOWNLOAD_SUCCESS")
    result = body.status_result
    assert (result.status_desc, result.total_count) == ("SUCCESS", 69)
    assert result.download_url.endswith("\n")
    assert result.download_url.startswith(cloud.url)
    stranger = dms_models.QueryDataTrackResultDownloadStatusRequest(order_id=407, download_key_id=key)
    assert not dms.query_data_track_result_download_status(stranger).body.success


def test_a_signed_url_serves_a_zip_and_nothing_else(dms: Any, cloud: LocalCloud, control: Control) -> None:
    job = control.create_job("dms.data_track_export", fields={"OrderId": 1}, seconds=0)
    poll = dms_models.QueryDataTrackResultDownloadStatusRequest(order_id=1, download_key_id=job["key"])
    result = dms.query_data_track_result_download_status(poll).body.status_result
    url = result.download_url.strip()
    with requests.Session() as session:
        session.trust_env = False
        packed = session.get(url, timeout=5)
        with zipfile.ZipFile(io.BytesIO(packed.content)) as archive:
            (name,) = archive.namelist()
            assert archive.read(name).count(b"INSERT INTO") == 69
        spoilt = {
            "SignatureDoesNotMatch": re.sub(r"Signature=.{6}", "Signature=AAAAAA", url),
            "InvalidAccessKeyId": url.replace(accounts.OSS_ACCESS_KEY, "LTAIother"),
            "AccessDenied": url.partition("?")[0],
        }
        for code, address in spoilt.items():
            refused = session.get(address, timeout=5)
            assert refused.status_code == 403
            assert f"<Code>{code}</Code>" in refused.text
        control.skew_clock(2 * 3600)
        expired = session.get(url, timeout=5)
        assert (expired.status_code, "Request has expired." in expired.text) == (403, True)
        assert expired.headers["Content-Type"] == "application/xml"
        control.skew_clock(0)
        control.set_status("dms.data_track_export", job["key"], "DOWNLOAD_FAIL")
        assert session.get(url, timeout=5).status_code == 404


def signed_url_of_an_export(dms: Any, control: Control, **fields: Any) -> tuple[str, str]:
    """The key of an export that has succeeded, and the address of its file."""
    key = control.create_job("dms.data_track_export", fields={"OrderId": 1, **fields}, seconds=0)["key"]
    poll = dms_models.QueryDataTrackResultDownloadStatusRequest(order_id=1, download_key_id=key)
    return key, dms.query_data_track_result_download_status(poll).body.status_result.download_url.strip()


def test_a_part_of_an_object_as_long_as_it_is_the_same(dms: Any, control: Control) -> None:
    key, url = signed_url_of_an_export(dms, control)
    whole = requests.get(url, timeout=5)
    mark, size = whole.headers["ETag"], len(whole.content)
    md5 = hashlib.md5(whole.content, usedforsecurity=False)
    assert (mark, whole.headers["Content-MD5"]) == (f'"{md5.hexdigest().upper()}"', b64encode(md5.digest()).decode())
    part = requests.get(url, headers={"Range": "bytes=100-", "If-Match": mark}, timeout=5)
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 100-{size - 1}/{size}")
    assert part.content == whole.content[100:]
    assert requests.get(url, headers={"Range": "bytes=2-4"}, timeout=5).content == whole.content[2:5]
    beyond = requests.get(url, headers={"Range": f"bytes={size}-"}, timeout=5)
    assert (beyond.status_code, "<Code>InvalidRange</Code>" in beyond.text) == (416, True)
    control.set_fields("dms.data_track_export", key, ObjectVersion=2)
    changed = requests.get(url, headers={"Range": "bytes=100-", "If-Match": mark}, timeout=5)
    assert (changed.status_code, "<Code>PreconditionFailed</Code>" in changed.text) == (412, True)


def test_an_object_of_any_size(dms: Any, control: Control) -> None:
    size = 40_000_000
    key, url = signed_url_of_an_export(dms, control, ObjectSize=size)
    whole = requests.get(url, timeout=30)
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        assert archive.testzip() is None
        assert 0.95 * size < archive.infolist()[0].file_size <= size
    assert "-" in whole.headers["ETag"], "an object put in parts has no hash of its content"
    assert "Content-MD5" not in whole.headers
    part = requests.get(url, headers={"Range": "bytes=12345678-12345999"}, timeout=5)
    assert part.content == whole.content[12345678:12346000]
    control.set_fields("dms.data_track_export", key, ObjectCut=True)
    cut = requests.get(url, headers={"Range": "bytes=0-9"}, timeout=5)
    assert cut.headers["Content-Range"].endswith(f"/{len(whole.content) // 2}")


def test_a_failing_export(dms: Any) -> None:
    request = dms_models.DownloadDataTrackResultRequest(
        order_id=406, rollback_sqltype="FORWARD", filter_table_list=["missing_orders"]
    )
    key = dms.download_data_track_result(request).body.download_key_id
    poll = dms_models.QueryDataTrackResultDownloadStatusRequest(order_id=406, download_key_id=key)
    _, body = until(
        {"DOWNLOAD_SUCCESS", "DOWNLOAD_FAIL"},
        lambda: dms.query_data_track_result_download_status(poll).body,
        lambda body: body.status_result.download_status,
    )
    assert body.status_result.download_status == "DOWNLOAD_FAIL"
    assert "missing_orders" in body.status_result.status_desc
    assert body.status_result.download_url is None


def test_tenants(dms: Any) -> None:
    tenants = dms.list_user_tenants(dms_models.ListUserTenantsRequest()).body.tenant_list
    assert [(tenant.status, tenant.tid) for tenant in tenants] == [("ACTIVE", 3001), ("IN_ACTIVE", 3002)]
    active = dms.get_user_active_tenant(dms_models.GetUserActiveTenantRequest()).body.tenant
    assert (active.tenant_name, active.status) == ("localcloud", "ACTIVE")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"file_source": "datacorrect", "upload_url": "http://h/a.sql"}, "MissingParameter"),
        ({"file_name": "a.sql", "upload_url": "http://h/a.sql"}, "MissingParameter"),
        ({"file_name": "a.sql", "file_source": "datacorrect"}, "MissingParameter"),
        ({"file_name": "a.csv", "file_source": "datacorrect", "upload_url": "http://h/a.sql"}, "InvalidParameter"),
        ({"file_name": "a.sql", "file_source": "import", "upload_url": "http://h/a.sql"}, "InvalidParameter"),
        ({"file_name": "a.sql", "file_source": "datacorrect", "upload_url": "ftp://h/a.sql"}, "InvalidParameter"),
    ],
)
def test_dms_checks_parameters(dms: Any, fields: dict[str, str], code: str) -> None:
    with pytest.raises(ClientException) as refused:
        dms.create_upload_file_job(dms_models.CreateUploadFileJobRequest(**fields))
    assert (refused.value.status_code, refused.value.code) == (400, code)


def submit_urls(ice: Any, *urls: str, **more: Any) -> list[Any]:
    request = ice_models.UploadMediaByURLRequest(upload_urls=",".join(quote(url, safe="") for url in urls), **more)
    jobs = ice.upload_media_by_url(request).body.upload_jobs
    assert [job.source_url for job in jobs] == list(urls)
    return list(jobs)


def infos(ice: Any, **asked: str) -> Any:
    return ice.get_url_upload_infos(ice_models.GetUrlUploadInfosRequest(**asked)).body


def test_url_uploads(ice: Any) -> None:
    user_data = json.dumps({"Extend": {"marker": "m-1"}})
    jobs = submit_urls(
        ice,
        "https://media.example.com/a,b.mp4?x=1",
        "https://media.example.com/missing.mp4",
        user_data=user_data,
        media_meta_data=json.dumps([{"SourceURL": "https://media.example.com/missing.mp4", "Title": "t"}]),
    )
    keys = ",".join(job.job_id for job in jobs)
    seen, body = until({"SUCCESS"}, lambda: infos(ice, job_ids=keys), lambda body: body.urlupload_info_list[0].status)
    states = "PENDING PROCESSING DOWNLOADING DOWNLOAD_SUCCESS UPLOADING UPLOAD_SUCCESS SUCCESS"
    assert in_order(seen, states)
    # The second job was begun a moment later, so it may end a moment later.
    _, body = until(
        {"DOWNLOAD_FAIL"}, lambda: infos(ice, job_ids=keys), lambda body: body.urlupload_info_list[1].status
    )
    good, bad = body.urlupload_info_list
    assert (good.error_code, good.error_message, good.user_data) == ("200", "Success", user_data)
    assert (good.job_id, good.media_id) == (jobs[0].job_id, jobs[0].media_id)
    assert good.upload_url == "https://media.example.com/a,b.mp4?x=1"
    assert good.file_size.isdigit()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", good.creation_time)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", good.complete_time)
    assert (bad.status, bad.error_code) == ("DOWNLOAD_FAIL", "URLInvalidError")
    assert "HTTP 404" in bad.error_message
    assert body.non_exists == []
    media = ice.get_media_info(ice_models.GetMediaInfoRequest(media_id=good.media_id)).body.media_info
    assert media.media_basic_info.status == "Normal"
    file = media.file_info_list[0].file_basic_info
    assert (file.file_size, file.duration) == (good.file_size, "12.5")
    assert re.search(r"\?Expires=\d+&OSSAccessKeyId=\w+&Signature=.+", file.file_url)


def test_url_uploads_looked_up_by_url(ice: Any) -> None:
    url = "https://media.example.com/a,b.mp4?x=1&y=2"
    first, second = submit_urls(ice, url)[0], submit_urls(ice, url)[0]
    asked = ",".join(quote(each, safe="") for each in (url, "https://media.example.com/never.mp4"))
    body = infos(ice, upload_urls=asked)
    assert [info.job_id for info in body.urlupload_info_list] == [first.job_id, second.job_id]
    assert body.non_exists == ["['https://media.example.com/never.mp4']"]


def test_job_ids_win_over_urls_and_unknown_ones_come_back_as_documented(ice: Any, control: Control) -> None:
    (job,) = submit_urls(ice, "https://media.example.com/a.mp4")
    body = infos(ice, job_ids=f"{job.job_id},e3e71ae8", upload_urls="http%3A%2F%2Fh%2Fx.mp4")
    assert [info.job_id for info in body.urlupload_info_list] == [job.job_id]
    assert body.non_exists == ["['e3e71ae8']"]
    control.settings(ice_non_exists="plain")
    assert infos(ice, job_ids="e3e71ae8").non_exists == ["e3e71ae8"]


@pytest.mark.parametrize("end", ["UPLOAD_FAIL", "Normal", "cancelled"])
def test_other_ends_of_url_uploads(ice: Any, end: str) -> None:
    (job,) = submit_urls(ice, f"https://media.example.com/a.mp4?localcloud={end}&localcloud.seconds=0")
    (info,) = infos(ice, job_ids=job.job_id).urlupload_info_list
    assert info.status == {"cancelled": "CANCELLED"}.get(end, end)
    assert (info.error_code == "200") is (end == "Normal")


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("submit", {}),
        ("submit", {"upload_urls": ",".join(f"http%3A%2F%2Fh%2F{n}.mp4" for n in range(21))}),
        ("submit", {"upload_urls": "http%3A%2F%2Fh%2Fno-extension"}),
        ("submit", {"upload_urls": "http%3A%2F%2Fh%2Fa.mp4", "user_data": "not json"}),
        ("submit", {"upload_urls": "http%3A%2F%2Fh%2Fa.mp4", "media_meta_data": '[{"Title": "t"}]'}),
        ("poll", {}),
        ("poll", {"job_ids": ",".join(map(str, range(11)))}),
    ],
)
def test_ice_checks_parameters(ice: Any, operation: str, fields: dict[str, str]) -> None:
    call, request = {
        "submit": (ice.upload_media_by_url, ice_models.UploadMediaByURLRequest),
        "poll": (ice.get_url_upload_infos, ice_models.GetUrlUploadInfosRequest),
    }[operation]
    with pytest.raises(ClientException) as refused:
        call(request(**fields))
    assert refused.value.status_code == 400
    assert refused.value.code in {"MissingParameter", "InvalidParameter"}


def test_storages(ice: Any) -> None:
    (storage,) = ice.get_storage_list(ice_models.GetStorageListRequest()).body.storage_info_list
    assert storage.default_storage
    assert storage.storage_location
    other = ice_models.GetStorageListRequest(storage_type="oss_bucket")
    assert ice.get_storage_list(other).body.storage_info_list == []


def test_throttling_is_the_vendors(dms: Any, control: Control) -> None:
    control.fault("throttle", "poll", retry_after="1500", count=1)
    with pytest.raises(ThrottlingException) as throttled:
        poll_upload(dms, "any")
    assert (throttled.value.status_code, throttled.value.retry_after) == (400, 1500)
    control.fault("throttle", "dms", count=1)
    with pytest.raises(ClientException) as refused:
        poll_upload(dms, "any")
    assert refused.value.code == "Throttling.User"


def test_server_errors_are_the_vendors(dms: Any, control: Control) -> None:
    control.fault("http", "GetUserUploadFileJob", status=503, count=1)
    with pytest.raises(ServerException) as failed:
        poll_upload(dms, "any")
    assert (failed.value.status_code, failed.value.code) == (503, "ServiceUnavailable")
    control.fault("http", "dms", status=200, code="InternalError", message="try again", count=1)
    body = poll_upload(dms, "any")
    assert (body.success, body.error_code, body.error_message) == (False, "InternalError", "try again")


def test_temporary_credentials(cloud: LocalCloud, control: Control) -> None:
    issued = control.issue_credentials("alibaba", expires_in=60)
    changes = {
        "access_key_id": issued["access_key"],
        "access_key_secret": issued["secret"],
        "security_token": issued["security_token"],
    }
    client = DmsClient(config(cloud, **changes))
    assert client.list_user_tenants(dms_models.ListUserTenantsRequest()).body.success
    control.expire_credentials(issued["access_key"])
    with pytest.raises(ClientException) as refused:
        client.list_user_tenants(dms_models.ListUserTenantsRequest())
    assert refused.value.code == "InvalidSecurityToken.Expired"


def test_a_wrong_secret_is_refused_without_echoing_it(cloud: LocalCloud) -> None:
    client = DmsClient(config(cloud, access_key_secret="my-own-secret"))
    with pytest.raises(ClientException) as refused:
        client.list_user_tenants(dms_models.ListUserTenantsRequest())
    assert (refused.value.status_code, refused.value.code) == (403, "SignatureDoesNotMatch")
    assert "server string to sign is:ACS3-HMAC-SHA256" in refused.value.message
    assert "secret" not in refused.value.message


async def poll_async(dms: Any, key: str) -> Any:
    request = dms_models.GetUserUploadFileJobRequest(job_key=key)
    return (await dms.get_user_upload_file_job_async(request)).body


def test_the_vendors_asynchronous_path(dms: Any) -> None:
    key = upload(dms)
    assert asyncio.run(poll_async(dms, key)).upload_file_job_detail.job_key == key
