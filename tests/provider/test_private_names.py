# SPDX-License-Identifier: Apache-2.0
"""What is used of other people's packages although they do not promise it: each name with its reason, and a test that
fails on the day when a new version takes it away or has it mean something else.

Whatever can be had by a public name is: the pause of a sensor is its ``poke_interval``, a connection's time limit is
aiohttp's ``connect``, and that urllib3 need not warn is its ``is_verified``. Those are tested here too, by what
they do.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import json
import pkgutil
import re
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.execution_time import comms, supervisor, task_runner

import airflow_cloudjobs
from airflow_cloudjobs import compat, task_state
from airflow_cloudjobs.connection.settings import ConnectionFields
from airflow_cloudjobs.huawei.client import HuaweiClient
from airflow_cloudjobs.huawei.dli import DliSqlJobSensor
from airflow_cloudjobs.huawei.settings import huawei_settings
from airflow_cloudjobs.jobs.errors import CloudApiError
from airflow_cloudjobs.jobs.request import ApiRequest
from airflow_cloudjobs.localcloud import LocalCloud
from airflow_cloudjobs.transport.aio import AsyncCaller, session_for
from airflow_cloudjobs.transport.sync import SyncCaller

PACKAGE = Path(airflow_cloudjobs.__file__).parent

USED = {
    (
        "compat.py",
        "_AIRFLOW_PROCESS_CONTEXT",
    ): "Airflow reads connections from its database only for its own programs, and "
    "its command line says by this variable that it is one; so does our command 'cloudjobs'.",
    (
        "compat.py",
        "_serialize_template_field",
    ): "Airflow says nowhere else whether it hides secrets in what it stores of "
    "arguments; where the name is gone they are taken out before, and all works.",
    (
        "cli/__init__.py",
        "_exit",
    ): "Python's own and documented: who has typed Ctrl-C does not wait until all of Airflow is taken down.",
    ("cli/__init__.py", "_ARGCOMPLETE"): "How a shell asks for completions, by argcomplete's own page; so who does not "
    "complete need not load it, and test_cli_help.py completes.",
    ("huawei/chain.py", "_expired_at"): "The SDK says nowhere else when the credential that it got ends; asking its "
    "accessor would get another one.",
    ("demo/settings.py", "_AIRFLOW"): "The demo's Airflow must see no variable of the one that it is started from.",
}
"""By file and name: why it is used. Beside them ``airflow.sdk.execution_time`` (``SUPERVISOR_COMMS`` and its messages:
how else could a trigger ask what became of its task), and the words ``Tunnel connection failed``, since Python gives
the status of a proxy's refusal in its message only."""


OVERRIDDEN = {
    "TemplatedTask._do_render_template_fields": "The one method that Airflow calls for plain and for mapped tasks just "
    "before it renders, and logs a template that fails; test_provider_masking.py sees it called for both.",
}
"""What of Airflow's own is overridden although it is private, and why."""


def names_of(path: Path) -> tuple[set[str], set[str]]:
    """The names with an underscore that a file defines, and those that it uses."""
    own, used = set(), set()
    tree = ast.parse(path.read_text())
    pieces = {piece for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in ast.walk(tree):
        if node in pieces:
            continue  # a piece of a longer text is no name
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                own.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                own.add(name)
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) | ast.keyword(arg=str(name)):
                used.add(name)
            case ast.ImportFrom(module=str(module), names=names) if not module.startswith("airflow_cloudjobs"):
                used.update(module.split("."), (each.name for each in names))
    return own, {name for name in used if re.fullmatch(r"_[A-Za-z]\w*", name)}


def test_each_private_name_that_is_used_has_its_reason() -> None:
    files = {path.relative_to(PACKAGE).as_posix(): names_of(path) for path in PACKAGE.rglob("*.py")}
    own = set().union(*(defined for defined, _ in files.values()))
    foreign = {(file, name) for file, (_, used) in files.items() for name in used - own}
    assert foreign == set(USED)


def test_no_private_name_is_overridden() -> None:
    modules = [
        importlib.import_module(each.name)
        for each in pkgutil.walk_packages(airflow_cloudjobs.__path__, "airflow_cloudjobs.")
        if not each.name.endswith("__main__")
    ]
    classes = {each for module in modules for _, each in inspect.getmembers(module, inspect.isclass)}
    ours = [each for each in classes if each.__module__.startswith("airflow_cloudjobs")]
    assert len(ours) > 100
    overridden = {
        f"{each.__qualname__}.{name}"
        for whole in ours  # what operators share with sensors meets Airflow's classes in theirs only
        for place, each in enumerate(whole.__mro__)
        if each in ours
        for base in whole.__mro__[place + 1 :]
        if not base.__module__.startswith(("airflow_cloudjobs", "abc", "typing"))
        for name in vars(each).keys() & vars(base).keys()
        if name.startswith("_") and not name.endswith("_") and not name.startswith("_abc_")
    }
    assert overridden == set(OVERRIDDEN)


def test_this_airflow_hides_rendered_fields() -> None:
    """That it does so indeed is what test_provider_masking.py tries."""
    assert compat.hides_rendered_fields()


def test_airflows_process_context_opens_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def backends() -> set[str]:
        return {type(each).__name__ for each in supervisor.ensure_secrets_backend_loaded()}

    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT", raising=False)
    assert "MetastoreBackend" not in backends(), "it is not needed any more"
    compat.let_read_connections()
    assert "MetastoreBackend" in backends()
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT")


class Line:
    """A triggerer's line to its supervisor, which writes down what is asked.

    :param answer: what the supervisor says.
    """

    def __init__(self, answer: Any = None) -> None:
        self.asked: list[Any] = []
        self._answer = answer

    async def asend(self, message: Any) -> Any:
        self.asked.append(message)
        return self._answer


