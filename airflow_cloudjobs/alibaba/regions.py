# SPDX-License-Identifier: Apache-2.0
"""Where ICE is served from."""

from __future__ import annotations

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
