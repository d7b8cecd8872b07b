"""A runbook is served by the exporter itself, from the checkout or from the wheel."""

from __future__ import annotations

import pytest

from runtime_exporter.web import runbooks
from runtime_exporter.web.page import Ask


@pytest.fixture
def books(tmp_path, monkeypatch):
    (tmp_path / "RuntimeFdExhaustion.md").write_text("# RuntimeFdExhaustion\n\nClose *files*. ü\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("# no alert\n")
    monkeypatch.setattr(runbooks, "directory", lambda: tmp_path)
    return tmp_path


def get(rest):
    return runbooks.runbook_page(Ask("GET", rest))


@pytest.mark.parametrize("rest", ["RuntimeFdExhaustion", "RuntimeFdExhaustion.md"])
@pytest.mark.usefixtures("books")
def test_a_runbook_is_a_page(rest):
    reply = get(rest)

    assert (200, "text/html; charset=utf-8") == (reply.status, reply.content_type)
    assert "<h1>RuntimeFdExhaustion</h1>\n<p>Close <em>files</em>. ü</p>" in reply.body.decode()


@pytest.mark.usefixtures("books")
def test_the_list_has_every_runbook_and_nothing_else():
    body = get("").body.decode()

    assert 1 == body.count("<li>")
    assert '<a href="/runbooks/RuntimeFdExhaustion">' in body


@pytest.mark.parametrize(
    "rest", ["Nope", "../secret", "..%2fsecret", "a/b", "README/../RuntimeFdExhaustion", "\x00", "x" * 5000]
)
def test_what_is_no_runbook_is_not_found(books, rest):
    (books.parent / "secret.md").write_text("hunter2")

    assert 404 == get(rest).status


def test_the_runbooks_of_the_checkout_are_found():
    assert ("docs", "runbooks") == runbooks.directory().parts[-2:]
    assert runbooks.directory().is_dir()
