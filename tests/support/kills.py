# SPDX-License-Identifier: Apache-2.0
"""The loss of a worker's machine."""

from __future__ import annotations

import psutil


def end_worker(worker: psutil.Process, task: psutil.Process) -> bool:
    """End a worker and the task that it runs at once.

    :param worker: the process that Airflow's executor has started.
    :param task: its child.
    :return: False, and nothing is ended, if the task has ended before: its worker may hold the lock of a queue that all
        workers share.
    """
    worker.suspend()  # or it would tell Airflow what happened to the task
    if not task.is_running():
        worker.resume()
        return False
    task.kill()
    worker.kill()
    return True
