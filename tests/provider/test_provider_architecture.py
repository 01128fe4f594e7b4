# SPDX-License-Identifier: Apache-2.0
"""The shape of the package: which way imports point, what an import costs, where secrets must not show."""

from __future__ import annotations

import ast
import json
import os
import pickle
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import airflow_cloudjobs
from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.connection.settings import ConnectionFields, InvalidConnection
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.jobs.errors import CloudApiError, ErrorKind
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.trigger import CloudJobTrigger

ROOT = Path(airflow_cloudjobs.__file__).parent
PACKAGE = "airflow_cloudjobs"
MODULES = {
    ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}


@cache
def imports_of(path: Path, *, at_import: bool = True, types: bool = False) -> set[str]:
    """The modules that a module imports; when it is imported only, or in its functions too.

    What stands under ``if TYPE_CHECKING`` is not imported at all, and counts only where ``types`` are asked for.
    """
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if not types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                visit(child)
            return
        if at_import and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found.add(node.module or "")
            found.update(
                f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in MODULES
            )
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def own_imports(name: str, *, types: bool = False) -> set[str]:
    imported = imports_of(MODULES[name], at_import=False, types=types)
    return {each for each in imported if each.split(".")[0] == PACKAGE} - {PACKAGE}


def layer(name: str) -> str:
    """The room of the package that a module belongs to."""
    part = name.removeprefix(f"{PACKAGE}.").split(".")[0]
    return part if part in (*ROOMS, "alibaba", "huawei", "localcloud", "demo", "cli", "testing") else "base"


#: The rooms below Airflow's side, each with what of that side it may use: imports point from right to left only.
ROOMS = {"jobs": set[str](), "transport": set[str](), "connection": {"compat"}, "polling": {"compat", "metrics"}}

LAYERS = (*ROOMS, "base", "alibaba", "huawei")


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) in ROOMS])
def test_a_room_knows_those_before_it(name: str) -> None:
    room = layer(name)
    before = list(ROOMS)[: list(ROOMS).index(room) + 1]
    others = {each.removeprefix(f"{PACKAGE}.") for each in own_imports(name) if layer(each) not in before}
    assert {each.partition(".")[0] for each in others} <= ROOMS[room]


def test_no_modules_need_each_other_in_a_circle() -> None:
    """Not in their functions either, nor for their types: whoever reads one would have to know the other."""
    needs = {name: own_imports(name, types=True) - {name} for name in MODULES}

    def all_needed(name: str) -> set[str]:
        found: set[str] = set()
        new = set(needs[name])
        while new:
            found |= new
            new = {each for one in new for each in needs.get(one, ())} - found
        return found

    assert [name for name in needs if name in all_needed(name)] == []


PARTS_OF_CLOUDS = ("alibaba", "huawei")


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) == "base"])
def test_the_bases_know_no_cloud(name: str) -> None:
    """They find clouds and APIs by name, in the table of ``apis`` and in the provider's metadata."""
    if name == PACKAGE:
        return
    assert {layer(each) for each in own_imports(name)} <= {*ROOMS, "base"}


@pytest.mark.parametrize("cloud", PARTS_OF_CLOUDS)
def test_the_clouds_do_not_know_each_other(cloud: str) -> None:
    for name in MODULES:
        if layer(name) == cloud:
            assert {layer(each) for each in own_imports(name)} <= {*ROOMS, "base", cloud}, name


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) == "localcloud"])
def test_the_local_clouds_know_nothing_of_the_provider(name: str) -> None:
    """They are written from the vendors' pages alone, so that they can contradict the specs."""
    assert {layer(each) for each in own_imports(name)} <= {"localcloud"}
    outside = {each.split(".")[0] for each in imports_of(MODULES[name], at_import=False)}
    assert not outside & {"airflow", "aiohttp", "requests", "alibabacloud_tea_openapi", "huaweicloudsdkcore"}


