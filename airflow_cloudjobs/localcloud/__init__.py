# SPDX-License-Identifier: Apache-2.0
"""Alibaba Cloud and Huawei Cloud on localhost, for tests and demonstrations.

One HTTP server speaks the job APIs of both clouds as their own documentation describes them: signatures are
checked, jobs move through the documented states, errors wear the vendors' envelopes. :class:`LocalCloud` runs
it inside a test, ``python -m airflow_cloudjobs.localcloud`` runs it from a shell, :class:`Control` scripts
jobs and faults from either::

    with LocalCloud(job_seconds=2) as cloud:
        os.environ["AIRFLOW_CONN_ALIBABACLOUD_DEFAULT"] = json.dumps(cloud.alibaba_connection())
        cloud.control.plan("dms.file_upload", "fail", reason="disk full")
        cloud.control.fault("reset", "poll", count=2)

It needs the extra ``localcloud`` (starlette, uvicorn, python-multipart). Names are resolved on first use, so
that the command line can offer the subcommand on a machine without that extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_cloudjobs.localcloud.control import Control, ControlError
    from airflow_cloudjobs.localcloud.server import LocalCloud, serve

__all__ = ["Control", "ControlError", "LocalCloud", "serve"]


def __getattr__(name: str) -> Any:
    if name in {"Control", "ControlError"}:
        from airflow_cloudjobs.localcloud import control

        return getattr(control, name)
    if name in {"LocalCloud", "serve"}:
        from airflow_cloudjobs.localcloud import server

        return getattr(server, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
