# SPDX-License-Identifier: Apache-2.0
"""Looks for secrets in all that Airflow stored, logged and answers."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import zlib
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.fernet import Fernet, InvalidToken


def forms(secret: str) -> dict[bytes, str]:
    """A secret in each form that a program may give it on its way, and what the form is called."""
    texts = {
        secret.encode().hex(): "hexadecimal",
        quote(quote(secret, safe=""), safe=""): "percent-encoded twice",
        quote(secret, safe=""): "percent-encoded",
        json.dumps(secret)[1:-1]: "JSON",
        secret: "plain",  # the last of equal ones gives the name
    }
    found = {text.encode(): name for text, name in texts.items()}
    found |= {secret.encode("utf-16-le"): "UTF-16"}
    for lead in range(3):
        # The middle of it, whatever stands before: the first and last signs depend on the neighbours.
        coded = base64.b64encode(b"-" * lead + secret.encode()).rstrip(b"=")
        found[coded[4:-2] if lead else coded[:-2]] = "base64"
    return found


class Searcher:
    """Remembers where which secret was seen.

    :param secrets: what must be nowhere, by name.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.found: dict[tuple[str, str, str], str] = {}
        self.looked: dict[str, int] = {}
        self._secrets = {name: forms(secret) for name, secret in secrets.items()}

    def look(self, place: str, content: bytes) -> None:
        """Look at some content.

        :param place: where it is; files of the same task have the same place.
        """
        kind = place.partition(" ")[0]
        self.looked[kind] = self.looked.get(kind, 0) + 1
        for name, by_form in self._secrets.items():
            for form, what in by_form.items():
                if form in content:
                    self.found.setdefault((name, what, place), _around(content, form))

    def look_at(self, place: str, answer: Any) -> None:
        """The same for what an API answered."""
        self.look(place, json.dumps(answer, ensure_ascii=False).encode())

    def files(self, folder: Path) -> None:
        """Look at every file below a folder."""
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            kind = "database" if ".db" in path.name else "log" if "log" in path.suffix else "file"
            self.look(f"{kind} {path.relative_to(folder)}", path.read_bytes())

    def tables(self, database: Path, fernet_key: str, only: Collection[str] = ()) -> None:
        """Look at every row, at what is encrypted or compressed as well, except in the connections.

        :param database: the file.
        :param fernet_key: Airflow's key for what is encrypted.
        :param only: the tables to look at; all if empty.
        """
        fernet = Fernet(fernet_key)
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            for name in names:
                if name == "connection" or (only and name not in only):
                    continue
                for row in connection.execute(f'SELECT * FROM "{name}"'):  # noqa: S608  the database's own names
                    self.look(f"table {name}", b"\0".join(_plain(value, fernet) for value in row))

    def report(self) -> str:
        """What was found, for people."""
        lines = [f"{name} ({what}) in {place}: {text}" for (name, what, place), text in sorted(self.found.items())]
        return "\n".join(lines)


def _plain(value: Any, fernet: Fernet) -> bytes:
    content = value if isinstance(value, bytes) else str(value).encode()
    try:
        return fernet.decrypt(content)
    except InvalidToken:
        pass
    try:
        return zlib.decompress(content)
    except zlib.error:
        return content


def _around(content: bytes, form: bytes) -> str:
    place = content.index(form)
    before, after = content[max(0, place - 180) : place], content[place + len(form) :][:60]
    return re.sub(r"[^\x20-\x7e]+", " ", f"{before.decode('latin-1')}<here>{after.decode('latin-1')}")
