# SPDX-License-Identifier: Apache-2.0
"""A process of its own that uses the connection in every way and tells what came of it; DEBUG log on stderr."""

from __future__ import annotations

import json
import logging
import sys

from network_ways import WAYS, Outcome


def told(outcome: Outcome) -> dict[str, object]:
    return {"error": str(outcome), "code": outcome.code} if isinstance(outcome, Exception) else {"error": None}


logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
print(json.dumps({name: told(way.asks(sys.argv[1])) for name, way in WAYS.items()}))
