# SPDX-License-Identifier: Apache-2.0
"""Connections: every bad one is refused with the field's name and what is allowed; peers' layouts work as they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.alibaba.settings import AlibabaSettings, alibaba_settings
from airflow_cloudjobs.connection.fields import table_of
from airflow_cloudjobs.connection.settings import ConnectionFields, InvalidConnection, InvalidPlace
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.huawei.settings import HuaweiSettings, huawei_settings


def fields(extra: Any = None, **own: Any) -> ConnectionFields:
    """A connection; a key that works stands in it unless told otherwise."""
    text = extra if isinstance(extra, str) else json.dumps(extra or {})
    plain = {"conn_type": "", "login": "AK", "password": "SK", **own}
    return ConnectionFields(conn_id="my_conn", extra=text, **plain)


def alibaba(extra: Any = None, region: str | None = None, **own: Any) -> AlibabaSettings:
    return alibaba_settings(fields(extra, **own), region)


def huawei(extra: Any = None, region: str | None = None, **own: Any) -> HuaweiSettings:
    if extra is None or (isinstance(extra, dict) and not {"region", "project_id"} & set(extra) and region is None):
        extra = {"region": "cn-north-4", **(extra or {})}
    return huawei_settings(fields(extra, **own), region)


MAKERS = {"alibaba": alibaba, "huawei": huawei}

# For both clouds: the extra, the connection's own fields, the field at fault, words of what is wrong or allowed.
WRONG_ANYWHERE: list[tuple[Any, dict[str, Any], str, tuple[str, ...]]] = [
    ("{", {}, "extra", ("JSON",)),
    ("[1]", {}, "extra", ("JSON object",)),
    ('"text"', {}, "extra", ("JSON object",)),
    ({"auth": "magic"}, {}, "auth", ("'magic'", "allowed are")),
    ({"auth": ["ak"]}, {}, "auth", ("text", "list")),
    ({"region": {"a": 1}}, {}, "region", ("text",)),
    *(
        ({"region": region}, {}, "region", (repr(region), "cn-north-4"))
        for region in ("None", "cn shanghai/x", "evil.example/@", "a..b", "CN-NORTH-4")
    ),
    ({"region": "xx-1", "security_token": "t0k\nen"}, {}, "security_token", ("line break", "place 4 of 6")),
    ({"region": "xx-1"}, {"login": "\u201cAK"}, "login", ("in no key", "place 1 of 3")),
    ({"region": "xx-1"}, {"password": "S\u00a0K"}, "password", ("blank", "place 2 of 3")),
    ({}, {"login": ""}, "login", ("missing",)),
    ({}, {"login": "  "}, "login", ("missing",)),
    ({}, {"password": ""}, "password", ("missing",)),
    ({}, {"password": " \n"}, "password", ("missing",)),
    ({}, {"host": "h.example/path"}, "host", ("path", "/path")),
    ({}, {"host": "https://h.example/v1/"}, "host", ("path",)),
    ({}, {"host": "h.example?x=1"}, "host", ("path",)),
    ({}, {"host": "ftp://h.example"}, "host", ("http",)),
    ({}, {"host": "user:pw@h.example"}, "host", ("host:port",)),
    ({}, {"host": "https://"}, "host", ("host",)),
    ({}, {"host": "h.example:port"}, "host", ("host:port",)),
    ({}, {"host": "h.example:99999"}, "host", ("host:port",)),
    ({}, {"host": "[::1"}, "host", ("host",)),
    ({}, {"host": "::1", "port": 5}, "host", ("host",)),
    ({}, {"host": "two words"}, "host", ("host",)),
    ({}, {"host": "two..dots"}, "host", ("host",)),
    ({}, {"host": "h.example", "schema": "ftp"}, "schema", ("'http'", "'https'")),
    ({"endpoints": {"d_l": "h"}}, {}, "endpoints", ("'d_l'", "known are", "small letters, digits and '-'")),
    ({"endpoints": "{"}, {}, "endpoints", ("JSON",)),
    ({"endpoints": ["h"]}, {}, "endpoints", ("JSON object",)),
    ({"connect_timeout": 0}, {}, "connect_timeout", ("more than 0",)),
    ({"read_timeout": -1}, {}, "read_timeout", ("more than 0",)),
    ({"read_timeout": "soon"}, {}, "read_timeout", ("'soon'", "seconds")),
    ({"read_timeout": True}, {}, "read_timeout", ("seconds",)),
    ({"read_timeout": "nan"}, {}, "read_timeout", ("seconds",)),
    ('{"region": "cn-x", "read_timeout": NaN}', {}, "read_timeout", ("seconds",)),
    ('{"region": "cn-x", "connect_timeout": Infinity}', {}, "connect_timeout", ("seconds",)),
    ({"verify": "perhaps"}, {}, "verify", ("'perhaps'", "true or false")),
    ({"verify": 5}, {}, "verify", ("true or false",)),
]


@pytest.mark.parametrize("cloud", MAKERS)
@pytest.mark.parametrize(
    ("extra", "own", "field", "words"), WRONG_ANYWHERE, ids=[f"{r[2]}-{r[1] or r[0]}" for r in WRONG_ANYWHERE]
)
def test_a_bad_field_is_named_with_what_is_allowed(
    cloud: str, extra: Any, own: dict[str, Any], field: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(InvalidConnection) as caught:
        MAKERS[cloud](extra, **own)
    message = str(caught.value)
    assert caught.value.field == field
    for word in ("'my_conn'", repr(field), *words):
        assert word in message


WRONG_ALIBABA: list[tuple[dict[str, Any], dict[str, Any], str, tuple[str, ...]]] = [
    ({"auth": "aksk"}, {}, "auth", ("'ak'", "'sts'")),
    ({"auth": "sts"}, {}, "security_token", ("missing", "'sts'")),
    ({"auth": "sts", "security_token": " "}, {}, "security_token", ("missing",)),
    ({"region": "cn-north-4"}, {}, "region", ("Huawei Cloud",)),
    ({"auth_type": "STS"}, {}, "auth_type", ("'AK'",)),
    ({"tid": "mine"}, {}, "tid", ("'mine'", "whole number")),
    ({"access_key_id": "OTHER"}, {}, "login", ("access_key_id", "differ")),
    ({"access_key_secret": "OTHER"}, {}, "password", ("access_key_secret", "differ")),
    ({"access_key_id": "AK"}, {"login": "", "password": ""}, "password", ("missing", "access_key_secret")),
]


@pytest.mark.parametrize(("extra", "own", "field", "words"), WRONG_ALIBABA)
def test_bad_fields_of_alibaba(extra: Any, own: dict[str, Any], field: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidConnection) as caught:
        alibaba(extra, **own)
    assert caught.value.field == field
    for word in (repr(field), *words):
        assert word in str(caught.value)


TOKEN = {"auth": "token", "region": "cn-north-4", "domain": "account"}
WRONG_HUAWEI: list[tuple[dict[str, Any], dict[str, Any], str, tuple[str, ...]]] = [
    ({"auth": "ak", "region": "cn-north-4"}, {}, "auth", ("'aksk'", "'token'")),
    ({"region": ""}, {}, "project_id", ("missing", "'region'")),
    ({"region": "cn-shanghai"}, {}, "region", ("Alibaba Cloud",)),
    ({**TOKEN, "domain": ""}, {}, "domain", ("missing", "account")),
    (TOKEN, {"login": ""}, "login", ("missing", "user")),
    (TOKEN, {"password": ""}, "password", ("missing", "password")),
    ({**TOKEN, "region": ""}, {}, "project_id", ("missing",)),
    ({"region": "cn-north-4_myproject"}, {}, "region", ("'cn-north-4_myproject'", "'project_id'")),
    ({"region": "cn-north-4", "project_name": "cn-north-4_myproject"}, {}, "project_name", ("'project_id'",)),
]


@pytest.mark.parametrize(("extra", "own", "field", "words"), WRONG_HUAWEI)
def test_bad_fields_of_huawei(extra: Any, own: dict[str, Any], field: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidConnection) as caught:
        huawei(extra, **own)
    assert caught.value.field == field
    for word in (repr(field), *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("regoin", "'region'"),
        ("Region", "'region'"),
        ("verify_ssl", "'verify'"),
        ("timeout", "'read_timeout'"),
        ("endpoint", "'endpoints'"),
        ("sts_token", "'security_token'"),
        ("xyzzy", "docs/connections.md"),
    ],
)
@pytest.mark.parametrize("cloud", MAKERS)
def test_a_field_that_nobody_reads_is_named_with_the_nearest(cloud: str, name: str, meant: str) -> None:
    (warning,) = MAKERS[cloud]({name: "x"}, conn_type=f"{cloud}_cloudjobs").warnings
    assert [word for word in ("'my_conn'", repr(name), meant) if word not in warning] == []


def test_a_project_id_is_misspelt() -> None:
    (warning,) = huawei({"region": "cn-north-4", "projet_id": "p"}).warnings
    assert "'projet_id'" in warning
    assert "'project_id'" in warning


def test_fields_of_all_modes_and_of_the_peers_are_no_doubt() -> None:
    for cloud, extra in (
        ("alibaba", {"auth_type": "AK", "project": "p", "endpoint": "e", "access_key_id": "", "external_id": "x"}),
        ("huawei", {"obs_bucket": "b", "project_id": "p", "idp_id": "i"}),
    ):
        mode = {"alibaba": "ak", "huawei": "aksk"}[cloud]
        assert MAKERS[cloud]({"auth": mode, "region": "", **extra}, conn_type=table_of(cloud).types[1]).warnings == ()


@pytest.mark.parametrize(("make", "region"), [(alibaba, "cn-north-4"), (huawei, "cn-hangzhou")])
def test_the_tasks_region_is_judged_too(make: Any, region: str) -> None:
    """As an argument: the connection is not at fault."""
    with pytest.raises(InvalidPlace, match=f"^argument 'region' is '{region}', a region of"):
        make({"project_id": "p"}, region)
    with pytest.raises(InvalidConnection, match=f"^connection 'my_conn': field 'region' is '{region}', a region of"):
        make({"project_id": "p", "region": region})


@pytest.mark.parametrize("cloud", MAKERS)
@pytest.mark.parametrize("conn_type", ["aws", "postgres", "ssh", "http", "alibaba", "AlibabaCloud", "other"])
def test_a_connection_of_another_service_is_refused(cloud: str, conn_type: str) -> None:
    """Its key is sent nowhere, not even signed with."""
    with pytest.raises(InvalidConnection) as caught:
        MAKERS[cloud]({"region": "xx-1"}, conn_type=conn_type)
    assert caught.value.field == "conn_type"
    for words in (repr(conn_type), f"'{cloud}_cloudjobs'", "'generic'"):
        assert words in str(caught.value)


@pytest.mark.parametrize("cloud", MAKERS)
def test_a_connection_of_no_service_is_taken(cloud: str) -> None:
    for conn_type in ("", "generic", *table_of(cloud).types):
        assert MAKERS[cloud]({"region": "xx-1"}, conn_type=conn_type).region == "xx-1"


@pytest.mark.parametrize(
    ("own", "extra", "asked", "host", "origin"),
    [
        ({"host": "h", "port": 81}, {}, None, "h:81", "'host' of connection 'my_conn'"),
        ({"host": "h"}, {"endpoints": {"ice": "I.example"}}, None, "i.example", "'endpoints' (ice) of connection"),
        (
            {},
            {"region": "cn-beijing"},
            None,
            "ice.cn-beijing.aliyuncs.com",
            "'region' of connection 'my_conn', 'cn-beijing'",
        ),
        ({}, {"region": "cn-bejing"}, None, "ice.cn-bejing.aliyuncs.com", "'cn-bejing': did you mean 'cn-beijing'?"),
        ({}, {"region": "cn-beijing"}, "cn-x", "ice.cn-x.aliyuncs.com", "the argument 'region', 'cn-x'"),
        ({}, {"region": "cn-beijing"}, None, "sts.aliyuncs.com", ""),
    ],
)
def test_what_makes_a_host(
    own: dict[str, Any], extra: dict[str, Any], asked: str | None, host: str, origin: str
) -> None:
    found = alibaba(extra, asked, **own).origin(host)
    assert origin in found
    assert bool(origin) == bool(found)
    assert alibaba(extra, asked, **own).at("other.example").origin("other.example") == "the argument 'endpoint'"


@pytest.mark.parametrize(
    ("hook", "conn_type", "right"),
    [
        (AlibabaCloudHook, "huawei_cloudjobs", "Alibaba Cloud"),
        (HuaweiCloudHook, "alibaba_cloudjobs", "Huawei Cloud"),
        (AlibabaCloudHook, "huaweicloud", "Alibaba Cloud"),
        (HuaweiCloudHook, "alibaba_cloud", "Huawei Cloud"),
    ],
)
def test_a_connection_of_the_other_cloud_is_refused(hook: Any, conn_type: str, right: str) -> None:
    """By its type, ours or the peer provider's, before its key is sent anywhere."""
    with pytest.raises(InvalidConnection, match=right) as caught:
        hook("my_conn").read_settings(fields({"region": "ap-southeast-1"}, conn_type=conn_type))
    assert caught.value.field == "conn_type"
    assert conn_type in str(caught.value)


