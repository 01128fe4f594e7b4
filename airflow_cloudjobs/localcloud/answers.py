# SPDX-License-Identifier: Apache-2.0
"""What a cloud answers: a finished HTTP answer, or a refusal not yet in the cloud's error envelope."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


class Pieces:
    """A long body. Its pieces may be one and the same, so gigabytes need no memory.

    :param pieces: the pieces in their order.
    :param start: where in them it begins.
    :param stop: where it ends; with the last piece if None.
    """

    def __init__(self, pieces: Sequence[bytes], start: int = 0, stop: int | None = None) -> None:
        self._pieces = pieces
        self._start = start
        self._stop = sum(map(len, pieces)) if stop is None else stop

    def __len__(self) -> int:
        return max(0, self._stop - self._start)

    def __getitem__(self, part: slice) -> Pieces:
        """A part of it; without a step."""
        start, stop, _ = part.indices(len(self))
        return Pieces(self._pieces, self._start + start, self._start + stop)

    def __iter__(self) -> Iterator[bytes]:
        place = 0
        for piece in self._pieces:
            start, stop = max(0, self._start - place), self._stop - place
            if start < len(piece) and stop > start:
                yield piece[start:stop] if start or stop < len(piece) else piece
            place += len(piece)


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
    body: bytes | Pieces
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
