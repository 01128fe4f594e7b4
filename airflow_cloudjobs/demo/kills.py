# SPDX-License-Identifier: Apache-2.0
"""The loss of a worker's machine."""

from __future__ import annotations

from contextlib import suppress

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


def end_worker_of(pid: int) -> bool:
    """End a task, and the worker that it runs on, at once.

    :param pid: process id of the task, as Airflow has it; it may have ended meanwhile.
    :return: False, and nothing is ended, if it has.
    """
    with suppress(psutil.NoSuchProcess):
        task = psutil.Process(pid)
        if worker := task.parent():
            return end_worker(worker, task)
    return False
