# SPDX-License-Identifier: Apache-2.0
"""The regions that the vendors list, to notice a region of the other cloud, and to guess what a misspelt one means.

A region in neither list is accepted: vendors open regions faster than packages are released.
Sources: https://www.alibabacloud.com/help/en/sdk/product-overview/regions-and-zones (and the endpoint pages of
DMS and ICE); region lists of Huawei Cloud's SDK for DLI, DRS and IAM.
"""

from __future__ import annotations

import re
from difflib import get_close_matches


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


ALIBABA = words(
    """
    cn-qingdao cn-beijing cn-zhangjiakou cn-huhehaote cn-wulanchabu cn-hangzhou cn-shanghai cn-nanjing cn-fuzhou
    cn-wuhan-lr cn-shenzhen cn-heyuan cn-guangzhou cn-chengdu cn-hongkong cn-hangzhou-finance
    cn-shanghai-finance-1 cn-shenzhen-finance-1 cn-beijing-finance-1 cn-north-2-gov-1
    ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-5 ap-southeast-6 ap-southeast-7 ap-northeast-1
    ap-northeast-2 ap-south-1 eu-central-1 eu-west-1 us-west-1 us-east-1 us-southeast-1 na-south-1 me-east-1
    me-central-1
    """
)

HUAWEI = words(
    """
    cn-north-1 cn-north-2 cn-north-4 cn-north-9 cn-north-11 cn-north-12 cn-east-2 cn-east-3 cn-east-4 cn-east-5
    cn-south-1 cn-south-2 cn-south-4 cn-southwest-2 cn-southwest-3 ap-southeast-1 ap-southeast-2 ap-southeast-3
    ap-southeast-4 ap-southeast-5 la-south-2 la-north-2 na-mexico-1 sa-brazil-1 af-south-1 af-north-1 eu-west-0
    eu-west-101 ru-northwest-2 ru-moscow-1 tr-west-1 ae-ad-1 me-east-1 my-kualalumpur-1
    """
)


REGIONS = {"alibaba": ALIBABA, "huawei": HUAWEI}
NAMES = {"alibaba": "Alibaba Cloud", "huawei": "Huawei Cloud"}


def problem(cloud: str, region: str) -> str:
    """Why a text can be no region of a cloud; empty if it may be one.

    :param cloud: ``alibaba`` or ``huawei``.
    :param region: the text; empty for none.
    """
    if cloud == "huawei" and "_" in region:
        return (
            f"is {region!r}, which names a project in a region: give the region alone, e.g. cn-north-4, and the "
            "project's id in 'project_id' of the connection (IAM console, My Credentials)"
        )
    if not re.fullmatch(r"[a-z0-9-]*", region):
        # A part of the host that credentials are sent to, which a task's template may have made.
        return f"is {region!r}; region ids look like 'cn-north-4'"
    for other, listed in REGIONS.items():
        if region in listed and region not in REGIONS[cloud]:
            return f"is {region!r}, a region of {NAMES[other]}"
    return ""


def meant(cloud: str, region: str) -> str:
    """The listed region that somebody may have meant by one that is not; empty if it is listed, or like none."""
    listed = REGIONS[cloud]
    return "" if region in listed else next(iter(get_close_matches(region, sorted(listed), n=1)), "")
