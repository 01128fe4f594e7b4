# SPDX-License-Identifier: Apache-2.0
"""The table of a connection's fields. Each field is written down once, by its cloud; the reader (:mod:`.settings`), the
form (:mod:`.form`), the hints of a failed login and the tables in docs/connections.md come from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Literal

from airflow_cloudjobs.transport.config import TransportConfig

OWN = ("login", "password", "host", "port", "schema")
"""The fields that every connection of Airflow has; all others stand in its extra."""

GENERIC = "generic"
"""The type of a connection that is of no service's kind; so is an empty one."""

METADATA = "metadata"
"""The service of an instance that tells it its own credential; it is no host of the cloud's API."""

Kind = Literal["text", "choice", "flag", "seconds", "addresses"]
"""What a value is: text, one of a few words, true or false, a number of seconds more than 0, addresses by service."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a connection. Texts for people may have code in backticks.

    :param name: its name in the connection, or in the extra.
    :param label: what stands beside it in the form; empty leaves Airflow's own.
    :param what: what it is: a noun and what belongs to it, as in "auth 'sts' needs ...".
    :param senses: what it is instead, by credential mode.
    :param note: what else to know before filling it in.
    :param kind: what its value is.
    :param secret: True if nobody may see its value.
    :param needed: the credential modes that cannot do without it.
    :param taken: the modes that can, but use it. It is of all modes if none is named here and in ``needed``.
    :param choices: the allowed words of a choice, the default first, and what each means; the best known services of
        addresses.
    :param environment: by mode, the vendor's environment variable that is read if the field is empty.
    :param default: the value if it is empty.
    :param otherwise: where a value comes from if it is empty, for people.
    :param peer: its name in the extra of connections made for the peer provider.
    :param examples: words that the form offers where any is allowed.
    :param placeholder: what an empty field of Airflow's own shows.
    """

    name: str
    label: str
    what: str
    _: KW_ONLY
    senses: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    kind: Kind = "text"
    secret: bool = False
    needed: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    choices: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    default: str | float | bool | None = None
    otherwise: str = ""
    peer: str = ""
    examples: tuple[str, ...] = ()
    placeholder: str = ""

    @property
    def modes(self) -> tuple[str, ...]:
        """The credential modes it belongs to; empty for all."""
        return self.needed + self.taken

    @property
    def own(self) -> bool:
        """True for one of Airflow's own fields."""
        return self.name in OWN

    @property
    def meaning(self) -> str:
        """What it is, in full."""
        senses = "".join(f"; with `{mode}` {what}" for mode, what in self.senses.items())
        peer = f" (or `{self.peer}` in the extra)" if self.peer else ""
        known = ", ".join(f"`{name}`" for name in self.choices)
        services = f"; services: {known}, and any other by its name" if self.kind == "addresses" else ""
        return f"{self.what}{senses}{peer}{services}{f'; {self.note}' if self.note else ''}"

    @property
    def fallback(self) -> str:
        """What counts if it is empty; empty if nothing does."""
        sources = [
            f"`{variable}`" + ("" if self.modes == (mode,) else f" for `{mode}`")
            for mode, variable in self.environment.items()
        ]
        if self.kind == "choice":
            sources.append(f"`{next(iter(self.choices))}`")
        elif isinstance(self.default, bool):
            sources.append(f"`{str(self.default).lower()}`")
        elif self.default is not None:
            sources.append(f"`{self.default}`" if isinstance(self.default, str) else f"{self.default:g}")
        return ", then ".join([*sources, *filter(None, [self.otherwise])])


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The fields of a cloud's connections, as the form shows them from top to bottom.

    :param cloud: ``alibaba`` or ``huawei``.
    :param fields: the rows; one is ``auth``, whose choices are the credential modes.
    :param types: the types that a connection of it may have: ours, and the peer providers'.
    :param peers: the names that only the peer provider reads, in the extra of connections made for it.
    :param only: further fields of connections of one type, by the type.
    :raises ValueError: if a row names a mode that is none, or a name stands twice.
    """

    cloud: str
    fields: tuple[Field, ...]
    types: tuple[str, ...]
    peers: tuple[str, ...] = ()
    only: Mapping[str, tuple[Field, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [each.name for each in self.fields]
        for each in self.fields:
            unknown = {*each.modes, *each.senses, *each.environment} - set(self.modes)
            if unknown or names.count(each.name) > 1:
                raise ValueError(f"field {each.name!r} stands twice or names modes that are none: {sorted(unknown)}")

    def takes(self, conn_type: str) -> bool:
        """True for the types that a connection of the cloud may have."""
        return conn_type in ("", GENERIC, *self.types)

    def of_type(self, conn_type: str) -> FieldTable:
        """The fields of connections of one type."""
        more = self.only.get(conn_type, ())
        return replace(self, fields=(*self.fields, *more), only={}) if more else self

    def __getitem__(self, name: str) -> Field:
        """The row of a field."""
        return next(each for each in self.fields if each.name == name)

    @property
    def modes(self) -> tuple[str, ...]:
        """The credential modes, the default first."""
        return tuple(self["auth"].choices)

    @property
    def extra(self) -> tuple[Field, ...]:
        """The fields that stand in the extra."""
        return tuple(each for each in self.fields if not each.own)

    def nearest(self, name: str) -> str:
        """The field of the extra that somebody may have meant by a name; empty if none is like it."""
        known = [each.name for each in self.extra]
        return next(iter(get_close_matches(name.lower(), known, n=1)), "")

    def to_check(self, mode: str, *more: str) -> str:
        """The fields that decide whether a credential mode works, for people; empty if there are none.

        Those with a default are left out: they hardly ever do.

        :param mode: the mode.
        :param more: fields of all modes that matter as well.
        """
        rows = [each for each in self.fields if mode in each.modes and each.default is None]
        names = [each.name if each.own else f"'{each.name}'" for each in rows]
        names += [f"'{name}'" for name in more]
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def reaching(services: tuple[str, ...], example: str) -> tuple[Field, ...]:
    """The fields about reaching hosts, the same for both clouds.

    :param services: the services that may have an address of their own.
    :param example: an address of the first.
    """
    return (
        Field(
            "host",
            "Host for all services",
            "one address that serves every service of the cloud (a private cloud, a gateway)",
            otherwise="the vendor's hosts",
            placeholder="empty for the public endpoints",
        ),
        Field(
            "port",
            "",
            "the port of that address",
            otherwise="the scheme's",
            placeholder="type 443 here (the button Test of Airflow 3.3 needs it)",
        ),
        Field(
            "schema",
            "",
            "the scheme of that address",
            kind="choice",
            choices={"https": "with TLS", "http": "without TLS"},
            placeholder="https",
        ),
        Field(
            "endpoints",
            "Endpoints by service",
            f'hosts of single services, as JSON: `{{"{services[0]}": "{example}"}}`',
            note="wins over host",
            kind="addresses",
            choices=dict.fromkeys(services, ""),
        ),
        Field(
            "proxy",
            "Proxy",
            "address of an HTTP proxy, `http://[user:password@]host:port`",
            secret=True,
            otherwise="`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`",
        ),
        Field(
            "ca_bundle",
            "CA bundle",
            "path of a PEM file with the certificates to trust, on worker and triggerer",
            otherwise="`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE`, `SSL_CERT_FILE`, then certifi's",
        ),
        Field(
            "verify",
            "Verify TLS",
            "whether certificates are checked",
            note="off (`false`) accepts any, and a warning says so: for tests only",
            kind="flag",
            default=TransportConfig().verify,
        ),
        Field(
            "connect_timeout",
            "Connect timeout",
            "seconds to wait for a connection",
            kind="seconds",
            default=TransportConfig().connect_timeout,
        ),
        Field(
            "read_timeout",
            "Read timeout",
            "seconds to wait for an answer",
            kind="seconds",
            default=TransportConfig().read_timeout,
        ),
    )


TABLES = {"alibaba": "airflow_cloudjobs.alibaba.fields", "huawei": "airflow_cloudjobs.huawei.fields"}
"""By cloud, the module whose ``FIELDS`` is its table; nothing is imported before it is asked for."""


def table_of(cloud: str) -> FieldTable:
    """The fields of a cloud's connections."""
    table: FieldTable = import_module(TABLES[cloud]).FIELDS
    return table


@lru_cache(maxsize=1)
def secret_names() -> frozenset[str]:
    """The names in an extra whose values nobody may see, of all clouds: a connection may be read for the wrong one."""
    secret = [each for cloud in TABLES for each in table_of(cloud).fields if each.secret]
    return frozenset({each.name for each in secret if not each.own} | {each.peer for each in secret if each.peer})
