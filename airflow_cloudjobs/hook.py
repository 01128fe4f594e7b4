# SPDX-License-Identifier: Apache-2.0
"""What the hooks of both clouds have in common: from an Airflow connection to an answer."""

from __future__ import annotations

import random
import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, overload

from airflow_cloudjobs import metrics, next_step
from airflow_cloudjobs.compat import BaseHook
from airflow_cloudjobs.connection.settings import CloudSettings, ConnectionFields, InvalidConnection
from airflow_cloudjobs.connection.source import KEY_REFUSED, ConnectionSource, ReadConnection
from airflow_cloudjobs.jobs.answers import Answers, first_error, polled, refused_together
from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.operation import request_for
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.jobs.spec import JobSpec, Observation, Scope
from airflow_cloudjobs.jobs.wait import Wait

if TYPE_CHECKING:
    from airflow_cloudjobs.polling.clients import SharedClient
    from airflow_cloudjobs.polling.pending import Log
    from airflow_cloudjobs.transport.flow import CloudClient
    from airflow_cloudjobs.transport.sync import SyncCaller

CALL_PATIENCE = 60.0
"""Seconds for which a single call is repeated where that is safe."""

MISDIRECTED_PATIENCE = 10.0
"""Seconds for which it is repeated where the host is none or speaks no TLS: a name server's slip passes within them, a
mistake in the connection does not, and whoever waits for a submit should hear of it soon."""

CALL_BACKOFF = Backoff(first=1.0, cap=20.0)
"""The pauses before it is repeated."""


