# SPDX-License-Identifier: Apache-2.0
"""The one trigger: waits for jobs of any API on a triggerer's event loop."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_cloudjobs.apis import hook_class_of, spec_of
from airflow_cloudjobs.jobs.wait import Note, Wait, WaitPlan


class CloudJobTrigger(BaseTrigger):
    """Waits until jobs have ended or time has run out, then tells how.

    It changes nothing in the cloud, so a second copy of it does no harm, and it keeps nothing that its
    arguments do not hold, so it can go on anywhere. What statuses mean is looked up by the API's id: a
    corrected table serves waits that are already under way.

    :param api: the API's public id.
    :param keys: the jobs.
    :param scope: what names the jobs beside their keys.
    :param conn_id: the Airflow connection; credentials are never in here.
    :param region: the task's region; None takes the connection's.
    :param plan: the wait's plan, see :class:`~airflow_cloudjobs.jobs.wait.WaitPlan`.
    :param doubts: since when something undocumented is seen, by key.
    :param later: arguments of a newer version of this class; ignored.
    """

    def __init__(
        self,
        *,
        api: str,
        keys: Sequence[str],
        conn_id: str,
        scope: Mapping[str, Any] | None = None,
        region: str | None = None,
        plan: Mapping[str, Any] | None = None,
        doubts: Mapping[str, float] | None = None,
        **later: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's is untyped
        self.api = api
        self.keys = list(keys)
        self.scope = dict(scope or {})
        self.conn_id = conn_id
        self.region = region
        self.plan = dict(plan or {})
        self.doubts = dict(doubts or {})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of this class and its arguments; no secret is among them."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {
            "api": self.api,
            "keys": self.keys,
            "scope": self.scope,
            "conn_id": self.conn_id,
            "region": self.region,
            "plan": self.plan,
            "doubts": self.doubts,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; the one event is ``{"api": …, "ends": [JobEnd.as_dict(), …]}``."""
        spec = spec_of(self.api)
        hook_class: Any = hook_class_of(spec.cloud)
        now = time.time()
        plan = WaitPlan.from_dict({"started": now, "interval": spec.interval, **self.plan})
        wait = Wait(spec, self.keys, plan, random=random.random, resumed=now, doubts=self.doubts)
        await hook_class(self.conn_id, region=self.region).awatch(wait, self.scope, self._tell)
        # The event is stored, so it carries only what a result may show.
        shown = [replace(end, record=spec.result_of(end.record)) for end in wait.ends]
        event = {"api": self.api, "ends": [end.as_dict() for end in shown]}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow's is untyped

    def _tell(self, note: Note) -> None:
        self.log.log(note.level, note.text)
