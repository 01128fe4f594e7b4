# SPDX-License-Identifier: Apache-2.0
"""A local file that is there as a whole, or not at all, whoever is killed meanwhile."""

from __future__ import annotations

import os
from contextlib import suppress
from types import TracebackType
from typing import BinaryIO, Self
from uuid import uuid4


class FileAside:
    """A new file of a folder that takes its place once all of it is written, or goes.

    Only a kill leaves it behind, under a name that begins with a dot and ends with ``.part``.

    :param folder: the folder, on whose file system it is written, so that taking its place is one step.
    """

    file: BinaryIO

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.path = f"{folder}/.{uuid4().hex}.part"

    def __enter__(self) -> Self:
        self.file = open(self.path, "x+b")
        return self

    def become(self, name: str) -> None:
        """Put the file in its place, instead of what may be there; it lasts then, too, if the machine crashes.

        :param name: its name in the folder.
        """
        self.file.flush()
        os.fsync(self.file.fileno())
        os.replace(self.path, f"{self._folder}/{name}")
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            with suppress(OSError):  # which not every file system can do
                os.fsync(folder)
        finally:
            os.close(folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.file.close()
        finally:
            with suppress(OSError):
                os.remove(self.path)
