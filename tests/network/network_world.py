# SPDX-License-Identifier: Apache-2.0
"""Where the clouds are, seen from outside and from behind the proxy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_cloudjobs.localcloud import LocalCloud

#: A name that no resolver knows (RFC 6761), so that whoever reaches it went through the proxy.
HIDDEN = "cloud.invalid"

#: What a machine may set for all its processes.
SILENCED = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSL_CERT_FILE",
)

Connect = Callable[..., None]


def connection(
    clouds: Mapping[str, LocalCloud], cloud: str, schema: str, *, hidden: bool = False, **extra: Any
) -> dict[str, Any]:
    """A connection to one of the clouds, in Airflow's JSON form.

    :param hidden: True names it by the host that only the proxy knows.
    """
    local = clouds[schema]
    made = local.alibaba_connection(**extra) if cloud == "alibaba" else local.huawei_connection(**extra)
    return {**made, "host": HIDDEN} if hidden else made
