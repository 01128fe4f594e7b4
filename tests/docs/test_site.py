# SPDX-License-Identifier: Apache-2.0
"""The built site: it holds what it is made of, for people and for programs."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest
from support.jobapis import APIS, JobApi
from support.pages import ROOT

from airflow_cloudjobs.declared import DeclaredOperator, DeclaredSensor
from airflow_cloudjobs.operator import CloudJobOperator
from airflow_cloudjobs.sensor import CloudJobSensor
from airflow_cloudjobs.task_class import own_arguments


def text_of(page: Path) -> str:
    """What a page shows."""
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text()))


def shows_parameters(page: Path, of: type) -> None:
    shown = text_of(page)
    for name in own_arguments(of.__init__):
        assert re.search(rf"^{name}$", shown, re.MULTILINE), name


@pytest.mark.parametrize("api", APIS, ids=str)
def test_a_page_has_every_parameter_of_its_classes(site: Path, api: JobApi) -> None:
    page = site / "operators" / f"{api.api.replace('.', '-').replace('_', '-')}.html"
    shows_parameters(page, api.operator)
    shows_parameters(page, api.sensor)
    assert api.success in text_of(page)


@pytest.mark.parametrize(
    ("page", "cls"),
    [
        ("any-api", DeclaredOperator),
        ("any-api", DeclaredSensor),
        ("parameters", CloudJobOperator),
        ("parameters", CloudJobSensor),
    ],
)
def test_what_all_have_is_on_a_page(site: Path, page: str, cls: type) -> None:
    shows_parameters(site / "operators" / f"{page}.html", cls)


def test_every_page_is_listed_for_programs(site: Path) -> None:
    lines = re.findall(r"^- \[(.+?)\]\((.+?)\): (.*)$", (site / "llms.txt").read_text(), re.MULTILINE)
    listed = {page for _, page, _ in lines}
    built = {str(page.relative_to(site)) for page in site.rglob("*.html")}
    assert built - listed == {"index.html", "genindex.html", "py-modindex.html", "search.html"}
    assert listed <= built
    for title, page, about in lines:
        assert title
        assert about or page == "changelog.html"


def test_all_text_is_there_for_programs(site: Path) -> None:
    text = (site / "llms-full.txt").read_text()
    assert "```{" not in text
    assert "| `queue_name` | `None` |" in text
    _license, _, example = (ROOT / "dags_examples" / "sql_job.py").read_text().partition("\n")
    assert example in text
    assert "## Submit once" in text


def test_no_path_of_the_machine_that_built_it(site: Path) -> None:
    for page in (*site.rglob("*.html"), site / "llms-full.txt"):
        assert str(ROOT) not in page.read_text(), page


def test_the_picture_is_there(site: Path) -> None:
    assert [path.name for path in site.rglob("picture.svg")] == ["picture.svg"]
