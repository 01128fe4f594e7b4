# SPDX-License-Identifier: Apache-2.0
"""Every check of an argument: wrong values are refused with owner, argument and what is allowed; values that a
template will make are left for later, and are judged then with the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_cloudjobs.compat import BaseOperator
from airflow_cloudjobs.jobs.arguments import Arguments, InvalidArgument, is_template, listed

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
]
ALL_CHECKS = [*((row[0], row[1]) for row in WRONG), *((row[0], row[1]) for row in RIGHT)]


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
    assert listed(value) == (list(value) if isinstance(value, (list, tuple)) else [value])
