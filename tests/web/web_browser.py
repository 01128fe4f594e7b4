# SPDX-License-Identifier: Apache-2.0
"""A real Chromium without a window, its waits on conditions, its screenshots in a folder."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

#: Seconds; a page of a busy machine may take so long.
PATIENCE = 40.0

#: Where the screenshots go, those of the last run.
SHOTS = Path(__file__).parents[2] / "build" / "screenshots"

_FLAGS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=en-US",
    "--window-size=1400,1100",
)

_VISIBLE = """
    const [css, text, root] = arguments;
    const has = each => !text || each.innerText.trim() === text || each.getAttribute("aria-label") === text;
    return [...(root ?? document).querySelectorAll(css)].filter(each => each.checkVisibility() && has(each));
"""

#: What a page says of an element that it has just drawn anew.
_UNSETTLED = (
    StaleElementReferenceException,
    NoSuchElementException,
    ElementNotInteractableException,
    ElementClickInterceptedException,
)


class Browser:
    """Chromium, as a context manager.

    :param url: the site that paths belong to.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        programs = [shutil.which("chromium"), shutil.which("chromedriver")]
        if None in programs:
            raise RuntimeError("Chromium is missing: apt-get install chromium chromium-driver")
        self._chromium, self._driver_program = programs
        SHOTS.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        # A new profile: nothing of an earlier run is remembered.
        self._profile = tempfile.mkdtemp(prefix="cloudjobs-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = self._chromium or ""
        for flag in (*_FLAGS, f"--user-data-dir={self._profile}"):
            options.add_argument(flag)
        self.driver = webdriver.Chrome(options=options, service=Service(self._driver_program))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(self, path: str) -> None:
        """Go to a page of the site."""
        self.driver.get(f"{self.url}{path}")

    def until(self, what: str, seen: Callable[[], Any]) -> Any:
        """The first value that is not empty; pages draw themselves piece by piece, and again.

        :param what: what is waited for, for the message.
        :param seen: looks for it.
        """
        until = time.monotonic() + PATIENCE
        while True:
            try:
                if value := seen():
                    return value
            except _UNSETTLED:
                pass
            if time.monotonic() > until:
                raise AssertionError(
                    f"not seen: {what}; the page is in {self.shot('not-seen')}:\n{self.text()[-2000:]}"
                )
            time.sleep(0.1)

    def all(self, css: str, within: WebElement | None = None) -> list[WebElement]:
        """The visible elements that a selector finds."""
        found: list[WebElement] = self.driver.execute_script(_VISIBLE, css, "", within)
        return found

    def the(self, css: str, text: str = "", within: WebElement | None = None) -> WebElement:
        """The first visible element that a selector finds and that has this text, or this ``aria-label``."""

        def first() -> WebElement | None:
            return next(iter(self.driver.execute_script(_VISIBLE, css, text, within)), None)

        found: WebElement = self.until(f"{css} {text!r}", first)
        return found

    def click(self, css: str, text: str = "", within: WebElement | None = None) -> None:
        """Click on such an element."""

        def clicked() -> bool:
            self.the(css, text, within).click()
            return True

        self.until(f"{css} {text!r} that can be clicked", clicked)

    def put(self, element: WebElement, text: str) -> None:
        """Replace the text of an input at once, as if pasted: a busy page loses keys of who types as fast as we do."""

        def done() -> bool:
            self._clear(element)
            self.driver.execute_cdp_cmd("Input.insertText", {"text": text})
            return element.get_attribute("value") == text

        self.until("what was put in", done)

    def type(self, element: WebElement, text: str) -> None:
        """Replace the text of an input key by key, looking each time what came of it."""
        self._clear(element)
        for key in text:
            before = element.get_attribute("value")
            element.send_keys(key)
            self.until(f"{key!r} after {before!r}", lambda before=before: element.get_attribute("value") != before)

    def _clear(self, element: WebElement) -> None:
        element.send_keys(Keys.CONTROL, "a")
        element.send_keys(Keys.DELETE)

    def text(self) -> str:
        """All text that the page shows."""
        return str(self.driver.find_element(By.TAG_NAME, "body").text)

    def markup(self) -> str:
        """The whole document as it is now, and what stands in its inputs."""
        script = "return [...document.querySelectorAll('input, textarea')].map(e => e.value).join('\\n')"
        return f"{self.driver.page_source}\n{self.driver.execute_script(script)}"

    def shot(self, name: str) -> Path:
        """Save a screenshot, of the whole dialog if one is open."""
        width, height = (self.driver.get_window_size()[side] for side in ("width", "height"))
        needed = self.driver.execute_script(
            "return Math.max(...[...document.querySelectorAll('[role=dialog]')].map(e => e.scrollHeight + 200), 0)"
        )
        self.driver.set_window_size(width, max(height, needed))
        path = SHOTS / f"{name}.png"
        self.driver.save_screenshot(str(path))
        self.driver.set_window_size(width, height)
        return path
