"""Settings of single services: one rule for all that they leave alone, one of their own for what they change."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml

import promql_tree
from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import config, promql, services
from runtime_exporter.mixin.generate import generate, yaml_text
from tools import require

if TYPE_CHECKING:
    from pathlib import Path

OVERRIDES: dict[str, Any] = {
    "customAlerts": {"ShopQueueStuck": {"expression": "shop_queue_length > 100"}},
    "services": {
        "shop": {
            "http": {"errorSelector": 'http_response_status_code=~"5..|429"'},
            "memory": {"floorWindow": "1h"},
            "alerts": {
                "threadLeak": {"enabled": False},
                "gcPressure": {"ratio": 0.3, "severity": "critical", "for": "1m"},
            },
        },
        "workers": {"job": ["mailer", "import.er"], "alerts": {"gcPressure": {"ratio": 0.5}, "labelsFolded": None}},
    },
}
KNOWN: dict[str, Any] = {
    "selector": "",
    "http": {"objective": 0.999},
    "alerts": {"leak": {"ratio": 0.5}},
    "services": {},
}


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, Any]]:
    """The rule files of OVERRIDES."""
    made = generate(OVERRIDES)
    return {
        path.removeprefix("rules/"): yaml.safe_load(text) for path, text in made.items() if path.startswith("rules/")
    }


def rules(file: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in file["groups"] for rule in group["rules"]]


def named(file: dict[str, Any], name: str) -> list[str]:
    return [rule["expr"] for rule in rules(file) if name in (rule.get("alert"), rule.get("record"))]


def matchers(expression: str) -> set[tuple[str, str]]:
    """Return the matchers of the label job that every selector of an expression has."""
    found = [
        {(operator, value) for label, operator, value in selector.matchers if label == "job"}
        for selector in promql_tree.selectors(promql_tree.parse(expression))
    ]
    return set.intersection(*found)


def test_a_service_has_a_file_with_the_rules_that_it_changes_and_no_others(files: dict[str, Any]) -> None:
    assert sorted(files) == ["alerts.yaml", "recording.yaml", "service-shop.yaml", "service-workers.yaml"]
    assert {rule["alert"] for rule in rules(files["service-workers.yaml"])} == {"RuntimeGcPressure"}
    shop = rules(files["service-shop.yaml"])
    alerts = {"RuntimeMemoryLeakSuspected", "RuntimeMemoryNearLimit", "RuntimeGcPressure"}
    assert {rule["alert"] for rule in shop if "alert" in rule} == alerts
    assert {rule["record"] for rule in shop if "record" in rule} >= {
        "instance:process_resident_memory_bytes:min1h",
        "job:http_server_errors:rate5m",
        "job_route:http_server_errors:rate5m",
    }
    assert len(shop) < len(rules(files["recording.yaml"]) + rules(files["alerts.yaml"])) / 4


def test_what_a_service_has_of_its_own_is_about_its_jobs_alone(files: dict[str, Any]) -> None:
    for rule in rules(files["service-shop.yaml"]):
        assert ("=", "shop") in matchers(rule["expr"]), rule
    for rule in rules(files["service-workers.yaml"]):
        assert ("=~", "import\\.er|mailer") in matchers(rule["expr"]), rule


def test_and_is_left_out_of_the_rule_for_all(files: dict[str, Any]) -> None:
    [pressure] = named(files["alerts.yaml"], "RuntimeGcPressure")
    assert pressure.endswith('{job!~"import\\\\.er|mailer|shop"} > 0.1')
    # Switched off and deleted: nowhere any more.
    [leak] = named(files["alerts.yaml"], "RuntimeThreadLeakSuspected")
    assert ("!=", "shop") in matchers(leak)
    [folded] = named(files["alerts.yaml"], "RuntimeLabelsFolded")
    assert ("!~", "import\\.er|mailer") in matchers(folded)
    [errors] = named(files["recording.yaml"], "job:http_server_errors:rate5m")
    assert ("!=", "shop") in matchers(errors)


def test_a_rule_that_no_service_changes_stays_as_it_was(files: dict[str, Any], default_files: dict[str, str]) -> None:
    before = yaml.safe_load(default_files["rules/alerts.yaml"])
    for alert in ("RuntimeCpuSpike", "RuntimeTargetDown", "RuntimeHttpErrorBudgetBurn", "Watchdog"):
        assert named(files["alerts.yaml"], alert) == named(before, alert)
    # A window of its own is recorded under a name of its own: dashboards keep what they read.
    floor = "instance:process_resident_memory_bytes:min30m"
    assert named(files["recording.yaml"], floor) == named(yaml.safe_load(default_files["rules/recording.yaml"]), floor)
    assert named(files["alerts.yaml"], "ShopQueueStuck") == ["shop_queue_length > 100"]


def test_every_rule_is_still_promql_and_prometheus_has_nothing_to_say(files: dict[str, Any], tmp_path: Path) -> None:
    for name, file in files.items():
        for rule in rules(file):
            promql_parser.parse(rule["expr"])
        (tmp_path / name).write_text(yaml_text(file), encoding="utf-8")
    command = [require("promtool", package="prometheus"), "check", "rules", "--lint=all", "--lint-fatal"]
    done = subprocess.run(
        [*command, *map(str, tmp_path.glob("*.yaml"))], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_service_is_told_by_its_own_threshold_and_only_once(files: dict[str, Any], tmp_path: Path) -> None:
    """Each process stands still for a share of the time; who is told of it, says a real evaluation."""
    for name, file in files.items():
        (tmp_path / name).write_text(yaml_text(file), encoding="utf-8")
    shares = {"shop": 0.2, "shop2": 0.2, "mailer": 0.4, "import.er": 0.6, "importxer": 0.4}
    series = [
        {
            "series": f'python_gc_duration_seconds_sum{{job="{job}",instance="a",generation="2"}}',
            "values": f"0+{60 * share}x40",
        }
        for job, share in shares.items()
    ]
    fired = [{"labels": f'{{job="{job}"}}', "value": 1} for job in ("import.er", "importxer", "shop2")]
    expression = 'sum by (job) (ALERTS{alertname="RuntimeGcPressure",alertstate="firing"})'
    tests = {
        "rule_files": sorted(files),
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "promql_expr_test": [{"expr": expression, "eval_time": "30m", "exp_samples": fired}],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests), encoding="utf-8")
    command = [require("promtool", package="prometheus"), "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_groups_are_small_and_their_names_short() -> None:
    many = {"a.yaml": {"groups": [{"name": "g", "interval": "1m", "rules": [_rule(n, 1) for n in range(45)]}]}}
    changed = {"a.yaml": {"groups": [{"name": "g", "interval": "1m", "rules": [_rule(n, 2) for n in range(45)]}]}}
    service = services.Service("a-name-that-is-longer-than-a-group-may-have", ("x",), {})
    made = services.split(many, [service], lambda _: changed)[service.file]["groups"]
    assert [len(group["rules"]) for group in made] == [20, 20, 5]
    assert len({group["name"] for group in made}) == 3
    assert max(len(group["name"]) for group in made) <= 40
    assert {group["interval"] for group in made} == {"1m"}


def _rule(number: int, threshold: int) -> dict[str, Any]:
    return {"alert": f"A{number}", "expr": f"up > {threshold}"}


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"shop": {"alrets": {}}}, "services.shop.alrets: no such key; did you mean 'alerts'?"),
        ({"shop": {"alerts": {"leek": {}}}}, "services.shop.alerts.leek: no such key; did you mean 'leak'?"),
        ({"shop": {"alerts": {"leak": {"ratio": "x"}}}}, "services.shop.alerts.leak.ratio: 'x' is not a number"),
        ({"shop": {"selector": ""}}, "services.shop.selector: is for all services: set selector beside services"),
        ({"shop": {"services": {}}}, "services.shop.services: is for all services"),
        ({"shop": {"http": None}}, "services.shop.http: null would delete it for this service"),
        ({"shop": 5}, "services.shop: 5 is not a mapping"),
        ({"a b": {}}, "services.a b: 'a b' is not a name"),
        ({"../x": {}}, "services.../x: '../x' is not a name"),
        ({"shop": {"job": 5}}, "services.shop.job: 5 is not the name of a job"),
        ({"shop": {"job": []}}, "services.shop.job: [] is not the name of a job"),
        (
            {"shop": {}, "other": {"job": ["x", "shop"]}},
            "services.other: the job 'shop' is that of services.shop already",
        ),
    ],
)
def test_what_is_wrong_with_a_service_is_said_with_its_place(section: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        services.read({"services": section}, KNOWN)
    assert said in str(refused.value)


def test_the_place_is_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("services:\n  shop:\n    alerts:\n      gcPresure: {ratio: 1}\n", encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"my\.yaml:4: services\.shop\.alerts\.gcPresure: no such key; did you mean 'gcPressure'"
    ):
        generate(config.load([path]))


def test_a_service_that_is_null_is_none() -> None:
    assert services.read({"services": {"shop": None}}, KNOWN) == ()


def test_a_setting_that_is_about_no_service_is_refused() -> None:
    watchdog = {"a.yaml": {"groups": [{"name": "g", "rules": [{"alert": "Watchdog", "expr": "vector(1)"}]}]}}
    louder = {"a.yaml": {"groups": [{"name": "g", "rules": [{"alert": "Watchdog", "expr": "vector(2)"}]}]}}
    with pytest.raises(ConfigError, match=r"services\.shop: Watchdog is about no service"):
        services.split(watchdog, [services.Service("shop", ("shop",), {})], lambda _: louder)
    # But one without it leaves it to the others.
    nothing: dict[str, Any] = {"a.yaml": {"groups": []}}
    assert services.split(watchdog, [services.Service("shop", ("shop",), {})], lambda _: nothing) == watchdog


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up", "up{J}"),
        ("up{}", "up{J}"),
        ('up{a="}", b=~`{x`, }', 'up{a="}", b=~`{x`,J}'),
        (
            "sum by (job, up) (rate(a_total[5m])) / on (job) group_left () b:c:rate5m",
            "sum by (job, up) (rate(a_total{J}[5m])) / on (job) group_left () b:c:rate5m{J}",
        ),
        ("a # and b\nand b", "a{J} # and b\nand b{J}"),
        (
            "count_over_time((group by (x) (up))[1h:1m]) > 1e-05",
            "count_over_time((group by (x) (up{J}))[1h:1m]) > 1e-05",
        ),
        (
            "max_over_time(x[1d] offset 1h) > bool 0.5 unless y @ end()",
            "max_over_time(x{J}[1d] offset 1h) > bool 0.5 unless y{J} @ end()",
        ),
        ('label_replace(up, "a", "$1 up", "b", "(.*)")', 'label_replace(up{J}, "a", "$1 up", "b", "(.*)")'),
        ('{__name__="up"} == Inf', '{__name__="up",J} == Inf'),
        ("time() - vector(1)", "time() - vector(1)"),
        ("sum(up) by (job)", "sum(up{J}) by (job)"),
    ],
)
def test_a_matcher_comes_into_every_selector_and_nowhere_else(expression: str, expected: str) -> None:
    matcher = 'job="shop"'
    narrowed = promql.narrowed(expression, matcher)
    assert narrowed == expected.replace("J", matcher)
    promql_parser.parse(narrowed)


def test_every_rule_that_there_is_can_be_narrowed(default_files: dict[str, str]) -> None:
    for name in ("alerts", "recording"):
        for rule in rules(yaml.safe_load(default_files[f"rules/{name}.yaml"])):
            before = list(promql_tree.selectors(promql_tree.parse(rule["expr"])))
            after = list(promql_tree.selectors(promql_tree.parse(promql.narrowed(rule["expr"], 'job="x"'))))
            extra = frozenset({("job", "=", "x")})
            assert [(each.name, each.matchers | extra) for each in before] == [
                (each.name, each.matchers) for each in after
            ]
