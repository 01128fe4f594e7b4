# SPDX-License-Identifier: Apache-2.0
"""What Airflow sees of the provider: metadata, connection types and their forms, the entry point."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import import_module
from importlib.metadata import distribution, entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any

import airflow
import jsonschema
import pytest
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager
from packaging.requirements import Requirement

import airflow_cloudjobs
from airflow_cloudjobs.alibaba import settings as alibaba_module
from airflow_cloudjobs.alibaba.hook import AlibabaCloudHook
from airflow_cloudjobs.apis import hook_class_of
from airflow_cloudjobs.connection.fields import FieldTable, table_of
from airflow_cloudjobs.connection.settings import ConnectionFields, Extra, FieldReader, InvalidConnection
from airflow_cloudjobs.huawei import settings as huawei_module
from airflow_cloudjobs.huawei.dli import DliSqlJobOperator
from airflow_cloudjobs.huawei.hook import HuaweiCloudHook
from airflow_cloudjobs.huawei.sql import DliHook
from airflow_cloudjobs.operator import CloudJobOperator
from airflow_cloudjobs.provider import get_provider_info

NAME = "airflow-provider-cloudjobs"
ROOT = Path(__file__).parents[2]
HOOKS: dict[str, Any] = {
    "alibaba_cloudjobs": AlibabaCloudHook,
    "huawei_cloudjobs": HuaweiCloudHook,
    "huawei_dli": DliHook,
}
TABLES = {name: table_of(name.partition("_")[0]).of_type(name) for name in HOOKS}
TYPES = {each["connection-type"]: each for each in get_provider_info()["connection-types"]}


def test_metadata_fits_airflows_schema() -> None:
    schema = json.loads(files(airflow).joinpath("provider_info.schema.json").read_text())
    jsonschema.validate(get_provider_info(), schema)
    json.dumps(get_provider_info())


def test_the_entry_point_gives_it() -> None:
    [entry] = [each for each in entry_points(group="apache_airflow_provider") if each.dist and each.dist.name == NAME]
    assert entry.load()() == get_provider_info()


def test_the_distribution_says_what_it_is() -> None:
    found = distribution(NAME)
    classifiers = found.metadata.get_all("Classifier") or []
    assert "Framework :: Apache Airflow" in classifiers
    assert "Framework :: Apache Airflow :: Provider" in classifiers
    assert "Typing :: Typed" in classifiers
    assert found.metadata["License-Expression"] == "Apache-2.0"
    assert found.metadata["Requires-Python"] == ">=3.11"
    assert any(each.name == "cloudjobs" for each in found.entry_points if each.group == "console_scripts")


def test_airflows_registry_sees_that_operators_are_durable() -> None:
    """It looks for the attribute as Python stores it, under the name of the class that defines ``execute``."""
    assert "execute" in vars(CloudJobOperator)
    assert vars(CloudJobOperator)["_CloudJobOperator__supports_durable_execution"] is True
    assert DliSqlJobOperator.execute is CloudJobOperator.execute


def test_the_addresses_that_a_maintainer_adds_are_what_airflow_reads() -> None:
    """CONTRIBUTING.md has the block; Airflow takes the address called Documentation."""
    block = re.search(r"^```toml\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)
    assert block
    assert "Documentation" in tomllib.loads(block[1])["project"]["urls"]
    assert "urls" not in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    discovery = import_module("airflow._shared.providers_discovery.providers_discovery")
    assert '"documentation"' in Path(str(discovery.__file__)).read_text()


def test_the_lowest_versions_are_those_of_the_project() -> None:
    """tests/versions/lowest.txt names each dependency, none below its bound."""
    lines = (ROOT / "tests" / "versions" / "lowest.txt").read_text().splitlines()
    pinned = dict(line.lower().split("==") for line in lines if "==" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["localcloud"]):
        bound = Requirement(text)
        assert bound.specifier.contains(pinned[bound.name]), text


def test_the_version_is_the_packages() -> None:
    assert get_provider_info()["versions"] == [airflow_cloudjobs.__version__]
    assert get_provider_info()["package-name"] == NAME


def test_it_is_marked_as_typed() -> None:
    assert Path(airflow_cloudjobs.__file__).with_name("py.typed").is_file()


def test_every_module_and_class_it_names_exists() -> None:
    info = get_provider_info()
    for kind in ("operators", "sensors", "hooks", "triggers"):
        for entry in info[kind]:
            for module in entry["python-modules"]:
                import_module(module)
    for path in (*info["extra-links"], *(each["hook-class-name"] for each in info["connection-types"])):
        module, _, name = path.rpartition(".")
        assert hasattr(import_module(module), name)
    named = {
        entry["integration-name"] for kind in ("operators", "sensors", "hooks", "triggers") for entry in info[kind]
    }
    assert named <= {each["integration-name"] for each in info["integrations"]}


def test_airflow_lists_it() -> None:
    assert NAME in ProvidersManager().providers


def test_airflow_knows_the_option_and_that_it_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert conf.get("cloudjobs", "state_path") == ""
    monkeypatch.setenv("AIRFLOW__CLOUDJOBS__STATE_PATH", "/some/folder")
    assert conf.get("cloudjobs", "state_path") == "/some/folder"


@pytest.mark.parametrize("conn_type", HOOKS)
class TestConnectionTypes:
    def test_airflow_knows_the_type_and_its_fields(self, conn_type: str) -> None:
        manager = ProvidersManager()
        widgets = manager.connection_form_widgets
        shown = {name.removeprefix(f"extra__{conn_type}__"): widgets[name] for name in widgets if conn_type in name}
        assert set(shown) == {field.name for field in TABLES[conn_type].extra}
        secret = {field.name for field in TABLES[conn_type].extra if field.secret}
        assert {name for name, widget in shown.items() if widget.is_sensitive} == secret
        labels = {field.name: field.label for field in TABLES[conn_type].fields if field.own and field.label}
        assert set(labels) == {"login", "password", "host"}
        assert manager.field_behaviours[conn_type]["relabeling"] == labels

    def test_metadata_and_hook_say_the_same(self, conn_type: str) -> None:
        hook, listed = HOOKS[conn_type], TYPES[conn_type]
        assert (hook.conn_type, hook.hook_name) == (conn_type, listed["hook-name"])
        assert listed["hook-class-name"] == f"{hook.__module__}.{hook.__qualname__}"
        widgets = hook.get_connection_form_widgets()
        fields = listed["conn-fields"]
        assert list(widgets) == list(fields)
        for name, widget in widgets.items():
            assert widget.args[0] == fields[name]["label"]
            assert widget.kwargs["description"].startswith(fields[name]["description"])
            assert ("Password" in widget.field_class.__name__) is (fields[name]["schema"].get("format") == "password")
            assert ("Boolean" in widget.field_class.__name__) is ("boolean" in fields[name]["schema"]["type"])
            for choice in fields[name]["schema"].get("enum", ()):
                assert str(choice) in widget.kwargs["description"]
        behaviour = {name.replace("_", "-"): value for name, value in hook.get_ui_field_behaviour().items()}
        assert behaviour == listed["ui-field-behaviour"]

    def test_placeholders_and_labels_are_of_fields_that_exist(self, conn_type: str) -> None:
        own = {"login", "password", "host", "port", "schema", "extra", "description"}
        behaviour = TYPES[conn_type]["ui-field-behaviour"]
        known = own | set(TYPES[conn_type]["conn-fields"])
        assert set(behaviour["relabeling"]) | set(behaviour["placeholders"]) | set(behaviour["hidden-fields"]) <= known

    def test_secrets_are_hidden_in_the_form(self, conn_type: str) -> None:
        fields = TYPES[conn_type]["conn-fields"]
        for name, field in fields.items():
            holds_secret = name in ("security_token", "proxy", "access_key_secret")
            assert (field["schema"].get("format") == "password") is holds_secret, name

    def test_every_word_of_a_choice_is_accepted_and_every_accepted_one_is_a_choice(self, conn_type: str) -> None:
        modes = list(TABLES[conn_type].modes)
        schema = TYPES[conn_type]["conn-fields"]["auth"]["schema"]
        assert schema["enum"] == modes
        assert "default" not in schema, "the page would store it, and Airflow warn of it in every task's log"
        for mode in modes:
            reader = FieldReader(ConnectionFields("c", conn_type, extra=json.dumps({"auth": mode})), TABLES[conn_type])
            assert reader.auth == mode


PEERS = {"alibaba_cloudjobs": {"auth_type", "access_key_id", "access_key_secret"}}


class Reading(dict[str, Any]):
    """An extra that remembers which of its fields were asked for."""

    asked: set[str]

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def plausible(table: FieldTable) -> dict[str, Any]:
    """A value for each field of an extra, of the kind that it takes."""
    kinds = {"text": "x", "choice": "", "seconds": 1, "flag": True, "addresses": {}}
    values = {field.name: kinds[field.kind] for field in table.extra}
    own = {"region": "xx-1", "credentials_uri": "http://h/x", "connect_timeout": "2.5", "read_timeout": "9", "tid": "3"}
    return values | own


@pytest.mark.parametrize("conn_type", HOOKS)
def test_the_form_has_just_the_fields_that_are_read(conn_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In all credential modes together; the fields of peers' layouts are read but not offered."""
    asked: set[str] = set()
    original = Extra.__init__

    def remembering(self: Extra, fields: ConnectionFields) -> None:
        original(self, fields)
        values = Reading(self._values)
        values.asked = asked
        self._values = values

    monkeypatch.setattr(Extra, "__init__", remembering)
    module: Any = alibaba_module if conn_type.startswith("alibaba") else huawei_module
    read = module.alibaba_settings if conn_type.startswith("alibaba") else module.huawei_settings
    for mode in TABLES[conn_type].modes:
        extra = json.dumps({**plausible(TABLES[conn_type]), "auth": mode})
        read(ConnectionFields("c", conn_type, login="l", password="p", extra=extra), None)
    assert asked - PEERS.get(conn_type, set()) == {field.name for field in TABLES[conn_type].extra}


@pytest.mark.parametrize("conn_type", HOOKS)
def test_an_untouched_form_is_a_plain_key(conn_type: str) -> None:
    """What Airflow stores of a form in which only login, password and region were filled in."""
    extra = {name: field["schema"].get("default") for name, field in TYPES[conn_type]["conn-fields"].items()}
    fields = ConnectionFields("c", conn_type, login="l", password="p", extra=json.dumps({**extra, "region": "xx-1"}))
    settings = hook_class_of(conn_type.partition("_")[0]).read_settings(fields)
    assert settings.credential.key == "l"  # type: ignore[attr-defined]


def test_empty_texts_of_a_form_are_absent_fields() -> None:
    extra = {field.name: "" for field in table_of("huawei").extra}
    with pytest.raises(InvalidConnection) as caught:
        huawei_module.huawei_settings(ConnectionFields("c", "", login="l", password="p", extra=json.dumps(extra)), None)
    assert caught.value.field == "project_id"
