# SPDX-License-Identifier: Apache-2.0
"""Steps that logins of both clouds are made of; each is a flow without I/O.

What goes wrong in a login is told as :class:`CloudApiError`: passing trouble as transient, so that a wait rides it out,
everything else with the connection, the mode and the fields that can be wrong.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from airflow_cloudjobs.connection.settings import CloudSettings, InvalidConnection
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.transport.credential import Credential
from airflow_cloudjobs.transport.flow import Blocking, DirectRequest, Flow
from airflow_cloudjobs.transport.message import HttpAnswer, HttpRequest
from airflow_cloudjobs.transport.parsing import first_present, json_object, parse_timestamp

RENEWAL_DID_NOT_HELP = (
    "A fresh login did not help: check what the role, agency or user of the connection may do, and this machine's "
    "clock (NTP)"
)
"""What to tell if a credential is refused that was got just now."""

METADATA_TOKEN_LIFE = 60
"""Seconds for which we ask the metadata service to accept its token; it is used at once."""


def with_context(login: Flow, settings: CloudSettings, fields: str) -> Flow:
    """A login whose errors say which mode of which connection they are about.

    :param login: the login.
    :param settings: the connection.
    :param fields: the fields that decide whether it works, for people.
    """
    try:
        return (yield from login)
    except CloudApiError as error:
        if error.kind is ErrorKind.INVALID and error.http_status < 400:
            raise  # nobody refused the login, and the error says itself what is missing
        who = f"This is the login by auth {settings.auth!r} of connection {settings.conn_id!r}"
        if error.http_status or not error.retryable:
            who += f": check {fields}"
        raise error.but(hint=f"{error.hint}. {who}" if error.hint else who) from error.__cause__


def token_from_file(settings: CloudSettings, name: str, path: str) -> Flow:
    """The token that a file holds now.

    :param settings: the connection.
    :param name: the field that names the file.
    :param path: the file.
    """

    def read() -> str:
        try:
            return settings.read_token(name, path)
        except InvalidConnection as error:
            raise CloudApiError(str(error), kind=ErrorKind.INVALID, code="<connection>") from None

    token: str = yield Blocking(read)
    return token


def metadata(
    operation: str, method: str, url: str, headers: Mapping[str, str], absent: str, *, optional: bool = False
) -> Flow:
    """Ask the metadata service of the instance that we run on; it answers plain text, or JSON as text.

    :param operation: what is asked, for messages.
    :param method: the HTTP method.
    :param url: the address.
    :param headers: the headers, all but ``Host``.
    :param absent: what a 401, 403 or 404 means, for people.
    :param optional: True gives None for 404 and 405, where the service may be older than what is asked.
    :return: the text.
    """
    request = DirectRequest(operation, method, url, {"Host": urlsplit(url).netloc, **headers})
    try:
        answer: HttpAnswer = yield request
    except CloudApiError as error:
        hint = "Only an instance of the cloud has a metadata service: does this run on one?"
        raise error.but(hint=hint) from error.__cause__
    if answer.status == 200:
        return answer.body.decode(errors="replace").strip()
    if optional and answer.status in (404, 405):
        return None
    raise _no_credential(operation, answer, "the metadata service does not answer as it should", absent)


def credentials_uri(operation: str, uri: str) -> Flow:
    """The JSON that an address for credentials answers.

    :param operation: a name for the call.
    :param uri: the address.
    """
    headers = {"Host": urlsplit(uri).netloc, "Accept": "application/json"}
    kind = DirectRequest if _on_this_machine(uri) else HttpRequest
    answer: HttpAnswer = yield kind(operation, "GET", uri, headers)
    if answer.status < 300:
        return json_object(operation, answer)
    raise _no_credential(operation, answer, "the address does not hand out credentials")


def _no_credential(operation: str, answer: HttpAnswer, what: str, advice: str = "") -> CloudApiError:
    """Why a service of the instance gave nothing.

    :param advice: what to do unless it is passing trouble.
    """
    passing = answer.status >= 500 or answer.status == 429
    return CloudApiError(
        what,
        kind=ErrorKind.TRANSIENT if passing else ErrorKind.DENIED,
        operation=operation,
        http_status=answer.status,
        hint="" if passing else advice,
    )


def temporary(operation: str, data: Any, key: str, secret: str, token: str, expires: str) -> Credential:
    """A temporary credential, whole.

    :param operation: where it comes from, for messages.
    :param data: the JSON object that holds it.
    :param key: name of the access key's id in it.
    :param secret: name of the secret.
    :param token: name of the security token.
    :param expires: name of the time at which it ends.
    :raises CloudApiError: if a part is missing.
    """
    parts = data if isinstance(data, Mapping) else {}
    missing = [name for name in (key, secret, token) if not first_present(parts, name)]
    if missing:
        raise CloudApiError(
            f"the answer has no credential: {', '.join(missing)} missing",
            kind=ErrorKind.DENIED,
            operation=operation,
            code="<form>",
        )
    return Credential(
        key=first_present(parts, key),
        secret=first_present(parts, secret),
        security_token=first_present(parts, token),
        expires=parse_timestamp(parts.get(expires)),
    )


SHOWN = 300
"""How much of what an SDK says of its trouble is shown, in signs; the cause stands at the end."""


def words_of(error: Exception) -> str:
    """What a vendor's SDK says of its trouble, in one line.

    Left out are the queries of its requests, which are signed, the answers that it repeats, which may hold a
    credential, and the beginning of what is long.

    :param error: what the SDK raised.
    """
    said = re.split(r",?\s*(?:result|response|OAuth token):", str(error))[0]
    text = re.sub(r"\?[^\s?'\")]*=[^\s'\")]*", "?***", " ".join(said.split()))
    return f"…{text[-SHOWN:]}" if len(text) > SHOWN else text or type(error).__name__


def silence(package: str, *loggers: str) -> None:
    """Have a vendor's package log nothing by itself: what it logs repeats answers with credentials in them.

    :param package: the package whose records are dropped.
    :param loggers: its loggers; handlers that it has put on them at import write to stderr and are taken off.
    """
    for name in loggers:
        logger = logging.getLogger(name)
        for handler in [handler for handler in logger.handlers if type(handler) is logging.StreamHandler]:
            logger.removeHandler(handler)
        if not any(isinstance(each, _Dropped) and each.package == package for each in logger.filters):
            logger.addFilter(_Dropped(package))


class _Dropped(logging.Filter):
    def __init__(self, package: str) -> None:
        super().__init__()
        self.package = package

    def filter(self, record: logging.LogRecord) -> bool:
        return f"/{self.package}/" not in record.pathname.replace("\\", "/")


def _on_this_machine(uri: str) -> bool:
    host = urlsplit(uri).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_link_local
