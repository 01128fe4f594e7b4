# SPDX-License-Identifier: Apache-2.0
"""Markdown made of the code: one function for each directive that a page may name (:data:`MAKERS`)."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import airflow_cloudjobs
from airflow_cloudjobs import cli, exceptions, next_step
from airflow_cloudjobs.apis import CATALOGUE, KNOWN, SPECS, declared_api, hook_class_of, spec_of
from airflow_cloudjobs.compat import AirflowFailException, AirflowSensorTimeout
from airflow_cloudjobs.jobs import errors
from airflow_cloudjobs.jobs.spec import JobSpec
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.provider import get_provider_info
from airflow_cloudjobs.task_class import own_arguments

ROLE = re.compile(r":\w+:`~?(?:[^`]*?\.)?(\w+)`")
FIELD = re.compile(r"^:param (\w+):(.*?)(?=^:|^\S|\Z)", re.DOTALL | re.MULTILINE)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    :param head: the names of its columns.
    :param rows: the cells of each row, as Markdown.
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |" for cells in lines)


def from_docstring(text: str) -> str:
    """A piece of a docstring as one line of Markdown."""
    return re.sub(r"``(.+?)``", r"`\1`", ROLE.sub(r"``\1``", " ".join(text.split())))


def described(cls: type) -> dict[str, str]:
    """What the docstring of a class says of each parameter."""
    return {name: from_docstring(text) for name, text in FIELD.findall(inspect.getdoc(cls) or "")}


def named(path: str) -> Any:
    """What a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def parameters(path: str) -> str:
    """Every parameter that a class has of its own, with default and meaning.

    :param path: the class.
    :raises KeyError: for a parameter that its docstring does not describe.
    """
    cls = named(path)
    told = described(cls)
    rows = [
        (f"`{name}`", "needed" if one.default is one.empty else f"`{one.default!r}`", told[name])
        for name, one in own_arguments(cls.__init__).items()
    ]
    return table(("parameter", "default", "meaning"), rows)


def submit_once(spec: JobSpec) -> str:
    """How a lost submit is met."""
    if spec.token:
        return "by a token: the cloud takes a repeated submit once"
    return "by a look-up: a lost job is found again" if spec.finder else "no way: the task fails, or asks a person"


def api(name: str) -> str:
    """What is known of an API: its words, what it can do.

    :param name: its id.
    """
    spec, states = spec_of(name), spec_of(name).states
    buckets = (
        ("in progress", states.in_progress),
        ("succeeded", states.succeeded),
        ("failed", states.failed),
        ("cancelled", states.cancelled),
    )
    rows = [
        (title, ", ".join(f"`{word}`" if word else "(none yet)" for word in sorted(words)))
        for title, words in buckets
        if words
    ]
    rows += [
        ("cancel", "yes" if spec.cancel else "the API has none"),
        ("a submit whose answer is lost", submit_once(spec)),
        ("`poll_interval`, `poke_interval`", f"{spec.interval:g} s by default"),
        ("jobs a poll", str(spec.batch)),
        ("counts in the event of an asset", ", ".join(f"`{each}`" for each in spec.counts) or "none"),
        ("left out of results", ", ".join(f"`{each}`" for each in sorted(spec.omit | spec.signed_urls)) or "nothing"),
        ("the vendor's page", f"<{spec.page}>"),
    ]
    return table((f"`{name}`", ""), rows)


def catalogue(_: str) -> str:
    """A line for each API that comes as data."""
    classes = {"alibaba": "Alibaba", "huawei": "Huawei"}
    rows = []
    for name in CATALOGUE:
        spec = spec_of(name)
        submits = "yes" if declared_api(name).submit else "no, waits only"
        cancels = "yes" if spec.cancel else "no"
        lost = submit_once(spec) if declared_api(name).submit else "-"
        rows.append((f"`{name}`", f"{classes[spec.cloud]}: {spec.title}", submits, cancels, lost, shown_at(name)))
    return table(("`api`", "job", "submits", "cancels", "a submit whose answer is lost", "console link"), rows)


def shown_at(name: str) -> str:
    """Where the console link of an API of the catalogue leads.

    :param name: its id.
    """
    page = declared_api(name).job_page
    if not page:
        return "the product"
    return "the job, if the connection has a `project_id`" if "{project_id}" in page else "the job"


def results(_: str) -> str:
    """The fields of each API that has classes of its own, as the local clouds show a job that has succeeded."""
    parts = []
    with LocalCloud(job_seconds=0.001) as cloud, _connected(cloud):
        for name in SPECS:
            fields = spec_of(name).public_fields(_record(cloud, spec_of(name)))
            parts.append(f"**`{name}`**\n\n```json\n{json.dumps(fields, indent=2, ensure_ascii=False)}\n```")
    return "\n\n".join(parts)


