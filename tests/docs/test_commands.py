# SPDX-License-Identifier: Apache-2.0
"""What the pages have a reader type is typed, as it stands, in a new Airflow."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import which

import pytest
from support.pages import ROOT, Block, blocks, name_of

PORT = "8620"
"""The one that the pages name; a free one takes its place."""


def free_port() -> str:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


class Reader:
    """Somebody who follows a page.

    :param folder: where they do so; the home of their Airflow.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        tools = folder / "bin"
        tools.mkdir()
        for name, module in (("cloudjobs", "airflow_cloudjobs.cli"), ("airflow", "airflow")):
            (tools / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
            (tools / name).chmod(0o755)
        paths = (str(ROOT), os.environ.get("PYTHONPATH"))
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(folder),
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        }
        self._serving: subprocess.Popen[str] | None = None

    def run(self, code: str) -> str:
        """Type commands; each must succeed."""
        done = subprocess.run(
            ["bash", "-ec", code.replace(PORT, self.port)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{code}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def serve(self, code: str) -> None:
        """Type a command that serves, and paste the ``export`` lines that it prints."""
        self._serving = subprocess.Popen(
            ["bash", "-c", f"exec {code.replace(PORT, self.port)}"],
            cwd=self.folder,
            env={**self.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._serving.stdout is not None
        for line in self._serving.stdout:
            if found := re.match(r"export (\w+)='(.*)'", line):
                self.environment[found[1]] = found[2]
            if line.startswith("export AIRFLOW_CONN_HUAWEI"):
                return
        raise AssertionError("it ended")

    def follow(self, page: list[Block]) -> list[str]:
        """Do what a page says.

        :param page: its blocks.
        :return: what the commands that were run print.
        """
        printed = []
        for block in page:
            if block.mark.startswith("file: "):
                file = self.folder / block.mark.removeprefix("file: ")
                file.parent.mkdir(exist_ok=True)
                file.write_text(block.text)
            elif block.mark == "run":
                printed.append(self.run(block.text))
        return printed

    def leave(self) -> None:
        """End what serves."""
        if self._serving:
            self._serving.terminate()
            self._serving.wait(30)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody for whom the local clouds run, as the quickstart starts them."""
    somebody = Reader(tmp_path)
    [serving] = [block for block in blocks(ROOT / "docs" / "quickstart.md") if block.mark == "run: background"]
    try:
        somebody.serve(serving.text)
        yield somebody
    finally:
        somebody.leave()


def test_the_quickstart(reader: Reader) -> None:
    page = blocks(ROOT / "docs" / "quickstart.md")
    reader.run("airflow db migrate")  # the Airflow that the page begins with
    checked, ran = reader.follow(page)
    [shown] = [block.text for block in page if block.text.startswith("DLI: works")]
    assert [line for line in checked.splitlines() if ": " in line and "masking" not in line] == shown.splitlines()
    [log] = [block.text for block in page if block.text.startswith("Calling")]
    for line in log.splitlines():
        # The key and the host are others, and how soon a status is seen.
        words = re.sub(r"[0-9a-f-]{36}", r"[0-9a-f-]{36}", re.escape(line).replace(r"\-", "-"))
        words = re.sub(r"https://dli\S+?,", r"http://\\S+,", words)
        words = re.sub(
            r"(LAUNCHING|SCALING\\ ->\\ RUNNING|RUNNING\\ ->\\ FINISHED)\\ after\\ \d", r".*?after\\ \\d+", words
        )
        words = re.sub(r"after\\ \d", r"after\\ \\d+", words)
        assert re.search(words, ran), line
    assert re.search(r"4 rows by job [0-9a-f-]{36}", ran)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "skills" / "cloudjobs" / "SKILL.md"], ids=name_of)
def test_a_page_without_a_dag_to_run(reader: Reader, page: Path) -> None:
    assert all(printed.strip() for printed in reader.follow(blocks(page)))


@pytest.mark.skipif(not which("jq"), reason="the page's script needs jq")
def test_the_script_of_the_command(reader: Reader) -> None:
    assert reader.follow(blocks(ROOT / "docs" / "command.md")) == ["4\n"]
