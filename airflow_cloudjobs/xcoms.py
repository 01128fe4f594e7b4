# SPDX-License-Identifier: Apache-2.0
"""What is stored of a job in XComs, by workers and triggers alike: never more than Airflow's settings allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_cloudjobs.compat import conf
from airflow_cloudjobs.jobs.limit import LEAST_BYTES, MAX_XCOM_BYTES, within


class InvalidSetting(ValueError):
    """A setting of ours in Airflow's configuration that cannot work."""


def max_xcom_bytes() -> int:
    """Airflow's ``[cloudjobs] max_xcom_bytes``.

    :raises InvalidSetting: it is no whole number, or too small.
    """
    text = str(conf.get("cloudjobs", "max_xcom_bytes", fallback=str(MAX_XCOM_BYTES))).strip()
    if not (text.isdecimal() and int(text) >= LEAST_BYTES):
        raise InvalidSetting(
            f"[cloudjobs] max_xcom_bytes is {text!r}; allowed are whole numbers of bytes from {LEAST_BYTES} on"
        )
    return int(text)


def short_enough(value: Any, warn: Callable[..., object]) -> Any:
    """A task's result as it is stored, said in the log where something had to be cut.

    :param value: the result, or a list of results.
    :param warn: takes a line for the task's log.
    """
    try:
        most = max_xcom_bytes()
    except InvalidSetting as error:
        # It was looked at before the task began; a job that has ended is not given up for it.
        warn("%s; taking %s", error, most := MAX_XCOM_BYTES)
    value, cut = within(value, most)
    if cut:
        warn(
            "The result is longer than [cloudjobs] max_xcom_bytes (%s); cut are %s%s",
            most,
            ", ".join(cut[:8]),
            ", …" if len(cut) > 8 else "",
        )
    return value
