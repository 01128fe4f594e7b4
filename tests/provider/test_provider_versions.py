# SPDX-License-Identifier: Apache-2.0
"""The versions that the package is for: what the pages say was run, whose turn it is, the lowest of each dependency."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "versions"))

from rotation import AIRFLOWS, PYTHONS, WHOLE, turn  # noqa: E402
from versions_table import PAGES, seen, with_table  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pinned(path: Path) -> dict[str, Version]:
    """The versions of a file of constraints, by name."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    pins = [Requirement(line) for line in lines]
    return {canonicalize_name(pin.name): Version(str(pin.specifier).removeprefix("==")) for pin in pins}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_table_says_what_was_run(page: Path) -> None:
    assert with_table(page, seen()) == page.read_text(), "write it anew: python tests/versions/versions_table.py"


def test_the_record_is_of_pairs_that_there_are() -> None:
    extremes = dict.fromkeys(("lowest", "newest"), PYTHONS)
    for airflow, pythons in seen().items():
        assert set(pythons) <= set((AIRFLOWS | extremes)[airflow])


def test_the_whole_suite_runs_on_the_newest() -> None:
    assert str(pinned(ROOT / "constraints.txt")["apache-airflow"]) == WHOLE[0] == list(AIRFLOWS)[-1]


@pytest.mark.parametrize("airflow", [airflow for airflow in AIRFLOWS if airflow != WHOLE[0]])
def test_the_versions_beside_an_older_airflow(airflow: str) -> None:
    assert str(pinned(ROOT / "tests" / "versions" / f"airflow-{airflow}.txt")["apache-airflow"]) == airflow


def test_five_commits_run_all_airflows_and_fifteen_all_their_pythons() -> None:
    pythons = ("3.11", "3.12", "3.13")
    for count in range(100):
        assert {turn(each, pythons)[0] for each in range(count, count + 5)} == set(AIRFLOWS)
    ran = {turn(each, pythons) for each in range(count, count + 30)}
    pairs = {(airflow, python) for airflow in AIRFLOWS for python in AIRFLOWS[airflow] if python in pythons}
    assert ran == pairs - {WHOLE}


def test_a_python_that_is_not_here_has_no_turn() -> None:
    assert [turn(count, ("3.13",)) for count in range(3)] == [("2.11.2", None), ("3.0.6", None), ("3.1.8", "3.13")]
    assert turn(4, ()) == turn(4, ("3.11",)) == ("3.3.2", None)


def test_the_package_says_the_pythons_that_are_run() -> None:
    prefix = "Programming Language :: Python :: "
    told = {text.removeprefix(prefix) for text in PROJECT["classifiers"] if text.startswith(prefix)}
    assert told == set(PYTHONS) - {"3.14"}  # nobody has run that


AIRFLOWS_OWN = "Airflow 3.3.2 wants a newer one"
HIGHER = {
    "apache-airflow": "2.11.2 has runs of its own",
    "asgiref": "3.7.0 was withdrawn",
    "certifi": "huaweicloudsdkcore wants a newer one",
    "huaweicloudsdkcore": "auth `default` needs it",
    "python-multipart": AIRFLOWS_OWN,
    "requests": "what is between was withdrawn",
    "rich": AIRFLOWS_OWN,
    "starlette": AIRFLOWS_OWN,
    "uvicorn": AIRFLOWS_OWN,
    "urllib3": "2.0.0 and 2.0.1 were withdrawn",
    "yarl": "there is no 1.9.0",
}
"""Dependencies of which `make lowest` has a newer version than the lowest allowed, and why."""


def test_the_lowest_versions_are_the_floors() -> None:
    lowest = pinned(ROOT / "tests" / "versions" / "lowest.txt")
    higher = set()
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["localcloud"]]:
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        [floor] = [Version(each.version) for each in wanted.specifier]
        assert lowest[name] >= floor, name
        higher |= {name} if lowest[name] > floor else set()
    assert higher == set(HIGHER)