class CloudHook(BaseHook):
    """Calls any API of one cloud, blocking or on an event loop, and watches jobs with either.

    No connection is read before the first call.

    :param conn_id: the Airflow connection.
    :param region: the vendor's region id; None takes the connection's.
    :param endpoint: address of all services but that of the login; None takes the connection's, or the vendor's.
    """

    cloud: ClassVar[str]
    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]

    def __init__(self, conn_id: str, region: str | None, endpoint: str | None) -> None:
        super().__init__()
        self._source = ConnectionSource(type(self), conn_id, region, endpoint)
        self._connection: ReadConnection | None = None
        self._caller: SyncCaller | None = None

    @classmethod
    @abstractmethod
    def read_settings(cls, fields: ConnectionFields, region: str | None = None) -> CloudSettings:
        """A connection of this cloud, checked, for a task's region; raises ``InvalidConnection``."""

    @classmethod
    @abstractmethod
    def make_client(cls, settings: Any) -> CloudClient:
        """The client of this cloud, its module imported on first use; InvalidConnection for a file it names."""

    @abstractmethod
    def probes(self) -> Mapping[str, ApiRequest]:
        """By service, one cheap read-only call that shows that the connection can use it."""

    @property
    def settings(self) -> CloudSettings:
        """The connection, checked; read once, and again only when its key is refused."""
        if self._connection is None:
            self._connection = self._source.read()
        return self._connection.settings

    def settings_now(self) -> CloudSettings:
        """:attr:`settings`, with Airflow's trouble of handing the connection out as that of a call.

        :raises InvalidConnection: it was read, and cannot work.
        :raises CloudApiError: it could not be read; that may pass.
        """
        try:
            return self.settings
        except InvalidConnection:
            raise
        except Exception as error:
            raise self._source.unread(error) from error

    def _has_another_key(self) -> bool:
        """Read the connection again: whether it has changed, since keys are rotated while jobs run."""
        from airflow_cloudjobs.transport.sync import SyncCaller

        try:
            connection = self._source.read(self._connection)
            if connection is self._connection:
                return False
            caller = SyncCaller(self.make_client(connection.settings))
        except Exception as error:
            self._source.not_read_again(error)
            return False
        if self._caller:
            self._caller.close()
        self._connection, self._caller = connection, caller
        return True

    def get_conn(self) -> SyncCaller:
        """The blocking caller of this cloud's API, made on first use."""
        if self._caller is None:
            from airflow_cloudjobs.transport.sync import SyncCaller

            try:
                self._caller = SyncCaller(self.make_client(self.settings))
            except InvalidConnection as error:
                next_step.note(error)
                raise
        return self._caller

    @overload
    def call(self, request: ApiRequest, /, *, patience: float = CALL_PATIENCE) -> dict[str, Any]: ...

    @overload
    def call(
        self,
        service: str,
        operation: str,
        /,
        *,
        version: str = "",
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        patience: float = CALL_PATIENCE,
        **parameters: Any,
    ) -> Any: ...

    def call(self, what: ApiRequest | str, /, *operation: str, patience: float = CALL_PATIENCE, **given: Any) -> Any:
        """Make one call of any operation of the cloud and wait for the answer.

        ``hook.call("ecs", "DescribeInstances", version="2014-05-26", RegionId="cn-hangzhou")`` calls an RPC of Alibaba
        Cloud, ``hook.call("mrs", "ShowClusterDetails GET /v1.1/{project_id}/cluster_infos/{cluster_id}",
        cluster_id="c-1")`` what has a path, of either cloud; ``{project_id}`` is the credential's.

        Passing trouble is met by asking again, where that can do no harm: always for an idempotent call, otherwise
        only if the cloud has certainly not acted on the one before.

        :param what: the service, by what its hosts begin with; or an :class:`ApiRequest`, which says all.
        :param operation: ``Name``, or ``Name METHOD /path``, as the API's page has it.
        :param version: the version of Alibaba Cloud's API; known for ``dms-enterprise``, ``ice`` and ``sts``.
        :param body: what to send as JSON; None sends nothing.
        :param form: fields to send as a form; structures in it become JSON text.
        :param headers: further headers, signed as all are.
        :param idempotent: whether a second call does no harm; None takes a ``GET`` of a path and an RPC called
            Describe, Get, List or Query for such.
        :param patience: seconds for which to ask again.
        :param given: all other keywords are the API's own parameters: those in the path fill it, the others are the
            query, structures in it as JSON text. Names that are none in Python go as ``**{"InstanceId.1": "i-1"}``.
        :return: the answer's JSON: an object, or a list where the API answers one; ``{}`` if it answers nothing.
        :raises ValueError: if a call cannot be made so, naming the argument.
        :raises CloudApiError: with ``ambiguous`` set where the cloud may have acted on the call.
        """
        request = _request(what, operation, given)
        begun = time.monotonic()
        attempt = 0
        while True:
            try:
                return self.get_conn().call(request)
            except CloudApiError as error:
                if error.kind in KEY_REFUSED and self._has_another_key():
                    continue
                harmless = request.idempotent or not error.ambiguous
                wait = CALL_BACKOFF.after(attempt, error.retry_after, random.random)
                limit = min(patience, MISDIRECTED_PATIENCE) if error.misdirected else patience
                if not (error.retryable and harmless) or time.monotonic() + wait > begun + limit:
                    raise
                self.log.warning("Will call again in %.1f s: %s", wait, error)
            time.sleep(wait)
            attempt += 1

    def call_for_job(self, request: ApiRequest, *, patience: float = 0.0) -> dict[str, Any]:
        """:meth:`call` about a job that exists: nothing that is wrong with the connection by now is more than that.

        :param request: what to call.
        :param patience: seconds for which to ask again.
        :return: the answer's JSON object.
        :raises CloudApiError: also if the connection cannot be read, or cannot work any more.
        """
        try:
            self.settings_now()
            self.get_conn()
        except InvalidConnection as error:
            raise self._source.unread(error) from error
        return self.call(request, patience=patience)

    def _shared_client(self) -> AbstractAsyncContextManager[SharedClient]:
        """What all who use the same connection on the running event loop share."""
        from airflow_cloudjobs.polling.clients import shared_client  # of no use where DAG files are parsed

        return shared_client(self._source)

    @overload
    async def acall(self, request: ApiRequest, /) -> dict[str, Any]: ...

    @overload
    async def acall(
        self,
        service: str,
        operation: str,
        /,
        *,
        version: str = "",
        body: Any = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        **parameters: Any,
    ) -> Any: ...

    async def acall(self, what: ApiRequest | str, /, *operation: str, **given: Any) -> Any:
        """:meth:`call` on the running event loop, once: what to do about passing trouble is the caller's.

        :param what: the service, or an :class:`ApiRequest`; all else as in :meth:`call`, but for the patience.
        :return: the answer's JSON.
        :raises ValueError: if a call cannot be made so, naming the argument.
        :raises CloudApiError: if the call did not give an answer.
        """
        if "patience" in given:
            raise TypeError("acall makes a call once; 'patience' is an argument of call")
        request = _request(what, operation, given)
        async with self._shared_client() as client:
            return await client.call(request)

    async def aregion(self) -> str:
        """The region that calls from the running event loop go to; goes with the next release."""
        warnings.warn("aregion goes with the next release; take settings.region", DeprecationWarning, stacklevel=2)
        async with self._shared_client() as client:
            return (await client.settings()).region

    async def aconsole(self, spec: JobSpec, keys: Sequence[str], scope: Scope) -> str:
        """:meth:`console` on the running event loop."""
        async with self._shared_client() as client:
            return _console(await client.settings(), spec, keys, scope)

    def console(self, spec: JobSpec, keys: Sequence[str], scope: Scope) -> str:
        """Where the vendor's console shows jobs; see :meth:`~airflow_cloudjobs.jobs.spec.JobSpec.console_at`.

        :param spec: their API.
        :param keys: their keys, as far as they are known.
        :param scope: what else names them.
        :raises Exception: the connection cannot be read.
        """
        return _console(self.settings, spec, keys, scope)

    def fetch(self, spec: JobSpec, keys: Sequence[str], scope: Scope, *, patience: float = 0.0) -> Answers:
        """What the cloud says of some jobs.

        :param spec: their API.
        :param keys: their keys; asked in as few calls as the API allows.
        :param scope: what else names them.
        :param patience: seconds for which to ask again in passing trouble.
        :return: for each key an observation or the error that came instead.
        """
        answers: dict[str, Observation | CloudApiError] = {}
        for batch in _batches(keys, spec.batch):
            try:
                request = spec.poll(batch, scope)
                seen = polled(spec, batch, request, self.call_for_job(request, patience=patience))
            except CloudApiError as error:
                seen = dict.fromkeys(batch, error)
            metrics.called(spec.api, 1, len(batch))
            if problem := first_error(seen):
                metrics.failed(spec.api, problem)
            if refused_together(seen):
                for key in batch:
                    answers.update(self.fetch(spec, [key], scope, patience=patience))
            else:
                answers.update(seen)
        return answers

    def wait(self, wait: Wait, scope: Scope, log: Log, looked: Callable[[], None] = lambda: None) -> None:
        """Wait, blocking, until each job's wait is over.

        :param wait: the wait.
        :param scope: what names its jobs beside their keys.
        :param log: takes lines for the log.
        :param looked: called after each look.
        """
        while not wait.over:
            time.sleep(wait.pause(time.time()))
            self.poll_once(wait, scope, log)
            looked()

    def poll_once(self, wait: Wait, scope: Scope, log: Log) -> None:
        """Ask once for the jobs that are due, and have the wait judge the answers."""
        due = wait.due(time.time())
        for line in wait.take(self.fetch(wait.spec, due, scope), time.time()):
            log(line)

    async def wait_async(self, wait: Wait, scope: Scope, log: Log) -> None:
        """Wait on the running event loop until each job's wait is over.

        All waits on the same connection, API and scope are asked for together.
        """
        async with self._shared_client() as client:
            await client.wait(wait, scope, log)

    def test_connection(self) -> tuple[bool, str]:
        """Try one cheap read-only call per service.

        :return: whether a service could be used, and what came of each.
        """
        from airflow_cloudjobs.transport.sync import SyncCaller

        try:
            # A page waits for the answer, so nobody is waited for as long as a job would.
            transport = self.settings.transport
            quick = replace(
                transport,
                connect_timeout=min(2.0, transport.connect_timeout),
                read_timeout=min(3.0, transport.read_timeout),
            )
            client = self.make_client(replace(self.settings, transport=quick))
        except Exception as error:
            return False, self._unnamed(str(error))
        good, found = False, []
        failed: dict[str, list[str]] = {}
        with SyncCaller(client) as caller:
            for service, request in self.probes().items():
                try:
                    caller.call(request)
                    good = True
                    found.append(f"{service}: works")
                except (CloudApiError, ValueError) as error:
                    failed.setdefault(str(error), []).append(service)
        # A login that fails is the same trouble for every service, and the page has little room.
        found += [f"{', '.join(services)}: {trouble}" for trouble, services in failed.items()]
        if client.clock_offset:
            found.append(f"this machine's clock is {abs(client.clock_offset):.0f} s off the cloud's: set it (NTP)")
        found += self.settings.warnings
        return good, self._unnamed("; ".join(found))

    def _unnamed(self, text: str) -> str:
        """A text about the connection without its id: whoever tests one knows it, and Airflow's page makes one up."""
        name = f"connection {self._source.conn_id!r}"
        return text.replace(f"{name}: ", "").replace(f"of {name}", "of the connection")


def _console(settings: CloudSettings, spec: JobSpec, keys: Sequence[str], scope: Scope) -> str:
    project = getattr(settings, "project_id", "")  # which one cloud has
    return spec.console_at(settings.region, keys, {"project_id": project, **scope})


def _request(what: ApiRequest | str, operation: tuple[str, ...], given: Mapping[str, Any]) -> ApiRequest:
    """What the arguments of a call say."""
    if isinstance(what, ApiRequest):
        if operation or given:
            more = ", ".join(map(repr, [*operation, *given]))
            raise TypeError(f"an ApiRequest says all there is to a call; leave out {more}")
        return what
    if len(operation) != 1:
        raise TypeError("give a service and an operation, e.g. call('sts', 'GetCallerIdentity'), or an ApiRequest")
    return request_for(what, operation[0], **given)


def _batches(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
