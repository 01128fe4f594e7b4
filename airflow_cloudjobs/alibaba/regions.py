# SPDX-License-Identifier: Apache-2.0
"""Where the services of Alibaba Cloud are served from.

The vendor's rule is ``<service>.<region>.aliyuncs.com``. What departs from it stands here as in the endpoint maps of
its SDK packages (ICE: see below), for the regions that it lists publicly; ``endpoints`` of a connection wins over all.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from airflow_cloudjobs.connection.regions import words

ICE_CENTRAL = words(
    """
    ap-northeast-1 ap-northeast-2-pop ap-south-1 ap-southeast-2 ap-southeast-3 ap-southeast-5
    cn-beijing-finance-1 cn-beijing-finance-pop cn-beijing-gov-1 cn-beijing-nu16-b01 cn-chengdu cn-edge-1
    cn-fujian cn-haidian-cm12-c01 cn-hangzhou-bj-b01 cn-hangzhou-finance cn-hangzhou-internal-prod-1
    cn-hangzhou-internal-test-1 cn-hangzhou-internal-test-2 cn-hangzhou-internal-test-3 cn-hangzhou-test-306
    cn-hongkong cn-hongkong-finance-pop cn-huhehaote cn-huhehaote-nebula-1 cn-north-2-gov-1 cn-qingdao
    cn-qingdao-nebula cn-shanghai-et15-b01 cn-shanghai-et2-b01 cn-shanghai-finance-1 cn-shanghai-inner
    cn-shanghai-internal-test-1 cn-shenzhen-finance-1 cn-shenzhen-inner cn-shenzhen-st4-d01 cn-shenzhen-su18-b01
    cn-wuhan cn-wulanchabu cn-yushanfang cn-zhangbei cn-zhangbei-na61-b01 cn-zhangjiakou cn-zhangjiakou-na62-a01
    cn-zhengzhou-nebula-1 eu-central-1 eu-west-1 eu-west-1-oxs me-east-1 rus-west-1-pop us-east-1
    """
)
"""Regions that ICE serves from ``ice.aliyuncs.com``, finance and government clouds among them.

