# SPDX-License-Identifier: Apache-2.0
"""What the hooks of both clouds have in common: from an Airflow connection to an answer."""

from __future__ import annotations

import asyncio
import random
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_cloudjobs.compat import (
    AirflowNotFoundException,
    BaseHook,
    Connection,
    Stats,
    ahide_in_logs,
    get_async_connection,
    hide_in_logs,
)
from airflow_cloudjobs.http.gate import Gate
from airflow_cloudjobs.http.lane import Lane
from airflow_cloudjobs.http.pace import Pace
from airflow_cloudjobs.http.shared import Shared
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import JobSpec, Observation, Scope
from airflow_cloudjobs.jobs.wait import Note, Wait
from airflow_cloudjobs.settings import CloudSettings, ConnectionFields, Extra, InvalidConnection

if TYPE_CHECKING:
    from airflow_cloudjobs.http.aio import AsyncCaller
    from airflow_cloudjobs.http.exchange import CloudClient
    from airflow_cloudjobs.http.sync import SyncCaller

CONNECTION_LIFE = 60.0
"""Seconds for which a triggerer believes a connection it has read."""

CONNECTION_READ_LIMIT = 60.0
"""Seconds that a triggerer waits for Airflow to hand out a connection."""

IN_FLIGHT = 50
"""Polls that all waits for one API on one connection have on the way at most."""

CALL_PATIENCE = 60.0
"""Seconds for which a single call is repeated where that is safe."""

Answers = dict[str, Observation | CloudApiError]
"""What was seen of each key, or why nothing was."""

Tell = Callable[[Note], None]
"""Takes a line for the log."""

_unverified: set[str] = set()
"""The connections without a check of certificates that this process has warned of."""


