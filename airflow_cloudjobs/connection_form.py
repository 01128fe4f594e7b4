# SPDX-License-Identifier: Apache-2.0
"""The connection forms: written once, shown by Airflow 3.2 and later from the provider's metadata and by
earlier ones from the hooks' form methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FormField:
    """A field of the form, stored in the connection's extra.

    :param name: the name in the extra.
    :param label: what stands beside it.
    :param help: what stands below it.
    :param kind: JSON type: ``string``, ``boolean`` or ``object``. None is a number: the page's field for numbers loses
        the point of ``2.5`` while one types.
    :param secret: True shows dots instead of the value.
    :param meanings: the allowed words and what each means, the default first; empty if any word is allowed.
    :param examples: words that the form offers where any is allowed.
    """

    name: str
    label: str
    help: str
    kind: str = "string"
    secret: bool = False
    meanings: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed words, the default first; empty if any word is allowed."""
        return tuple(self.meanings)

    def metadata(self) -> dict[str, Any]:
        """The field as an entry of ``conn-fields``."""
        schema: dict[str, Any] = {"type": [self.kind, "null"]}
        if self.kind == "object":
            # A plain text area. For an object alone the page has an editor that closes brackets and sets the text out
            # anew at each key, which moves the cursor away from who types.
            schema["type"].insert(1, "string")
        if self.kind == "boolean":
            schema["default"] = True
        if self.secret:
            schema["format"] = "password"
        if self.choices:
            schema["enum"] = list(self.choices)
            schema["default"] = self.choices[0]
            schema["values_display"] = {word: f"{word}: {meaning}" for word, meaning in self.meanings.items()}
        if self.examples:
            schema["examples"] = list(self.examples)
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
        return {each.name: each.metadata() for each in self.fields}

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
    for each in form.fields:
        words = "; ".join(f"{word}: {meaning}" for word, meaning in each.meanings.items())
        text = f"{each.help} One of: {words}." if words else each.help
        if each.kind == "boolean":
            widgets[each.name] = BooleanField(each.label, default=True, description=text)
        elif each.secret:
            widgets[each.name] = PasswordField(each.label, widget=BS3PasswordFieldWidget(), description=text)
        else:
            widgets[each.name] = StringField(each.label, widget=BS3TextFieldWidget(), description=text)
    return widgets


def _reaching(services: str, example: str) -> tuple[FormField, ...]:
    """The fields about reaching hosts, the same for both clouds.

    :param services: the names that ``endpoints`` may use, for people.
    :param example: one of its entries.
    """
    return (
        FormField(
            "endpoints",
            "Endpoints by service",
            f"Hosts of single services ({services}), as JSON: {example}. Wins over the host for all services.",
            kind="object",
        ),
        FormField("proxy", "Proxy", "http://[user:password@]host:port; empty takes HTTP(S)_PROXY.", secret=True),
        FormField(
            "ca_bundle",
            "CA bundle",
            "Path of a PEM file of trusted certificates, on worker and triggerer; empty takes REQUESTS_CA_BUNDLE.",
        ),
        FormField("verify", "Verify TLS", "Off accepts any certificate: for tests only.", kind="boolean"),
        FormField("connect_timeout", "Connect timeout", "Seconds to wait for a connection; 5 if empty."),
        FormField("read_timeout", "Read timeout", "Seconds to wait for an answer; 20 if empty."),
    )


ALIBABA_FORM = ConnectionForm(
    fields=(
        FormField(
            "auth",
            "Authentication",
            "Where credentials come from.",
            meanings={
                "ak": "AccessKey ID and secret of the standard fields",
                "sts": "temporary AccessKey, with its security token",
                "ram_role_arn": "RAM role that the AccessKey assumes",
                "oidc_role_arn": "RAM role by OIDC token (RRSA pods)",
                "ecs_ram_role": "RAM role of the ECS instance",
                "credentials_uri": "an address that hands out credentials",
                "default": "the default chain of Alibaba Cloud's SDK",
            },
        ),
        FormField(
            "region",
            "Region",
            "Region id. Needed for ICE.",
            examples=("cn-shanghai", "cn-beijing", "cn-hangzhou", "cn-shenzhen", "ap-southeast-1", "us-west-1"),
        ),
        FormField(
            "security_token",
            "Security token",
            "Token of a temporary AccessKey (auth sts; ram_role_arn if the AccessKey is temporary).",
            secret=True,
        ),
        FormField(
            "role_arn",
            "Role ARN",
            "acs:ram::<account>:role/<name> (auth ram_role_arn, oidc_role_arn; the latter falls back to "
            "ALIBABA_CLOUD_ROLE_ARN).",
        ),
        FormField(
            "role_session_name",
            "Role session name",
            "Names the session in the audit log (auth ram_role_arn, oidc_role_arn); airflow-cloudjobs if empty.",
        ),
        FormField("external_id", "External id", "If the role's trust policy asks for one (auth ram_role_arn)."),
        FormField(
            "oidc_provider_arn",
            "OIDC provider ARN",
            "acs:ram::<account>:oidc-provider/<name> (auth oidc_role_arn; ALIBABA_CLOUD_OIDC_PROVIDER_ARN if empty).",
        ),
        FormField(
            "oidc_token_file",
            "OIDC token file",
            "Path on worker and triggerer, read at every login (auth oidc_role_arn; ALIBABA_CLOUD_OIDC_TOKEN_FILE if "
            "empty).",
        ),
        FormField("ecs_role_name", "ECS role name", "Asked of the instance if empty (auth ecs_ram_role)."),
        FormField(
            "credentials_uri", "Credentials URI", "http(s) address that answers credentials (auth credentials_uri)."
        ),
        FormField("tid", "DMS tenant id", "Tenant for DMS calls whose task names none."),
        *_reaching(
            "dms-enterprise, ice, sts, metadata", '{"dms-enterprise": "dms-enterprise-vpc.cn-shanghai.aliyuncs.com"}'
        ),
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
            "Where credentials come from.",
            meanings={
                "aksk": "AK and SK of the standard fields",
                "token": "IAM user and password of the standard fields",
                "ecs_agency": "agency of the ECS instance",
                "oidc": "ID token of an OpenID Connect identity provider",
                "default": "the default chain of Huawei Cloud's SDK",
            },
        ),
        FormField(
            "region",
            "Region",
            "Region id; the project is looked up by it.",
            examples=("cn-north-4", "cn-east-3", "cn-south-1", "ap-southeast-1", "ap-southeast-3", "eu-west-101"),
        ),
        FormField("project_id", "Project id", "Looked up by region if empty."),
        FormField("domain", "Account name", "Name of the account of the IAM user (auth token)."),
        FormField("security_token", "Security token", "Token of a temporary AK and SK (auth aksk).", secret=True),
        FormField(
            "idp_id",
            "Identity provider",
            "Name of the identity provider in IAM (auth oidc; HUAWEICLOUD_SDK_IDP_ID if empty).",
        ),
        FormField(
            "id_token_file",
            "ID token file",
            "Path on worker and triggerer, read at every login (auth oidc; HUAWEICLOUD_SDK_ID_TOKEN_FILE if empty).",
        ),
        *_reaching("dli, drs, iam, metadata", '{"dli": "dli.cn-north-4.example.com"}'),
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