@pytest.fixture
def trigger() -> Any:
    place = {"dag_id": "d", "task_id": "t", "run_id": "r", "map_index": -1}
    return SimpleNamespace(task_instance=SimpleNamespace(**place))


def test_the_length_of_a_list_is_stored_with_it(monkeypatch: pytest.MonkeyPatch, trigger: Any) -> None:
    line = Line()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", line, raising=False)
    asyncio.run(compat.push_xcom(trigger, "return_value", ["a", "b"]))
    [message] = line.asked
    assert isinstance(message, comms.SetXCom)
    assert (message.key, message.mapped_length) == ("return_value", 2)


def test_a_triggers_line_to_its_supervisor(monkeypatch: pytest.MonkeyPatch, trigger: Any) -> None:
    line = Line(comms.TaskStatesResult(task_states={"r": {"t": "success"}}))
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", line, raising=False)
    assert asyncio.run(task_state.still_owns(trigger, "job_key", "k")) is False
    [message] = line.asked
    assert isinstance(message, comms.GetTaskStates)
    assert "SUPERVISOR_COMMS" in task_runner.__annotations__
    for name in ("send", "asend"):
        assert list(inspect.signature(getattr(comms.CommsDecoder, name)).parameters)[:2] == ["self", "msg"]
    comms.GetXCom(key="k", dag_id="d", run_id="r", task_id="t", map_index=-1)
    comms.GetDagRun(dag_id="d", run_id="r")


def test_huaweis_sdk_says_when_a_credential_ends() -> None:
    from huaweicloudsdkcore.auth import internal
    from huaweicloudsdkcore.auth.credentials import BasicCredentials

    end = time.time() + 7200

    class Accessor(internal.StsAccessor):
        def get_credential(self, *args: Any, **kwargs: Any) -> Any:
            credential = internal.Credential()
            credential.access, credential.secret, credential.expire_at = "AK", "SK", end
            return credential

    given = BasicCredentials()
    given.sts_accessor = Accessor()
    given.process_sts(None)
    assert given._expired_at == end


def serving(answer: bytes | None) -> Iterator[str]:
    """Somebody who takes connections and says one thing; None says nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def say() -> None:
            with suppress(OSError):  # closed with the test
                while True:
                    guest, _ = listener.accept()
                    with guest:
                        guest.recv(65536)
                        guest.sendall(answer or b"")

        if answer is not None:
            thread = threading.Thread(target=say, daemon=True)
            thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        if answer is not None:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.fixture
def mute() -> Iterator[str]:
    yield from serving(None)


@pytest.fixture
def curt() -> Iterator[str]:
    yield from serving(b"")


@pytest.fixture
def refusing() -> Iterator[str]:
    yield from serving(b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n")


def by_sync(client: HuaweiClient, request: ApiRequest) -> Any:
    with SyncCaller(client) as caller:
        return caller.call(request)


def by_async(client: HuaweiClient, request: ApiRequest) -> Any:
    async def main() -> Any:
        async with session_for(client.transport) as session:
            return await AsyncCaller(client, session).call(request)

    return asyncio.run(main())


Way = Callable[[HuaweiClient, ApiRequest], Any]
ways = pytest.mark.parametrize("way", [by_sync, by_async])


def error_of(way: Way, host: str, **more: Any) -> CloudApiError:
    """What comes of a call of a host."""
    extra = {"project_id": 32 * "a", "verify": False, "connect_timeout": 0.5, "read_timeout": 9, **more}
    fields = ConnectionFields("c", "", login="AK", password="SK", host=host, extra=json.dumps(extra))
    client = HuaweiClient(huawei_settings(fields, None))
    with pytest.raises(CloudApiError) as raised:
        way(client, ApiRequest("dli", "ListQueues", "GET", "/v1.0/{project_id}/queues"))
    return raised.value


@ways
def test_a_hung_handshake_is_a_connection_that_was_not_made(way: Way, mute: str) -> None:
    error = error_of(way, host=f"https://{mute}")
    assert (error.code, error.ambiguous) == ("<connect timeout>", False)


@ways
def test_a_hung_tunnel_is_a_connection_that_was_not_made(way: Way, mute: str) -> None:
    error = error_of(way, host="https://nowhere.invalid", proxy=f"http://{mute}")
    assert (error.code, error.ambiguous) == ("<connect timeout>", False)


@ways
def test_a_tunnel_that_breaks_off_is_a_connection_that_was_not_made(way: Way, curt: str) -> None:
    error = error_of(way, host="https://nowhere.invalid", proxy=f"http://{curt}")
    assert (error.retryable, error.ambiguous) == (True, False)


@ways
def test_the_status_of_a_refused_tunnel(way: Way, refusing: str) -> None:
    error = error_of(way, host="https://nowhere.invalid", proxy=f"http://{refusing}")
    assert (error.code, error.http_status, error.retryable) == ("<proxy>", 407, False)


def test_a_sensors_pause_is_its_poke_interval(
    cloud: LocalCloud, connect: Callable[[dict[str, Any]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow's loop pauses for what the wait says, and the task's own interval is as it was afterwards."""
    cloud.control.create_job("dli.sql_job", key="k", seconds=1.5)
    pauses: list[float] = []
    really = time.sleep
    monkeypatch.setattr("airflow.sdk.bases.sensor.time.sleep", lambda pause: (pauses.append(pause), really(pause))[0])
    sensor = DliSqlJobSensor(
        task_id="t", job_id="k", huaweicloud_conn_id=connect(cloud.huawei_connection()), poke_interval=30
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert sensor.execute({})["job_key"] == "k"
    assert pauses
    assert max(pauses) < 10
    assert sensor.poke_interval == 30
