# SPDX-License-Identifier: Apache-2.0
"""Tasks whose API is data: beside the classes of the same API, in every mode and to every end."""

from __future__ import annotations

from typing import Any

import pytest
from support.declared import DLI_SQL, TWINS, Twin
from support.jobapis import DRS, MODES, stable
from taskbench import FAILED, RETRY, SUCCESS, Ran, run

from airflow_cloudjobs.localcloud import Control

INTERVAL = 0.03
KEY = "job-of-the-test"
REASON, CODE = "disk full on node 7", "DiskFullError"

#: end -> what a task makes of it, an operator and a sensor
ENDS = {
    "success": (SUCCESS, SUCCESS),
    "fail": (RETRY, FAILED),
    "cancelled": (RETRY, FAILED),
    "unknown": (FAILED, FAILED),
}


def ran_on(control: Control, twin: Twin, mode: str, end: str, *, declared: bool) -> tuple[Ran, dict[str, Any]]:
    """What became of a task of the generic class, or of the API's own, and what the cloud was asked."""
    control.reset()
    kind, options = MODES[mode]
    how: dict[str, Any] = {"reason": REASON, "code": CODE} if end == "fail" else {}
    if kind == "operator":
        control.plan(twin.api.api, end, **how)
        pace = {"poll_interval": INTERVAL}
        own = twin.by_hand.new | twin.by_hand.scope
        arguments: dict[str, Any] = {"api": twin.api, "parameters": twin.new} if declared else own
        cls = twin.operator if declared else twin.by_hand.operator
    else:
        control.create_job(twin.api.api, KEY, end, **how)
        pace = {"poke_interval": INTERVAL}
        own = twin.by_hand.waiting(KEY)
        arguments = {"api": twin.api, "parameters": twin.scope, "key": KEY} if declared else own
        cls = twin.sensor if declared else twin.by_hand.sensor
    return run(lambda: cls(task_id="t", **arguments, **pace, **options)), control.stats()


def shown(twin: Twin, ran: Ran) -> dict[str, Any]:
    """A result without what differs from job to job, and without tags: the declared API has the one that it needs."""
    result = stable(twin.by_hand, ran.result)
    result["result"].pop("tags", None)
    return result


CASES = [
    pytest.param(twin, mode, id=f"{twin}-{mode}")
    for twin in TWINS
    for mode, (kind, _) in MODES.items()
    if kind == "sensor" or twin.by_hand is not DRS  # whose submit carries a file
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("twin", "mode"), CASES)
def test_the_same_as_the_class_of_the_api(twin: Twin, mode: str, end: str, control: Control) -> None:
    kind, _ = MODES[mode]
    declared, asked = ran_on(control, twin, mode, end, declared=True)
    by_hand, asked_by_hand = ran_on(control, twin, mode, end, declared=False)

    assert declared.state == by_hand.state == ENDS[end][kind == "sensor"]
    assert shown(twin, declared) == shown(twin, by_hand)
    assert type(declared.error) is type(by_hand.error)
    assert (declared.deferrals, declared.reschedules > 0) == (by_hand.deferrals, by_hand.reschedules > 0)
    assert asked["submits"] == asked_by_hand["submits"]
    if end == "fail" and twin.by_hand.reason:
        assert REASON in str(declared.error)
    assert DLI_SQL.api not in asked["submits"] or "SELECT" not in declared.log
