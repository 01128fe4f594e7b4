# SPDX-License-Identifier: Apache-2.0
"""Airflow's page Admin > Connections, as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from web_browser import Browser

#: The fields of a section: label, element, and what the page shows of it.
_FIELDS = """
    const kind = (root, input) => {
        if (input.tagName === "TEXTAREA") return "area";
        if (root.querySelector("[role=combobox]")) return "choice";
        if (input.type === "checkbox") return "switch";
        return input.type === "password" ? "password" : "text";
    };
    const value = (root, input, kind) => ({
        choice: () => root.querySelector("[id^=element_]").innerText.split("\\n")[0],
        switch: () => (input.checked ? "on" : "off"),
    })[kind]?.() ?? input.value;
    const shown = root => {
        const input = root.querySelector("input, textarea");
        const is = kind(root, input);
        return {
            kind: is,
            help: root.querySelector("[data-part=helper-text]")?.innerText ?? "",
            placeholder: input.placeholder ?? "",
            value: value(root, input, is),
            offers: [...root.querySelectorAll("option")].map(each => each.value),
        };
    };
    const roots = document.getElementById(arguments[0]).querySelectorAll("[data-scope=field][data-part=root]");
    const labelled = [...roots].map(root => [root.querySelector("[data-part=label]")?.innerText.trim(), root]);
    return labelled.filter(([label, root]) => label && root.checkVisibility()).map(f => [...f, shown(f[1])]);
"""

_TOAST = """
    const toast = document.querySelector("[data-scope=toast][data-part=root]");
    if (!toast || toast.getBoundingClientRect().bottom > innerHeight) return [];
    return [...toast.querySelectorAll("[data-part=title], [data-part=description]")].map(each => each.innerText);
"""


@dataclass(frozen=True)
class Shown:
    """A field as the page shows it.

    :param kind: ``text``, ``password``, ``area``, ``choice`` or ``switch``.
    :param help: the text below it.
    :param placeholder: the text in it while it is empty.
    :param value: what stands in it; dots are what they hide.
    :param offers: words that it offers where any is allowed.
    """

    kind: str
    help: str
    placeholder: str
    value: str
    offers: list[str]


class ConnectionsPage:
    """The list of connections and the dialog over it.

    :param browser: where it is open.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def open(self) -> None:
        """Go to the list."""
        self.browser.open("/connections")
        self.browser.the("button", "Add Connection")

    def offered(self, part: str) -> list[str]:
        """The labels of connection types that one finds by a word."""
        with self._adding():
            box = self.browser.the("[role=dialog] [role=combobox]")
            box.send_keys(part)
            self.browser.the("[role=option]")
            return [option.text for option in self.browser.all("[role=option]")]

    @contextmanager
    def _adding(self) -> Iterator[None]:
        self.open()
        self.browser.click("button", "Add Connection")
        self.browser.the("[role=dialog] input[name=connection_id]")
        yield

    def begin(self, conn_id: str, label: str) -> None:
        """Open the dialog for a new connection of a type."""
        with self._adding():
            self.browser.put(self.browser.the("[role=dialog] input[name=connection_id]"), conn_id)
            self._choose(self.browser.the("[role=dialog] [role=combobox]"), label)
        self._settled()

    def edit(self, conn_id: str) -> None:
        """Open the dialog for a connection that exists."""
        self.open()
        self.browser.click("button", "Edit Connection", self._row(conn_id))
        self._settled()

    def save(self) -> None:
        """Save, and wait until the dialog is gone."""
        self.browser.click("[role=dialog] button", "Save")
        self.browser.until("the dialog gone", lambda: not self.browser.all("[role=dialog]"))

    def test(self, conn_id: str) -> str:
        """Press the button that tests a connection, and read what pops up."""
        self.open()
        self.browser.click("button", "Test Connection", self._row(conn_id))
        said: list[str] = self.browser.until("the test's answer", self._toast)
        return ": ".join(said)

    def _toast(self) -> list[str]:
        """Title and text of what has popped up, read in one go since it goes away; empty before it is in view."""
        said: list[str] = self.browser.driver.execute_script(_TOAST)
        return said if len(said) == 2 and all(said) else []

    def fields(self, section: str) -> dict[str, Shown]:
        """All fields of a section by label, in order."""
        return {label: shown for label, (_, shown) in self._roots(section).items()}

    def choices(self, label: str) -> list[str]:
        """What a field with a choice has to choose from; the menu is left open."""
        box = self._roots("Extra Fields")[label][0].find_element(By.CSS_SELECTOR, "[role=combobox]")
        box.send_keys(Keys.ARROW_DOWN)
        self.browser.the("[role=option]")
        return [option.text for option in self.browser.all("[role=option]")]

    def fill(self, section: str, values: Mapping[str, Any]) -> None:
        """Fill in fields by label.

        :param values: texts; the display of a choice, a boolean for a switch, an object for an area.
        """
        for label, value in values.items():
            self.browser.until(f"the field {label}", partial(self._fill, section, label, value))

    def _fill(self, section: str, label: str, value: Any) -> bool:
        root, shown = self._roots(section)[label]
        if shown.kind == "choice":
            self._choose(root.find_element(By.CSS_SELECTOR, "[role=combobox]"), value)
        elif shown.kind == "switch":
            if shown.value != ("on" if value else "off"):
                root.find_element(By.CSS_SELECTOR, "[data-scope=switch][data-part=control]").click()
        elif shown.kind == "area":
            area = root.find_element(By.TAG_NAME, "textarea")
            self.browser.type(area, json.dumps(value))
            try:  # once it is whole, the page sets it out in lines
                return bool(json.loads(area.get_attribute("value") or "") == value)
            except ValueError:
                return False
        else:
            self.browser.put(root.find_element(By.TAG_NAME, "input"), value)
        return True

    def _choose(self, box: WebElement, text: str) -> None:
        box.send_keys(text)
        self.browser.the("[role=option]", text).click()

    def _row(self, conn_id: str) -> WebElement:
        def row() -> WebElement | None:
            for each in self.browser.all("tbody tr"):
                if conn_id in [cell.text for cell in each.find_elements(By.TAG_NAME, "td")]:
                    return each
            return None

        found: WebElement = self.browser.until(f"the row of {conn_id}", row)
        return found

    def _settled(self) -> None:
        """Airflow draws the standard fields of any type first, and those of ours when it has heard of them."""
        self.browser.the("[role=dialog] [data-scope=accordion] button", "Extra Fields")

    def _roots(self, section: str) -> dict[str, tuple[WebElement, Shown]]:
        """The fields of a section by label, once two looks saw the same."""
        trigger = self.browser.the("[role=dialog] [data-scope=accordion][data-part=item-trigger]", section)
        if trigger.get_attribute("aria-expanded") != "true":
            trigger.click()
        panel = trigger.get_attribute("aria-controls")
        before: list[str] = []

        def still() -> dict[str, tuple[WebElement, Shown]]:
            nonlocal before
            rows = self.browser.driver.execute_script(_FIELDS, panel)
            labels = [label for label, _, _ in rows]
            same, before = before == labels, labels
            return {label: (root, Shown(**shown)) for label, root, shown in rows} if same else {}

        found: dict[str, tuple[WebElement, Shown]] = self.browser.until(f"the fields of {section}", still)
        return found
