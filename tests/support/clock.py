# SPDX-License-Identifier: Apache-2.0
"""A clock that a client and the local clouds have in common, so that a credential's life takes no time."""

from __future__ import annotations

import time

from airflow_cloudjobs.localcloud import Control
from airflow_cloudjobs.transport.flow import CloudClient


class CommonClock:
    """Stands still but for what a test moves it.

    :param control: controls the clouds; their clock runs, a test's few seconds ahead at most.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._began = time.time()
        self._moved = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self._began + self._moved

    def move(self, seconds: float) -> None:
        """Let time pass for the clouds and for the clients that look at this clock.

        :param seconds: how much.
        """
        self._moved += seconds
        self._control.skew_clock(self._moved)

    def give(self, client: CloudClient) -> None:
        """Make a client look at this clock.

        :param client: which.
        """
        client._now = self