@contextmanager
def _connected(cloud: LocalCloud) -> Iterator[None]:
    """The default connections lead to local clouds."""
    made = {"ALIBABACLOUD": cloud.alibaba_connection(), "HUAWEICLOUD": cloud.huawei_connection()}
    names = {f"AIRFLOW_CONN_{name}_DEFAULT": json.dumps(connection) for name, connection in made.items()}
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def _record(cloud: LocalCloud, spec: JobSpec) -> Mapping[str, Any]:
    key = str(cloud.control.create_job(spec.api)["key"])
    scope = {"order_id": "4711"} if "order_id" in spec.scope else {}
    hook_class = hook_class_of(spec.cloud)
    seen = hook_class(hook_class.default_conn_name, region=None, endpoint=None).fetch(spec, [key], scope)[key]
    if isinstance(seen, Exception):
        raise seen
    return seen.record


def _help(*words: str) -> str:
    """What the command says to ``--help``, in lines of a page's width."""
    width, shown = os.environ.get("COLUMNS"), StringIO()
    os.environ["COLUMNS"] = "100"
    try:
        with redirect_stdout(shown), suppress(SystemExit):
            cli.main([*words, "--help"])
    finally:
        os.environ.pop("COLUMNS") if width is None else os.environ.update(COLUMNS=width)
    return _without_paths(shown.getvalue())


def command(_: str) -> str:
    """The help of the command and of each of its subcommands."""
    first = _help()
    names = re.findall(r"^    ([a-z][\w-]*)(?=\s)", first, re.MULTILINE)
    told = [("cloudjobs", first), *((f"cloudjobs {name}", _help(name)) for name in names)]
    return "\n\n".join(f"## `{name}`\n\n```text\n{text}```" for name, text in told)


def _without_paths(text: str) -> str:
    """Folders of the machine that builds the pages are nobody's default."""
    return text.replace(str(Path(airflow_cloudjobs.__file__).resolve().parents[1]), "...")


def settings(_: str) -> str:
    """The options of Airflow's configuration that are ours."""
    parts = []
    for section, told in get_provider_info()["config"].items():
        for name, option in told["options"].items():
            facts = [f"default `{option['default']!r}`", f"since {option['version_added']}"]
            facts.append(f"environment `AIRFLOW__{section.upper()}__{name.upper()}`")
            if option.get("example"):
                facts.append(f"example `{option['example']}`")
            parts.append(f"## `[{section}] {name}`\n\n{option['description']}\n\n{'; '.join(facts)}.")
    return "\n\n".join(parts)


def raised(_: str) -> str:
    """Our exceptions, and whether Airflow makes another attempt after one."""
    rows = []
    for name, cls in vars(exceptions).items():
        if not (inspect.isclass(cls) and issubclass(cls, Exception) and cls.__module__.startswith("airflow_cloudjobs")):
            continue
        if name.startswith("_") or cls is exceptions.WithNextStep:
            continue
        final = issubclass(cls, (AirflowFailException, AirflowSensorTimeout, ValueError))
        bases = ", ".join(f"`{base.__name__}`" for base in cls.__bases__ if not base.__module__.startswith("airflow_c"))
        told = from_docstring((inspect.getdoc(cls) or "").partition("\n\n")[0])
        rows.append((f"`{name}`", bases or "`ValueError`", "no" if final else "yes", told))
    return table(("exception", "is an", "retried", "raised when"), rows)


def error_kinds(_: str) -> str:
    """What an answer of a cloud that is an error can be, and what is done about it."""
    told = dict(_attribute_docs(errors, "ErrorKind"))
    rows = []
    for kind in errors.ErrorKind:
        cure = next_step.CURES[kind].replace("{conn_id!r}", "CONN_ID").replace("{conn_id}", "CONN_ID")
        rows.append((f"`{kind.value}`", from_docstring(told[kind.name]), cure))
    return table(("`kind`", "means", "what the log advises"), rows)


def _attribute_docs(module: Any, cls: str) -> Iterator[tuple[str, str]]:
    """The texts below the attributes of a class."""
    [node] = [
        each
        for each in ast.parse(inspect.getsource(module)).body
        if isinstance(each, ast.ClassDef) and each.name == cls
    ]
    for one, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(one, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            yield ast.unparse(one.targets[0]), str(after.value.value)


def counted(_: str) -> str:
    """How many APIs there are."""
    return f"{len(KNOWN)} job APIs are known: {len(SPECS)} have classes of their own, {len(CATALOGUE)} are data."


MAKERS: Mapping[str, Callable[[str], str]] = {
    "parameters": parameters,
    "api": api,
    "catalogue": catalogue,
    "results": results,
    "command": command,
    "settings": settings,
    "exceptions": raised,
    "error-kinds": error_kinds,
    "counted": counted,
}
"""By the name of the directive: what makes its Markdown of its argument."""
