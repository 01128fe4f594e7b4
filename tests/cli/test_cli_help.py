# SPDX-License-Identifier: Apache-2.0
"""The help of each command, whose examples all run; what a shell completes; and what neither loads."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clicalls import COMMAND, Call, run

from airflow_cloudjobs import cli
from airflow_cloudjobs.apis import CATALOGUE, KNOWN
from airflow_cloudjobs.localcloud import Control, LocalCloud

NOT_HERE = {"demo": "tests/demo runs it", "localcloud": "it goes on until Ctrl-C, see below"}
"""The commands whose examples are run elsewhere."""


def examples(command: str) -> list[str]:
    text = cli.COMMANDS[command].examples.partition("examples:\n")[2]
    return re.findall(r"^  (\S.*(?:\n      \S.*)*)", text, re.MULTILINE)


EXAMPLES = [(command, example) for command in cli.COMMANDS if command not in NOT_HERE for example in examples(command)]


@pytest.fixture
def shell(tmp_path: Path, cloud: LocalCloud, control: Control) -> Path:
    """A folder with what the examples need, and jobs in the cloud."""
    command = tmp_path / "bin" / "cloudjobs"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    command.chmod(0o755)
    (tmp_path / "upload.json").write_text(
        '{"file_name": "orders.sql", "file_source": "datacorrect", "upload_url": "https://files.test/orders.sql"}'
    )
    (tmp_path / "our_spark.json").write_text(
        run("apis", "emr.spark_job", "--json").out.replace("emr.spark_job", "our.spark")
    )
    for api, key in (("dms.file_upload", "4b1d"), ("emr.spark_job", "jr-1"), ("dli.sql_job", "17be90")):
        control.create_job(api, key, seconds=0)
    control.create_job("dli.sql_job", "8f3c2a")
    return tmp_path


@pytest.mark.parametrize(("command", "example"), EXAMPLES, ids=[example[:60] for _, example in EXAMPLES])
def test_an_example_runs(command: str, example: str, shell: Path) -> None:
    path = f"{shell / 'bin'}{os.pathsep}{os.environ['PATH']}"
    root = str(Path(cli.__file__).parents[2])
    env = {**os.environ, "PATH": path, "PYTHONPATH": f"{root}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    script = f"set -o pipefail\n{example}\n"
    done = subprocess.run(["bash", "-c", script], cwd=shell, env=env, capture_output=True, text=True, timeout=120)
    goes_on = command == "get" and "8f3c2a" in example
    assert done.returncode == (2 if goes_on else 0), done.stdout + done.stderr
    assert done.stdout or ">" in example
    assert "usage:" not in done.stderr


@pytest.mark.parametrize("example", examples("localcloud"))
def test_the_local_clouds_of_an_example(example: str, tmp_path: Path) -> None:
    words = shlex.split(example.partition(" > ")[0])[1:]
    if "--port" in words:
        words[words.index("--port") + 1] = "0"  # the one of the example may be taken here
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert lines[0].startswith("# Alibaba Cloud and Huawei Cloud, and a page of their jobs, are at http://127.0.0.1:")
    assert all(line.startswith("export AIRFLOW_CONN_") for line in lines[1:])
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_each_command_says_what_it_does_and_how(command: str, call: Call) -> None:
    done = call(command, "--help")
    assert done.code == 0
    assert cli.COMMANDS[command].description.strip() in done.out
    assert 1 <= len(examples(command)) <= 3
    assert all(example in done.out for example in examples(command))
    assert max(map(len, done.out.splitlines())) <= 120


def test_the_command_alone_shows_its_help(call: Call) -> None:
    done = call()
    assert (done.code, done.err) == (0, "")
    assert all(f"    {command}" in done.out for command in cli.COMMANDS)


LOADED = """
import os, sys
sys.argv = ["cloudjobs", *sys.argv[1:]]
from airflow_cloudjobs import cli
try:
    cli.main()
finally:
    loaded = {name.partition(".")[0] for name in sys.modules} & {"airflow", "requests", "rich", "aiohttp", "uvicorn"}
    print(*sorted(loaded), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [("--help",), ("--version",), ("wait", "--help"), ("apis", "emr.spark_job"), ("apis", "--json")]
)
def test_who_only_looks_something_up_does_not_wait_for_airflow(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, command=[sys.executable, "-c", LOADED])
    assert (done.code, done.err.strip()) == (0, ""), done


def completed(line: str) -> list[str]:
    """What a shell is told that has asked how a line may go on."""
    reader, writer = os.pipe()
    env = {
        **os.environ,
        "_ARGCOMPLETE": "1",
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE_STDOUT_FILENAME": f"/dev/fd/{writer}",
        "_ARGCOMPLETE_IFS": "\n",
    }
    with os.fdopen(reader) as answer:
        done = subprocess.run(COMMAND, env=env, pass_fds=[writer], capture_output=True, text=True, timeout=60)
        os.close(writer)
        assert (done.returncode, done.stdout) == (0, ""), done
        return [word.strip() for word in answer.read().splitlines()]


def test_a_shell_completes_commands_ids_and_options() -> None:
    assert completed("cloudjobs c") == ["cancel", "check", "check-api"]
    assert set(KNOWN) <= set(completed("cloudjobs wait "))
    assert completed("cloudjobs submit dws.") == ["dws.job"]
    assert completed("cloudjobs apis dli.") == [api for api in (*KNOWN,) if api.startswith("dli.")]
    assert completed("cloudjobs wait dws.job k --inter") == ["--interval"]
    assert set(CATALOGUE) <= set(completed("cloudjobs get "))
