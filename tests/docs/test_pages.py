# SPDX-License-Identifier: Apache-2.0
"""The pages say what is true: messages, names and options that they quote are those of the code."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import airflow
import airflow.sdk
import pytest
from airflow.configuration import conf
from support.pages import PAGES, ROOT, blocks, name_of

import airflow_cloudjobs
from airflow_cloudjobs import metrics, next_step
from airflow_cloudjobs.apis import KNOWN
from airflow_cloudjobs.exceptions import JobFailed
from airflow_cloudjobs.failure import Failure
from airflow_cloudjobs.jobs.outcome import Outcome

PACKAGE = Path(airflow_cloudjobs.__file__).parent
DOCS = ROOT / "docs"
MASKER = Path(airflow.sdk.__file__).parent / "_shared" / "secrets_masker"
#: Their blocks are run by tests of their own.
ELSEWHERE = {f"docs/{page}.md" for page in ("connections", "declare-an-api", "localcloud", "testing")}
TRANSLATED = {"README.md": "README.zh-CN.md", "docs/quickstart.md": "docs/zh/quickstart.md"}


def section(page: str, title: str) -> str:
    """A section of a page."""
    text = (DOCS / page).read_text()
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> list[str]:
    """The first cells of the tables in a text, without their heads."""
    rows = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return [cell for cell in rows if not set(cell) <= set("-| ") and cell not in ("message", "exception")]


class TestBlocks:
    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_every_command_is_run_or_says_why_not(self, page: Path) -> None:
        if name_of(page) in ELSEWHERE:
            pytest.skip("has tests of its own")
        for block in blocks(page, "bash"):
            assert block.mark, f"not marked:\n{block.text}"

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_python_is_python_and_imports_what_there_is(self, page: Path) -> None:
        its_own = {Path(name).stem for name in re.findall(r"^# (\S+\.py)$", page.read_text(), re.MULTILINE)}
        for block in blocks(page, "python"):
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom) and node.module and node.module not in its_own:
                    module = importlib.import_module(node.module)
                    for alias in node.names:
                        assert hasattr(module, alias.name) or importlib.import_module(f"{node.module}.{alias.name}")

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_a_whole_dag_is_one(self, page: Path) -> None:
        for block in blocks(page, "python"):
            if (
                "with DAG(" in block.text
                and "from airflow.sdk import DAG" in block.text
                and "__file__" not in block.text
            ):
                names: dict[str, object] = {}
                exec(compile(block.text, name_of(page), "exec"), names)  # noqa: S102 - our own page


def test_a_failed_task_says_what_is_shown() -> None:
    [shown] = [block.text for block in blocks(DOCS / "quickstart.md") if block.text.startswith("FAILED: ")]
    what, _, where, request_id, console = shown.splitlines()
    step = next_step.sentence(JobFailed, next_step.Situation(next_step.Who.SUBMITTER, "huaweicloud_default"))
    failure = Failure([what], [where.removesuffix(","), request_id], console, step)
    assert "\n".join(failure.lines) == shown.strip()


def test_every_example_is_on_a_page() -> None:
    included = set(re.findall(r"dags_examples/(\w+\.py)", "".join(page.read_text() for page in DOCS.rglob("*.md"))))
    assert included == {path.name for path in (ROOT / "dags_examples").glob("*.py")}


class TestTranslations:
    @pytest.mark.parametrize("page", TRANSLATED)
    def test_the_code_is_the_same(self, page: str) -> None:
        assert blocks(ROOT / TRANSLATED[page]) == blocks(ROOT / page)

    @pytest.mark.parametrize("page", TRANSLATED)
    def test_the_parts_are_the_same(self, page: str) -> None:
        """Headings, items and rows by number: what is added here is missing there."""
        ours, theirs = ((ROOT / name).read_text() for name in (page, TRANSLATED[page]))
        for what in (r"^#+ ", r"^- ", r"^\|"):
            assert len(re.findall(what, ours, re.M)) - len(re.findall(what, theirs, re.M)) in (0, 1), what


class TestLinks:
    @pytest.mark.parametrize("page", [page for page in PAGES if DOCS not in page.parents], ids=name_of)
    def test_what_no_site_checks_is_there(self, page: Path) -> None:
        for target in re.findall(r"\]\((?!\w+:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), target


def said(package: Path) -> Iterator[str]:
    """What the code of a package can say, with ``…`` for what it fills in; docstrings say nothing."""
    for path in package.rglob("*.py"):
        if {"demo", "localcloud"} & set(path.relative_to(package).parts):
            continue  # what they say is in no task's log
        nodes = list(ast.walk(ast.parse(path.read_text())))
        silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
                yield re.sub(r"%[-.\d]*[a-z]|\{\w+\}", "…", node.value)
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)


@cache
def words_of(package: Path) -> str:
    """All that the code of a package can say."""
    return "\n".join(said(package))


def pieces(cell: str) -> list[str]:
    """What a quoted message says between the places where it differs."""
    [message] = re.findall(r"`([^`]+)`", cell)
    return [piece.strip(" ,;:'") for piece in message.split("…") if len(piece) > 5]


class TestTroubleshooting:
    PAGE = (DOCS / "troubleshooting.md").read_text()
    OURS = first_cells(PAGE.partition("\n## Airflow\n")[0])
    AIRFLOWS = first_cells(section("troubleshooting.md", "Airflow"))

    @pytest.mark.parametrize("cell", OURS)
    def test_a_message_of_ours_is_said_so(self, cell: str) -> None:
        assert pieces(cell)
        for piece in pieces(cell):
            assert piece in words_of(PACKAGE)

    @pytest.mark.parametrize("cell", [cell for cell in AIRFLOWS if "Bad Request" not in cell])
    def test_a_message_of_airflow_is_said_so(self, cell: str) -> None:
        home = Path(airflow.__file__).parent
        for piece in pieces(cell):
            assert any(piece in words_of(place) for place in (home / "jobs", home / "dag_processing", MASKER))


class TestNames:
    def test_the_metrics_are_those_of_the_code(self) -> None:
        sent = set(re.findall(r'"(cloudjobs\.\w+)"', inspect.getsource(metrics)))
        assert set(re.findall(r"^\| `(cloudjobs\.\w+)`", (DOCS / "metrics.md").read_text(), re.M)) == sent

    def test_an_ending_is_an_outcome(self) -> None:
        told = re.search(r"`ending` is (.*?) \|", (DOCS / "metrics.md").read_text())
        assert told is not None
        assert set(re.findall(r"`(\w+)`", told[1])) == {each.value for each in Outcome} - {"submitted"}

    def test_options_of_airflow_exist(self) -> None:
        options = re.findall(r"`\[(\w+)\] (\w+)`", section("settings.md", "Options of Airflow that matter here"))
        assert options
        for name, option in options:
            assert conf.has_option(name, option), f"[{name}] {option}"

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_an_api_that_is_named_is_known(self, page: Path) -> None:
        for api in re.findall(r'api="([\w.]+)"', page.read_text()):
            assert api in KNOWN

    @pytest.mark.parametrize("page", PAGES, ids=name_of)
    def test_no_path_of_a_machine(self, page: Path) -> None:
        assert not re.search(r"(?<![\w.])/(tmp|work|root|home)/", page.read_text())
