"""targets.yaml: what it may say, and that each mistake is one line with its place."""

from __future__ import annotations

import base64

import pytest

from runtime_exporter.agent.config import GO_KINDS, MOST_TARGETS, load
from runtime_exporter.errors import ConfigError


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def read(text, name="targets.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return load(path)

    return read


def mistake(read, text):
    """Return what is said of a file, without the directory."""
    with pytest.raises(ConfigError) as raised:
        read(text)
    return (
        str(raised.value).rpartition("/targets.yaml")[2] if "/targets.yaml:" in str(raised.value) else str(raised.value)
    )


def test_a_target_needs_a_name_and_a_place(read):
    shop, worker, web = read(
        "targets:\n"
        "  - {name: shop, url: 'http://10.0.0.7:6060/debug/pprof/'}\n"
        "  - {name: worker, pid: 4711}\n"
        "  - {name: web, command: 'gunicorn .*shop:app'}\n"
    )

    assert ("http://10.0.0.7:6060", GO_KINDS, "shop", "10.0.0.7:6060") == (
        shop.url,
        shop.kinds,
        shop.job,
        shop.instance,
    )
    assert (4711, ("cpu",), "worker", "worker") == (worker.pid, worker.kinds, worker.job, worker.instance)
    assert "gunicorn .*shop:app" == web.command
    assert {(60.0, 10.0)} == {(one.interval, one.seconds) for one in (shop, worker, web)}


def test_what_stands_at_the_top_is_for_all_and_a_target_may_differ(read):
    one, other = read(
        "interval: 30s\nseconds: 5s\nlabels: {env: test, team: core}\n"
        "targets:\n"
        "  - {name: one, url: 'http://one:1', version: 1.4, kinds: [heap, cpu], job: shop, instance: 'one:80'}\n"
        "  - {name: other, pid: 1, interval: 2s, labels: {team: edge}}\n"
    )

    assert (30.0, 5.0, "1.4", ("cpu", "heap"), "shop", "one:80") == (
        *(one.interval, one.seconds, one.version, one.kinds),
        *(one.job, one.instance),
    )
    # No longer than the interval, which is this target's own.
    assert (2.0, 2.0, {"env": "test", "team": "edge"}) == (other.interval, other.seconds, other.labels)


def test_json_is_read_as_well(read):
    (one,) = read('{"targets": [{"name": "one", "pid": 7}]}', name="targets.json")
    assert 7 == one.pid


def test_secrets_are_read_from_files_beside_it_each_time(read, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    basic, bearer = read(
        "targets:\n"
        "  - {name: a, url: 'http://a:1', basic_auth: {username: ann, password_file: secret}}\n"
        "  - {name: b, url: 'http://b:1', authorization: {credentials_file: secret}}\n"
    )

    assert f"Basic {base64.b64encode(b'ann:correct horse').decode()}" == basic.credentials.header()
    secret.write_text("renewed")
    assert "Bearer renewed" == bearer.credentials.header()
    secret.write_text("two\nlines")
    with pytest.raises(ConfigError, match="has to hold the secret, one line, and nothing else"):
        bearer.credentials.header()


HEAD = "targets:\n  - name: shop\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a list of targets is needed, each with a name and a url, a pid or a command"),
        ("targets: []\n", ":1: a list of targets is needed, each with a name and a url, a pid or a command"),
        ("targets:\n  - shop\n", ":2: a target is a mapping with a name and a url, a pid or a command"),
        ("target: []\n", ":1: unknown key 'target'; did you mean 'targets'?"),
        ("interval: soon\ntargets:\n  - {name: a, pid: 1}\n", ":1: interval = 'soon': seconds greater than 0 or a duration"),
        (HEAD, ":2: one of url, pid and command is needed, not none"),
        (HEAD + "    url: http://a:1\n    pid: 1\n", ":2: one of url, pid and command is needed, not url and pid"),
        (HEAD + "    url: a:1\n", ":3: url = 'a:1': a URL such as http://127.0.0.1:6060 is needed"),
        (HEAD + "    url: http://ann:secret@a:1\n", ":3: url = 'http://ann:********@a:1': no user and password here: use basic_auth with a password_file"),
        (HEAD + "    url: http://a:port\n", ":3: url = 'http://a:port': "),
        (HEAD + "    pid: none\n", ":3: pid = 'none': a whole number of at least 1 is needed"),
        (HEAD + "    command: '('\n", ":3: command = '(': a regular expression is needed"),
        (HEAD + "    pid: 1\n    kinds: [heap]\n", ":4: kinds = 'heap': no such profile of this target; known are cpu, wall"),
        (HEAD + "    url: http://a:1\n    kinds: [mutexes]\n", ":4: kinds = 'mutexes': no such profile of this target; did you mean 'mutex'?"),
        (HEAD + "    pid: 1\n    intervall: 5s\n", ":4: unknown key 'intervall'; did you mean 'interval'?"),
        (HEAD + "    pid: 1\n    interval: 5s\n    seconds: 6s\n", ":5: seconds = 6: longer than the interval of 5 s"),
        (HEAD + "    pid: 1\n    basic_auth: {username: a}\n", ":4: basic_auth is for targets with a url"),
        (HEAD + "    url: http://a:1\n    basic_auth:\n      username: a\n", ":4: password_file is missing"),
        (HEAD + "    url: http://a:1\n    basic_auth:\n      password: hunter2\n", ":5: password: secrets are read from files: use password_file"),
        (HEAD + "    url: http://a:1\n    authorization: {credentials_file: nowhere}\n", ":4: credentials_file = "),
        (HEAD + "    pid: 1\n    labels:\n      job: a\n", ":5: labels: job is a label that the agent sets; job is a key of the target"),
        (HEAD + "    pid: 1\n    labels: {__name__: a}\n", ":4: labels: '__name__' is no name of a label"),
        (HEAD + "    pid: 1\n    labels: {team: 7}\n", ":4: labels: team = 7: a text is needed"),
        ("targets:\n  - name: a/b\n    pid: 1\n", ":2: name = 'a/b': letters, digits, '.', '_' and '-' are needed"),
        ("targets:\n  - {name: a, pid: 1}\n  - {name: a, pid: 2}\n", ":3: name = 'a': another target has this name"),
        ("targets:\n  - {name: a, url: 'http://a:1'}\n  - {name: b, url: 'http://a:1/'}\n", ":3: url = 'http://a:1': the target 'a' has this url"),
        ("targets:\n  - {name: a, pid: 1, name: b}\n", ":2:23: 'name' is given twice"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(read, text, said):
    found = mistake(read, text)
    assert said in found
    assert "\n" not in found
    assert "hunter2" not in found
    assert "secret@" not in found


def test_more_targets_than_one_agent_can_watch_are_too_many(read):
    rows = "".join(f"  - {{name: t{number}, pid: {number + 1}}}\n" for number in range(MOST_TARGETS + 1))
    assert f":1: {MOST_TARGETS + 1} targets: one agent watches {MOST_TARGETS} at most" == mistake(
        read, f"targets:\n{rows}"
    )
