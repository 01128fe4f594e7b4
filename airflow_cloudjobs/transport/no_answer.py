# SPDX-License-Identifier: Apache-2.0
"""Why a request got no answer, told in the same words whichever driver has sent it; nothing here knows a cloud."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind

NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})
"""What a system says that knows no way to a host."""

NO_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""What the look-up of a name ends with that is nobody's; every other end is trouble of the name server, and passes."""

NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"})
"""What OpenSSL calls an answer that is no TLS, by its versions."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A request without an answer; each method makes the error for one reason.

    :param operation: the vendor's name of what was asked.
    :param host: where it was sent, with its port if it has one.
    :param origin: what makes a host, for people; empty if that is nothing that can be changed.
    """

    operation: str
    host: str
    origin: Callable[[str], str]

    def no_connection(self, error: BaseException, within: float) -> CloudApiError:
        """Nothing was sent, since there was no connection.

        :param error: what the library below has raised, around what the system said.
        :param within: the time-out of a connection in seconds.
        """
        for each in _chain(error):
            if isinstance(each, UnicodeError) or (isinstance(each, socket.gaierror) and each.errno in NO_NAME):
                return self._unsent("host not found", "no such host: DNS does not know the name", misdirected=True)
            if isinstance(each, socket.gaierror):
                return self._unsent("no dns", f"the name cannot be looked up just now: {each.strerror}")
            if isinstance(each, ConnectionRefusedError):
                return self._unsent("refused", "the host refuses the connection: nothing listens on the port")
            if isinstance(each, TimeoutError):
                return self.connect_timeout(within)
            if isinstance(each, ConnectionError):
                return self._unsent("reset", "the connection was reset before anything was sent")
            if isinstance(each, OSError) and each.errno in NO_ROUTE:
                return self._unsent("unreachable", f"no way to the host: {each.strerror or 'unreachable'}")
        return self._unsent("no connection", "no connection")

    def no_host(self) -> CloudApiError:
        """Nothing was sent, since the host is none that could be looked up."""
        return self.no_connection(UnicodeError(), 0.0)

    def connect_timeout(self, within: float) -> CloudApiError:
        """Nothing was sent, since no connection was made in time.

        :param within: seconds.
        """
        return self._unsent("connect timeout", f"no connection within {within:g} s")

    def timeout(self, within: float) -> CloudApiError:
        """It was sent, and no answer came in time.

        :param within: seconds.
        """
        return self._error("timeout", f"no answer within {within:g} s", ambiguous=True)

    def lost(self) -> CloudApiError:
        """It was sent, and the connection broke before the answer was whole."""
        return self._error("connection lost", "the connection broke before the answer was whole", ambiguous=True)

    def tls(self, error: BaseException) -> CloudApiError:
        """A connection whose TLS failed; a certificate that is not trusted now is not trusted in a moment either.

        :param error: what the TLS library says; its own words are shown, not those of a library around it, which may
            hold the address with all arguments.
        """
        certificate = isinstance(error, ssl.SSLCertVerificationError)
        words = getattr(error, "verify_message" if certificate else "reason", "") or "no handshake"
        origin = self.origin(self.host)
        come_from = f" (the host comes from {origin})" if origin else ""
        return self._error(
            "tls",
            f"TLS failed: {'certificate not accepted: ' if certificate else ''}{words}",
            kind=ErrorKind.DENIED if certificate else ErrorKind.TRANSIENT,
            misdirected=certificate or words in NO_TLS,
            hint=f"Trust its authority with 'ca_bundle' of the connection, or check 'host' and 'endpoints'{come_from}"
            if certificate
            else f"Check 'schema', 'host' and 'endpoints' of the connection: is this a TLS port?{come_from}",
        )

    def proxy(self, status: int, proxy: str) -> CloudApiError:
        """A proxy that passed nothing on.

        :param status: its answer's HTTP status; 0 if it gave none.
        :param proxy: its address; user and password are left out of the message.
        """
        where = proxy.rpartition("@")[2].rpartition("//")[2].rstrip("/")
        what = {0: "cannot be reached", 407: "refuses our user and password (HTTP 407)"}
        return self._error(
            "proxy",
            f"the proxy {where} {what.get(status, f'says HTTP {status}')}",
            kind=ErrorKind.DENIED if status in (403, 407) else ErrorKind.TRANSIENT,
            http_status=status,
            hint="Check 'proxy' of the connection, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment",
        )

    def _unsent(self, code: str, what: str, *, misdirected: bool = False) -> CloudApiError:
        origin = self.origin(self.host)
        if not origin:
            hint = "May this machine reach it? If not, give a 'proxy', or a host that it reaches in 'endpoints'"
        elif misdirected:
            hint = f"Correct {origin}"
        else:
            hint = f"The host comes from {origin}; if this persists, check that, and 'proxy' of the connection"
        return self._error(code, what, misdirected=misdirected, hint=hint)

    def _error(
        self,
        code: str,
        what: str,
        *,
        kind: ErrorKind = ErrorKind.TRANSIENT,
        http_status: int = 0,
        ambiguous: bool = False,
        misdirected: bool = False,
        hint: str = "",
    ) -> CloudApiError:
        return CloudApiError(
            f"{what} (host {self.host})",
            kind=kind,
            operation=self.operation,
            code=f"<{code}>",
            http_status=http_status,
            ambiguous=ambiguous,
            misdirected=misdirected,
            hint=hint,
        )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that others have been wrapped around, the outermost first."""
    seen: list[BaseException] = []
    open_ones = [error]
    while open_ones:
        each = open_ones.pop(0)
        if any(each is other for other in seen):
            continue
        seen.append(each)
        yield each
        inner = (each.__cause__, getattr(each, "reason", None), getattr(each, "os_error", None), *each.args)
        open_ones += [item for item in inner if isinstance(item, BaseException)]