@pytest.mark.parametrize("name", MODULES)
def test_nothing_of_the_provider_needs_the_local_clouds(name: str) -> None:
    """They are an extra, for tests and demonstrations."""
    if layer(name) in LAYERS:
        assert "localcloud" not in {layer(each) for each in own_imports(name)}


PURE = {
    "__future__",
    "abc",
    "collections",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "email",
    "enum",
    "functools",
}
PURE |= {"hashlib", "itertools", "json", "logging", "math", "operator", "re", "string", "types", "typing", "urllib"}
PURE |= {"airflow_cloudjobs"}


@pytest.mark.parametrize("name", [name for name in MODULES if layer(name) == "jobs"])
def test_jobs_does_no_io_and_reads_no_clock(name: str) -> None:
    outside = {each.split(".")[0] for each in imports_of(MODULES[name], at_import=False)}
    assert outside <= PURE
    tree = ast.parse(MODULES[name].read_text())
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not called & {"open", "print", "datetime.now", "datetime.utcnow"}


@pytest.mark.parametrize("name", MODULES)
def test_airflow_is_known_in_few_places(name: str) -> None:
    """What differs between versions of Airflow is written once; two bases of classes have the same place in all."""
    imported = {each for each in imports_of(MODULES[name], at_import=False) if each.split(".")[0] == "airflow"}
    if layer(name) in ("demo", "localcloud") or name == f"{PACKAGE}.compat":
        return
    if name == f"{PACKAGE}.lineage":  # the one that needs an extra, so that nobody may need it at import
        imported = {each for each in imported if not each.startswith("airflow.providers.openlineage")}
    assert imported <= {"airflow.triggers.base", "airflow.providers.common.sql.hooks.sql"}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_names_its_licence_and_says_what_it_is_for(name: str) -> None:
    text = MODULES[name].read_text()
    assert text.startswith("# SPDX-License-Identifier: Apache-2.0\n")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    if any(not isinstance(node, (ast.Expr, ast.Assign)) for node in tree.body):
        assert imports[0].module == "__future__"


