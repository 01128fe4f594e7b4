# SPDX-License-Identifier: Apache-2.0
"""A call of the command ``cloudjobs``, and what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

COMMAND = [sys.executable, "-m", "airflow_cloudjobs.cli"]


class Done(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The result, where it is JSON."""
        return json.loads(self.out)


Call = Callable[..., Done]


def run(*arguments: str, command: Sequence[str] = COMMAND, **env: str) -> Done:
    """Call the command in a process of its own."""
    done = subprocess.run(
        [*command, *arguments], env={**os.environ, **env}, capture_output=True, text=True, timeout=120
    )
    return Done(done.returncode, done.stdout, done.stderr)