They are those of the endpoint map in the vendor's SDK (alibabacloud_ice20201109), without the six that ICE's endpoint
page documents as regional: cn-beijing, cn-hangzhou, cn-shanghai, cn-shenzhen, ap-southeast-1, us-west-1
(https://www.alibabacloud.com/help/en/ims/developer-reference/api-ice-2020-11-09-endpoint).
"""

CENTRAL = words("dms-enterprise sts")
"""Services with one host for all regions."""

PREFIXES = {"dataworks-public": "dataworks", "fc": "fcv3", "green": "green-cip"}
"""How hosts begin where the service has another name (dataworks-public 2024-05-18, fc 2023-03-30, green 2022-03-02)."""

ELSEWHERE: Mapping[str, Mapping[str, frozenset[str]]] = {
    "adb": {
        "adb": words(
            """
            ap-southeast-1 cn-beijing cn-beijing-finance-1 cn-hangzhou cn-hangzhou-finance cn-hongkong
            cn-north-2-gov-1 cn-qingdao cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1
            us-east-1 us-west-1
            """
        ),
        "adb.ap-northeast-1": words("me-east-1"),
    },
    "dataworks": {
        "dataworks": words("ap-south-1 ap-southeast-2 cn-hangzhou-finance cn-huhehaote cn-qingdao"),
    },
    "docmind-api": {
        "docmind-api": words(
            """
            ap-northeast-1 ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 cn-beijing
            cn-beijing-finance-1 cn-chengdu cn-hangzhou-finance cn-hongkong cn-huhehaote cn-north-2-gov-1
            cn-qingdao cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1 cn-wulanchabu
            cn-zhangjiakou eu-central-1 eu-west-1 me-east-1 us-east-1 us-west-1
            """
        ),
    },
    "dts": {
        "dts": words(
            """
            ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 cn-beijing
            cn-beijing-finance-1 cn-chengdu cn-hangzhou cn-hangzhou-finance cn-hongkong cn-huhehaote
            cn-north-2-gov-1 cn-qingdao cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1
            cn-wulanchabu cn-zhangjiakou eu-central-1 eu-west-1 me-east-1 us-east-1 us-west-1
            """
        ),
    },
    "ecs": {
        "ecs": words("cn-hangzhou-finance cn-north-2-gov-1"),
        "ecs-cn-hangzhou": words("cn-hangzhou cn-shanghai-finance-1 cn-shenzhen-finance-1"),
    },
    "emr": {
        "emr": words(
            """
            ap-southeast-1 cn-beijing cn-beijing-finance-1 cn-hangzhou cn-hangzhou-finance cn-north-2-gov-1
            cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1 us-west-1
            """
        ),
    },
    "fcv3": {
        "cn-hangzhou-finance.fc": words("cn-hangzhou-finance"),
        "cn-shanghai-finance-1.fc": words("cn-shanghai-finance-1"),
        "me-central-1.fc": words("me-central-1"),
    },
    "fnf": {
        "cn-beijing.fnf": words("cn-beijing"),
        "cn-hangzhou.fnf": words("cn-hangzhou"),
        "cn-shanghai.fnf": words("cn-shanghai"),
        "cn-shenzhen.fnf": words("cn-shenzhen"),
    },
    "gpdb": {
        "gpdb": words(
            """
            ap-south-1 ap-southeast-2 cn-beijing-finance-1 cn-hangzhou cn-hangzhou-finance
            """
        ),
    },
    "green-cip": {
        "green": words(
            """
            cn-chengdu cn-hangzhou-finance cn-hongkong cn-huhehaote cn-north-2-gov-1 cn-qingdao cn-shanghai-finance-1
            cn-shenzhen-finance-1 cn-zhangjiakou
            """
        ),
        "green.ap-southeast-1": words(
            """
            ap-northeast-1 ap-south-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 eu-central-1 eu-west-1 me-east-1
            us-east-1
            """
        ),
    },
    "ice": {
        "ice": ICE_CENTRAL,
    },
    "maxcompute": {
        "maxcompute": words(
            """
            ap-northeast-1 ap-south-1 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 cn-beijing
            cn-beijing-finance-1 cn-chengdu cn-hangzhou cn-hangzhou-finance cn-hongkong cn-huhehaote
            cn-north-2-gov-1 cn-qingdao cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1
            cn-zhangjiakou eu-central-1 eu-west-1 me-east-1 us-east-1 us-west-1
            """
        ),
    },
    "mts": {
        "mts": words(
            """
            ap-southeast-2 ap-southeast-3 cn-beijing-finance-1 cn-chengdu cn-hangzhou-finance cn-north-2-gov-1
            cn-shanghai-finance-1 cn-shenzhen-finance-1 cn-wulanchabu me-east-1 us-east-1
            """
        ),
    },
    "pai-dlc": {
        "pai-dlc": words(
            """
            ap-south-1 ap-southeast-2 cn-beijing-finance-1 cn-chengdu cn-hangzhou-finance cn-huhehaote
            cn-north-2-gov-1 cn-qingdao cn-shenzhen-finance-1 cn-zhangjiakou eu-west-1 me-east-1
            """
        ),
    },
    "rds": {
        "rds": words(
            """
            ap-southeast-1 cn-beijing cn-beijing-finance-1 cn-hangzhou cn-heyuan cn-hongkong cn-north-2-gov-1
            cn-qingdao cn-shanghai cn-shanghai-finance-1 cn-shenzhen cn-shenzhen-finance-1 us-east-1 us-west-1
            """
        ),
        "rds-vpc.cn-hangzhou-finance": words("cn-hangzhou-finance"),
    },
    "vod": {
        "vod": words(
            """
            ap-southeast-2 ap-southeast-3 cn-beijing-finance-1 cn-chengdu cn-hangzhou-finance cn-huhehaote
            cn-qingdao cn-shanghai-finance-1 cn-shenzhen-finance-1 cn-wulanchabu me-east-1 us-east-1
            """
        ),
        "vod.cn-shanghai": words("cn-hangzhou"),
    },
}
"""By service, what the hosts of the regions begin with that do not follow the rule."""


@lru_cache(maxsize=256)
def host(service: str, region: str) -> str:
    """The vendor's own host of a service.

    :param service: the vendor's name of it, or what its hosts begin with.
    :param region: the region; empty is enough for the :data:`CENTRAL` ones.
    """
    prefix = PREFIXES.get(service, service)
    if prefix in CENTRAL:
        return f"{prefix}.aliyuncs.com"
    shared = (begin for begin, regions in ELSEWHERE.get(prefix, {}).items() if region in regions)
    return f"{next(shared, f'{prefix}.{region}')}.aliyuncs.com"
