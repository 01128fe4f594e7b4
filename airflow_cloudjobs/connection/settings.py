# SPDX-License-Identifier: Apache-2.0
"""What a connection says, read and checked the same way for both clouds; no Airflow.

Reading does no I/O; :meth:`CloudSettings.check_files` looks at the files it names, before anything is sent.
"""

from __future__ import annotations

import ipaddress
import json
import math
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlsplit

from airflow_cloudjobs.connection import regions
from airflow_cloudjobs.connection.fields import GENERIC, METADATA, Field, FieldTable, secret_names
from airflow_cloudjobs.jobs.request import SERVICES, is_service
from airflow_cloudjobs.transport.config import TransportConfig
from airflow_cloudjobs.transport.environment import trusted, trusting_as_before

if TYPE_CHECKING:
    from airflow_cloudjobs.compat import Connection


class InvalidConnection(ValueError):
    """A connection that cannot work.

    :param conn_id: the connection's id.
    :param name: the field of the connection.
    :param problem: what is wrong and what is allowed.
    """

    def __init__(self, conn_id: str, name: str, problem: str) -> None:
        super().__init__(f"connection {conn_id!r}: field {name!r} {problem}")
        self.conn_id = conn_id
        self.field = name
        self.problem = problem


class InvalidPlace(InvalidConnection):
    """A task's own region or endpoint that cannot work: an argument, and no field of the connection.

    :param conn_id: the connection that it is used with.
    :param name: the argument.
    :param problem: what is wrong and what is allowed.
    """

    def __init__(self, conn_id: str, name: str, problem: str) -> None:
        super().__init__(conn_id, name, problem)
        self.args = (f"argument {name!r} {problem}",)


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """An Airflow connection as plain values; equal ones make equal clients.

    :param extra: the extra as JSON text.
    """

    conn_id: str
    conn_type: str
    login: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int | None = None
    schema: str = ""
    extra: str = field(default="", repr=False)

    @classmethod
    def of(cls, conn_id: str, connection: Connection) -> Self:
        """The fields of Airflow's object; what it lacks is empty."""
        return cls(
            conn_id=conn_id,
            conn_type=connection.conn_type or "",
            login=connection.login or "",
            password=connection.password or "",
            host=connection.host or "",
            port=connection.port,
            schema=connection.schema or "",
            extra=connection.extra or "",
        )

    def invalid(self, name: str, problem: str) -> InvalidConnection:
        """The error to raise for a field."""
        return InvalidConnection(self.conn_id, name, problem)


class Extra:
    """The extra of a connection, as it stands there.

    :param fields: the connection.
    :raises InvalidConnection: if it is no JSON object.
    """

    def __init__(self, fields: ConnectionFields) -> None:
        self._fields = fields
        try:
            values = json.loads(fields.extra) if fields.extra.strip() else {}
        except ValueError as error:
            # The text may hold secrets, so only the place is named.
            where = f" at character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
            raise fields.invalid("extra", f"is not JSON{where}") from None
        if not isinstance(values, Mapping):
            raise fields.invalid("extra", "must be a JSON object")
        self._values = values
        self._asked: set[str] = set()

    def secrets(self) -> list[str]:
        """What of it must not be shown: Airflow by itself hides only the password, and an extra as a whole."""
        return [value for name in secret_names() if isinstance(value := self._values.get(name), str) and value]

    def value(self, name: str, default: Any) -> Any:
        """A field as it is; the default if it is absent or an empty text, as a form may store it."""
        self._asked.add(name)
        value = self._values.get(name)
        return default if value in (None, "") else value

    def text(self, name: str) -> str:
        """A field as text without blanks around it; empty if absent."""
        self._asked.add(name)
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise self._fields.invalid(name, f"must be text, not {type(value).__name__}")
        return str(value).strip()

    def not_asked_for(self) -> list[str]:
        """The names of the fields that have a value and were not read."""
        return [name for name, value in self._values.items() if value not in (None, "") and name not in self._asked]


