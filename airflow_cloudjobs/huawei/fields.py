# SPDX-License-Identifier: Apache-2.0
"""The fields of a Huawei Cloud connection."""

from __future__ import annotations

from airflow_cloudjobs.connection.fields import METADATA, Field, FieldTable, reaching

DLI = "huawei_dli"
"""The type of a connection that runs SQL too (:mod:`airflow_cloudjobs.huawei.sql`); all our tasks take it."""

FIELDS = FieldTable(
    "huawei",
    (
        Field(
            "auth",
            "Authentication",
            "where credentials come from",
            kind="choice",
            choices={
                "aksk": "AK and SK of the standard fields",
                "token": "IAM user and password of the standard fields",
                "ecs_agency": "agency of the ECS instance",
                "oidc": "ID token of an OpenID Connect identity provider",
                "default": "the default chain of Huawei Cloud's SDK",
            },
        ),
        Field(
            "login",
            "AK or IAM user",
            "the AK",
            senses={"token": "the IAM user's name"},
            needed=("aksk", "token"),
            placeholder="HPUA...",
        ),
        Field(
            "password",
            "SK or IAM password",
            "the SK",
            senses={"token": "the IAM user's password"},
            secret=True,
            needed=("aksk", "token"),
        ),
        Field(
            "region",
            "Region",
            "region id, by which the project is looked up",
            note="a task's `region` wins",
            examples=("cn-north-4", "cn-east-3", "cn-south-1", "ap-southeast-1", "ap-southeast-3", "eu-west-101"),
        ),
        Field(
            "project_id",
            "Project id",
            "the project of the region",
            note="used only with the connection's own region",
            otherwise="looked up in IAM by the region's name",
        ),
        Field("domain", "Account name", "the name of the IAM user's account", needed=("token",)),
        Field("security_token", "Security token", "the token of a temporary AK and SK", secret=True, taken=("aksk",)),
        Field(
            "idp_id",
            "Identity provider",
            "the identity provider's name in IAM",
            needed=("oidc",),
            environment={"oidc": "HUAWEICLOUD_SDK_IDP_ID"},
        ),
        Field(
            "id_token_file",
            "ID token file",
            "the path of the ID token",
            note="on worker and triggerer, read anew at every login",
            needed=("oidc",),
            environment={"oidc": "HUAWEICLOUD_SDK_ID_TOKEN_FILE"},
        ),
        *reaching(("dli", "drs", "iam", METADATA), "dli.cn-north-4.example.com"),
    ),
    types=("huawei_cloudjobs", DLI, "huaweicloud"),
    peers=("obs_bucket",),
    only={
        DLI: (
            Field("database", "Database", "the database of SQL that names none", otherwise="DLI's `default`"),
            Field("queue_name", "Queue", "the queue that SQL runs in", otherwise="DLI's `default`"),
        )
    },
)
