"""A setting comes from an argument, the environment, a file or its default; a mistake is named where it was made."""

from __future__ import annotations

import dataclasses
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime_exporter.errors import ConfigError
from runtime_exporter.settings import SETTINGS, Settings, load, select

PLAIN = {"HOME": "/nonexistent", "XDG_CONFIG_DIRS": "/nonexistent"}


def no_date(*parts):
    """What this Python says of a date that there is not: 3.14 also says which month it was given."""
    with pytest.raises(ValueError) as refused:
        date(*parts)
    return str(refused.value)


def problem(arguments=None, environ=None):
    with pytest.raises(ConfigError) as caught:
        load(arguments or {}, {**PLAIN, **(environ or {})})
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_without_anything_given_every_setting_is_its_default():
    assert Settings() == load({}, PLAIN)
    assert {"default"} == {load({}, PLAIN).source(row.name) for row in SETTINGS}


def test_an_argument_beats_the_environment_which_beats_the_file_which_beats_the_default(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("# ours\nport: 1003\naddress: 0.0.0.0\nlabel_limit: 7\n")
    environ = {**PLAIN, "RUNTIME_EXPORTER_PORT": "1002", "RUNTIME_EXPORTER_ADDRESS": "::1"}

    settings = load({"port": 1001, "config_file": str(file)}, environ)

    assert (1001, "argument") == (settings.port, settings.source("port"))
    assert ("::1", "environment RUNTIME_EXPORTER_ADDRESS") == (settings.address, settings.source("address"))
    assert (7, f"{file}:4") == (settings.label_limit, settings.source("label_limit"))
    assert (200, "default") == (settings.route_limit, settings.source("route_limit"))


def test_an_argument_of_none_and_an_empty_variable_are_not_given():
    assert 9464 == load({"port": None}, {**PLAIN, "RUNTIME_EXPORTER_PORT": ""}).port


@pytest.mark.parametrize("directory", ["XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "HOME"])
@pytest.mark.parametrize("name", ["config.yaml", "config.yml", "config.json"])
def test_the_file_is_found_in_the_xdg_places(tmp_path, directory, name):
    base = tmp_path / ".config" if directory == "HOME" else tmp_path
    place = base / "runtime-exporter"
    place.mkdir(parents=True)
    (place / name).write_text('{"port": 1234}\n')

    settings = load({}, {**PLAIN, directory: str(tmp_path)})

    assert (1234, str(place / name)) == (settings.port, settings.config_file)
    assert f"{place / name}:1" == settings.source("port")


def test_a_relative_xdg_directory_is_ignored_as_its_specification_says(tmp_path, monkeypatch):
    (tmp_path / "runtime-exporter").mkdir()
    (tmp_path / "runtime-exporter/config.yaml").write_text("port: 1234\n")
    monkeypatch.chdir(tmp_path)

    assert 9464 == load({}, {"XDG_CONFIG_HOME": ".", "XDG_CONFIG_DIRS": "."}).port


def test_a_path_in_a_file_starts_at_the_file(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("web_config_file: tls/web.yml\n")

    assert str(tmp_path / "tls/web.yml") == load({"config_file": str(file)}, PLAIN).web_config_file


def test_the_variables_of_a_kubernetes_service_of_our_name_are_passed_over():
    links = {
        "RUNTIME_EXPORTER_SERVICE_HOST": "10.0.0.7",
        "RUNTIME_EXPORTER_SERVICE_PORT": "9464",
        "RUNTIME_EXPORTER_SERVICE_PORT_METRICS": "9464",
        "RUNTIME_EXPORTER_PORT": "tcp://10.0.0.7:9464",
        "RUNTIME_EXPORTER_PORT_9464_TCP": "tcp://10.0.0.7:9464",
        "RUNTIME_EXPORTER_PORT_9464_TCP_PROTO": "tcp",
        "RUNTIME_EXPORTER_PORT_9464_TCP_PORT": "9464",
        "RUNTIME_EXPORTER_PORT_9464_TCP_ADDR": "10.0.0.7",
        "RUNTIME_EXPORTER_GATEWAY_PORT": "tcp://10.0.0.8:80",
    }

    assert Settings() == load({}, {**PLAIN, **links})


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("port", "0", 0),
        ("port", 65535, 65535),
        ("debug_endpoints", "off", False),
        ("debug_endpoints", True, True),
        ("http_body_sizes", "YES", True),
        ("health_timeout", "500ms", 0.5),
        ("health_timeout", "1m30s", 90.0),
        ("health_timeout", 2, 2.0),
        ("health_timeout", "0.25", 0.25),
        ("overhead_budget", "2%", 0.02),
        ("overhead_budget", 0.5, 0.5),
        ("collectors", "process, -gc", ("process", "-gc")),
        ("collectors", ["gc"], ("gc",)),
        ("collectors", "", ()),
        ("http_buckets", "0.1,1", (0.1, 1.0)),
        ("http_buckets", [0.1, 1, 2.5], (0.1, 1.0, 2.5)),
        ("log_level", "WARNING", "warning"),
        ("metrics_path", "/internal/metrics", "/internal/metrics"),
        ("address", " ::1 ", "::1"),
        ("pyroscope_url", " http://pyroscope:4040/ ", "http://pyroscope:4040"),
        ("pyroscope_url", "https://[::1]/tenant", "https://[::1]/tenant"),
        ("disk_paths", "/srv, /var/lib", ("/srv", "/var/lib")),
        ("pyroscope_application", "shop/api-2", "shop/api-2"),
        ("profile_pinned", r"^shop\., :main$", (r"^shop\.", ":main$")),
        ("profile_lock_packages", ["shop", "shop_api.views"], ("shop", "shop_api.views")),
    ],
)
def test_a_value_is_understood_however_it_is_written(name, written, value):
    assert value == getattr(load({name: written}, PLAIN), name)


@pytest.mark.parametrize(
    ("name", "written", "right"),
    [
        ("port", "http", "a port from 0 to 65535"),
        ("port", -1, "a port from 0 to 65535"),
        ("port", 65536, "a port from 0 to 65535"),
        ("port", True, "a port from 0 to 65535"),
        ("port", 80.5, "a port from 0 to 65535"),
        ("debug_endpoints", "perhaps", "true or false"),
        ("health_timeout", "0", "seconds greater than 0"),
        ("health_timeout", "soon", "seconds greater than 0"),
        ("health_timeout", "15 s", "seconds greater than 0"),
        ("health_timeout", "nan", "seconds greater than 0"),
        ("health_timeout", "inf", "seconds greater than 0"),
        ("overhead_budget", "0", "a ratio greater than 0"),
        ("overhead_budget", "101%", "a ratio greater than 0"),
        ("overhead_budget", "some", "a ratio greater than 0"),
        ("label_limit", "0", "at least 1"),
        ("label_limit", "1e3", "at least 1"),
        ("profile_baseline_windows", "-1", "at least 0"),
        ("profile_baseline_windows", "few", "at least 0"),
        ("http_buckets", "1,0.5", "increasing numbers"),
        ("http_buckets", "", "increasing numbers"),
        ("http_buckets", "1,x", "increasing numbers"),
        ("http_buckets", 5, "a list"),
        ("collectors", "GC!", "names of collectors"),
        ("collectors", 5, "a list"),
        ("log_level", "inof", "did you mean 'info'?"),
        ("log_format", "yaml", "one of text, json"),
        ("metrics_path", "metrics", "a path such as /metrics"),
        ("metrics_path", "/", "a path such as /metrics"),
        ("address", "", "a non-empty text"),
        ("web_config_file", 5, "a path of a file"),
        ("disk_paths", ["/srv", " "], "paths of directories"),
        ("pyroscope_url", "pyroscope:4040", "an address such as http://pyroscope:4040"),
        ("pyroscope_url", "http://pyroscope:port", "an address such as http://pyroscope:4040"),
        ("pyroscope_url", "http://[::1", "an address such as http://pyroscope:4040"),
        ("pyroscope_url", "http://pyroscope:4040/?tenant=1", "without a user, a password or a query"),
        ("pyroscope_url", "http://bob@pyroscope:4040", "without a user, a password or a query"),
        ("pyroscope_url", 4040, "an address such as http://pyroscope:4040"),
        ("pyroscope_application", "shop{env=1}", "a name of letters"),
        ("profile_pinned", "shop(", "regular expressions with commas between them"),
        ("profile_lock_packages", "shop,shop-api", "names of packages"),
    ],
)
def test_a_bad_value_is_refused_with_name_value_source_and_what_would_be_right(name, written, right):
    message = problem({name: written})

    assert message.startswith(f"{name} = {written!r} (argument): ")
    assert right in message


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        ({"prot": 1}, {}, "unknown setting 'prot' (argument); did you mean 'port'?"),
        ({"label-limits": 1}, {}, "unknown setting 'label-limits' (argument); did you mean 'label_limit'?"),
        ({"zzz": 1}, {}, "unknown setting 'zzz' (argument)"),
        (
            {},
            {"RUNTIME_EXPORTER_ADRESS": "x"},
            "unknown setting 'RUNTIME_EXPORTER_ADRESS' (environment); did you mean 'RUNTIME_EXPORTER_ADDRESS'?",
        ),
        (
            {"config_file": "/nonexistent.yml"},
            {},
            "config_file = '/nonexistent.yml' (argument): No such file or directory",
        ),
        ({"config_file": "/"}, {}, "config_file = '/' (argument): Is a directory"),
    ],
)
def test_what_is_no_setting_is_refused_with_the_nearest_name(arguments, environ, message):
    assert message == problem(arguments, environ)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.yaml", "port: 1\nprot: 2\n", "unknown setting 'prot' ({}:2); did you mean 'port'?"),
        ("c.json", '{\n "port": 1,\n "prot": 2\n}', "unknown setting 'prot' ({}:3); did you mean 'port'?"),
        ("c.yaml", "config_file: x\n", "unknown setting 'config_file' ({}:1)"),
        ("c.yaml", "\nport: many\n", "port = 'many' ({}:2): a port from 0 to 65535 is needed (0: any free port)"),
        ("c.yaml", "port: 1\nport: 2\n", "{}:2:1: 'port' is given twice"),
        ("c.json", '{"port": 1, "port": 2}', "{}:1:1: 'port' is given twice"),
        ("c.yaml", "port: [1\naddress: x\n", "{}:2:8: malformed YAML: expected ',' or ']', but got ':'"),
        ("c.json", '{"port": 1,\n "x"}', "{}:2:5: malformed JSON: Expecting ':' delimiter"),
        ("c.yaml", "- port\n", "{}:1:1: a mapping of names to values is needed"),
        ("c.json", "[1]", "{}:1:1: an object of names and values is needed"),
        ("c.yaml", "a: 1\nb: \x01\n", "{}:2:1: malformed YAML: a control character"),
        ("c.yaml", "port: 2026-13-45\n", f"{{}}:1:1: malformed YAML: {no_date(2026, 13, 45)}"),
        ("c.yaml", "[" * 5000, "{}:1:1: malformed YAML: nested too deeply"),
        ("c.json", "[" * 200_000, "{}:1:1: malformed JSON: nested too deeply"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_column(tmp_path, name, content, message):
    file = tmp_path / name
    file.write_text(content)

    said = problem({"config_file": str(file)})

    assert message.format(file) in (said, said.split("; did you mean")[0] if "did you mean" not in message else said)


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_bytes(b"port: 1\n\xff\xfe\n")
    assert f"config_file = '{file}' (argument): not UTF-8 text in line 2" == problem({"config_file": str(file)})
    file.write_bytes(b"#" * (1 << 20) + b"#")
    assert "larger than 1 MiB" in problem({"config_file": str(file)})


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "{}", "port:\n"])
def test_a_file_that_sets_nothing_is_fine(tmp_path, content):
    file = tmp_path / "config.yaml"
    file.write_text(content)

    assert 9464 == load({"config_file": str(file)}, PLAIN).port


