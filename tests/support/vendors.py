# SPDX-License-Identifier: Apache-2.0
"""The vendors' typed SDK clients as a source of facts: what they send, which fields their models have, and which words
their documentation gives. Modules are imported when they are first asked for, models one by one."""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from airflow_cloudjobs.jobs.paths import every
from airflow_cloudjobs.localcloud import accounts
from support.clients import PROJECT

PASSING = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "date",
        "host",
        "user-agent",
        "x-acs-content-sha256",
        "x-acs-credentials-provider",
        "x-acs-date",
        "x-acs-signature-nonce",
        "x-sdk-content-sha256",
        "x-sdk-date",
    }
)
"""Headers that are compared by themselves, or say nothing of what is asked for: signatures, dates, nonces, agents."""


@dataclass(frozen=True)
class Sent:
    """A request as it arrived, in a form that can be compared: JSON texts are parsed, an absent body has no type."""

    method: str
    path: str
    query: Mapping[str, Any]
    kind: str
    body: Any
    headers: Mapping[str, str]


def _sent(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Sent:
    address = urlsplit(target)
    named = {name.lower(): value for name, value in headers.items()}
    kind = named.get("content-type", "").partition(";")[0] if body else ""
    content: Any = body.decode()
    if kind == "application/x-www-form-urlencoded":
        content = _pairs(content)
    return Sent(
        method,
        address.path,
        _pairs(address.query),
        kind,
        _json(content) if isinstance(content, str) else content,
        {name: value for name, value in named.items() if name not in PASSING},
    )


def _pairs(text: str) -> dict[str, Any]:
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    assert len(dict(pairs)) == len(pairs), f"a name stands twice in {text}"
    return {name: _json(value) for name, value in pairs}


def _json(text: str) -> Any:
    """The structure that a text is; any other text as it is, be it a number."""
    return json.loads(text) if text.startswith(("{", "[")) else text


class Recorder:
    """A server on localhost that says ``{}`` to everything and keeps what it was asked."""

    def __init__(self) -> None:
        recorded = self._recorded = []  # type: ignore[var-annotated]

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _record(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                recorded.append(_sent(self.command, self.path, dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_PUT = do_DELETE = _record

            def log_message(self, *_: Any) -> None:
                """Nothing is logged."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Recorder:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def last(self) -> Sent:
        """The one request since this was asked last."""
        [sent] = self._recorded
        self._recorded.clear()
        return sent


def snake(name: str) -> str:
    """``ListTasks`` as a function is called."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _nested(path: str, value: Any) -> Any:
    """An answer that has a value at a path, and nothing else."""
    for part in reversed(path.split(".")):
        value = {part.removesuffix("[]"): [value] if part.endswith("[]") else value}
    return value


_WIRE = r"m\.get\('([^']+)'\) is not None:\n(?:\s+temp_model = .*\n)?\s+self\.(\w+) = "


class AlibabaSdk:
    """An SDK package of Alibaba Cloud.

    :param package: its module, e.g. ``alibabacloud_ecs20140526``.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    @cached_property
    def _client(self) -> Any:
        return import_module(f"{self.package}.client").Client

    @cached_property
    def _models(self) -> Any:
        return import_module(f"{self.package}.models")

    def _model(self, annotation: str) -> Any:
        return getattr(self._models, annotation.rpartition(".")[2].rstrip("]"))

    def _call(self, operation: str) -> Any:
        return getattr(self._client, f"{snake(operation)}_with_options")

    def _client_for(self, region: str, **more: str) -> Any:
        from alibabacloud_tea_openapi.utils_models import Config

        key = {"access_key_id": accounts.ALIBABA_ACCESS_KEY, "access_key_secret": accounts.ALIBABA_SECRET}
        return self._client(Config(**key, region_id=region, **more))

    def host(self, region: str) -> str:
        """Where the SDK asks in a region."""
        found: str = self._client_for(region)._endpoint
        return found

    def send(self, address: str, operation: str, values: Mapping[str, Any]) -> None:
        """Make a call by the typed client.

        :param values: what is sent, by the names of the wire, and the parts of the path by those of the client. What
            the models do not know is not sent.
        """
        from darabonba.runtime import RuntimeOptions

        client = self._client_for("cn-shanghai", endpoint=address, protocol="http")
        call = self._call(operation)
        given: list[Any] = []
        for name, annotation in call.__annotations__.items():
            if name == "runtime":
                given.append(RuntimeOptions(autoretry=False))
            elif annotation == "Dict[str, str]":
                given.append({})
            elif annotation == "str":
                given.append(values[name])
            elif name != "return":
                given.append(self._model(annotation)().from_map(dict(values)))
        call(client, *given)

    def needed(self, operation: str) -> set[str]:
        """The parameters that the SDK says are required, by the names of the wire."""
        notes = self._call(operation).__annotations__
        note = notes.get("request") or notes.get("tmp_req")
        if note is None:
            return set()
        model = self._model(note)
        required = {name for name, text in self._comments(model) if "This parameter is required." in text}
        return {wire for wire, name in re.findall(_WIRE, inspect.getsource(model.from_map)) if name in required}

    def knows(self, operation: str, path: str) -> bool:
        """Whether the answer has a field at a path."""
        answer = self._model(self._call(operation).__annotations__["return"])
        return any(self._keeps(answer, path, value) for value in ("text", {}, [{}]))

    @staticmethod
    def _keeps(answer: Any, path: str, value: Any) -> bool:
        """Whether a value at a path is there when a model has read it; models forget what they do not know."""
        try:
            kept = answer().from_map({"body": _nested(path, value)}).to_map()["body"]
        except (AttributeError, TypeError):
            return False  # an object, or a list of them, stands there
        return bool(every(path)(kept))

    def documented(self, field: str) -> set[str]:
        """The words that the SDK gives for ``Model.field``."""
        model, _, name = field.partition(".")
        text = dict(self._comments(self._model(model)))[name]
        inline = re.search(r"Valid values: ([\w, ]+)\.", text)
        if inline:
            return {word.removeprefix("and ") for word in re.split(r", ?", inline[1])}
        return set(re.findall(r"^ *[-*] +\**(\w+)\**(?= *:| *$)", text, re.MULTILINE))

    @staticmethod
    def _comments(model: Any) -> Iterator[tuple[str, str]]:
        """Each field of a model with the comment above it."""
        lines: list[str] = []
        for line in inspect.getsource(model.__init__).splitlines():
            text = line.strip()
            if text.startswith("#"):
                lines.append(text.removeprefix("#").removeprefix(" "))
            elif match := re.match(r"self\.(\w+) = ", text):
                yield match[1], "\n".join(lines)
                lines.clear()


# What follows "- ", or stands before a colon or a parenthesis, be they wide ones; single digits are words too.
_WORD = r"(?<![\w-])(?:(?<=- )[A-Za-z][A-Za-z_-]*|(?:[A-Za-z][A-Za-z_-]*|\d)(?= ?[:\uff1a\uff08]))"


class HuaweiSdk:
    """An SDK package of Huawei Cloud.

    :param package: its module with the version, e.g. ``huaweicloudsdkdli.v1``.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    @cached_property
    def _module(self) -> Any:
        return import_module(self.package)

    @cached_property
    def _client(self) -> Any:
        [found] = [item for name, item in vars(self._module).items() if re.fullmatch(r"\w+(?<!Async)Client", name)]
        return found

    def _model(self, name: str) -> Any:
        return getattr(self._module, name)

    def host(self, region: str) -> str:
        """Where the SDK asks in a region."""
        [endpoint] = self._regions.value_of(region).endpoints
        return str(endpoint).removeprefix("https://")

    @property
    def regions(self) -> list[str]:
        """The regions that the SDK knows."""
        return list(self._regions.static_fields)

    @property
    def _regions(self) -> Any:
        product = self.package.partition(".")[0].removeprefix("huaweicloudsdk")
        module = import_module(f"{self.package}.region.{product}_region")
        [found] = [item for item in vars(module).values() if hasattr(item, "value_of")]
        return found

    def send(self, address: str, operation: str, values: Mapping[str, Any]) -> None:
        """Make a call by the typed client.

        :param values: what is sent, by the names of the wire; what is sent as JSON is ``body``.
        :raises KeyError: for what its models do not know.
        """
        from huaweicloudsdkcore.auth.credentials import BasicCredentials

        credentials = BasicCredentials(accounts.HUAWEI_ACCESS_KEY, accounts.HUAWEI_SECRET, PROJECT)
        client = self._client.new_builder().with_credentials(credentials).with_endpoint(f"http://{address}").build()
        getattr(client, snake(operation))(self._typed(f"{operation}Request", values))

    def _typed(self, kind: str, value: Any) -> Any:
        if match := re.fullmatch(r"list\[(.+)\]", kind):
            return [self._typed(match[1], item) for item in value]
        model = getattr(self._module, kind, None)
        if model is None:
            return value
        attributes = {wire: name for name, wire in model.attribute_map.items()}
        named = {attributes[wire]: item for wire, item in value.items()}
        return model(**{name: self._typed(model.openapi_types[name], item) for name, item in named.items()})

    def needed(self, operation: str) -> set[str]:
        """None: the SDK does not say which parameters are required."""
        return set()

    def knows(self, operation: str, path: str) -> bool:
        """Whether the answer has a field at a path."""
        return self._has(f"{operation}Response", path.split("."))

    def _has(self, kind: str, parts: Sequence[str]) -> bool:
        if not parts:
            return True
        model = getattr(self._module, kind, None)
        if model is None:
            return False
        attributes = {wire: name for name, wire in model.attribute_map.items()}
        name, each = parts[0].removesuffix("[]"), parts[0].endswith("[]")
        if name not in attributes:
            return False
        inner = model.openapi_types[attributes[name]]
        listed = re.fullmatch(r"list\[(.+)\]", inner)
        if bool(listed) is not each and parts[1:]:
            return False
        return self._has(listed[1] if listed else inner, parts[1:])

    def documented(self, field: str) -> set[str]:
        """The words that the SDK gives for ``Model.field``."""
        model, _, name = field.partition(".")
        page = inspect.getdoc(self._model(model).__init__) or ""
        [text] = re.findall(rf":param {name}:(.*)", page)
        return set(re.findall(_WORD, text))


def sdk_of(package: str) -> AlibabaSdk | HuaweiSdk:
    """The SDK of a package."""
    return AlibabaSdk(package) if package.startswith("alibabacloud") else HuaweiSdk(package)
