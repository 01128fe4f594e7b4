# SPDX-License-Identifier: Apache-2.0
"""The link from a task to the vendor's console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_cloudjobs.compat import BaseOperator, BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.sdk.types import TaskInstanceKey

CONSOLE_URL = "console_url"
"""The XCom that holds the address."""


class CloudConsoleLink(BaseOperatorLink):
    """Leads to where the vendor's console shows the job: its page, if it has one, else a list.

    The address comes from XCom and not from the operator: after a deferral the operator is a new object
    that has not submitted anything.
    """

    name = "Cloud console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The console's address; empty until the task has a job."""
        return str(XCom.get_value(key=CONSOLE_URL, ti_key=ti_key) or "")
