# SPDX-License-Identifier: Apache-2.0
"""Security Token Service 2015-04-01: who am I."""

from __future__ import annotations

from airflow_cloudjobs.localcloud.accounts import ALIBABA_ACCOUNT_ID
from airflow_cloudjobs.localcloud.alibaba.rpc import answer
from airflow_cloudjobs.localcloud.answers import Answer
from airflow_cloudjobs.localcloud.call import Call, Operation

VERSION = "2015-04-01"
_USER = "216959339000654321"


def get_caller_identity(call: Call) -> Answer:
    """GetCallerIdentity: the account and user of the access key."""
    return answer(
        call,
        {
            "AccountId": ALIBABA_ACCOUNT_ID,
            "Arn": f"acs:ram::{ALIBABA_ACCOUNT_ID}:user/engineer",
            "IdentityType": "RAMUser",
            "PrincipalId": _USER,
            "UserId": _USER,
        },
    )


OPERATIONS = (Operation("alibaba", "sts", "GetCallerIdentity", "read", get_caller_identity),)
