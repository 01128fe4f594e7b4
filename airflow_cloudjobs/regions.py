# SPDX-License-Identifier: Apache-2.0
"""The regions that the vendors list, to notice a region of the other cloud.

A region in neither list is accepted: vendors open regions faster than packages are released.
Sources: https://www.alibabacloud.com/help/en/sdk/product-overview/regions-and-zones (and the endpoint pages of
DMS and ICE); region lists of Huawei Cloud's SDK for DLI, DRS and IAM.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ALIBABA = _words(
    """
    cn-qingdao cn-beijing cn-zhangjiakou cn-huhehaote cn-wulanchabu cn-hangzhou cn-shanghai cn-nanjing cn-fuzhou
    cn-wuhan-lr cn-shenzhen cn-heyuan cn-guangzhou cn-chengdu cn-hongkong cn-hangzhou-finance
    cn-shanghai-finance-1 cn-shenzhen-finance-1 cn-beijing-finance-1 cn-north-2-gov-1
    ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-northeast-1
    ap-northeast-2 ap-south-1 eu-central-1 eu-west-1 us-west-1 us-east-1 us-southeast-1 na-south-1 me-east-1
    me-central-1
    """
)

HUAWEI = _words(
    """
    cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12 cn-east-2 cn-east-3 cn-east-4 cn-east-5
    cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 ap-southeast-1 ap-southeast-2 ap-southeast-3
    ap-southeast-4 ap-southeast-5 la-south-2 la-north-2 na-mexico-1 sa-brazil-1 af-south-1 af-north-1 eu-west-0
    eu-west-101 ru-northwest-2 ru-moscow-1 tr-west-1 ae-ad-1 me-east-1 my-kualalumpur-1
    """
)

ICE_CENTRAL = _words(
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


def foreign_region(region: str, own: frozenset[str], other: frozenset[str]) -> bool:
    """True if a region is listed by the other cloud only."""
    return region in other and region not in own
