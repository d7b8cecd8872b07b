"""What a server is shown, out of files that may change: by the agent to its targets, by the exporter to Pyroscope and Grafana."""

from __future__ import annotations

import base64

import pytest

from runtime_exporter.credentials import Credentials
from runtime_exporter.errors import ConfigError


def test_a_password_may_have_spaces_at_its_ends_and_be_of_any_alphabet(tmp_path):
    file = tmp_path / "password"
    file.write_text(" grün \r\n", encoding="utf-8")

    shown = Credentials("Basic", file, "ann").header()

    assert "ann: grün " == base64.b64decode(shown.removeprefix("Basic ")).decode()


def test_a_token_is_read_each_time(tmp_path):
    file = tmp_path / "token"
    credentials = Credentials("Bearer", str(file))
    file.write_text("one\n")
    first = credentials.header()
    file.write_text("two")

    assert ("Bearer one", "Bearer two") == (first, credentials.header())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has to hold the secret, one line, and nothing else"),
        (b" \n", "has to hold the secret, one line, and nothing else"),
        (b"a\nX-Evil: b", "has to hold the secret, one line, and nothing else"),
        (b"\xff\xfe", "is no text"),
        ("tökèn".encode(), "has to hold a token, which is ASCII"),
        (None, "cannot be read: No such file or directory"),
    ],
)
@pytest.mark.parametrize("setting", ["", "grafana_token_file"])
def test_a_file_that_cannot_be_used_is_said_with_its_setting_and_without_what_is_in_it(tmp_path, content, why, setting):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        Credentials("Bearer", file, setting=setting).header()

    where = f"grafana_token_file = '{file}'" if setting else str(file)
    assert (f"{where}: the file {why}", setting) == (str(refused.value), refused.value.setting)