@given(st.text(max_size=200))
def test_whatever_a_file_holds_it_is_settings_or_one_line(tmp_path_factory, content):
    directory = tmp_path_factory.mktemp("fuzz")
    for name in ("config.yaml", "config.json"):
        (directory / name).write_text(content, encoding="utf-8", errors="replace")
        lines = 1
        try:
            load({"config_file": str(directory / name)}, PLAIN)
        except ConfigError as error:
            lines = len(str(error).splitlines())
        assert 1 == lines


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_password_in_a_url_is_masked_in_the_table_and_in_errors():
    settings = load({"address": "http://bob:hunter2@host"}, PLAIN)

    rows = {row.name: row for row in settings.table()}

    assert "http://bob:********@host" == rows["address"].value
    assert "hunter2" not in problem({"metrics_path": "http://bob:hunter2@host/x"})


def test_the_value_of_an_unknown_name_is_not_shown_as_it_may_be_a_secret(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("api_token: hunter2\n")

    assert "hunter2" not in problem({"config_file": str(file)})
    assert "hunter2" not in problem({}, {"RUNTIME_EXPORTER_API_TOKEN": "hunter2"})


@pytest.mark.parametrize("content", ["token: *hunter2\n", "token: !hunter2 x\n", "a: &hunter2 1\nb: &hunter2 !x 2\n"])
def test_what_yaml_says_of_a_malformed_value_does_not_quote_it(tmp_path, content):
    file = tmp_path / "config.yaml"
    file.write_text(content)

    assert "hunter2" not in problem({"config_file": str(file)})


def test_the_table_can_be_written_as_json():
    rows = json.loads(json.dumps([dataclasses.asdict(row) for row in load({"port": 1}, PLAIN).table()]))

    assert [row.name for row in SETTINGS] == [row["name"] for row in rows]
    assert {"name", "value", "source", "default", "help"} == set(rows[0])


@pytest.mark.parametrize(
    ("written", "chosen"),
    [("", ("a", "b", "c")), ("c,a", ("a", "c")), ("-b", ("a", "c")), ("a,b,-b", ("a",)), ("-a,-b,-c", ())],
)
def test_collectors_are_selected_by_name_or_left_out(written, chosen):
    assert chosen == select(load({"collectors": written}, PLAIN), ("a", "b", "c"))


def test_an_unknown_collector_is_refused_with_the_nearest():
    settings = load({}, {**PLAIN, "RUNTIME_EXPORTER_COLLECTORS": "-proces"})

    with pytest.raises(ConfigError) as caught:
        select(settings, ("process", "gc"))

    source = "environment RUNTIME_EXPORTER_COLLECTORS"
    assert f"collectors = '-proces' ({source}): no such collector; did you mean 'process'?" == str(caught.value)