PRODUCTS = ("alibaba.dms", "alibaba.ice", "huawei.dli", "huawei.drs")
LIGHT = ("", ".provider", ".alibaba.hook", ".huawei.hook", ".apis", ".cli", ".localcloud")
COST = """
import importlib, json, os, sys
import airflow.sdk
before = set(sys.modules)
for name in sys.argv[1:]:
    if os.fork() == 0:  # each import in a process that has loaded Airflow and nothing else
        importlib.import_module(name)
        print(json.dumps([name, sorted(set(sys.modules) - before)]), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def new_modules() -> dict[str, list[str]]:
    """By module of ours, what its import adds to what Airflow itself has loaded."""
    names = [PACKAGE + name for name in (*(f".{product}" for product in PRODUCTS), *LIGHT)]
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COST, *names],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    added: dict[str, list[str]] = dict(json.loads(line) for line in run.stdout.splitlines() if line.startswith("["))
    assert set(added) == set(names)
    return added


HEAVY = (
    *("alibabacloud", "huaweicloudsdk", "aiohttp", "requests", "yarl", "Tea", "darabonba", "starlette", "uvicorn"),
    *("openlineage", "airflow.providers.openlineage"),
)


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_dag_file_pays_little_for_an_import(product: str, new_modules: dict[str, list[str]]) -> None:
    modules = new_modules[f"{PACKAGE}.{product}"]
    assert len(modules) <= 60, modules
    assert [name for name in modules if name.startswith(HEAVY)] == []


@pytest.mark.parametrize("name", LIGHT)
def test_what_airflow_loads_at_its_start_is_light_too(name: str, new_modules: dict[str, list[str]]) -> None:
    assert [each for each in new_modules[PACKAGE + name] if each.startswith(HEAVY)] == []


SECRETS = {
    "password": "p4ssw0rd-secret",
    "security_token": "t0ken-secret",
    "proxy": "http://user:pr0xy-secret@proxy.example:1",
    "access_key_secret": "p4ssw0rd-secret",
}


def shown(*things: Any) -> str:
    """All that a log or a traceback may show of some things."""
    return " ".join(f"{thing!r} {thing!s}" for thing in things)


@pytest.mark.parametrize(
    ("hook", "extra"),
    [
        (AlibabaCloudHook, {"auth": "sts"}),
        (HuaweiCloudHook, {}),
        (HuaweiCloudHook, {"auth": "token", "domain": "d"}),
    ],
    ids=["sts", "aksk", "token"],
)
def test_no_secret_shows(hook: Any, extra: dict[str, str]) -> None:
    """Not in the connection as we read it, nor in what is made of it."""
    text = json.dumps({"region": "ap-southeast-1", **SECRETS, **extra})
    fields = ConnectionFields("c", "", login="AK", password=SECRETS["password"], extra=text)
    the_hook = hook("c")
    settings = the_hook.read_settings(fields)
    client = the_hook.make_client(settings)
    everything = shown(fields, settings, settings.transport, settings.credential, client, the_hook, vars(client))
    for name in ("p4ssw0rd-secret", "t0ken-secret", "pr0xy-secret"):
        assert name not in everything


def test_no_secret_shows_in_a_signed_request(cloud: LocalCloud, connect: Any) -> None:
    from airflow_cloudjobs.jobs.request import ApiRequest

    hook = HuaweiCloudHook(connect(cloud.huawei_connection("token")))
    hook.call(ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues", idempotent=True))
    client = hook.get_conn().client
    credential = client.credential
    assert credential is not None
    assert credential.session_token.startswith("MIILOCAL")
    request = client.sign(ApiRequest("dli", "X", "GET", "/v1.0/{project_id}/queues"), credential)
    assert "MIILOCAL" not in shown(credential, request, client, hook, vars(client))


@pytest.mark.parametrize("bad", [{"auth": "magic"}, {"region": 1.5}, {"endpoints": "x"}, {"read_timeout": "x"}])
def test_no_secret_shows_in_a_refusal(bad: dict[str, Any]) -> None:
    text = json.dumps({"region": "cn-x", **SECRETS, **bad})
    for hook in (AlibabaCloudHook, HuaweiCloudHook):
        fields = ConnectionFields("c", "", login="AK", password=SECRETS["password"], extra=text)
        with pytest.raises(InvalidConnection) as caught:
            hook("c").read_settings(fields)
        assert "secret" not in shown(caught.value).replace("access_key_secret", "")


def test_broken_json_is_not_quoted() -> None:
    fields = ConnectionFields("c", "", login="AK", password="x", extra='{"security_token": "t0ken-secret"')
    with pytest.raises(InvalidConnection) as caught:
        AlibabaCloudHook("c").read_settings(fields)
    assert "t0ken" not in shown(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_trigger_carries_no_secret(cloud: LocalCloud, connect: Any) -> None:
    """Its arguments are stored as plain JSON; it has the connection's id and reads the rest when it runs."""
    conn_id = connect(cloud.huawei_connection(security_token=SECRETS["security_token"]))
    trigger = CloudJobTrigger(api="dli.sql_job", keys=["k"], conn_id=conn_id, region="cn-north-4")
    path, arguments = trigger.serialize()
    assert path == "airflow_cloudjobs.trigger.CloudJobTrigger"
    stored = json.dumps(arguments)
    assert "t0ken" not in stored + shown(trigger)
    assert cloud.huawei_connection()["password"] not in stored + shown(trigger)
    assert CloudJobTrigger(**json.loads(stored)).serialize() == (path, arguments)
    assert CloudJobTrigger(**json.loads(stored), of_tomorrow=1).serialize() == (path, arguments)


def test_errors_carry_no_traceback_into_a_database() -> None:
    error = CloudApiError("m", kind=ErrorKind.DENIED, code="C")
    assert set(json.loads(json.dumps(error.as_dict()))) >= {"message", "kind", "code", "request_id", "http_status"}
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes
