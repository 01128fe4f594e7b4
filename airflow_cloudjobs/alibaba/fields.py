# SPDX-License-Identifier: Apache-2.0
"""The fields of an Alibaba Cloud connection."""

from __future__ import annotations

from airflow_cloudjobs.connection.fields import METADATA, Field, FieldTable, reaching

BY_KEY = ("ak", "sts", "ram_role_arn")
"""The modes in which the connection holds an AccessKey."""

BY_ROLE = ("ram_role_arn", "oidc_role_arn")
"""The modes in which a RAM role is taken on."""

FIELDS = FieldTable(
    "alibaba",
    (
        Field(
            "auth",
            "Authentication",
            "where credentials come from",
            kind="choice",
            choices={
                "ak": "AccessKey ID and secret of the standard fields",
                "sts": "temporary AccessKey, with its security token",
                "ram_role_arn": "RAM role that the AccessKey assumes",
                "oidc_role_arn": "RAM role by OIDC token (RRSA pods)",
                "ecs_ram_role": "RAM role of the ECS instance",
                "credentials_uri": "an address that hands out credentials",
                "default": "the default chain of Alibaba Cloud's SDK",
            },
        ),
        Field(
            "login", "AccessKey ID", "the AccessKey ID", needed=BY_KEY, peer="access_key_id", placeholder="LTAI5t..."
        ),
        Field(
            "password", "AccessKey secret", "the AccessKey secret", secret=True, needed=BY_KEY, peer="access_key_secret"
        ),
        Field(
            "region",
            "Region",
            "region id, needed for ICE",
            note="a task's `region` wins",
            examples=("cn-shanghai", "cn-beijing", "cn-hangzhou", "cn-shenzhen", "ap-southeast-1", "us-west-1"),
        ),
        Field(
            "security_token",
            "Security token",
            "the token of the temporary AccessKey",
            secret=True,
            needed=("sts",),
            taken=("ak", "ram_role_arn"),
        ),
        # The variables are those that the vendor's webhook puts into a pod.
        Field(
            "role_arn",
            "Role ARN",
            "the ARN of the RAM role",
            note="`acs:ram::<account>:role/<name>`",
            needed=BY_ROLE,
            environment={"oidc_role_arn": "ALIBABA_CLOUD_ROLE_ARN"},
        ),
        Field(
            "role_session_name",
            "Role session name",
            "the session's name in the audit log",
            taken=BY_ROLE,
            environment={"oidc_role_arn": "ALIBABA_CLOUD_ROLE_SESSION_NAME"},
            default="airflow-cloudjobs",
        ),
        Field("external_id", "External id", "what the role's trust policy may ask for", taken=("ram_role_arn",)),
        Field(
            "oidc_provider_arn",
            "OIDC provider ARN",
            "the ARN of the OIDC identity provider",
            note="`acs:ram::<account>:oidc-provider/<name>`",
            needed=("oidc_role_arn",),
            environment={"oidc_role_arn": "ALIBABA_CLOUD_OIDC_PROVIDER_ARN"},
        ),
        Field(
            "oidc_token_file",
            "OIDC token file",
            "the path of the OIDC token",
            note="on worker and triggerer, read anew at every login",
            needed=("oidc_role_arn",),
            environment={"oidc_role_arn": "ALIBABA_CLOUD_OIDC_TOKEN_FILE"},
        ),
        Field(
            "ecs_role_name",
            "ECS role name",
            "the RAM role of the instance",
            taken=("ecs_ram_role",),
            otherwise="asked of the instance",
        ),
        Field(
            "credentials_uri",
            "Credentials URI",
            "the address that hands out credentials",
            note="`http(s)`, answering `Code`, `AccessKeyId`, `AccessKeySecret`, `SecurityToken`, `Expiration`",
            needed=("credentials_uri",),
        ),
        Field("tid", "DMS tenant id", "DMS tenant (a number) of calls whose task names none", otherwise="DMS chooses"),
        *reaching(("dms-enterprise", "ice", "sts", METADATA), "dms-enterprise-vpc.cn-shanghai.aliyuncs.com"),
    ),
    types=("alibaba_cloudjobs", "alibaba_cloud", "oss", "adb_spark", "maxcompute"),
    peers=("project", "endpoint"),
)