class TestPeers:
    """Connections written for other providers."""

    def test_the_alibaba_providers(self) -> None:
        extra = {"auth_type": "AK", "access_key_id": "LTAI", "access_key_secret": "s3cret", "region": "cn-hangzhou"}
        for conn_type in ("alibaba_cloud", "oss", "adb_spark", "maxcompute"):
            settings = AlibabaCloudHook("my_conn").read_settings(
                fields(extra, conn_type=conn_type, login="", password="", schema="a-bucket")
            )
            assert (settings.credential.key, settings.credential.secret) == ("LTAI", "s3cret")
            assert settings.region == "cn-hangzhou"
            assert settings.endpoint("ice") == "https://ice.cn-hangzhou.aliyuncs.com"

    def test_the_huawei_providers(self) -> None:
        extra = {"region": "cn-north-4", "project_id": "p1", "obs_bucket": "b", "domain_id": "d"}
        settings = HuaweiCloudHook("my_conn").read_settings(
            fields(extra, conn_type="huaweicloud", login="HPUA", password="s3cret")
        )
        assert settings.credential is not None
        assert (settings.credential.key, settings.credential.secret) == ("HPUA", "s3cret")
        assert settings.project_id == "p1"
        assert settings.endpoint("dli") == "https://dli.cn-north-4.myhuaweicloud.com"

    def test_the_same_key_written_twice_is_no_contradiction(self) -> None:
        assert alibaba({"access_key_id": "AK", "access_key_secret": "SK"}).credential.key == "AK"