class FieldReader:
    """A connection's values, each read as its row of the table says.

    :param fields: the connection.
    :param table: the fields of its cloud.
    :raises InvalidConnection: if the connection's URI has no scheme, it is of a type that is another service's, or its
        extra is no JSON object.
    """

    def __init__(self, fields: ConnectionFields, table: FieldTable) -> None:
        if not fields.conn_type and "//" in fields.schema:
            # Airflow takes the whole of such a URI for a path.
            raise fields.invalid(
                "conn_type",
                "is empty, since the URI's scheme is none: it begins with alibaba-cloudjobs:// or huawei-cloudjobs://, "
                "without '_'",
            )
        if not table.takes(fields.conn_type):
            # Somebody's key would go, in a signed request, to whom it is none of.
            raise fields.invalid(
                "conn_type",
                f"is {fields.conn_type!r}; this task runs on {regions.NAMES[table.cloud]}. Allowed are "
                f"{', '.join(map(repr, table.types))}, {GENERIC!r} and none",
            )
        self.fields = fields
        self.table = table.of_type(fields.conn_type)
        self.extra = Extra(fields)
        self._doubts: list[str] = []

    @cached_property
    def auth(self) -> str:
        """The credential mode.

        :raises InvalidConnection: an unknown mode, or fields of another mode where no mode was chosen.
        """
        if not self.extra.text("auth"):
            # Going on with the default would act as somebody else than the one who wrote these fields means.
            default = self.table.modes[0]
            for row in sorted(self.table.extra, key=lambda each: each.name):
                if row.modes and default not in row.modes and self.extra.text(row.name):
                    of = " or ".join(repr(mode) for mode in self.table.modes if mode in row.modes)
                    raise self.fields.invalid("auth", f"is missing: {row.name!r} is given, which belongs to {of}")
        return self._choice(self.table["auth"])

    def __getitem__(self, name: str) -> Any:
        """The value of a field: text, a number of seconds, True or False, or addresses by service.

        :return: what the environment or the table has instead if it is empty; empty text if nothing does, or if the
            field belongs to other modes.
        :raises InvalidConnection: if it is not what the table allows, or missing in a mode that needs it.
        """
        row = self.table[name]
        if row.kind == "text":
            return self._text(row)
        if row.kind == "choice":
            return self._choice(row)
        if row.kind == "seconds":
            return self._seconds(row)
        return self._flag(row) if row.kind == "flag" else self._addresses(row)

    def key(self, name: str) -> str:
        """A text that travels in a header: as it is, if it can.

        :raises InvalidConnection: if something else was pasted with it; it may be a secret, so only the place is named.
        """
        value: str = self[name]
        for place, sign in enumerate(value, 1):
            if not ("!" <= sign <= "~"):
                kind = "a blank or line break" if sign.isspace() else "a sign that is in no key"
                raise self.fields.invalid(name, f"has {kind} at place {place} of {len(value)}: paste it again")
        return value

    def invalid(self, name: str, problem: str) -> InvalidConnection:
        """The error to raise for a field of the mode."""
        return self.fields.invalid(name, f"{problem} (auth {self.auth!r})")

    def warnings(self) -> tuple[str, ...]:
        """A sentence for each field of the extra that is nobody's, and each address that may be for another service.

        To be asked for when all others were read.
        """
        silent = {each.name for each in self.table.extra}
        if "cloudjobs" not in self.fields.conn_type:
            silent.update(self.table.peers)
        said = list(self._doubts)
        for name in self.extra.not_asked_for():
            if name not in silent:
                meant = self.table.nearest(name)
                advice = f"was {meant!r} meant?" if meant else "the fields are listed in docs/connections.md"
                said.append(str(self.fields.invalid(name, f"is unknown and has no effect: {advice}")))
        return tuple(said)

    def _text(self, row: Field) -> str:
        mode = self.auth if row.modes else ""
        if mode and mode not in row.modes:
            return ""
        variable = row.environment.get(mode, "")
        value = self._written(row) or os.environ.get(variable, "").strip()
        if not value and mode in row.needed:
            what = row.senses.get(mode, row.what)
            peer = f" (or extra {row.peer!r})" if row.peer else ""
            where = f", or the environment variable {variable}" if variable else ""
            raise self.fields.invalid(row.name, f"is missing: auth {mode!r} needs {what}{peer}{where}")
        return value or str(row.default or "")

    def _written(self, row: Field) -> str:
        """A text from where it stands: Airflow's own field or the extra, by our name or the peer provider's."""
        value = getattr(self.fields, row.name).strip() if row.own else self.extra.text(row.name)
        elsewhere = self.extra.text(row.peer) if row.peer else ""
        if value and elsewhere and value != elsewhere:
            raise self.fields.invalid(row.name, f"and extra {row.peer!r} differ: give {row.what} once")
        return value or elsewhere

    def _choice(self, row: Field) -> str:
        word = self._written(row) or next(iter(row.choices))
        if word not in row.choices:
            raise self.fields.invalid(row.name, f"is {word!r}; allowed are {', '.join(map(repr, row.choices))}")
        return word

    def _seconds(self, row: Field) -> float:
        value = self.extra.value(row.name, row.default)
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        if isinstance(value, bool) or not (seconds > 0 and math.isfinite(seconds)):
            raise self.fields.invalid(row.name, f"is {value!r}; it must be a number of seconds, more than 0")
        return seconds

    def _flag(self, row: Field) -> bool:
        """True or false (the words too, as a form may store them)."""
        value = self.extra.value(row.name, row.default)
        word = str(value).strip().lower()
        if word not in ("true", "false"):
            raise self.fields.invalid(row.name, f"is {value!r}; it must be true or false")
        return word == "true"

    def _addresses(self, row: Field) -> dict[str, str]:
        """A JSON object of addresses by service (or that object as text, as a form may store it)."""
        value = self.extra.value(row.name, {})
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value)
            except ValueError:
                raise self.fields.invalid(row.name, "is not JSON") from None
        if not value:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
            raise self.fields.invalid(row.name, 'must be a JSON object of texts, e.g. {"dli": "https://..."}')
        for service in value:
            if not is_service(service):
                known = ", ".join(sorted(row.choices))
                raise self.fields.invalid(row.name, f"names {service!r}; known are {known}, and {SERVICES}")
            meant = get_close_matches(service, set(row.choices) - set(value), n=1, cutoff=0.8)
            if meant and service not in row.choices:
                self._doubts.append(str(self.fields.invalid(row.name, f"names {service!r}: was {meant[0]!r} meant?")))
        return {
            service: _address(self.fields, f"{row.name}.{service}", item, "http" if service == METADATA else "https")
            for service, item in value.items()
        }


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """What both clouds read from a connection.

    :param conn_id: where it was read, for messages.
    :param transport: how to reach hosts.
    :param region: the vendor's id of the region; empty if none was given.
    :param base: address that serves every service of the cloud; empty for the vendor's own hosts.
    :param endpoints: address by service; wins over ``base``.
    :param auth: the credential mode.
    :param warnings: what in it may be a mistake, a sentence each.
    :param own: a task's own address, for every service but those of logins; wins over all; empty for none.
    :param asked: True if the region is a task's own.
    """

    conn_id: str
    transport: TransportConfig
    region: str
    base: str
    endpoints: Mapping[str, str]
    auth: str
    warnings: tuple[str, ...]
    own: str = field(default="", kw_only=True)
    asked: bool = field(default=False, kw_only=True)

    cloud: ClassVar[str]

    metadata: ClassVar[str]
    """The vendor's own address of the metadata service, link-local."""

    login_services: ClassVar[tuple[str, ...]]
    """The services that give credentials."""

    vendor_domains: ClassVar[tuple[str, ...]]
    """The domains in which the vendor's own hosts are."""

    @property
    def sends_token(self) -> bool:
        """True if requests carry a token that works for whoever gets it; a signature is good for one host and call."""
        return False

    def at(self, address: str) -> Self:
        """The same connection with another address of every service but those that give credentials.

        :param address: a task's own endpoint.
        :raises InvalidPlace: if it is no address, or one that must not get what the connection logs in with.
        """
        own = _endpoint(self.conn_id, address)
        if self.sends_token and not self._may_get_token(own):
            domains = " and ".join(f"*.{domain}" for domain in self.vendor_domains)
            raise InvalidPlace(
                self.conn_id,
                "endpoint",
                f"is {own!r}, where the login's token must not go: who gets it can use it. Allowed are {domains} by "
                f"https, and what 'host' or 'endpoints' of connection {self.conn_id!r} name; name it there",
            )
        return replace(self, own=own)

    def _may_get_token(self, address: str) -> bool:
        """True for the vendor's own hosts, and for those that the connection itself names."""
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
        if parts.scheme == "https" and host.endswith(tuple(f".{domain}" for domain in self.vendor_domains)):
            return True
        return _origin(address) in {_origin(named) for named in (self.base, *self.endpoints.values()) if named}

    def endpoint(self, service: str) -> str:
        """The address of a service, without a path."""
        if service == METADATA:
            return self.endpoints.get(METADATA) or self.metadata
        if self.own and service not in self.login_services:
            return self.own
        return self.endpoints.get(service) or self.base or f"https://{self._vendor_host(service)}"

    def origin(self, host: str) -> str:
        """The argument or the field that says where a host is, with its value where that may be misspelt.

        :param host: the host, with its port if it has one.
        :return: words for people; empty where the vendor alone says it.
        """
        connection = f"of connection {self.conn_id!r}"
        if _is_at(self.own, host):
            return "the argument 'endpoint'"
        for service, address in self.endpoints.items():
            if _is_at(address, host):
                return f"'endpoints' ({service}) {connection}"
        if _is_at(self.base, host):
            return f"'host' {connection}"
        if not self.region or self.region not in host:
            return ""
        meant = regions.meant(self.cloud, self.region)
        return f"{self.region_origin}, {self.region!r}{meant and f': did you mean {meant!r}?'}"

    @property
    def namespace(self) -> str:
        """Within what a service's own names are of one meaning: the region; empty if that is not known."""
        return self.region

    @property
    def region_origin(self) -> str:
        """The argument or the field that says the region."""
        return "the argument 'region'" if self.asked else f"'region' of connection {self.conn_id!r}"

    def _vendor_host(self, service: str) -> str:
        if not is_service(service):
            raise ValueError(f"service {service!r} is none: {SERVICES}")
        return self.vendor_host(service)

    def vendor_host(self, service: str) -> str:
        """The vendor's own host of a service in the region; each cloud has its own rule."""
        raise NotImplementedError(f"{type(self).__name__} does not say where {service!r} is")

    def where_hint(self, service: str, http_status: int) -> str:
        """For an answer that may come from the wrong host: which one was asked, and what changes it."""
        if http_status != 404:
            return ""
        host = urlsplit(self.endpoint(service)).netloc
        return f"The host asked was {host}: 'region', 'endpoints' or 'host' of connection {self.conn_id!r} change it"

    def token_files(self) -> Mapping[str, str]:
        """The files with tokens that the mode reads, by the field that names them."""
        return {}

    def check_files(self) -> None:
        """See that the files which the connection names can be used; reads them.

        :raises InvalidConnection: naming the field.
        """
        name, bundle = trusted(self.transport) if self.transport.verify else ("", "")
        if bundle:
            try:
                trusting_as_before(bundle)
            except OSError as error:
                what = (
                    "holds no certificate" if isinstance(error, ssl.SSLError) else f"cannot be read: {error.strerror}"
                )
                who = "is" if name == "ca_bundle" else f"is empty, so {name} of the environment counts:"
                raise InvalidConnection(self.conn_id, "ca_bundle", f"{who} {bundle!r}, which {what}") from None
        for name, path in self.token_files().items():
            self.read_token(name, path)

    def read_token(self, name: str, path: str) -> str:
        """The token in a file, as it is now; who mounts such files replaces them.

        :param name: the field that names the file.
        :param path: the file.
        :raises InvalidConnection: naming the field and the mode.
        """
        try:
            with open(path, encoding="utf-8") as file:
                token = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise self.invalid(name, f"is {path!r}, which cannot be read: {why}") from None
        if not token:
            raise self.invalid(name, f"is {path!r}, which is empty")
        return token

    def invalid(self, name: str, problem: str) -> InvalidConnection:
        """The error to raise for a field of the mode."""
        return InvalidConnection(self.conn_id, name, f"{problem} (auth {self.auth!r})")


