# SPDX-License-Identifier: Apache-2.0
"""Read by Airflow at the start of every process: has the scheduler, or Celery's worker, import what all tasks need.

Their workers are forked from it, so each of the many tasks that are run here starts in half the time.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

MODULES = (
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.task_runner",
    "airflow_cloudjobs.alibaba.client",
    "airflow_cloudjobs.alibaba.dms",
    "airflow_cloudjobs.alibaba.hook",
    "airflow_cloudjobs.alibaba.ice",
    "airflow_cloudjobs.transport.sync",
    "airflow_cloudjobs.huawei.client",
    "airflow_cloudjobs.huawei.dli",
    "airflow_cloudjobs.huawei.drs",
    "airflow_cloudjobs.huawei.hook",
)

# Airflow 2 reads this while it is half imported itself, and has no task runner.
if {"scheduler", "worker"}.intersection(sys.argv) and find_spec("airflow.sdk"):
    for name in MODULES:
        import_module(name)
