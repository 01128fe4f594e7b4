# SPDX-License-Identifier: Apache-2.0
"""One call of a cloud's API as a conversation without I/O.

:meth:`CloudClient.call` is a generator: it yields requests and is sent the answers, so that
signing, logging in, renewing a credential, correcting the clock and reading errors are written once and
driven by blocking code (:mod:`.sync`) and by asyncio (:mod:`.aio`).
"""

from __future__ import annotations

import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Any

from airflow_cloudjobs.jobs.backoff import Backoff
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.jobs.redact import text_without_signatures
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest

log = logging.getLogger(__name__)

CLOCK_TOLERANCE = 60.0
"""Seconds; a smaller difference from the cloud's clock is not what a refused signature is about."""

RENEW_WITHIN = 0.25
"""The last part of its life in which a credential is renewed at the earliest, however short the life is."""

AUTHENTICATION_BACKOFF = Backoff(first=1.0, cap=30.0, jitter=0.0)
"""For how long a login that keeps failing is left alone. All who want it share one attempt, so nothing is drawn."""


@dataclass(slots=True)
class DirectRequest(HttpRequest):
    """A request that no proxy may carry, since only this machine is answered (an instance's metadata)."""


@dataclass(frozen=True, slots=True)
class Renew:
    """The effect that asks for another credential than this one; the driver has it done once for all callers."""

    old: Credential | None


@dataclass(frozen=True, slots=True)
class Blocking:
    """Work that blocks (a file to read, a vendor's provider to ask); asyncio's driver does it in a thread."""

    work: Callable[[], Any]


Flow = Generator[HttpRequest | Renew | Blocking, Any, Any]
"""Yields what to do, is sent the outcome, returns what was asked for."""


