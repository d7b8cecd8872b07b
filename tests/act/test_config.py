"""actions.yaml: what is read, and that each mistake is one line with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime_exporter.act.config import load
from runtime_exporter.errors import ConfigError

HEAD = "secret_file: secret\naudit_log: audit.jsonl\n"
ACTION = "actions:\n  - name: restart\n    alert: Down\n    command: [/bin/true]\n"


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "actions.yaml"
        path.write_text(text)
        path.chmod(0o600)  # whatever the umask
        return load(path)

    return read


def test_what_is_left_out_is_safe(read, tmp_path):
    config = read(HEAD + ACTION)
    assert (config.dry_run, config.address, config.port, config.runs, config.per) == (True, "127.0.0.1", 9466, 6, 3600)
    assert (config.secret_file, config.audit_log) == (tmp_path / "secret", tmp_path / "audit.jsonl")
    [action] = config.actions
    assert (action.command, action.when, action.timeout, action.cool_down, action.repeat) == (
        ("/bin/true",),
        "firing",
        30,
        3600,
        False,
    )


def test_everything_can_be_said(read):
    config = read(
        HEAD + "address: 0.0.0.0\nport: 1234\ndry_run: false\nrate_limit: {runs: 2, per: 10m}\n"
        "actions:\n"
        "  - name: restart\n    alert: Down\n    when: resolved\n    labels: {job: shop}\n"
        "    command: [/bin/echo, '{instance}']\n    values: {instance: '[a-z]+'}\n"
        "    environment: {A: b}\n    directory: /tmp\n    timeout: 1m\n    cool_down: 5m\n    repeat: true\n"
    )
    [action] = config.actions
    assert (config.dry_run, config.runs, config.per, config.port) == (False, 2, 600, 1234)
    assert (action.timeout, action.cool_down, action.repeat, action.when) == (60, 300, True, "resolved")
    assert action.values["instance"].fullmatch("shop")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("audit_log: a\n" + ACTION, "actions.yaml: secret_file is missing"),
        ("secret_file: a\n" + ACTION, "actions.yaml: audit_log is missing"),
        (HEAD, "actions.yaml: a list of actions is needed"),
        (HEAD + "actions: []\n", "actions.yaml:3: a list of actions is needed"),
        (HEAD + "secret: hunter2\n" + ACTION, "actions.yaml:3: secret: secrets are read from files: use secret_file"),
        (HEAD + "dryrun: false\n" + ACTION, "actions.yaml:3: unknown key 'dryrun'; did you mean 'dry_run'?"),
        (HEAD + "dry_run: maybe\n" + ACTION, "actions.yaml:3: dry_run = 'maybe': "),
        (HEAD + "rate_limit: {runs: 0}\n" + ACTION, "actions.yaml:3: runs = 0: "),
        (HEAD + ACTION + "    comand: x\n", "actions.yaml:7: unknown key 'comand'; did you mean 'command'?"),
        (HEAD + ACTION + "    when: pending\n", "actions.yaml:7: when = 'pending': "),
        (HEAD + ACTION + "    timeout: 1h\n", "actions.yaml:7: timeout = 3600 s: 900 s at most"),
        (HEAD + ACTION + "    labels: {severity: 5}\n", "actions.yaml:7: labels: severity = 5: a text is needed"),
        (HEAD + ACTION + "    directory: tmp\n", "actions.yaml:7: directory = 'tmp': the whole path of a directory"),
        (HEAD + ACTION + "    values: {a: '['}\n", "actions.yaml:7: values: '[' is no regular expression"),
        (HEAD + ACTION + "    values: {a: b}\n", "actions.yaml:7: values: no argument of the command has {a}"),
        (HEAD + ACTION + ACTION.partition("\n")[2], "actions.yaml:7: name = 'restart': another action has this name"),
        (HEAD + ACTION.replace("[/bin/true]", "/bin/true -x"), "actions.yaml:6: command: a list is needed"),
        (HEAD + ACTION.replace("/bin/true", "ls"), "actions.yaml:6: command = 'ls': the program's whole path"),
        (HEAD + ACTION.replace("/bin/true", "/etc/passwd"), "actions.yaml:6: command = '/etc/passwd': this is no program"),
        (HEAD + ACTION.replace("/bin/true", "/bin/echo, '{job}'"), "actions.yaml:6: command: {job}: say under values"),
        (HEAD + ACTION.replace("/bin/true", "/bin/echo, '{'"), "actions.yaml:6: command: '{': {label} names a label"),
        (HEAD + ACTION.replace("name: restart", "name: a b"), "actions.yaml:4: name = 'a b': letters, digits"),
        (HEAD + "actions:\n  - name: x\n", "actions.yaml:4: command: a list is needed"),
        (HEAD + "actions: [5]\n", "actions.yaml:3: an action is a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_with_its_place(read, text, said):
    with pytest.raises(ConfigError) as refused:
        read(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("mode", "who"), [(0o646, "everybody"), (0o664, "its group"), (0o666, "everybody")])
def test_a_file_that_others_may_write_is_refused(read, tmp_path, mode, who):
    read(HEAD + ACTION)
    (tmp_path / "actions.yaml").chmod(mode)
    with pytest.raises(ConfigError, match=f"actions.yaml: {who} may write to it, and so have commands run: chmod go-w"):
        load(tmp_path / "actions.yaml")


@pytest.mark.parametrize(("mode", "who"), [(0o757, "everybody"), (0o775, "its group")])
def test_a_program_that_others_may_write_is_refused(read, tmp_path, mode, who):
    program = tmp_path / "restart"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = HEAD + ACTION.replace("/bin/true", str(program))
    read(text)
    program.chmod(mode)
    with pytest.raises(ConfigError, match=f"actions.yaml:6: command: {program}: {who} may write to it"):
        read(text)


def test_the_example_of_the_page_is_one(read, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "act.md"
    [example] = re.findall(r"```yaml\n# actions.yaml\n(.*?)```", page.read_text(), re.DOTALL)
    monkeypatch.setattr("shutil.which", lambda program: program)  # systemctl is not on every machine
    monkeypatch.setattr("runtime_exporter.act.config.distrust", lambda _: "")
    config = read(example)
    assert [action.name for action in config.actions] == ["restart-shop", "profile"]
    assert config.dry_run
