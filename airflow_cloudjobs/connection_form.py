# SPDX-License-Identifier: Apache-2.0
"""The connection forms: written once, shown by Airflow 3.2 and later from the provider's metadata and by
earlier ones from the hooks' form methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the form, stored in the connection's extra.

    :param name: the name in the extra.
    :param label: what stands beside it.
    :param help: what stands below it.
    :param kind: JSON type: ``string``, ``number``, ``boolean`` or ``object``.
    :param secret: True shows dots instead of the value.
    :param choices: the allowed words, the default first; empty for any.
    """

    name: str
    label: str
    help: str
    kind: str = "string"
    secret: bool = False
    choices: tuple[str, ...] = ()

    def metadata(self) -> dict[str, Any]:
        """The field as an entry of ``conn-fields``."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.secret:
            schema["format"] = "password"
        if self.choices:
            schema["enum"] = list(self.choices)
            schema["default"] = self.choices[0]
        return {"label": self.label, "description": self.help, "schema": schema}


@dataclass(frozen=True, slots=True)
class ConnectionForm:
    """The form of a connection type.

    :param fields: the fields of its extra.
    :param labels: new labels of Airflow's own fields.
    :param placeholders: examples shown in empty fields.
    :param hidden: Airflow's own fields that are not shown.
    """

    fields: tuple[FormField, ...]
    labels: dict[str, str]
    placeholders: dict[str, str]
    hidden: tuple[str, ...] = ()

    def conn_fields(self) -> dict[str, Any]:
        """``conn-fields`` of the provider's metadata."""
        return {field.name: field.metadata() for field in self.fields}

    def ui_field_behaviour(self) -> dict[str, Any]:
        """``ui-field-behaviour`` of the provider's metadata."""
        return {
            "hidden-fields": list(self.hidden),
            "relabeling": dict(self.labels),
            "placeholders": dict(self.placeholders),
        }

    def behaviour(self) -> dict[str, Any]:
        """The same as ``get_ui_field_behaviour`` of a hook returns it."""
        return {name.replace("-", "_"): value for name, value in self.ui_field_behaviour().items()}


def form_widgets(form: ConnectionForm) -> dict[str, Any]:
    """A form's fields as ``get_connection_form_widgets`` of a hook returns them (Airflow before 3.2)."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, PasswordField, StringField

    widgets: dict[str, Any] = {}
    for field in form.fields:
        text = f"{field.help} One of: {', '.join(field.choices)}." if field.choices else field.help
        if field.kind == "boolean":
            widgets[field.name] = BooleanField(field.label, default=True, description=text)
        elif field.secret:
            widgets[field.name] = PasswordField(field.label, widget=BS3PasswordFieldWidget(), description=text)
        else:
            widgets[field.name] = StringField(field.label, widget=BS3TextFieldWidget(), description=text)
    return widgets


_COMMON = (
    FormField(
        "endpoints",
        "Endpoints by service",
        'Hosts of single services, as JSON: {"dli": "https://dli.example.com"}. Wins over the host.',
        kind="object",
    ),
    FormField("proxy", "Proxy", "Address of an HTTP proxy; empty takes HTTP(S)_PROXY and NO_PROXY.", secret=True),
    FormField("ca_bundle", "CA bundle", "Path of a PEM file of trusted certificates on worker and triggerer."),
    FormField("verify", "Verify TLS", "Off accepts any certificate: for tests only.", kind="boolean"),
    FormField("connect_timeout", "Connect timeout", "Seconds to wait for a connection; 5 if empty.", "number"),
    FormField("read_timeout", "Read timeout", "Seconds to wait for an answer; 20 if empty.", "number"),
)

ALIBABA_FORM = ConnectionForm(
    fields=(
        FormField("auth", "Authentication", "What login and password are.", choices=("ak", "sts")),
        FormField("region", "Region", "Region id, e.g. cn-shanghai. Needed for ICE."),
        FormField("security_token", "Security token", "Token of a temporary AccessKey (auth sts).", secret=True),
        FormField("tid", "DMS tenant id", "Tenant for DMS calls whose task names none."),
        *_COMMON,
    ),
    labels={"login": "AccessKey ID", "password": "AccessKey secret", "host": "Host for all services"},
    placeholders={
        "login": "LTAI5t...",
        "host": "empty for the public endpoints",
        "port": "443",
        "schema": "https",
    },
)

HUAWEI_FORM = ConnectionForm(
    fields=(
        FormField(
            "auth",
            "Authentication",
            "aksk: login and password are AK and SK. token: IAM user and its password.",
            choices=("aksk", "token"),
        ),
        FormField("region", "Region", "Region id, e.g. cn-north-4."),
        FormField("project_id", "Project id", "Looked up by region if empty."),
        FormField("domain", "Account name", "Name of the account of the IAM user (auth token)."),
        FormField("security_token", "Security token", "Token of a temporary AK and SK.", secret=True),
        *_COMMON,
    ),
    labels={
        "login": "AK or IAM user",
        "password": "SK or IAM password",
        "host": "Host for all services",
    },
    placeholders={
        "login": "HPUA...",
        "host": "empty for the public endpoints",
        "port": "443",
        "schema": "https",
    },
)
