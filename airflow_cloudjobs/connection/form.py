# SPDX-License-Identifier: Apache-2.0
"""The connection's form: shown by Airflow 3.2 and later from the provider's metadata and by earlier ones from the
hooks' form methods, all of it out of the table of fields."""

from __future__ import annotations

from typing import Any

from airflow_cloudjobs.connection.fields import Field, FieldTable

JSON_TYPES = {"flag": ("boolean", "null"), "addresses": ("object", "string", "null")}
"""By kind, the JSON types of a field; the others are text.

With text beside the object the page has a plain text area. For an object alone it has an editor that closes brackets
and sets the text out anew at each key, which moves the cursor away from who types. Seconds are text too, since the
page's field for numbers loses the point of ``2.5`` while one types.
"""


def help_text(field: Field) -> str:
    """What stands below a field."""
    modes = f" (auth {', '.join(field.modes)})" if field.modes else ""
    # Of a switch the form shows the default.
    fallback = "" if field.kind == "flag" or not field.fallback else f". If empty: {field.fallback}"
    text = f"{field.meaning}{modes}{fallback}.".replace("`", "")
    return text[0].upper() + text[1:]


def conn_fields(table: FieldTable) -> dict[str, Any]:
    """``conn-fields`` of the provider's metadata."""
    return {
        each.name: {"label": each.label, "description": help_text(each), "schema": _schema(each)}
        for each in table.extra
    }


def _schema(field: Field) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": list(JSON_TYPES.get(field.kind, ("string", "null")))}
    if field.kind == "flag":
        schema["default"] = field.default
    if field.secret:
        schema["format"] = "password"
    if field.kind == "choice":
        # Without a default, which the page would store: Airflow warns in each task's log of every text in an extra that
        # is shorter than five signs, as of a secret that it cannot hide.
        schema["enum"] = list(field.choices)
        schema["values_display"] = {word: f"{word}: {meaning}" for word, meaning in field.choices.items()}
    if field.examples:
        schema["examples"] = list(field.examples)
    return schema


def field_behaviour(table: FieldTable) -> dict[str, Any]:
    """Labels and placeholders of Airflow's own fields, as ``get_ui_field_behaviour`` of a hook returns them."""
    own = [each for each in table.fields if each.own]
    return {
        "hidden_fields": [],
        "relabeling": {each.name: each.label for each in own if each.label},
        "placeholders": {each.name: each.placeholder for each in own if each.placeholder},
    }


def form_widgets(table: FieldTable) -> dict[str, Any]:
    """The fields as ``get_connection_form_widgets`` of a hook returns them (Airflow before 3.2)."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from wtforms import BooleanField, PasswordField, StringField

    widgets: dict[str, Any] = {}
    for each in table.extra:
        text = help_text(each)
        if each.kind == "choice":
            text += f" One of: {'; '.join(f'{word}: {meaning}' for word, meaning in each.choices.items())}."
        if each.kind == "flag":
            widgets[each.name] = BooleanField(each.label, default=each.default, description=text)
        elif each.secret:
            widgets[each.name] = PasswordField(each.label, widget=BS3PasswordFieldWidget(), description=text)
        else:
            widgets[each.name] = StringField(each.label, widget=BS3TextFieldWidget(), description=text)
    return widgets
