# SPDX-License-Identifier: Apache-2.0
"""The clients of an event loop: what all triggers that use the same connection share.

One session, one credential, and one poller for each API and scope, in which their jobs are asked for together.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_cloudjobs.connection.settings import CloudSettings
from airflow_cloudjobs.connection.source import KEY_REFUSED, ConnectionSource, ReadConnection
from airflow_cloudjobs.jobs.answers import Answers, first_error, polled, running_jobs
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import JobSpec, Listing, Observation, Scope
from airflow_cloudjobs.jobs.wait import Wait
from airflow_cloudjobs.metrics import Meter
from airflow_cloudjobs.polling.clock import Clock
from airflow_cloudjobs.polling.limiter import Limiter
from airflow_cloudjobs.polling.pending import Log
from airflow_cloudjobs.polling.poller import Poller
from airflow_cloudjobs.transport.shared import Shared

if TYPE_CHECKING:
    from airflow_cloudjobs.transport.aio import AsyncCaller

CONNECTION_LIFE = 60.0
"""Seconds for which a triggerer believes a connection it has read."""

REFUSED_LIFE = 1.0
"""Seconds for which a connection is believed that was read again since its key was refused."""

CONNECTION_READ_LIMIT = 60.0
"""Seconds that a triggerer waits for Airflow to hand out a connection."""

IN_FLIGHT = 50
"""Polls that all waits for one API on one connection have on the way at most."""


class SharedClient:
    """The client of a connection as a triggerer uses it: shared by all waits on it, and made anew when it changes.

    :param source: the connection; it is read again now and then.
    """

    def __init__(self, source: ConnectionSource) -> None:
        self._source = source
        self._open = AsyncExitStack()
        self._reading = asyncio.Lock()
        self._reading_again: asyncio.Task[None] | None = None
        self._read_at = self._suspected_at = float("-inf")
        self._connection: ReadConnection | None = None
        self._caller: AsyncCaller | None = None
        self._limiters: dict[str, Limiter] = {}
        self._meters: dict[str, Meter] = {}
        self._pollers: dict[tuple[str, str], Poller] = {}

    async def wait(self, wait: Wait, scope: Scope, log: Log) -> None:
        """Wait for jobs with the poller of their API and scope; different scopes never mix in a call."""
        key = (wait.spec.lane, repr(sorted(scope.items())))
        poller = self._pollers.get(key)
        if poller is None:
            poller = self._pollers[key] = self._poller(wait.spec, scope)
        meter = self._meters[wait.spec.api]
        meter.waits(+1)
        try:
            await poller.wait(wait, log)
        finally:
            meter.waits(-1)
            if poller.idle:
                self._pollers.pop(key, None)

    def _poller(self, spec: JobSpec, scope: Scope) -> Poller:
        self._meters.setdefault(spec.api, Meter(spec.api))
        listing, clock = spec.listing, Clock()
        return Poller(
            lambda keys: self._ask(spec, keys, scope),
            batch=spec.batch,
            fetch_page=(lambda page: self._list(spec, listing, page, scope)) if listing else None,
            limiter=self._limiters.setdefault(spec.api, Limiter(IN_FLIGHT, clock)),
            clock=clock,
        )

    async def call(self, request: ApiRequest) -> dict[str, Any]:
        """Make one call, with another key once more if the connection has got one."""
        caller = await self.caller()
        try:
            return await caller.call(request)
        except CloudApiError as error:
            another = await self.caller(caller) if error.kind in KEY_REFUSED else caller
            if another is caller:
                raise
        return await another.call(request)

    async def settings(self) -> CloudSettings:
        """The connection as it is now, or was within :data:`CONNECTION_LIFE`."""
        await self.caller()
        assert self._connection is not None  # noqa: S101 - for the type checker
        return self._connection.settings

    async def caller(self, refused: AsyncCaller | None = None) -> AsyncCaller:
        """The caller for the connection as it is now, or was within :data:`CONNECTION_LIFE`.

        :param refused: one whose key the cloud has refused: the connection is read again, within
            :data:`REFUSED_LIFE` once for all who come with it.
        """
        caller = self._caller
        if caller is not None and caller is not refused:
            if self._reading_again is None and time.monotonic() - self._read_at > CONNECTION_LIFE:
                # Meanwhile all go on with what was read before: Airflow may take long to hand a connection out.
                self._reading_again = asyncio.create_task(self._read_again(), context=contextvars.Context())
            return caller
        async with self._reading:
            suspected = time.monotonic() - self._suspected_at > REFUSED_LIFE
            if self._caller is None or (self._caller is refused and suspected):
                caller = await self._read_now()
                if refused:
                    self._suspected_at = time.monotonic()
                return caller
            return self._caller

    async def _read_again(self) -> None:
        try:
            async with self._reading:
                await self._read_now()
        finally:
            self._reading_again = None

    async def _read_now(self) -> AsyncCaller:
        """Read the connection; where that fails, what was read before stays."""
        try:
            async with asyncio.timeout(CONNECTION_READ_LIMIT):
                connection = await self._source.read_async(self._connection)
            if self._caller is None or connection is not self._connection:
                self._caller = await self._make(connection)
                self._connection = connection
        except Exception as error:
            if self._caller is None:
                raise self._source.unread(error) from error
            self._source.not_read_again(error)
        self._read_at = time.monotonic()
        return self._caller

    async def _ask(self, spec: JobSpec, batch: Sequence[str], scope: Scope) -> Answers:
        """One poll call, its failure as an answer for each of its keys."""
        try:
            request = spec.poll(batch, scope)
            answers = polled(spec, batch, request, await self.call(request))
        except CloudApiError as error:
            answers = dict.fromkeys(batch, error)
        self._meters[spec.api].called(len(batch), first_error(answers))
        return answers

    async def _list(
        self, spec: JobSpec, listing: Listing, page: int, scope: Scope
    ) -> tuple[Mapping[str, Observation], bool]:
        """One page of the jobs in progress, and whether there may be another."""
        request = listing.request(page, scope)
        try:
            page_of_jobs = running_jobs(spec, listing, request, await self.call(request))
        except CloudApiError as error:
            self._meters[spec.api].called(error=error)
            raise
        self._meters[spec.api].called()
        return page_of_jobs

    async def close(self) -> None:
        """Let go of the sessions."""
        if self._reading_again:
            self._reading_again.cancel()
            await asyncio.wait([self._reading_again])
        for meter in self._meters.values():
            meter.send()
        await self._open.aclose()

    async def _make(self, connection: ReadConnection) -> AsyncCaller:
        from airflow_cloudjobs.transport.aio import AsyncCaller, session_for

        # Importing the vendor's signer takes long enough to be felt by other triggers.
        client = await asyncio.to_thread(self._source.cloud.make_client, connection.settings)
        session = await self._open.enter_async_context(session_for(client.transport))
        return AsyncCaller(client, session)


async def _open_client(source: ConnectionSource) -> SharedClient:
    # Importing aiohttp takes as long.
    await asyncio.to_thread(import_module, "airflow_cloudjobs.transport.aio")
    return SharedClient(source)


_clients: Shared[ConnectionSource, SharedClient] = Shared(SharedClient.close)


def shared_client(source: ConnectionSource) -> AbstractAsyncContextManager[SharedClient]:
    """What all who use a connection alike share on the running event loop; closed when the last of them leaves.

    :param source: the connection; equal ones share.
    """
    return _clients.use(source, lambda: _open_client(source))