class CloudHook(BaseHook):
    """Calls any API of one cloud, blocking or on an event loop, and watches jobs with either.

    No connection is read before the first call.

    :param conn_id: the Airflow connection.
    :param region: the vendor's region id; None takes the connection's.
    :param endpoint: address of the services that run jobs; None takes the connection's, or the vendor's.
    """

    cloud: ClassVar[str]
    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]

    def __init__(self, conn_id: str, region: str | None, endpoint: str | None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self.region = region
        self.own_endpoint = endpoint
        self._settings: CloudSettings | None = None
        self._caller: SyncCaller | None = None

    @abstractmethod
    def read_settings(self, fields: ConnectionFields) -> CloudSettings:
        """A connection of this cloud, checked; raises ``InvalidConnection``."""

    @abstractmethod
    def make_client(self, settings: Any) -> CloudClient:
        """The client of this cloud; imports the vendor's signer."""

    @abstractmethod
    def probes(self) -> Mapping[str, ApiRequest]:
        """By service, one cheap read-only call that shows that the connection can use it."""

    @property
    def settings(self) -> CloudSettings:
        """The connection, read once and checked."""
        if self._settings is None:
            connection = self.get_connection(self.conn_id)
            fields = _fields(self.conn_id, connection)
            for secret in Extra(fields).secrets():
                hide_in_logs(secret)
            self._settings = self.settings_of(fields)
        return self._settings

    def settings_of(self, fields: ConnectionFields) -> CloudSettings:
        """A connection as this hook uses it."""
        settings = self.read_settings(fields)
        if not settings.wire.verify and self.conn_id not in _unverified:
            _unverified.add(self.conn_id)
            self.log.warning(
                "Connection %r has 'verify' off: whoever is between here and the cloud can read and change everything. "
                "Trust a private authority with 'ca_bundle' instead",
                self.conn_id,
            )
        return settings.at(self.own_endpoint) if self.own_endpoint else settings

    def get_conn(self) -> SyncCaller:
        """The blocking caller of this cloud's API, made on first use."""
        if self._caller is None:
            from airflow_cloudjobs.http.sync import SyncCaller

            self._caller = SyncCaller(self.make_client(self.settings))
        return self._caller

    def call(self, request: ApiRequest, *, patience: float = CALL_PATIENCE) -> dict[str, Any]:
        """Make one call of the cloud's API and wait for the answer.

        Passing trouble is met by asking again, where that can do no harm: always for a read-only request,
        otherwise only if the cloud has certainly not acted on the one before.

        :param request: what to call; any operation of the cloud.
        :param patience: seconds for which to ask again.
        :return: the answer's JSON object.
        :raises CloudApiError: with ``ambiguous`` set where the cloud may have acted on the request.
        """
        caller = self.get_conn()
        give_up = time.monotonic() + patience
        pause = 1.0
        while True:
            try:
                return caller.call(request)
            except CloudApiError as error:
                harmless = request.read_only or not error.ambiguous
                wait = max(pause * random.random(), error.retry_after or 0.0)
                if not (error.retryable and harmless) or time.monotonic() + wait > give_up:
                    raise
                self.log.warning("Will call again in %.1f s: %s", wait, error)
            time.sleep(wait)
            pause = min(pause * 2, 20.0)

    async def acall(self, request: ApiRequest) -> dict[str, Any]:
        """Make one call of the cloud's API on the running event loop, once.

        :param request: what to call; any operation of the cloud that takes no file.
        :return: the answer's JSON object.
        :raises CloudApiError: if the call did not give one.
        """
        async with self._shared_connection() as connection:
            caller = await connection.caller()
            return await caller.call(request)

    async def aregion(self) -> str:
        """The region that calls from the running event loop go to; empty if none is known."""
        async with self._shared_connection() as connection:
            await connection.caller()
            return connection.region

    def ask(self, spec: JobSpec, keys: Sequence[str], scope: Scope, *, patience: float = 0.0) -> Answers:
        """What the cloud says of some jobs.

        :param spec: their API.
        :param keys: their keys; asked in as few calls as the API allows.
        :param scope: what else names them.
        :param patience: seconds for which to ask again in passing trouble.
        :return: for each key an observation or the error that came instead.
        """
        answers: Answers = {}
        for batch in _batches(keys, spec.batch):
            try:
                request = spec.poll(batch, scope)
                seen = _observed(spec, batch, request, self.call(request, patience=patience))
            except CloudApiError as error:
                seen = dict.fromkeys(batch, error)
            answers.update(_count(spec, seen))
        return answers

    def watch(self, wait: Wait, scope: Scope, tell: Tell) -> None:
        """Wait, blocking, until each job's wait is over."""
        while not wait.over:
            time.sleep(wait.pause(time.time()))
            self.look(wait, scope, tell)

    def look(self, wait: Wait, scope: Scope, tell: Tell) -> None:
        """Ask once for the jobs that are due, and have the wait judge the answers."""
        due = wait.due(time.time())
        for note in wait.take(self.ask(wait.spec, due, scope), time.time()):
            tell(note)

    async def awatch(self, wait: Wait, scope: Scope, tell: Tell) -> None:
        """Wait on the running event loop until each job's wait is over.

        All waits on the same connection, API and scope are asked for together.
        """
        async with self._shared_connection() as connection:
            await connection.watch(wait, scope, tell)

    @asynccontextmanager
    async def _shared_connection(self) -> AsyncIterator[_LiveConnection]:
        key = (type(self), self.conn_id, self.region, self.own_endpoint)
        async with _connections.use(key, lambda: _opened(_LiveConnection(self))) as connection:
            yield connection

    def test_connection(self) -> tuple[bool, str]:
        """Try one cheap read-only call per service.

        :return: whether a service could be used, and what came of each.
        """
        from airflow_cloudjobs.http.sync import SyncCaller

        try:
            # A page waits for the answer, so nobody is waited for as long as a job would.
            wire = self.settings.wire
            quick = replace(
                wire, connect_timeout=min(2.0, wire.connect_timeout), read_timeout=min(3.0, wire.read_timeout)
            )
            client = self.make_client(replace(self.settings, wire=quick))
        except Exception as error:
            return False, str(error)
        good, told = False, []
        failed: dict[str, list[str]] = {}
        with SyncCaller(client) as caller:
            for service, request in self.probes().items():
                try:
                    caller.call(request)
                    good = True
                    told.append(f"{service}: works")
                except (CloudApiError, ValueError) as error:
                    failed.setdefault(str(error), []).append(service)
        # A login that fails is the same trouble for every service, and the page has little room.
        told += [f"{', '.join(services)}: {trouble}" for trouble, services in failed.items()]
        if client.clock_offset:
            told.append(f"this machine's clock is {abs(client.clock_offset):.0f} s off the cloud's: set it (NTP)")
        return good, "; ".join(told)


class _LiveConnection:
    """A connection as a triggerer uses it: read again now and then, shared by all waits on it.

    :param hook: says which connection and makes clients from it.
    """

    def __init__(self, hook: CloudHook) -> None:
        self.region = ""
        self._hook = hook
        self._open = AsyncExitStack()
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._fields: ConnectionFields | None = None
        self._caller: AsyncCaller | None = None
        self._gates: dict[str, Gate] = {}
        self._lanes: dict[tuple[str, str], Lane] = {}

    async def watch(self, wait: Wait, scope: Scope, tell: Tell) -> None:
        """Wait for jobs in the lane of their API and scope; different scopes never mix in a call."""
        spec, key = wait.spec, (wait.spec.api, repr(sorted(scope.items())))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(
                lambda keys: self._ask(spec, keys, scope),
                batch=spec.batch,
                list_page=(lambda page: self._list(spec, page, scope)) if spec.listing else None,
                gate=self._gates.setdefault(spec.api, Gate(Pace(), IN_FLIGHT)),
            )
        try:
            await lane.watch(wait, tell)
        finally:
            if lane.idle:
                self._lanes.pop(key, None)

    async def caller(self) -> AsyncCaller:
        """The caller for the connection as it is now, within :data:`CONNECTION_LIFE`."""
        if self._caller is not None and time.monotonic() - self._read_at < CONNECTION_LIFE:
            return self._caller
        async with self._reading:
            if self._caller is not None and time.monotonic() - self._read_at < CONNECTION_LIFE:
                return self._caller
            try:
                fields = await asyncio.wait_for(self._read(), CONNECTION_READ_LIMIT)
                if self._caller is None or fields != self._fields:
                    self._caller = await self._make(fields)
                    self._fields = fields
            except Exception as error:
                if self._caller is None:
                    raise _unread(self._hook.conn_id, error) from error
                self._hook.log.warning(
                    "Connection %r could not be read again, going on with what was read before: %s",
                    self._hook.conn_id,
                    error,
                )
            self._read_at = time.monotonic()
            return self._caller

    async def _ask(self, spec: JobSpec, batch: Sequence[str], scope: Scope) -> Answers:
        """One poll call, its failure as an answer for each of its keys."""
        try:
            caller = await self.caller()
            request = spec.poll(batch, scope)
            return _count(spec, _observed(spec, batch, request, await caller.call(request)))
        except CloudApiError as error:
            return _count(spec, dict.fromkeys(batch, error))

    async def _list(self, spec: JobSpec, page: int, scope: Scope) -> tuple[Mapping[str, Observation], bool]:
        """One page of the jobs in progress, and whether there may be another."""
        assert spec.listing is not None  # noqa: S101 - the lane is told of one only then
        caller = await self.caller()
        request = spec.listing.ask(page, scope)
        try:
            answer = await caller.call(request)
        except CloudApiError as error:
            _count(spec, {"": error})
            raise
        with _documented(request):
            seen, more = spec.observe_listed(answer)
        Stats.incr("cloudjobs.calls", tags={"api": spec.api})
        return seen, more

    async def close(self) -> None:
        """Let go of the sessions."""
        await self._open.aclose()

    async def _read(self) -> ConnectionFields:
        connection = await get_async_connection(self._hook.conn_id, self._hook)
        fields = _fields(self._hook.conn_id, connection)
        for secret in Extra(fields).secrets():
            await ahide_in_logs(secret)
        return fields

    async def _make(self, fields: ConnectionFields) -> AsyncCaller:
        # Importing the vendor's signer and aiohttp takes long enough to be felt by other triggers.
        settings = await asyncio.to_thread(self._hook.settings_of, fields)
        client = await asyncio.to_thread(self._hook.make_client, settings)
        self.region = settings.region
        aio = await asyncio.to_thread(_aio)
        session = await self._open.enter_async_context(aio.session_for(client.wire))
        caller: AsyncCaller = aio.AsyncCaller(client, session)
        return caller


def _aio() -> Any:
    from airflow_cloudjobs.http import aio

    return aio


async def _opened(connection: _LiveConnection) -> _LiveConnection:
    return connection


_connections: Shared[tuple[type[CloudHook], str, str | None, str | None], _LiveConnection] = Shared(
    _LiveConnection.close
)


def _count(spec: JobSpec, answers: Answers) -> Answers:
    """One poll call and its answers, for whoever watches Airflow's metrics."""
    tags = {"api": spec.api}
    Stats.incr("cloudjobs.calls", tags=tags)
    Stats.incr("cloudjobs.polls", len(answers), tags=tags)
    error = next((answer for answer in answers.values() if isinstance(answer, CloudApiError)), None)
    if error:
        Stats.incr("cloudjobs.errors", tags={**tags, "kind": error.kind.value})
    return answers


def _unread(conn_id: str, error: Exception) -> CloudApiError:
    """Why there is no connection; that Airflow cannot hand it out just now is no reason to end a wait."""
    if isinstance(error, InvalidConnection):
        return CloudApiError(str(error), kind=ErrorKind.INVALID, code="<connection>")
    # A secrets backend that is away may look as if it did not hold the connection.
    kind = ErrorKind.UNKNOWN if isinstance(error, AirflowNotFoundException) else ErrorKind.TRANSIENT
    return CloudApiError(
        f"the connection {conn_id!r} could not be read: {error or type(error).__name__}", kind=kind, code="<connection>"
    )


def _fields(conn_id: str, connection: Connection) -> ConnectionFields:
    return ConnectionFields(
        conn_id=conn_id,
        conn_type=connection.conn_type or "",
        login=connection.login or "",
        password=connection.password or "",
        host=connection.host or "",
        port=connection.port,
        schema=connection.schema or "",
        extra=connection.extra or "",
    )


def _batches(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]


@contextmanager
def _documented(request: ApiRequest) -> Iterator[None]:
    """Reading an answer; one that cannot be read as the API's pages say is an error of the call."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CloudApiError(
            f"the answer does not have the documented form: {error!r}",
            kind=ErrorKind.UNKNOWN,
            operation=request.operation,
            code="<form>",
        ) from error


def _observed(spec: JobSpec, keys: Sequence[str], request: ApiRequest, answer: Mapping[str, Any]) -> Answers:
    """An answer to a poll, key by key; a key it does not tell of does not exist."""
    with _documented(request):
        seen = spec.observe(answer, keys)
    request_id = str(answer.get("RequestId") or answer.get("request_id") or "")
    missing = CloudApiError(
        "the cloud does not know this job",
        kind=ErrorKind.NOT_FOUND,
        operation=request.operation,
        code="<not found>",
        request_id=request_id,
        http_status=200,
        hint="Check the key, the region and the account of the connection",
    )
    return {key: seen.get(key, missing) for key in keys}
