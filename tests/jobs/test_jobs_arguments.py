# SPDX-License-Identifier: Apache-2.0
"""Every check of an argument: wrong values are refused with owner, argument and what is allowed; values that a
template will make are left for later, and are judged then with the same words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.compat import BaseOperator
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument, is_template, needs_a_worker
from airflow_cloudjobs.jobs.many import as_list

OWNER = "DmsFileUploadOperator 'load'"

Check = Callable[[Arguments], object]


def arguments(rendered: bool = False, **values: Any) -> Arguments:
    return Arguments(OWNER, values, rendered=rendered)


# The check, a wrong value of the argument "it" (None: not given), and words that tell what is wrong or allowed.
WRONG: list[tuple[str, Check, Any, tuple[str, ...]]] = [
    ("required, absent", lambda a: a.required("it"), None, ("missing",)),
    ("required, empty", lambda a: a.required("it"), "", ("empty",)),
    ("required, blank", lambda a: a.required("it"), " \t\n", ("empty",)),
    ("not empty", lambda a: a.not_empty("it"), "  ", ("empty",)),
    ("one of", lambda a: a.one_of("it", ("a", "b")), "c", ("'c'", "'a', 'b'")),
    ("one of, other case", lambda a: a.one_of("it", ("a", "b")), "A", ("'A'", "'a', 'b'")),
    ("each one of", lambda a: a.each_one_of("it", ("a", "b")), ["a", "x"], ("'x'", "'a', 'b'")),
    ("ends with", lambda a: a.ends_with("it", (".txt", ".sql")), "x.csv", ("'x.csv'", ".txt or .sql")),
    ("ends with, ending inside", lambda a: a.ends_with("it", (".txt",)), "a.txt.exe", (".txt",)),
    ("url, other scheme", lambda a: a.is_url("it"), "ftp://h/f", ("http://", "https://")),
    ("url, none", lambda a: a.is_url("it"), "h/f.mp4", ("http://", "https://")),
    ("url, no text", lambda a: a.is_url("it"), 5, ("http://", "https://")),
    ("url, one of several", lambda a: a.is_url("it"), ["https://h/a", "x"], ("http://", "https://")),
    ("number, word", lambda a: a.is_number("it"), "seven", ("'seven'", "whole number")),
    ("number, fraction", lambda a: a.is_number("it"), "1.5", ("'1.5'", "whole number")),
    ("number, float", lambda a: a.is_number("it"), 1.5, ("1.5", "whole number")),
    ("number, boolean", lambda a: a.is_number("it"), True, ("True", "whole number")),
    ("number, empty", lambda a: a.is_number("it"), "", ("''", "whole number")),
    ("number, sign only", lambda a: a.is_number("it"), "-", ("'-'", "whole number")),
    ("number, two signs", lambda a: a.is_number("it"), "--5", ("'--5'", "whole number")),
    ("number, no ASCII digit", lambda a: a.is_number("it"), "²", ("'²'", "whole number")),
    ("list, text", lambda a: a.is_list("it"), "a,b", ("list", "str")),
    ("list, mapping", lambda a: a.is_list("it"), {"a": 1}, ("list", "dict")),
    ("list, empty", lambda a: a.is_list("it"), [], ("empty list",)),
    ("list, long", lambda a: a.is_list("it", most=2), [1, 2, 3], ("3", "2 at most")),
    ("fields, no mapping", lambda a: a.has_fields("it", ("A",), ("B",)), "x", ("mapping", "A, B")),
    ("fields, absent", lambda a: a.has_fields("it", ("A", "C"), ("B",)), {"A": "x"}, ("'C'", "A, C")),
    ("fields, empty", lambda a: a.has_fields("it", ("A",)), {"A": ""}, ("'A'",)),
    ("fields, unknown", lambda a: a.has_fields("it", ("A",), ("B",)), {"A": "x", "a": "y"}, ("'a'", "A, B")),
    ("keys, empty list", lambda a: a.keys("it"), [], ("empty list",)),
    ("keys, empty", lambda a: a.keys("it"), "", ("empty key",)),
    ("keys, a gap", lambda a: a.keys("it"), ["a", None], ("empty key",)),
    ("keys, blank", lambda a: a.keys("it"), ["a", "  "], ("empty key",)),
    ("keys, twice", lambda a: a.keys("it"), ["a", "b", "a"], ("twice",)),
    ("keys, a result", lambda a: a.keys("it"), {"api": "dli.sql_job", "job_key": "k"}, ("mapping", "'job_key'")),
    ("keys, an XCom that was not there", lambda a: a.keys("it"), "None", ("empty key", "XCom")),
    ("keys, a list made text", lambda a: a.keys("it"), "['a', 'b']", ("list", "render_template_as_native_obj")),
    ("keys, joined", lambda a: a.keys("it"), "a,b", ("'a,b'", "list")),
    ("keys, line break", lambda a: a.keys("it"), ["a", "b\n"], ("'b\\n'", "blanks")),
    ("keys, digits made a number", lambda a: a.keys("it"), float("inf"), ("inf", "float")),
    ("keys, boolean", lambda a: a.keys("it"), True, ("True", "bool")),
    ("text, list", lambda a: a.is_text("it"), ["a"], ("text", "list")),
    ("text, number", lambda a: a.is_text("it"), 5, ("text", "int")),
    ("each number", lambda a: a.each_number("it"), [1, "2", "c"], ("'c'", "whole numbers")),
    ("number, blank", lambda a: a.is_number("it"), " 5", ("' 5'", "whole number")),
    ("url, empty list", lambda a: a.is_url("it"), [], ("empty list",)),
    ("url, twice", lambda a: a.is_url("it"), ["https://h/a", "https://h/a"], ("twice",)),
    ("url, joined", lambda a: a.is_url("it"), "https://h/a,https://h/b", ("list",)),
    ("url, line break", lambda a: a.is_url("it"), "https://h/a\n", ("line break",)),
    ("url, no host", lambda a: a.is_url("it"), "https:///a", ("host",)),
    ("url, half a bracket", lambda a: a.is_url("it"), "https://[bad/a", ("host",)),
    ("fields, no JSON", lambda a: a.has_fields("it", ("A",)), {"A": {"b": timedelta(1)}}, ("JSON", "timedelta")),
]


@pytest.mark.parametrize(("check", "value", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
@pytest.mark.parametrize("rendered", [False, True], ids=["parsed", "rendered"])
def test_wrong_value_is_refused_in_words(check: Check, value: Any, words: tuple[str, ...], rendered: bool) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check(arguments(rendered, it=value))
    message = str(caught.value)
    assert OWNER in message
    assert "'it'" in message
    assert (caught.value.owner, caught.value.argument) == (OWNER, "it")
    for word in words:
        assert word in caught.value.problem


RIGHT: list[tuple[str, Check, Any]] = [
    ("required", lambda a: a.required("it"), "x"),
    ("required, number", lambda a: a.required("it"), 0),
    ("one of", lambda a: a.one_of("it", ("a", "b")), "b"),
    ("each one of", lambda a: a.each_one_of("it", ("a", "b")), ["b", "a"]),
    ("ends with", lambda a: a.ends_with("it", (".txt", ".sql")), "x.sql"),
    ("url", lambda a: a.is_url("it"), "https://h/f?x=1"),
    ("urls", lambda a: a.is_url("it"), ["http://h/f", "HTTPS://H/F"]),
    ("number", lambda a: a.is_number("it"), 12),
    ("number as text", lambda a: a.is_number("it"), "12"),
    ("negative number", lambda a: a.is_number("it"), "-1"),
    ("list", lambda a: a.is_list("it", most=2), ["a", "b"]),
    ("tuple", lambda a: a.is_list("it"), ("a",)),
    ("fields", lambda a: a.has_fields("it", ("A",), ("B",)), {"A": "x", "B": None}),
    ("key", lambda a: a.keys("it"), "k"),
    ("keys", lambda a: a.keys("it"), ["k", "l"]),
    ("keys, number", lambda a: a.keys("it"), 65254491001),
    ("keys, of every kind", lambda a: a.keys("it"), ["a-B_9.c:d/e", "0d4ba5c3-1f6e-4a5e"]),
    ("list, of Airflow", lambda a: a.is_list("it"), range(3)),
    ("url, comma inside", lambda a: a.is_url("it"), "https://h/a,b.mp4"),
    ("text", lambda a: a.is_text("it"), "x"),
    ("each number", lambda a: a.each_number("it"), [1, "2"]),
    ("fields, deep", lambda a: a.has_fields("it", ("A",)), {"A": [range(2), {"b": None}]}),
]
# A structure of templates stays one, so what must be a text is judged at once.
ALL_CHECKS = [(row[0], row[1]) for row in (*WRONG, *RIGHT) if not row[0].startswith("text")]


@pytest.mark.parametrize(("check", "value"), [row[1:] for row in RIGHT], ids=[row[0] for row in RIGHT])
def test_right_value_passes(check: Check, value: Any) -> None:
    check(arguments(False, it=value))
    check(arguments(True, it=value))


OPTIONAL = [row for row in WRONG if not row[0].startswith("required")]


@pytest.mark.parametrize("check", [row[1] for row in OPTIONAL], ids=[row[0] for row in OPTIONAL])
def test_absent_argument_is_nothing_to_check(check: Check) -> None:
    check(arguments(it=None))


def xcom() -> Any:
    return BaseOperator(task_id="before").output


TEMPLATES: list[Callable[[], Any]] = [
    lambda: "{{ params.it }}",
    lambda: "a-{% if x %}b{% endif %}",
    lambda: "{# note #}x",
    lambda: ["fine", "{{ ds }}"],
    lambda: {"A": "{{ ds }}", "unknown": 1},
    lambda: {"A": ["deep", {"B": "{{ ds }}"}]},
    xcom,
    lambda: xcom()["part"],
    lambda: [xcom()],
    lambda: {"A": xcom()},
]


@pytest.mark.parametrize("make", TEMPLATES)
@pytest.mark.parametrize("check", [row[1] for row in ALL_CHECKS], ids=[row[0] for row in ALL_CHECKS])
def test_template_is_left_for_later(check: Check, make: Callable[[], Any]) -> None:
    value = make()
    assert is_template(value)
    check(arguments(False, it=value))


@pytest.mark.parametrize("value", ["plain", "{ not one }", "", 5, None, ["a"], {"a": "b"}, ("x",), {"y"}, 1.5, b"{{"])
def test_what_is_no_template(value: Any) -> None:
    assert not is_template(value)


def test_braces_in_a_rendered_value_are_just_text() -> None:
    with pytest.raises(InvalidArgument, match="allowed"):
        arguments(True, it="{{ x }}").one_of("it", ("a",))
    assert arguments(True, it="{{ x }}").known("it")


class TestExactlyOne:
    def test_the_given_one(self) -> None:
        assert arguments(a=None, b="x").exactly_one("a", "b") == "b"

    def test_a_template_counts_as_given(self) -> None:
        assert arguments(a="{{ x }}", b=None).exactly_one("a", "b") == "a"

    def test_none(self) -> None:
        with pytest.raises(InvalidArgument, match=r"missing.*'a' or 'b'"):
            arguments(a=None).exactly_one("a", "b")

    def test_both(self) -> None:
        with pytest.raises(InvalidArgument, match=r"only one of 'a' or 'b', not 'a' and 'b'"):
            arguments(a="x", b="{{ y }}").exactly_one("a", "b")


class TestAdopts:
    def call(self, rendered: bool = False, **values: Any) -> bool:
        return arguments(rendered, **values).adopts("key", ("sql", "db"), ("conf",))

    def test_a_key(self) -> None:
        assert self.call(key="k") is True

    def test_a_templated_key(self) -> None:
        assert self.call(key="{{ k }}") is True

    def test_what_a_new_job_needs(self) -> None:
        assert self.call(sql="x", db="y", conf={}) is False

    @pytest.mark.parametrize("extra", ["sql", "db", "conf"])
    def test_both(self, extra: str) -> None:
        with pytest.raises(InvalidArgument, match=f"'key' names a job that exists, so '{extra}'"):
            self.call(key="k", **{extra: "x"})

    def test_nothing(self) -> None:
        with pytest.raises(InvalidArgument, match=r"'sql' is missing: give 'sql', 'db' for a new job, or 'key'"):
            self.call()

    def test_half(self) -> None:
        with pytest.raises(InvalidArgument, match="'db' is missing"):
            self.call(sql="x")

    def test_only_an_extra(self) -> None:
        with pytest.raises(InvalidArgument, match="'sql' is missing"):
            self.call(conf={"a": "b"})

    def test_key_rendered_to_nothing(self) -> None:
        with pytest.raises(InvalidArgument, match="'key' holds an empty key"):
            self.call(True, key="")


def test_refused_addresses_are_not_repeated() -> None:
    """An address may be signed, so the message names the argument only."""
    with pytest.raises(InvalidArgument) as caught:
        arguments(it="ftp://h/f?Signature=abc").is_url("it")
    assert "abc" not in str(caught.value)


@given(st.one_of(st.text(), st.integers(), st.lists(st.text()), st.tuples(st.text()), st.none()))
def test_listed_is_one_or_several(value: Any) -> None:
    assert as_list(value) == (list(value) if isinstance(value, (list, tuple)) else [value])


@given(st.sets(st.text()))
def test_a_set_is_listed_in_an_order_that_every_attempt_sees(value: set[str]) -> None:
    assert as_list(value) == sorted(value)


@pytest.mark.parametrize("value", [["{{ ds }}", "b"], {"a": "{{ ds }}"}])
def test_a_structure_of_templates_never_becomes_a_text(value: Any) -> None:
    with pytest.raises(InvalidArgument, match="must be text"):
        arguments(it=value).is_text("it")


@pytest.mark.parametrize(
    "make", [*TEMPLATES[-4:], lambda: "a{{ ti.xcom_pull('b') }}", lambda: ["{{ ti.xcom_pull() }}"]]
)
def test_an_xcom_needs_a_worker_wherever_it_stands(make: Callable[[], Any]) -> None:
    assert needs_a_worker(make())


@pytest.mark.parametrize("value", [None, "k", "{{ ds }}", ["k", "{{ params.k }}"], {"a": 1}, 5])
def test_what_a_trigger_can_render_needs_none(value: Any) -> None:
    assert not needs_a_worker(value)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "10", True, timedelta(0)])
def test_spans_that_are_none(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"'it' is .*; it must be a number of seconds, more than 0"):
        arguments(it=value).seconds("it", 5.0)


def test_spans_in_seconds() -> None:
    assert [arguments(it=value).seconds("it", 5.0) for value in (2, timedelta(minutes=1), None)] == [2.0, 60.0, 5.0]
