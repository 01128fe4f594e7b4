# SPDX-License-Identifier: Apache-2.0
"""Where the settings of a connection come from, and when they have changed; for blocking code and for asyncio.

Keys are rotated while jobs run. So what was read is compared with what is read later, a client is made anew only where
they differ, and a connection that cannot be read again stays as it was.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from airflow_cloudjobs.compat import (
    AirflowNotFoundException,
    Connection,
    ahide_in_logs,
    get_async_connection,
    hide_in_logs,
    is_run_by_hand,
)
from airflow_cloudjobs.connection.settings import CloudSettings, ConnectionFields, Extra, InvalidConnection
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind

if TYPE_CHECKING:
    from airflow_cloudjobs.transport.flow import CloudClient

log = logging.getLogger(__name__)

KEY_REFUSED = frozenset({ErrorKind.EXPIRED, ErrorKind.DENIED})
"""After these the same call works if the connection has got another key meanwhile."""

UNREAD = "<connection>"
"""The code of an error that is no answer of a cloud: the connection could not be read."""

NOT_READ_AGAIN = "Connection %r could not be read again, going on with what was read before: %s"

_warned: set[str] = set()
"""What this process has warned of, once for each connection."""


class Cloud(Protocol):
    """What one cloud has of its own about connections; the class of a hook has it."""

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """What Airflow has under an id; blocks."""

    @classmethod
    def read_settings(cls, fields: ConnectionFields, region: str | None = None) -> CloudSettings:
        """A connection of this cloud, checked; raises ``InvalidConnection``."""

    @classmethod
    def make_client(cls, settings: Any) -> CloudClient:
        """The client of this cloud; imports the vendor's signer, which takes time."""


@dataclass(frozen=True, slots=True)
class ReadConnection:
    """A connection as it was at one time.

    :param fields: what Airflow handed out.
    :param settings: the same, checked, with the region and the endpoint of the task.
    """

    fields: ConnectionFields
    settings: CloudSettings


@dataclass(frozen=True, slots=True)
class ConnectionSource:
    """Reads one connection as one task uses it; equal sources give equal clients.

    :param cloud: reads settings and makes clients of them.
    :param conn_id: the Airflow connection.
    :param region: the vendor's region id; None takes the connection's.
    :param endpoint: address of all services but that of the login; None takes the connection's, or the vendor's.
    """

    cloud: type[Cloud]
    conn_id: str
    region: str | None = None
    endpoint: str | None = None

    def read(self, before: ReadConnection | None = None) -> ReadConnection:
        """The connection as it is now.

        :param before: what was read before.
        :return: ``before`` itself if nothing has changed, so that its client can be used on.
        :raises InvalidConnection: if it cannot work; Airflow raises what it likes where it has none.
        """
        fields = ConnectionFields.of(self.conn_id, self.cloud.get_connection(self.conn_id))
        for secret in Extra(fields).secrets():
            hide_in_logs(secret)
        return self._compared(fields, before)

    async def read_async(self, before: ReadConnection | None = None) -> ReadConnection:
        """The same on an event loop."""
        if is_run_by_hand():  # Airflow's look-up for event loops does not see its database there
            connection = await asyncio.to_thread(self.cloud.get_connection, self.conn_id)
        else:
            connection = await get_async_connection(self.conn_id, self.cloud)
        fields = ConnectionFields.of(self.conn_id, connection)
        for secret in Extra(fields).secrets():
            await ahide_in_logs(secret)
        return await asyncio.to_thread(self._compared, fields, before)

    def _compared(self, fields: ConnectionFields, before: ReadConnection | None) -> ReadConnection:
        if before is not None and fields == before.fields:
            return before
        settings = self.cloud.read_settings(fields, self.region)
        if not settings.transport.verify:
            _warn_once(
                f"Connection {self.conn_id!r} has 'verify' off: whoever is between here and the cloud can read and "
                "change everything. Trust a private authority with 'ca_bundle' instead"
            )
        for warning in settings.warnings:
            _warn_once(warning[0].upper() + warning[1:])
        return ReadConnection(fields, settings.at(self.endpoint) if self.endpoint else settings)

    def unread(self, error: Exception) -> CloudApiError:
        """Why there is no connection, as a wait judges it: that Airflow cannot hand it out just now ends none.

        :param error: what reading it, or making a client of it, raised.
        """
        if isinstance(error, InvalidConnection):
            return CloudApiError(str(error), kind=ErrorKind.INVALID, code=UNREAD)
        # A secrets backend that is away may look as if it did not hold the connection.
        kind = ErrorKind.UNKNOWN if isinstance(error, AirflowNotFoundException) else ErrorKind.TRANSIENT
        return CloudApiError(
            f"connection {self.conn_id!r} could not be read: {error or type(error).__name__}",
            kind=kind,
            code=UNREAD,
        )

    def not_read_again(self, error: Exception) -> None:
        """Log why what was read before is used on.

        :param error: what reading the connection again, or making a client of it, raised.
        """
        log.warning(NOT_READ_AGAIN, self.conn_id, error)


def _warn_once(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        log.warning("%s", text)