class TestGood:
    def test_blanks_around_a_pasted_key_are_dropped(self) -> None:
        one = alibaba(login=" AK\n", password="SK\n").credential
        other = huawei(login=" AK\n", password="SK\n").credential
        assert other is not None
        assert (one.key, one.secret) == (other.key, other.secret) == ("AK", "SK")

    def test_a_password_may_begin_and_end_with_a_blank(self) -> None:
        """A key never does, but the password of a person may."""
        settings = huawei(TOKEN, login="user", password=" pass word ")
        users = [getattr(settings, name, None) for name in ("user", "source")]
        [user] = [user for user in users if user is not None]
        assert user.password == " pass word "

    @pytest.mark.parametrize("make", [alibaba, huawei])
    def test_defaults(self, make: Any) -> None:
        transport = make({"region": "xx-1"}).transport
        assert (transport.connect_timeout, transport.read_timeout) == (5.0, 20.0)
        assert (transport.proxy, transport.ca_bundle, transport.verify) == (None, None, True)

    @pytest.mark.parametrize("make", [alibaba, huawei])
    @pytest.mark.parametrize(
        ("own", "address"),
        [
            ({"host": "h.example"}, "https://h.example"),
            ({"host": "h.example", "port": 8443}, "https://h.example:8443"),
            ({"host": "h.example", "port": 80, "schema": "http"}, "http://h.example:80"),
            ({"host": "http://h.example:81", "port": 82}, "http://h.example:81"),
            ({"host": " https://h.example/ "}, "https://h.example"),
            ({"host": "127.0.0.1", "port": 1, "schema": "http"}, "http://127.0.0.1:1"),
            ({"host": "[::1]", "port": 8443}, "https://[::1]:8443"),
        ],
    )
    def test_a_host_serves_every_service(self, make: Any, own: dict[str, Any], address: str) -> None:
        settings = make({"region": "xx-1"}, **own)
        services = ("dms-enterprise", "ice", "sts") if make is alibaba else ("dli", "drs", "iam")
        assert {settings.endpoint(service) for service in services} == {address}

    def test_an_endpoint_of_one_service_wins(self) -> None:
        settings = alibaba({"endpoints": {"ice": "http://ice.local:1"}}, host="h.example")
        assert settings.endpoint("ice") == "http://ice.local:1"
        assert settings.endpoint("dms-enterprise") == "https://h.example"

    def test_what_a_form_stores_as_text_is_read(self) -> None:
        extra = {"endpoints": '{"ice": "h"}', "verify": "false", "read_timeout": "7.5", "tid": 12, "proxy": ""}
        settings = alibaba(extra)
        assert settings.endpoint("ice") == "https://h"
        assert (settings.transport.verify, settings.transport.read_timeout, settings.tid) == (False, 7.5, "12")
        assert settings.transport.proxy is None

    def test_the_tasks_region_wins(self) -> None:
        assert alibaba({"region": "cn-shanghai"}, "cn-beijing").endpoint("ice") == "https://ice.cn-beijing.aliyuncs.com"
        assert huawei({"region": "cn-north-4"}, "cn-east-3").endpoint("dli").startswith("https://dli.cn-east-3.")

    def test_a_project_is_of_one_region(self) -> None:
        extra = {"region": "cn-north-4", "project_id": "p"}
        assert huawei(extra).project_id == "p"
        assert huawei(extra, "cn-north-4").project_id == "p"
        assert huawei(extra, "cn-east-3").project_id == ""
        assert huawei({"project_id": "p"}, "cn-east-3").project_id == "p"

    @pytest.mark.parametrize("region", ["ap-southeast-1", "me-east-1"])
    def test_regions_that_both_clouds_have(self, region: str) -> None:
        assert alibaba({"region": region}).region == huawei({"region": region}).region == region

    def test_a_region_that_nobody_has_heard_of_is_taken(self) -> None:
        assert alibaba({"region": "xx-new-9"}).endpoint("ice") == "https://ice.xx-new-9.aliyuncs.com"
        assert huawei({"region": "xx-new-9"}).endpoint("dli") == "https://dli.xx-new-9.myhuaweicloud.com"

    def test_equal_connections_make_equal_settings(self) -> None:
        assert alibaba({"region": "cn-shanghai"}) == alibaba({"region": "cn-shanghai"})
        assert alibaba(password="a") != alibaba(password="b")


