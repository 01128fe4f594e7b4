# SPDX-License-Identifier: Apache-2.0
"""What a cloud answers: a finished HTTP answer, or a refusal not yet in the cloud's error envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Answer:
    """A complete HTTP answer.

    :param status: HTTP status.
    :param body: the bytes to send.
    :param media_type: value of ``Content-Type``.
    :param headers: further headers.
    :param code: the vendor's error code, empty for a success; counted in the statistics.
    :param delay: seconds to wait before answering, for calls that the cloud executes synchronously.
    """

    status: int
    body: bytes
    media_type: str
    headers: dict[str, str] = field(default_factory=dict)
    code: str = ""
    delay: float = 0.0


class Refused(Exception):
    """A request the cloud does not serve.

    :param status: HTTP status.
    :param code: the vendor's error code.
    :param message: the vendor's message.
    :param headers: further headers, such as ``Retry-After``.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def encode(body: Any) -> bytes:
    """Compact JSON, not escaped to ASCII, as both clouds send it.

    :param body: anything JSON can hold.
    """
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
