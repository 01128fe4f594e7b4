# SPDX-License-Identifier: Apache-2.0
"""docs/connections.md says what is true: its examples are read as Airflow reads them, its tables name every field."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from field_tables import with_tables

from airflow_cloudjobs.alibaba.fields import FIELDS as ALIBABA
from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.connection.fields import FieldTable
from airflow_cloudjobs.connection.settings import CloudSettings
from airflow_cloudjobs.huawei.fields import FIELDS as HUAWEI
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.transport.config import TransportConfig

TEXT = (Path(__file__).parents[2] / "docs" / "connections.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
CLOUDS: dict[str, FieldTable] = {"Alibaba Cloud": ALIBABA, "Huawei Cloud": HUAWEI}


def test_the_tables_are_those_of_the_code() -> None:
    assert with_tables(TEXT) == TEXT, "write them anew: python tests/credentials/field_tables.py"


def read(line: str, monkeypatch: pytest.MonkeyPatch) -> CloudSettings:
    """A line ``export AIRFLOW_CONN_...``, as a shell, Airflow and a hook read it."""
    command, assignment = shlex.split(line)
    assert command == "export"
    name, _, value = assignment.partition("=")
    monkeypatch.setenv(name, value)
    hook = AlibabaCloudHook if name == "AIRFLOW_CONN_ALIBABACLOUD_DEFAULT" else HuaweiCloudHook
    return hook().settings


@pytest.mark.parametrize(
    "block", BLOCKS, ids=lambda block: (re.findall(r'"auth": "(\w+)"', block) or ["the default"])[0]
)
def test_json_and_uri_say_the_same(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    as_json, as_uri = (read(line, monkeypatch) for line in block.splitlines())
    assert as_json == as_uri
    assert as_json.region


@pytest.mark.parametrize("cloud", CLOUDS)
class TestCloud:
    def test_every_mode_has_an_example(self, cloud: str, monkeypatch: pytest.MonkeyPatch) -> None:
        shown = re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", SECTIONS[cloud], re.DOTALL | re.MULTILINE)
        assert [mode for mode, _ in shown] == list(CLOUDS[cloud].modes)
        for mode, text in shown:
            assert read(re.findall(r"^export .*$", text, re.MULTILINE)[0], monkeypatch).auth == mode

    def test_every_field_is_in_the_table(self, cloud: str) -> None:
        table = CLOUDS[cloud]
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", SECTIONS[cloud], re.MULTILINE)
        fields = {name: (meaning, of) for name, meaning, _, of in rows}
        assert set(fields) == {field.name for field in table.extra}
        for field in table.extra:
            for mode in field.modes:
                assert f"`{mode}`" in fields[field.name][1], field.name
        for service in table["endpoints"].choices:
            assert f"`{service}`" in fields["endpoints"][0]

    def test_time_limits(self, cloud: str) -> None:
        assert (
            f"| `connect_timeout` | seconds to wait for a connection | {TransportConfig().connect_timeout:g} |"
            in SECTIONS[cloud]
        )
        assert (
            f"| `read_timeout` | seconds to wait for an answer | {TransportConfig().read_timeout:g} |"
            in SECTIONS[cloud]
        )


def test_examples_of_hosts_and_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    vpc = read(re.findall(r"^export .*$", SECTIONS["Endpoints"], re.MULTILINE)[0], monkeypatch)
    assert vpc.endpoint("sts") == "https://sts-vpc.cn-shanghai.aliyuncs.com"
    behind = read(re.findall(r"^export .*$", SECTIONS["Proxies and certificates"], re.MULTILINE)[1], monkeypatch)
    assert behind.transport.proxy == "http://airflow:pass%40word@proxy.example.com:3128"
    assert behind.transport.connect_timeout == 10