def common_settings(read: FieldReader, region: str | None) -> dict[str, Any]:
    """The arguments of :class:`CloudSettings` from a connection, all but the mode and the warnings.

    :param read: the connection.
    :param region: the task's region, which wins over the connection's.
    :raises InvalidConnection: naming the field.
    """
    cloud, conn_id = read.table.cloud, read.fields.conn_id
    check_place(cloud, region, None, conn_id)
    if not region and (problem := regions.problem(cloud, read["region"])):
        raise read.fields.invalid("region", problem)
    return {
        "conn_id": conn_id,
        "transport": TransportConfig(
            connect_timeout=read["connect_timeout"],
            read_timeout=read["read_timeout"],
            proxy=_proxy(read.fields, read["proxy"]),
            ca_bundle=read["ca_bundle"] or None,
            verify=read["verify"],
        ),
        "region": region or read["region"],
        "asked": bool(region),
        "base": _base(read),
        "endpoints": read["endpoints"],
    }


def check_place(cloud: str, region: str | None, endpoint: str | None, conn_id: str = "") -> None:
    """Refuse a task's own region or endpoint that works with no connection.

    :param cloud: ``alibaba`` or ``huawei``.
    :param region: the region; None for the connection's.
    :param endpoint: the address; None for the connection's.
    :param conn_id: the connection, where it is known.
    :raises InvalidPlace: naming the argument.
    """
    if problem := regions.problem(cloud, region or ""):
        raise InvalidPlace(conn_id, "region", problem)
    if endpoint:
        _endpoint(conn_id, endpoint)


