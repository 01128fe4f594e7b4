# SPDX-License-Identifier: Apache-2.0
"""Waits for a person's answer on a triggerer's event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_cloudjobs import compat

LOOK_EVERY = 5.0
"""Seconds between two looks of a trigger for an answer."""


class AnswerTrigger(BaseTrigger):
    """Waits for a person's answer where Airflow does not bring the task back by itself (before 3.3).

    :param ti_id: the id of the task instance that asks.
    :param deadline: until when it waits, seconds since the epoch of Unix; None for no end.
    :param handed_over: when the task left its worker.
    """

    def __init__(self, *, ti_id: str, deadline: float | None, handed_over: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.ti_id = ti_id
        self.deadline = deadline
        self.handed_over = handed_over

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of this class and its arguments."""
        arguments = {"ti_id": self.ti_id, "deadline": self.deadline, "handed_over": self.handed_over}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; the one event is the answer, or an error once the deadline has passed."""
        # An answer within seconds must not bring the task back before Airflow's scheduler has seen it leave.
        await compat.hold(self.handed_over, time.time())
        while (event := await self._answer()) is None:
            if self.deadline is not None and time.time() >= self.deadline:
                event = {"error": "nobody answered in time", "error_type": "timeout"}
                break
            await asyncio.sleep(LOOK_EVERY)
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's is untyped

    async def _answer(self) -> dict[str, Any] | None:
        try:
            return await compat.answer_to(self.ti_id)
        except Exception as error:
            # Failing here would have a retry submit: without a store it does not know that it was being asked.
            self.log.warning("Could not ask Airflow for the answer, trying again: %r", error)
            return None