class CloudClient(ABC):
    """One connection to one cloud: its endpoints, its credential, its clock.

    :param transport: how to reach its hosts.
    :param origin: says what of the connection or the task makes a host, for people; empty where that is nothing.
    :param now: the local clock, seconds since the epoch.
    """

    renewable = False
    """True if :meth:`authenticate` can give another credential than before."""

    renew_ahead = 300.0
    """Seconds before its end in which a credential is renewed."""

    def __init__(
        self, transport: TransportConfig, origin: Callable[[str], str], *, now: Callable[[], float] = time.time
    ) -> None:
        self.transport = transport
        self.origin = origin
        self.credential: Credential | None = None
        self.clock_offset = 0.0
        self._now = now
        self._failed_authentications = 0
        self._authentication_failure: CloudApiError | None = None
        self._cooldown_until = 0.0

    def now(self) -> float:
        """The cloud's time, as far as it is known."""
        return self._now() + self.clock_offset

    @abstractmethod
    def sign(self, request: ApiRequest, credential: Credential) -> HttpRequest:
        """The request as it is sent, signed for this moment; every attempt is signed anew."""

    @abstractmethod
    def authenticate(self) -> Flow:
        """Get a credential that can sign, by requests of its own if need be (see :meth:`guarded`)."""

    @abstractmethod
    def read(self, request: ApiRequest, answer: HttpAnswer) -> Any:
        """The answer's JSON: an object, or a list if the request is lax.

        :raises CloudApiError: if it is an error in any form.
        """

    def call(self, request: ApiRequest) -> Flow:
        """Sign, send and read one call; with a stale credential or clock, mend that and call once more.

        :return: the answer's JSON object, with ``request_id`` (the header's) where it has none of its own.
        :raises CloudApiError: for every other end.
        """
        credential = self.credential
        if credential is None or self._stale(credential):
            credential = yield from self._renewed(credential)
        try:
            return (yield from self.send_signed(request, credential))
        except CloudApiError as error:
            if error.kind is not ErrorKind.EXPIRED or not self.renewable:
                raise
        credential = yield Renew(credential)
        return (yield from self.send_signed(request, credential))

    def send_signed(self, request: ApiRequest, credential: Credential) -> Flow:
        """Sign, send and read one request with this credential, once more if only the clock was wrong.

        :return: the answer's JSON object.
        :raises CloudApiError: for every other end, without the credential's secrets.
        """
        offset, corrected = self.clock_offset, False
        while True:
            answer = yield self.sign(request, credential)
            try:
                return self.read(request, answer)
            except CloudApiError as raised:
                error = hidden(raised, *credential.secrets())
            # Raised out here, it does not have the error that shows the secrets for its context.
            if corrected or error.kind is not ErrorKind.CLOCK or not self._correct_clock(answer, offset):
                raise error
            corrected = True

    def with_cooldown(self, login: Flow) -> Flow:
        """A login whose failure all share who ask for it meanwhile, so that the next attempt comes after a cooldown.

        :param login: gets a credential.
        :return: the credential, dated.
        :raises CloudApiError: a transient one if the same login may work later.
        """
        remaining = self._cooldown_until - self._now()
        # A longer one is none: the clock was set back since.
        if self._authentication_failure is not None and 0 < remaining <= AUTHENTICATION_BACKOFF.cap:
            login.close()
            raise self._authentication_failure.but(
                retry_after=max(remaining, self._authentication_failure.retry_after or 0.0)
            )
        try:
            credential: Credential = yield from login
        except CloudApiError as error:
            # An expired credential of a login is no credential of ours that could be renewed, and being throttled
            # there says nothing about the pace of the API that is called.
            kind = {
                ErrorKind.EXPIRED: ErrorKind.DENIED,
                ErrorKind.THROTTLED: ErrorKind.TRANSIENT,
            }.get(error.kind, error.kind)
            # Nothing that a login asks for is a job's submit.
            self._authentication_failure = failure = error.but(kind=kind, ambiguous=False)
            self._cooldown_until = self._now() + AUTHENTICATION_BACKOFF.after(
                self._failed_authentications, None, random.random
            )
            self._failed_authentications += 1
            old = self.credential
            if old is not None and self._lives(old):
                log.warning("The credential could not be renewed and is used on while it lives: %s", failure)
            raise failure from error.__cause__
        self._authentication_failure, self._failed_authentications = None, 0
        return replace(credential, obtained=self.now())

    def _renewed(self, old: Credential | None) -> Flow:
        """Another credential, or the old one for as long as it lives and no other can be had."""
        try:
            return (yield Renew(old))
        except CloudApiError:
            if old is None or not self._lives(old):
                raise
            return old

    def _lives(self, credential: Credential) -> bool:
        return credential.expires is not None and credential.expires > self.now()

    def _stale(self, credential: Credential) -> bool:
        if not self.renewable or credential.expires is None:
            return False
        ahead = min(self.renew_ahead, RENEW_WITHIN * (credential.expires - credential.obtained))
        return credential.expires - ahead <= self.now()

    def _correct_clock(self, answer: HttpAnswer, signed_with: float) -> bool:
        """Take the cloud's time from its answer; False if the clocks agree, so that is not the trouble.

        :param signed_with: the correction that the refused request was signed with.
        """
        if signed_with != self.clock_offset:
            return True  # another call has corrected it since
        date = answer.date()
        if date is None or abs(date - self.now()) < CLOCK_TOLERANCE:
            return False
        self.clock_offset = date - self._now()
        log.warning(
            "This machine's clock is %d seconds %s the cloud's; signing with the cloud's time. Set the clock (NTP)",
            abs(self.clock_offset),
            "behind" if self.clock_offset > 0 else "ahead of",
        )
        return True


def hidden(error: CloudApiError, *secrets: str) -> CloudApiError:
    """Refusals may repeat what was sent; a secret must not come back in a message.

    :param error: what was refused.
    :param secrets: what it must not hold; empty ones are left out.
    :return: the error to raise.
    """
    message = error.message
    for secret in secrets:
        if secret:
            message = message.replace(secret, "***")
    return error.but(message=text_without_signatures(message))