class TestVendorHosts:
    @pytest.mark.parametrize("region", ["", "cn-hangzhou", "ap-southeast-1", "eu-central-1"])
    def test_dms_is_central(self, region: str) -> None:
        assert alibaba({"region": region}).endpoint("dms-enterprise") == "https://dms-enterprise.aliyuncs.com"

    @pytest.mark.parametrize(
        "region", ["cn-beijing", "cn-hangzhou", "cn-shanghai", "cn-shenzhen", "ap-southeast-1", "us-west-1"]
    )
    def test_ice_is_regional_where_its_page_says_so(self, region: str) -> None:
        assert alibaba({"region": region}).endpoint("ice") == f"https://ice.{region}.aliyuncs.com"

    @pytest.mark.parametrize("region", ["cn-hongkong", "ap-northeast-1", "eu-central-1", "cn-qingdao", "us-east-1"])
    def test_ice_is_central_in_the_other_regions_that_the_sdk_lists(self, region: str) -> None:
        assert alibaba({"region": region}).endpoint("ice") == "https://ice.aliyuncs.com"

    def test_ice_without_a_region_says_what_it_needs(self) -> None:
        with pytest.raises(InvalidConnection, match=r"'region' is missing.*cn-shanghai") as caught:
            alibaba().endpoint("ice")
        assert caught.value.field == "region"

    @pytest.mark.parametrize("service", ["dli", "drs", "iam"])
    @pytest.mark.parametrize(
        ("region", "domain"),
        [
            ("cn-north-4", "myhuaweicloud.com"),
            ("ap-southeast-3", "myhuaweicloud.com"),
            ("eu-west-0", "myhuaweicloud.com"),
            ("eu-west-101", "myhuaweicloud.eu"),
        ],
    )
    def test_huawei_is_regional_and_has_a_european_site(self, service: str, region: str, domain: str) -> None:
        assert huawei({"region": region}).endpoint(service) == f"https://{service}.{region}.{domain}"

    def test_iam_has_a_global_host(self) -> None:
        assert huawei({"project_id": "p"}).endpoint("iam") == "https://iam.myhuaweicloud.com"

    @pytest.mark.parametrize("service", ["dli", "drs"])
    def test_the_services_need_a_region(self, service: str) -> None:
        with pytest.raises(InvalidConnection, match=r"'region' is missing.*cn-north-4") as caught:
            huawei({"project_id": "p"}).endpoint(service)
        assert caught.value.field == "region"

    def test_the_sdks_own_hosts_are_ours(self) -> None:
        """Every region of the vendor's own client leads to the same host."""
        from huaweicloudsdkdli.v1.region.dli_region import DliRegion
        from huaweicloudsdkdrs.v5.region.drs_region import DrsRegion

        for service, table in (("dli", DliRegion), ("drs", DrsRegion)):
            regions = [value for name, value in vars(table).items() if name.isupper() and hasattr(value, "endpoints")]
            assert len(regions) >= 20
            for region in regions:
                ours = huawei({"region": region.id}).endpoint(service)
                assert ours in {endpoint.rstrip("/") for endpoint in region.endpoints}, region.id

    @pytest.mark.parametrize(
        ("service", "region", "host"),
        [
            ("ecs", "cn-shanghai", "ecs.cn-shanghai"),
            ("ecs", "cn-hangzhou", "ecs-cn-hangzhou"),
            ("ecs", "cn-north-2-gov-1", "ecs"),
            ("emr-serverless-spark", "cn-hangzhou", "emr-serverless-spark.cn-hangzhou"),
            ("adb", "cn-shanghai", "adb"),
            ("adb", "cn-chengdu", "adb.cn-chengdu"),
            ("adb", "me-east-1", "adb.ap-northeast-1"),
            ("rds", "cn-hangzhou-finance", "rds-vpc.cn-hangzhou-finance"),
            ("vod", "cn-hangzhou", "vod.cn-shanghai"),
            ("fc", "cn-hangzhou", "fcv3.cn-hangzhou"),
            ("fcv3", "me-central-1", "me-central-1.fc"),
            ("fnf", "cn-beijing", "cn-beijing.fnf"),
            ("dataworks-public", "cn-shanghai", "dataworks.cn-shanghai"),
            ("green", "cn-shanghai", "green-cip.cn-shanghai"),
            ("green", "eu-west-1", "green.ap-southeast-1"),
            ("sts", "", "sts"),
            ("dms-enterprise", "", "dms-enterprise"),
        ],
    )
    def test_alibabas_services_are_where_its_sdks_look(self, service: str, region: str, host: str) -> None:
        """As the endpoint maps of their SDK packages have it (ecs 7.11.8, adb 4.5.1, rds 16.0.2, vod 3.12.1, ...)."""
        assert alibaba({"region": region}).endpoint(service) == f"https://{host}.aliyuncs.com"

    @pytest.mark.parametrize(
        ("service", "host"), [("mrs", "mrs"), ("dayu", "dayu"), ("dgc", "dayu-dlf"), ("aos", "rfs"), ("sis", "sis-ext")]
    )
    def test_huaweis_services_are_where_its_sdks_look(self, service: str, host: str) -> None:
        assert huawei({"region": "cn-east-3"}).endpoint(service) == f"https://{host}.cn-east-3.myhuaweicloud.com"

    @pytest.mark.parametrize("service", ["ecs", "emr-serverless-spark"])
    def test_the_region_that_a_service_needs(self, service: str) -> None:
        with pytest.raises(InvalidConnection, match=rf"'region' is missing: '{service}' needs one, e.g. cn-shanghai"):
            alibaba({}).endpoint(service)

    @pytest.mark.parametrize("service", ["evil.example/", "a.b", "a@b", "", "A", "a b", "a:1", "a#"])
    @pytest.mark.parametrize("make", [alibaba, huawei])
    def test_a_host_is_the_vendors_whatever_the_service_is_called(self, make: Any, service: str) -> None:
        with pytest.raises(ValueError, match=r"service '.*' is none"):
            make({"region": "me-east-1"}).endpoint(service)

    @pytest.mark.parametrize("make", [alibaba, huawei])
    def test_any_service_may_have_an_endpoint_and_a_likely_slip_is_said(self, make: Any) -> None:
        settings = make({"region": "me-east-1", "endpoints": {"mrs": "mrs.example", "metadat": "http://m.example"}})
        assert settings.endpoint("mrs") == "https://mrs.example"
        assert [warning for warning in settings.warnings if "'metadat': was 'metadata' meant?" in warning]
        assert len(settings.warnings) == 1

    @pytest.mark.parametrize("make", [alibaba, huawei])
    def test_a_tasks_endpoint_is_that_of_every_service_but_the_logins(self, make: Any) -> None:
        login = "sts" if make is alibaba else "iam"
        settings = make({"region": "me-east-1", "endpoints": {"mrs": "mrs.example", login: "login.example"}})
        own = settings.at("own.example")
        assert {own.endpoint(service) for service in ("mrs", "dli", "ecs", "ice")} == {"https://own.example"}
        assert own.endpoint(login) == "https://login.example"
        assert own.endpoint("metadata") == settings.metadata

    @pytest.mark.parametrize("project_id", ["../v3", "a/b", "a?b", "字", "{x}"])
    def test_a_project_cannot_change_a_path(self, project_id: str) -> None:
        with pytest.raises(InvalidConnection) as caught:
            huawei({"region": "me-east-1", "project_id": project_id})
        assert caught.value.field == "project_id"
