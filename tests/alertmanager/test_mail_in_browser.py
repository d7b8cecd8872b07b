"""The mails as a browser draws them: nothing wider than the screen, nothing fetched, nothing run, the words in their places."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.html"))
PHONE = {"width": 360, "height": 640}
DESK = {"width": 1000, "height": 800}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [PHONE, DESK], ids=["phone", "desk"])
@pytest.mark.parametrize("mail", GOLDEN, ids=lambda path: path.stem)
def test_a_mail_fits_its_screen_and_runs_nothing(browser, mail, screen, scheme):
    context = browser.new_context(viewport=screen, color_scheme=scheme)
    try:
        page = context.new_page()
        unwanted = []
        page.on("request", lambda request: unwanted.append(request.url) if request.url != mail.as_uri() else None)
        page.on("dialog", lambda dialog: (unwanted.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: unwanted.append(str(error)))
        page.goto(mail.as_uri())
        assert unwanted == []
        assert page.evaluate("document.documentElement.scrollWidth") <= screen["width"]
        links = page.locator("a").evaluate_all("all => all.map(a => [a.protocol, a.getBoundingClientRect().height])")
        assert links
        assert {protocol for protocol, _ in links} <= {"http:", "https:"}
        assert min(height for _, height in links) > 0
        assert _contrast(page.evaluate(_COLOURS)) >= 4.5
    finally:
        context.close()


# The colours of the text and of what is behind it, of the first fact that a mail tells.
_COLOURS = """() => {
  const element = document.querySelector('.body'), behind = document.querySelector('.card');
  const numbers = text => text.match(/[0-9.]+/g).slice(0, 3).map(Number);
  return [numbers(getComputedStyle(element).color), numbers(getComputedStyle(behind).backgroundColor)];
}"""


def _contrast(colours: list[list[float]]) -> float:
    """Return the contrast ratio of two colours (WCAG 2.1)."""

    def luminance(colour: list[float]) -> float:
        parts = [part / 255 for part in colour]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)
