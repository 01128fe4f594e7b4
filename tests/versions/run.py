# SPDX-License-Identifier: Apache-2.0
"""Runs tests on other versions than those of constraints.txt, each in a venv of its own below build/versions.

``python3 tests/versions/run.py pairs --airflow 3.1.8 --python 3.12``; `make versions`, `make lowest`, `make newest` and
`make versions-next` call it. No more than the standard library is needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from rotation import AIRFLOWS, PYTHONS, ROOT, WHOLE, commits, turn
from versions_table import RECORD, seen

HERE = Path(__file__).parent
BUILD = ROOT / "build" / "versions"

TESTS = {
    "parts": ["tests/versions/test_versions_parts.py"],
    "kills": ["tests/versions/test_versions_kills.py", "tests/versions/test_versions_once.py"],
    "matrix": ["tests/versions/test_versions_matrix.py"],
    # The vendors' own signers, which are left out, want packages that older Airflow does not go with.
    "calls": [
        "tests/transport",
        "tests/credentials",
        "tests/polling",
        "tests/network",
        "--ignore=tests/transport/test_transport_signatures.py",
    ],
}
"""What is run, by the name it has in the record."""

EXTREMES = {"lowest": ["parts", "calls"], "newest": ["parts", "kills", "calls"]}
"""What is run with the lowest and the newest of all: what meets other packages."""

NEEDS = ["--editable", ".[localcloud]", "asyncpg", "hypothesis", "psutil", "psycopg2-binary", "pytest"]


def interpreter(python: str) -> str | None:
    """Find a Python on this machine: the one that runs this, one on the path, one of pyenv's.

    :param python: as ``3.12``.
    :return: its path, or None.
    """
    if sys.version_info[:2] == tuple(map(int, python.split("."))):
        return sys.executable
    if found := _path_of(f"python{python}"):
        return found
    if not shutil.which("pyenv"):
        return None
    versions = subprocess.run(["pyenv", "versions", "--bare"], stdout=subprocess.PIPE, text=True).stdout.split()
    there = [_path_of(f"python{python}", PYENV_VERSION=each) for each in versions if each.startswith(f"{python}.")]
    return next(filter(None, reversed(there)), None)


def _path_of(command: str, **env: str) -> str | None:
    """Where an interpreter is that really starts: pyenv puts commands on the path that do not."""
    ask = [command, "-c", "import sys, venv, ensurepip; print(sys.executable)"]
    try:
        answer = subprocess.run(
            ask, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def install(name: str, python: str, constraints: Path | None) -> Path:
    """Make a venv with the package and what the tests need, unless it is there.

    :param name: of its folder.
    :param python: the interpreter.
    :param constraints: the versions; None takes the newest.
    :return: the venv's interpreter.
    """
    folder = BUILD / name
    ready, mine = folder / "ready", folder / "bin" / "python"
    newer = [ROOT / "pyproject.toml", *([constraints] if constraints else [])]
    if not (ready.exists() and all(path.stat().st_mtime <= ready.stat().st_mtime for path in newer)):
        began = time.monotonic()
        print(f"Installing into {folder.relative_to(ROOT)} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", folder], check=True)
        pip = [mine, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        fixed = ["--constraint", constraints] if constraints else ["--upgrade"]
        subprocess.run([*pip, *fixed, "apache-airflow", *NEEDS], check=True, cwd=ROOT)
        ready.touch()
        print(f"installed after {time.monotonic() - began:.0f} s", flush=True)
    return mine


def run(name: str, python: Path, tests: Sequence[str]) -> dict[str, dict[str, int]]:
    """Run tests in a venv.

    :param name: of the venv.
    :param python: its interpreter.
    :param tests: names of :data:`TESTS`.
    :return: how many passed, failed and were skipped, by the name in ``tests``.
    """
    counts = {}
    for test in tests:
        report = BUILD / name / f"{test}.xml"
        report.unlink(missing_ok=True)
        command = [python, "-m", "pytest", f"--junitxml={report}", *TESTS[test]]
        code = subprocess.run(command, cwd=ROOT).returncode
        if not report.exists():
            sys.exit(f"{name}: pytest ended with code {code} and no report")
        [suite] = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314
        total, skipped = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
        failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        if code and not failed:
            sys.exit(f"{name}: pytest ended with code {code}, though nothing failed")
        counts[test] = {"passed": total - skipped - failed, "failed": failed, "skipped": skipped}
        print(f"{name} {test}: {counts[test]} after {float(suite.attrib['time']):.0f} s", flush=True)
    return counts


def record(airflow: str, python: str, counts: dict[str, dict[str, int]]) -> None:
    """Write down what was seen; the pages' tables are made of it (``versions_table.py``)."""
    known = seen()
    today = datetime.now(UTC).date().isoformat()
    row = known.setdefault(airflow, {}).setdefault(python, {})
    row |= {test: {"on": today, **count} for test, count in counts.items()}
    RECORD.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def pair(airflow: str, python: str | None, tests: Sequence[str]) -> dict[str, dict[str, int]]:
    """Run tests on a pair, or say why not.

    :return: the counts, none if it was not run.
    """
    if python is None or python not in AIRFLOWS[airflow]:
        other = f"Python {python}" if python else "another Python of this machine"
        print(f"NOT RUN: Airflow {airflow} is not for {other}")
        return {}
    found = interpreter(python)
    if found is None:
        print(f"NOT RUN: Airflow {airflow} on Python {python}: no such interpreter here")
        return {}
    name = f"{airflow}-{python}"
    constraints = ROOT / "constraints.txt" if airflow == WHOLE[0] else HERE / f"airflow-{airflow}.txt"
    return run(name, install(name, found, constraints), tests)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["pairs", "next", "lowest", "newest"])
    parser.add_argument("--airflow", nargs="+", default=list(AIRFLOWS), choices=AIRFLOWS)
    parser.add_argument("--python", nargs="+", default=list(PYTHONS), choices=PYTHONS)
    parser.add_argument("--tests", nargs="+", choices=TESTS, default=["parts", "kills", "matrix"])
    options = parser.parse_args()
    failed = 0
    if options.what == "pairs":
        for airflow in options.airflow:
            for python in options.python:
                if counts := pair(airflow, python, options.tests):
                    record(airflow, python, counts)
                    failed += sum(count["failed"] for count in counts.values())
    elif options.what == "next":
        airflow, chosen = turn(commits(), [each for each in PYTHONS if interpreter(each)])
        print(f"The turn is that of Airflow {airflow} on Python {chosen}")
        failed = sum(count["failed"] for count in pair(airflow, chosen, options.tests).values())
    else:
        constraints = HERE / "lowest.txt" if options.what == "lowest" else None
        python = install(options.what, sys.executable, constraints)
        counts = run(options.what, python, EXTREMES[options.what])
        record(options.what, f"{sys.version_info.major}.{sys.version_info.minor}", counts)
        failed = sum(count["failed"] for count in counts.values())
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