def _endpoint(conn_id: str, address: str) -> str:
    """A task's own address."""
    try:
        return _address(ConnectionFields(conn_id, ""), "endpoint", address, "https")
    except InvalidConnection as error:
        raise InvalidPlace(conn_id, "endpoint", error.problem) from None


def _proxy(fields: ConnectionFields, value: str) -> str | None:
    """The address of an HTTP proxy, which may hold user and password, so that no message repeats it."""
    if not value:
        return None
    who, at, where = value.partition("://")[2].rpartition("@") if "://" in value else value.rpartition("@")
    scheme = value.partition("://")[0] if "://" in value else "http"
    try:
        address = _address(fields, "proxy", f"{scheme}://{where}", "http")
    except InvalidConnection:
        raise fields.invalid("proxy", "must be http(s)://[user:password@]host:port") from None
    own, _, host = address.partition("://")
    return f"{own}://{who}{at}{host}"


def _base(read: FieldReader) -> str:
    """The address in host, port and schema. Without a host the schema is some other provider's (a bucket)."""
    fields = read.fields
    if not fields.host:
        return ""
    address = _address(fields, "host", fields.host, read["schema"])
    if fields.port and urlsplit(address).port is None:
        address = f"{address}:{fields.port}"
    return address


def _address(fields: ConnectionFields, name: str, value: str, scheme: str) -> str:
    """``scheme://host[:port]`` from a host or an address."""
    text = value.strip()
    try:
        parts = urlsplit(text if "://" in text else f"{scheme}://{text}")
        good = parts.scheme in ("http", "https") and "@" not in parts.netloc and _is_host(parts.hostname or "")
        # A port that is none raises; an IPv6 address without brackets looks like a host and a port.
        bare = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        good = good and parts.netloc.lower() == (f"{bare}:{parts.port}" if parts.port else bare)
    except ValueError:
        good = False
    if not good:
        raise fields.invalid(name, "must be a host, host:port or http(s)://host:port")
    if parts.path.strip("/") or parts.query:
        raise fields.invalid(name, f"has a path ({parts.path or '?'}); give only the host")
    return f"{parts.scheme}://{parts.netloc}"


def _is_at(address: str, host: str) -> bool:
    return bool(address) and urlsplit(address).netloc.lower() == host.lower()


def _origin(address: str) -> tuple[str, str | None, int]:
    """Scheme, host and port, the default one too."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _is_host(host: str) -> bool:
    """True for names and IP addresses."""
    if ":" in host:
        return ipaddress.ip_address(host).version == 6
    return re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", host) is not None
