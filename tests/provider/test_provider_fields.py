# SPDX-License-Identifier: Apache-2.0
"""The table of a connection's fields: what it refuses, and that the reader does what its rows say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from airflow_cloudjobs import exceptions
from airflow_cloudjobs.connection.fields import TABLES, Field, FieldTable, table_of
from airflow_cloudjobs.connection.form import help_text
from airflow_cloudjobs.connection.settings import ConnectionFields, Extra, FieldReader, InvalidConnection

NEEDED = [
    (cloud, mode, field)
    for cloud in TABLES
    for mode in table_of(cloud).modes
    for field in table_of(cloud).fields
    if mode in field.needed
]

AUTH = Field("auth", "", "where credentials come from", kind="choice", choices={"key": "a key", "role": "a role"})


def reader(table: FieldTable, extra: dict[str, Any], **own: Any) -> FieldReader:
    return FieldReader(ConnectionFields("c", "", extra=json.dumps(extra), **own), table)


@pytest.mark.parametrize(
    "field",
    [
        Field("role_arn", "", "the role", needed=("rolle",)),
        Field("role_arn", "", "the role", taken=("rolle",)),
        Field("role_arn", "", "the role", taken=("role",), environment={"rolle": "ROLE_ARN"}),
        Field("role_arn", "", "the role", taken=("role",), senses={"rolle": "the roll"}),
        replace(AUTH, label="again"),
    ],
)
def test_a_row_with_a_slip_is_refused(field: Field) -> None:
    with pytest.raises(ValueError, match=field.name):
        FieldTable("alibaba", (AUTH, field), ())


@pytest.mark.parametrize(("cloud", "mode", "field"), NEEDED, ids=lambda each: getattr(each, "name", each))
class TestNeeded:
    def test_it_is_asked_for_in_its_mode(self, cloud: str, mode: str, field: Field) -> None:
        with pytest.raises(InvalidConnection) as caught:
            reader(table_of(cloud), {"auth": mode})[field.name]
        assert caught.value.field == field.name
        needs = f"auth {mode!r} needs {field.senses.get(mode, field.what)}"
        told = (needs, field.peer, field.environment.get(mode, ""))
        assert [words for words in told if words not in str(caught.value)] == []

    def test_every_place_that_the_row_names_gives_it(
        self, cloud: str, mode: str, field: Field, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table, value = table_of(cloud), {field.name: " v "}
        given = reader(table, {"auth": mode}, **value) if field.own else reader(table, {"auth": mode, **value})
        assert given[field.name] == "v"
        if field.peer:
            assert reader(table, {"auth": mode, field.peer: "v"})[field.name] == "v"
        if mode in field.environment:
            monkeypatch.setenv(field.environment[mode], "v")
            assert reader(table, {"auth": mode})[field.name] == "v"

    def test_other_modes_do_without_it(self, cloud: str, mode: str, field: Field) -> None:
        for other in set(table_of(cloud).modes) - set(field.modes):
            assert reader(table_of(cloud), {"auth": other, field.name: "v"})[field.name] == ""


@pytest.mark.parametrize("cloud", TABLES)
def test_defaults_are_the_rows(cloud: str) -> None:
    for field in table_of(cloud).extra:
        if field.default is not None:
            mode = field.modes[0] if field.modes else table_of(cloud).modes[0]
            assert reader(table_of(cloud), {"auth": mode})[field.name] == field.default


def test_every_secret_of_an_extra_is_to_be_hidden() -> None:
    """For whichever cloud it is read, since it may be the wrong one."""
    secret = {"security_token": "t0ken", "proxy": "http://u:p@h:1", "access_key_secret": "s3cret"}
    extra = Extra(ConnectionFields("c", "", extra=json.dumps({**secret, "region": "xx-1", "role_arn": "r"})))
    assert sorted(extra.secrets()) == sorted(secret.values())


def test_texts_for_people_are_made_of_the_row() -> None:
    field = table_of("alibaba")["role_arn"]
    assert field.fallback == "`ALIBABA_CLOUD_ROLE_ARN` for `oidc_role_arn`"
    assert help_text(field) == (
        "The ARN of the RAM role; acs:ram::<account>:role/<name> (auth ram_role_arn, oidc_role_arn). "
        "If empty: ALIBABA_CLOUD_ROLE_ARN for oidc_role_arn."
    )
    assert table_of("huawei")["login"].meaning == "the AK; with `token` the IAM user's name"
    assert table_of("huawei").to_check("token", "region") == "login, password, 'domain' and 'region'"
    assert table_of("alibaba").to_check("oidc_role_arn") == "'role_arn', 'oidc_provider_arn' and 'oidc_token_file'"
    assert table_of("huawei").to_check("ecs_agency") == ""


def test_the_error_has_a_public_name() -> None:
    assert exceptions.InvalidConnection is InvalidConnection
