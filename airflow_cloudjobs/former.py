# SPDX-License-Identifier: Apache-2.0
"""Names of the release before: they work for one more, with a warning."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any


def former_names(module: str, names: Mapping[str, Any]) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that knows former names.

    :param module: the module's name.
    :param names: former name -> what is called otherwise now.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        present = names[name]
        warnings.warn(f"{name} is called {present.__name__} now", DeprecationWarning, stacklevel=2)
        return present

    return find
