# SPDX-License-Identifier: Apache-2.0
"""What the state of a task says of its jobs: whose they are, whether the task still waits for them, or nobody does.

How Airflow is asked for the state, in each of its versions, is in :mod:`airflow_cloudjobs.compat`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from airflow_cloudjobs import compat
from airflow_cloudjobs.jobs.identity import Identity

T = TypeVar("T")

OWNER = "cloudjobs_owner"
"""The XCom in which a task says which jobs it waits for, just before it defers; past any XCom backend. It goes when the
task comes back."""


def identity_of(context: Mapping[str, Any]) -> Identity | None:
    """Whose job a task's job is; None outside of a task instance."""
    ti: Any = context.get("ti")
    if not hasattr(ti, "max_tries"):
        return None
    # Both only grow: max_tries when a user clears the task, unless it runs just then; clear_number with every clear in
    # its run. Over retries they stay the same: just what an epoch is.
    epoch = int(ti.max_tries) + int(getattr(context.get("dag_run"), "clear_number", 0) or 0)
    return Identity(str(ti.dag_id), str(ti.run_id), str(ti.task_id), int(ti.map_index), epoch)


async def still_owns(trigger: Any, xcom_key: str, value: list[str]) -> bool:
    """True if a trigger's task still waits for what it waits for: the trigger was only moved.

    Airflow cancels a trigger in the same way when a user kills its task and when another triggerer takes it
    over. The task's state alone does not tell them apart: cleared, it may be deferred again, on another job.

    :param trigger: the trigger.
    :param xcom_key: the XCom in which the task says what it waits for; no XCom backend has to do with it, since one
        that cannot be asked, or stores something else, says nothing about the task.
    :param value: the list that it says if that is what this trigger waits for.
    :raises LookupError: the task is deferred, and on what is not known.
    """
    if not compat.TASKS_HAVE_SUPERVISORS:
        # The task's row names its trigger.
        state, trigger_id = await asyncio.to_thread(compat.row_of, trigger.task_instance)
        return state == "deferred" and trigger_id == trigger.trigger_id
    if await compat.state_for_trigger(trigger) != "deferred":
        return False  # and then there may be no such XCom any more
    stored = await compat.plain_xcom_of(trigger, xcom_key)
    if not isinstance(stored, list):
        raise LookupError(f"the XCom {xcom_key!r} of the deferred task does not say what it waits for")
    return stored == value


GIVEN_UP = frozenset({"success", "failed", "skipped", "removed", "upstream_failed", "restarting"})
"""States of a task that somebody has ended, or cleared, while it ran."""


def is_given_up(context: Mapping[str, Any], patience: float = 3.0) -> bool:
    """True if nobody will go on with what a running task has begun, now that Airflow tells it to stop.

    Airflow stops a task in the same way when a user has ended it and when only its worker is replaced: it was not
    heard of for a while, its scheduler died, its machine is shut down. The next attempt then goes on with the job.

    :param context: the task's context.
    :param patience: seconds; Airflow gives five between asking a task to stop and killing it.
    :raises TimeoutError: it cannot be found out.
    """
    ti: Any = context.get("ti")

    def given_up() -> bool:
        if compat.is_cleared(context):
            return True  # the scheduler may be so quick that the state does not tell any more
        state = compat.state_of(ti)
        if state == "running":
            return compat.try_number_of(context) > int(ti.max_tries)  # of itself it goes on only if it is retried
        return state in GIVEN_UP

    return run_in_thread(given_up, patience)


def run_in_thread(work: Callable[[], T], patience: float) -> T:
    """Speak to Airflow from a task that is told to stop: the signal may have come while its thread did so already.

    :param work: what to do, in a thread of its own, which does not wait for the one that was struck.
    :param patience: seconds.
    :return: what it returns.
    :raises TimeoutError: it was not done in time.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome.result(patience)
