# SPDX-License-Identifier: Apache-2.0
"""The client of the control API: scripts the local clouds from a test or another process.

Standard library only, so that it runs where the server's requirements are not installed.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

Json = dict[str, Any]


class ControlError(Exception):
    """The control API refused a call; the message says why."""


class Control:
    """Controls running local clouds.

    :param url: where they are, for example ``http://127.0.0.1:8620``.
    :param ca_file: certificate to trust, if they speak TLS with one of their own.
    :param timeout: seconds to wait for an answer.
    """

    def __init__(self, url: str, ca_file: str | None = None, timeout: float = 10.0) -> None:
        self._url = urlsplit(url)
        self._ca_file = ca_file
        self._timeout = timeout

    def reset(self) -> None:
        """Forget everything: jobs, plans, faults, statistics, credentials, the clock's skew, settings."""
        self._call("POST", "reset")

    def stats(self, tail: int = 100) -> Json:
        """Counters since the last reset.

        :param tail: how many of the last requests to list.
        :returns: ``operations`` {name: {calls, ok, refused {code: n}}}, ``polls`` {api: {key: n}},
            ``submits`` and ``cancels`` {api: n}, ``nonces_replayed``, ``mixed_pairs`` (a key
            with another key's token), ``faults_struck`` {kind: n},
            ``connections`` {open, total}, ``requests`` [{time, operation, keys, status, code, fault}], a
            status of 0 being a cut connection.
        """
        return self._call("GET", f"stats?tail={tail}")

    def plan(
        self,
        api: str,
        end: str | None = None,
        *,
        seconds: float | None = None,
        steps: Sequence[Sequence[Any]] | None = None,
        reason: str | None = None,
        code: str | None = None,
        result: Json | None = None,
        count: int | None = 1,
        match: str = "",
    ) -> None:
        """Script the next jobs that are submitted to an API.

        :param api: id of the API, as ``dms.file_upload`` or ``dli.sql_job``; all that there are stand in
            ``scripts.VOCABULARIES``, and an unknown one is refused with their names.
        :param end: ``success``, ``fail``, ``cancelled``, ``unknown`` (a status nobody knows), ``null``,
            ``forever``, or any other word, which then is the last raw status.
        :param seconds: time until the end.
        :param steps: pairs of raw status and seconds instead of both; the last status stays.
        :param reason: what the API says about the end.
        :param code: the API's error code of the end.
        :param result: what the job yields, in the API's own form; of a query on DLI its columns and rows:
            ``{"schema": [{"city": "string"}, {"orders": "bigint"}], "rows": [["Bonn", 7]]}``.
        :param count: for how many jobs; for all if None.
        :param match: only for a job whose input contains this text.
        """
        override = _override(end, seconds, steps, reason, code, result)
        self._call("POST", "plan", {"api": api, "count": count, "match": match, **override})

    def clear_plans(self) -> None:
        """Take all plans away."""
        self._call("DELETE", "plan")

    def fault(self, kind: str, target: str = "*", **options: Any) -> int:
        """Inject a fault.

        :param kind: ``http``, ``throttle``, ``reset``, ``hang``, ``slow``, ``html``, ``truncated``,
            ``empty``, ``status`` or ``null_status``; the module ``faults`` says what each does.
        :param target: an operation by the vendor's name, an API id, ``poll``, ``submit``, ``cancel``,
            ``login``, ``read``, a service, a cloud, or ``*``.
        :param options: ``count``, ``seconds``, ``after``, ``after_commit``, ``status``, ``code``,
            ``message``, ``retry_after``, ``delay``, ``broken``, ``value``.
        :returns: its number.
        """
        number: int = self._call("POST", "faults", {"kind": kind, "target": target, **options})["number"]
        return number

    def faults(self) -> list[Json]:
        """The faults in force, each with how often it has ``struck`` and the seconds ``left`` (None: no limit)."""
        faults: list[Json] = self._call("GET", "faults")["faults"]
        return faults

    def clear_faults(self, number: int | None = None) -> None:
        """Take faults away.

        :param number: which one; all if None.
        """
        self._call("DELETE", "faults" if number is None else f"faults?number={number}")

    def jobs(self, api: str | None = None) -> list[Json]:
        """The jobs there are, oldest first.

        :param api: only those of this API.
        :returns: each with ``cloud``, ``api``, ``key``, ``status``, ``ended``, ``succeeded``, ``progress`` (0 to 1),
            ``started`` (seconds since the epoch), ``age`` (seconds it has lived, or did), ``life`` (pairs of a status
            it has had and its age when that began), ``submits``, ``polls``, ``cancels`` (calls about it), ``fields``
            (what it was submitted with).
        """
        query = "" if api is None else "?" + urlencode({"api": api})
        jobs: list[Json] = self._call("GET", "jobs" + query)["jobs"]
        return jobs

    def job(self, api: str, key: str) -> Json:
        """One job, as :meth:`jobs` shows it.

        :param api: id of the API.
        :param key: the job's key.
        :raises ControlError: there is none.
        """
        return self._call("GET", _path(api, key))

    def create_job(
        self,
        api: str,
        key: str | None = None,
        end: str | None = None,
        *,
        fields: Json | None = None,
        seconds: float | None = None,
        steps: Sequence[Sequence[Any]] | None = None,
        reason: str | None = None,
        code: str | None = None,
        result: Json | None = None,
    ) -> Json:
        """Make a job that nobody submitted, for tests that adopt one.

        :param api: id of the API; ``drs.job`` makes a DRS task without an import, ``drs.object_template`` one
            with an import under way.
        :param key: its key; chosen if None.
        :param end: as in :meth:`plan`.
        :param fields: what it was submitted with, under the API's names (``FileName``, ``OrderId``, ``sql``,
            ``workspaceId`` ...), objects and lists as such; what is left out fits any question for the job.
        :param seconds: as in :meth:`plan`.
        :param steps: as in :meth:`plan`.
        :param reason: as in :meth:`plan`.
        :param code: as in :meth:`plan`.
        :param result: as in :meth:`plan`.
        :returns: the job, as :meth:`jobs` shows it.
        """
        override = _override(end, seconds, steps, reason, code, result)
        return self._call("POST", "jobs", {"api": api, "key": key, "fields": fields, **override})

    def set_status(
        self, api: str, key: str, status: Any, *, reason: str | None = None, code: str | None = None
    ) -> Json:
        """Put a job into a status, now and for good.

        :param api: id of the API.
        :param key: the job's key.
        :param status: the raw status; None where the API then leaves it out or says null.
        :param reason: what the API says about it.
        :param code: the API's error code.
        :returns: the job, as :meth:`jobs` shows it.
        """
        body = {"status": status, "reason": reason, "code": code}
        return self._call("PATCH", _path(api, key), {k: v for k, v in body.items() if k == "status" or v is not None})

    def set_script(
        self,
        api: str,
        key: str,
        end: str | None = None,
        *,
        seconds: float | None = None,
        steps: Sequence[Sequence[Any]] | None = None,
        reason: str | None = None,
        code: str | None = None,
        result: Json | None = None,
    ) -> Json:
        """Give a job another life from now on.

        :param api: id of the API.
        :param key: the job's key.
        :param end: as in :meth:`plan`; the arguments after it as well.
        :returns: the job, as :meth:`jobs` shows it.
        """
        return self._call("PATCH", _path(api, key), _override(end or "success", seconds, steps, reason, code, result))

    def set_fields(self, api: str, key: str, **fields: Any) -> Json:
        """Change what a job was submitted with, or say more of it.

        :param api: id of the API.
        :param key: the job's key.
        :param fields: as in :meth:`create_job`. Of the file of a ``dms.data_track_export``: ``ObjectSize`` (bytes),
            ``ObjectVersion`` (other than 1: another object), ``ObjectCut`` (True: half of it was stored).
        :returns: the job, as :meth:`jobs` shows it.
        """
        return self._call("PATCH", _path(api, key), {"fields": fields})

    def hasten(self, api: str, key: str, seconds: float) -> Json:
        """Bring a job to the end that it would have come to, from now on in this time.

        :param api: id of the API.
        :param key: the job's key.
        :param seconds: time until the end.
        :returns: the job, as :meth:`jobs` shows it.
        """
        return self._call("PATCH", _path(api, key), {"seconds": seconds})

    def skew_clock(self, seconds: float) -> None:
        """Set the clock that clients see (``Date`` header, judgement of request dates and expiries) wrong.

        :param seconds: how far it runs ahead; negative if it is behind.
        """
        self._call("PUT", "clock", {"skew": seconds})

    def issue_credentials(self, cloud: str, expires_in: float = 3600.0) -> Json:
        """Make temporary credentials.

        :param cloud: ``alibaba`` or ``huawei``.
        :param expires_in: their life in seconds.
        :returns: ``access_key``, ``secret``, ``security_token``, ``expires_at``.
        """
        return self._call("POST", "credentials", {"cloud": cloud, "expires_in": expires_in})

    def expire_credentials(self, access_key: str) -> None:
        """End temporary credentials now.

        :param access_key: which.
        """
        self._call("POST", "credentials/expire", {"access_key": access_key})

    def disable_key(self, access_key: str) -> None:
        """Disable an access key, permanent or temporary.

        :param access_key: its id.
        """
        self._call("POST", "keys/disable", {"access_key": access_key})

    def expire_keys(self, cloud: str) -> int:
        """End every temporary key of a cloud now; says how many were alive.

        :param cloud: ``alibaba`` or ``huawei``.
        """
        expired: int = self._call("POST", "keys/expire", {"cloud": cloud})["expired"]
        return expired

    def issue_id_token(self, expires_in: float = 3600.0) -> str:
        """Make a token of the identity provider that both clouds trust.

        :param expires_in: its life in seconds.
        """
        token: str = self._call("POST", "id-tokens", {"expires_in": expires_in})["token"]
        return token

    def revoke_logins(self, cloud: str) -> None:
        """Refuse every login from now on, and end every temporary key and token that logins gave.

        :param cloud: ``alibaba`` or ``huawei``.
        """
        self._call("POST", "logins/revoke", {"cloud": cloud})

    def expire_tokens(self) -> int:
        """End every IAM token now; says how many there were."""
        expired: int = self._call("POST", "tokens/expire")["expired"]
        return expired

    def settings(self, **changes: Any) -> Json:
        """The settings, after changing some of them.

        :param changes: new values by name, those of ``state.Settings``.
        :returns: all settings.
        """
        return self._call("PATCH", "settings", changes) if changes else self._call("GET", "settings")

    def _call(self, method: str, path: str, body: Json | None = None) -> Json:
        connection = self._connect()
        try:
            payload = None if body is None else json.dumps(body)
            connection.request(method, f"/_localcloud/{path}", payload, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        if response.status >= 400:
            raise ControlError(f"{method} {path}: {response.status} {text}")
        answer: Json = json.loads(text)
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "127.0.0.1", self._url.port
        if self._url.scheme == "https":
            trusted = ssl.create_default_context(cafile=self._ca_file)
            return http.client.HTTPSConnection(host, port, timeout=self._timeout, context=trusted)
        return http.client.HTTPConnection(host, port, timeout=self._timeout)


def _path(api: str, key: str) -> str:
    return f"jobs/{quote(api, safe='')}/{quote(key, safe='')}"


def _override(
    end: str | None,
    seconds: float | None,
    steps: Sequence[Sequence[Any]] | None,
    reason: str | None,
    code: str | None,
    result: Json | None,
) -> Json:
    override = {
        "end": end,
        "seconds": seconds,
        "steps": steps,
        "reason": reason,
        "code": code,
        "result": result,
    }
    return {name: value for name, value in override.items() if value is not None}
