"""A headless Chromium that opens pages and tells what they asked the network and wrote to the console."""

import importlib.util
import io
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

QUIET = ('data:', 'blob:', 'about:', 'chrome:')
FLAGS = (
    '--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--hide-scrollbars', '--disable-dev-shm-usage',
)  # fmt: skip
DRAWN = """
const done = arguments[0];
const isDrawn = () => document.readyState === 'complete' && [...document.querySelectorAll('.chart')].every(
  chart => chart.dataset.drawn !== undefined) && (!window.Bokeh || Bokeh.documents.every(doc => doc.is_idle));
const wait = () => isDrawn() ? requestAnimationFrame(() => requestAnimationFrame(done)) : setTimeout(wait, 20);
wait();
"""


def missing() -> str:
    """Say what a browser test lacks here; '' where it lacks nothing."""
    lacks = [name for name in ('chromium', 'chromedriver') if not shutil.which(name)]
    lacks += ['selenium'] if importlib.util.find_spec('selenium') is None else []
    return f'no {", no ".join(lacks)} here (apt-get install chromium chromium-driver)' if lacks else ''


def require_browser() -> None:
    """Skip a test where there is no browser, but let it fail where CI is set."""
    if reason := missing():
        (pytest.fail if os.environ.get('CI') else pytest.skip)(reason)


class Browser:
    """One Chromium with one tab.

    Args:
        profile: a new folder for what it keeps; downloads come to lie in `profile/downloads`.
    """

    def __init__(self, profile: Path):
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which('chromium')
        for flag in (*FLAGS, f'--user-data-dir={profile / "profile"}'):
            options.add_argument(flag)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
        self.downloads = profile / 'downloads'
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which('chromedriver')))
        self.driver.set_script_timeout(20)
        settings = {'behavior': 'allow', 'downloadPath': str(self.downloads)}
        self.driver.execute_cdp_cmd('Browser.setDownloadBehavior', settings)

    def open(self, page: Path, *, width: int = 1280, height: int = 900) -> None:
        """Load a page and wait until it is drawn; forget what earlier ones did."""
        self.resize(width, height)
        for log in ('browser', 'performance'):
            self.driver.get_log(log)
        self.driver.get(page.resolve().as_uri())
        self.wait()

    def resize(self, width: int, height: int = 900) -> None:
        size = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False}
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', size)

    def wait(self) -> None:
        self.driver.execute_async_script(DRAWN)

    def until(self, ask: Callable[[], object], seconds: float = 10.0) -> object:
        """Ask until the answer is true, and return it."""
        end = time.monotonic() + seconds
        while not (answer := ask()):
            assert time.monotonic() < end, 'it did not happen in time'
            time.sleep(0.05)
        return answer

    def run(self, script: str, *arguments: object) -> object:
        return self.driver.execute_script(script, *arguments)

    def click(self, selector: str, *, text: str = '') -> None:
        """Click the first element that a CSS selector finds and whose text holds `text`, then wait."""
        found = self.driver.find_elements('css selector', selector)
        element = next(each for each in found if text in each.text)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.wait()

    def choose(self, selector: str, value: str) -> None:
        from selenium.webdriver.support.select import Select

        Select(self.driver.find_element('css selector', selector)).select_by_value(value)
        self.wait()

    def pixels(self, selector: str) -> np.ndarray:
        """Return what an element looks like: (height, width, 3), 0 to 255."""
        from PIL import Image

        element = self.driver.find_element('css selector', selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)  # a picture ends where the window does
        self.wait()
        return np.asarray(Image.open(io.BytesIO(element.screenshot_as_png)).convert('RGB')).astype(int)

    def count_colors(self, selector: str, *colors: str, tolerance: int = 40) -> list[int]:
        """Count the pixels of an element that are nearly of each colour #rrggbb."""
        pixels = self.pixels(selector)
        wanted = [np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) for color in colors]
        return [int((np.abs(pixels - each).max(axis=-1) <= tolerance).sum()) for each in wanted]

    def complaints(self) -> list[str]:
        """Return warnings and errors of the console since the last call."""
        return [entry['message'] for entry in self.driver.get_log('browser') if entry['level'] not in ('INFO', 'DEBUG')]

    def requests(self) -> list[str]:
        """Return the addresses that were asked for since the last call."""
        events = [json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')]
        sent = [event['params'] for event in events if event['method'] == 'Network.requestWillBeSent']
        asked = [event['request']['url'] for event in sent]
        return [url for url in asked if not url.startswith(QUIET)]

    def close(self) -> None:
        self.driver.quit()
