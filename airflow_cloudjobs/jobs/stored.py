# SPDX-License-Identifier: Apache-2.0
"""What one version of this package stores and another reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any


def stored_fields(cls: Any, data: Mapping[str, Any], former: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What is stored of a dataclass, to make it from; what other versions have stored beside is left out.

    :param cls: the dataclass.
    :param data: what is stored.
    :param former: the present name of each field that had another one in the release before.
    :return: the fields that are stored, by name.
    """
    present = {(former or {}).get(name, name): value for name, value in data.items()}
    return {item.name: present[item.name] for item in fields(cls) if item.name in present}
