"""A real service whose profiles arrive at a server that takes them as Pyroscope does."""

from __future__ import annotations

import base64
import json
import re

import pytest
import requests

import runtime_exporter
from busy_service import busy_service
from pyroscope_stub import Pyroscope, form
from runtime_exporter.errors import ConfigError
from runtime_exporter.profiling import pprof
from runtime_exporter.profiling.profile import frames
from tools import wait_for


def in_the_form(got):
    return form(got)[1]["profile"]


def in_the_json(got):
    return base64.b64decode(json.loads(got.body)["series"][0]["samples"][0]["rawProfile"])


@pytest.mark.parametrize(("api", "content"), [("ingest", in_the_form), ("push", in_the_json)])
def test_each_interval_of_a_service_arrives_and_names_the_function_that_is_busy(api, content):
    pyroscope = Pyroscope()
    settings = {"pyroscope_url": pyroscope.url, "pyroscope_application": "busy", "pyroscope_api": api}
    try:
        with busy_service(profiling="true", profile_interval="1s", service_version="1.4", **settings) as service:

            def busy():
                profiles = [pprof.decode(content(got)) for got in pyroscope.got]
                return [
                    profile
                    for profile in profiles
                    for sample in profile.samples
                    if any(frame.name.endswith(":burns_cpu_here") for frame in frames(sample))
                ]

            def sent():
                told = requests.get(f"{service.url}/metrics", timeout=10).text
                return float(re.search(r'^profile_pushes_total{result="sent"} (.*)$', told, re.MULTILINE)[1])

            first = wait_for(busy, what="a profile of the busy function", seconds=60)[0]
            assert first.duration_nanos > 0
            # It is here before the answer is there, and counted after that.
            assert 1 <= wait_for(sent, what="a profile that is counted as sent")
    finally:
        pyroscope.close()
    assert all(b"1.4" in got.body or "version=1.4" in got.query["name"][0] for got in pyroscope.got)


def test_without_a_server_there_is_no_family():
    with runtime_exporter.start(port=0) as exporter:
        assert "profile_pushes_total" not in requests.get(f"{exporter.url}/metrics", timeout=10).text


def test_a_secret_that_cannot_be_read_is_told_before_anything_is_served(tmp_path):
    with pytest.raises(ConfigError, match="pyroscope_token_file"):
        runtime_exporter.start(
            port=0,
            profiling=True,
            pyroscope_url="http://127.0.0.1:9",
            pyroscope_application="shop",
            pyroscope_token_file=str(tmp_path / "none"),
        )
    with runtime_exporter.start(port=0) as exporter:  # nothing of the first is left
        assert exporter.url
