# SPDX-License-Identifier: Apache-2.0
"""The one file of a ``multipart/form-data`` body: its name and size; the content is only counted."""

from __future__ import annotations

from dataclasses import dataclass

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header


@dataclass(slots=True)
class Part:
    """One part of a form.

    :param name: name of the field.
    :param file_name: name of the file, empty if the part is no file.
    :param size: bytes in it.
    """

    name: str
    file_name: str
    size: int = 0


def parts(content_type: str, body: bytes) -> list[Part] | None:
    """The parts of a form; None if the body is not ``multipart/form-data`` or is damaged.

    :param content_type: the request's ``Content-Type``.
    :param body: the body.
    """
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        return None
    found: list[Part] = []
    header, value = bytearray(), bytearray()
    complete = False

    def begin() -> None:
        found.append(Part("", ""))

    def on_field(data: bytes, start: int, end: int) -> None:
        header.extend(data[start:end])

    def on_value(data: bytes, start: int, end: int) -> None:
        value.extend(data[start:end])

    def on_header_end() -> None:
        if header.lower() == b"content-disposition":
            _, named = parse_options_header(bytes(value))
            found[-1].name = named.get(b"name", b"").decode(errors="replace")
            found[-1].file_name = named.get(b"filename", b"").decode(errors="replace")
        header.clear()
        value.clear()

    def on_data(data: bytes, start: int, end: int) -> None:
        found[-1].size += end - start

    def on_end() -> None:
        nonlocal complete
        complete = True

    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": begin,
            "on_header_field": on_field,
            "on_header_value": on_value,
            "on_header_end": on_header_end,
            "on_part_data": on_data,
            "on_end": on_end,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
    except FormParserError:
        return None
    return found if complete else None
