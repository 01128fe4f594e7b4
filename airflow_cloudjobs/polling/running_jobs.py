# SPDX-License-Identifier: Apache-2.0
"""Many jobs looked up in the API's list of those in progress: a call for a page instead of one for each job."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from airflow_cloudjobs.jobs.spec import Observation
from airflow_cloudjobs.polling.clock import Clock
from airflow_cloudjobs.polling.pending import PendingJobs

log = logging.getLogger(__name__)

FetchPage = Callable[[int], Awaitable[tuple[Mapping[str, Observation], bool]]]
"""Makes a call for a page of the jobs in progress, from 1, and says whether there may be more."""

LISTED = 1000
"""Jobs that are looked up in a list at a time, at most."""

WORTH = 5
"""For so many jobs a page of a list is worth its call."""

LIST_COOLDOWN = 60.0
"""Seconds without lists after one that was not worth it: most jobs in progress are not ours, or it may not be read."""


class LookUp(NamedTuple):
    """Jobs to look up in a page of the list.

    :param keys: the jobs.
    :param page: its number.
    :param last: the number of the last page that is worth its call.
    """

    keys: Sequence[str]
    page: int
    last: int


class Page(NamedTuple):
    """What a page of the list shows.

    :param jobs: those in progress, ours or not.
    :param more: True if there may be another page.
    :param error: why nothing is shown.
    """

    jobs: Mapping[str, Observation]
    more: bool
    error: Exception | None = None


class RunningJobsList:
    """The list of running jobs, read page by page for as long as that takes fewer calls than asking for each job.

    :param fetch_page: makes the calls.
    :param clock: the running event loop's.
    """

    def __init__(self, fetch_page: FetchPage, clock: Clock) -> None:
        self._fetch_page = fetch_page
        self._clock = clock
        self._not_before = 0.0
        self._unfinished: deque[LookUp] = deque()

    @property
    def unfinished(self) -> bool:
        """True while jobs are left to be looked up in a further page."""
        return bool(self._unfinished)

    @property
    def most(self) -> int:
        """How many jobs may be looked up at a time; 0 while the list is left alone."""
        return LISTED if self._clock.monotonic() >= self._not_before else 0

    def begin(self, keys: Sequence[str]) -> LookUp | None:
        """Look jobs up from the first page on; None if they are too few for that."""
        return LookUp(keys, 1, len(keys) // WORTH) if self.most and len(keys) >= WORTH else None

    def resume(self) -> LookUp:
        """The next page for jobs that earlier ones did not show, once for each that is :attr:`unfinished`."""
        return self._unfinished.popleft()

    async def fetch(self, page: int) -> Page:
        """Make the call for a page; trouble is an empty page with an error."""
        try:
            return Page(*await self._fetch_page(page))
        except Exception as error:
            log.info("Jobs in progress could not be listed, so they are asked for one by one: %s", error)
            return Page({}, more=False, error=error)

    def sort(self, look_up: LookUp, page: Page, pending: PendingJobs) -> tuple[Collection[str], Sequence[str]]:
        """Tell jobs that are in progress from others, which a further page may show if it is worth its call.

        :return: the keys of jobs in progress, and of those that must be asked for one by one.
        """
        # A list may be late in noting that a job has ended, so nobody's last look is taken at it.
        found = {key for key in look_up.keys if key in page.jobs and not pending.is_last_look(key)}
        missing = [key for key in look_up.keys if key not in found]
        ours = sum(key in pending for key in page.jobs)
        if look_up.page == 1 and ours < WORTH:
            self._not_before = self._clock.monotonic() + LIST_COOLDOWN
        if page.more and ours >= WORTH and len(missing) >= WORTH and look_up.page < look_up.last:
            self._unfinished.append(LookUp(missing, look_up.page + 1, look_up.last))
            return found, []
        return found, missing

    def clear(self) -> None:
        """Nobody waits any more."""
        self._unfinished.clear()
