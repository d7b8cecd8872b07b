"""Settings of single services: what the section `services` says, and the rules that come of it.

services:
  shop:                                  # a name; the service is the job of this name, or those under `job`
    http: {objective: 0.99}              # what differs from all other services, by the keys that all of them have
    alerts:
      memoryLeak: {enabled: false}
      httpLatencyHigh: {threshold: 300ms, severity: critical}
    slos:
      checkout: {objective: 0.9995}      # an objective of its own, told by its jobs
  workers:
    job: [mailer, importer]

A rule that a service's settings change is left out for its jobs where it is written for all, and written once more for them alone,
in a file of the service. A rule that they do not change stays one rule for all. So a service costs as many rules as it differs in.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ConfigError
from runtime_exporter.mixin import config, promql
from runtime_exporter.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

SECTIONS = (
    "source",
    "alerts",
    "http",
    "slo",
    "slos",
    "memory",
    "threads",
    "profiles",
    "scrapeInterval",
    "scrapeTimeout",
    "rateInterval",
)
"""What a service may have of its own, of the configuration's keys: those that its rules are made of."""

RULES_IN_GROUP = 20
"""Mimir takes no more in one."""

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST_NAME = 23  # in the name of a group, which mixtool wants to have 40 characters at most


@dataclass(frozen=True)
class Service:
    """One entry of `services`, checked."""

    name: str
    jobs: tuple[str, ...]
    patch: Mapping[str, Any]
    """A merge patch over the configuration of all."""

    @property
    def file(self) -> str:
        """The name of the file of its rules."""
        return f"service-{self.name}.yaml"


def read(patch: Mapping[str, Any], known: Mapping[str, Any]) -> tuple[Service, ...]:
    """Return the services of a checked patch over the configuration `known`; one that is null is none.

    Raises ConfigError with the path of what is wrong.
    """
    found: list[Service] = []
    of_job: dict[str, str] = {}
    for name, spec in (patch.get("services") or {}).items():
        if spec is None:
            continue
        service = _service(name, spec, known)
        for job in service.jobs:
            if job in of_job:
                raise config.wrong(("services", name), f"the job {job!r} is that of services.{of_job[job]} already")
            of_job[job] = name
        found.append(service)
    return tuple(found)


def _service(name: str, spec: Any, known: Mapping[str, Any]) -> Service:
    path = ("services", name)
    if not _NAME.fullmatch(name):
        problem = "is not a name of letters, digits, dots, dashes and underscores; give the job's under job:"
        raise config.refuse(path, name, problem)
    if not isinstance(spec, dict):
        raise config.refuse(path, spec, "is not a mapping")
    jobs = spec.get("job", name)
    jobs = [jobs] if isinstance(jobs, str) else jobs
    if not isinstance(jobs, list) or not jobs or not all(isinstance(job, str) and job for job in jobs):
        raise config.refuse((*path, "job"), spec["job"], "is not the name of a job, or a list of them")
    own = {key: value for key, value in spec.items() if key != "job"}
    for key, value in own.items():
        _check_section((*path, key), key, value, known)
    try:
        checked = config.check(own, known)
    except ConfigError as error:
        place = ".".join((*path, error.setting))
        raise ConfigError(f"{'.'.join(path)}.{error}", setting=place, value=error.value) from None
    _check_objectives((*path, "slos"), checked.get("slos") or {})
    return Service(name, tuple(dict.fromkeys(jobs)), checked)


def _check_objectives(path: tuple[str, ...], objectives: Mapping[str, Any]) -> None:
    for name, spec in objectives.items():
        selector = spec.get("selector") if isinstance(spec, dict) else None
        if isinstance(selector, str) and any(label == "job" for label, _, _ in promql.matchers(selector)):
            raise config.refuse((*path, name, "selector"), selector, "names the job, which the service says already")


def _check_section(path: tuple[str, ...], key: str, value: Any, known: Mapping[str, Any]) -> None:
    if key not in SECTIONS:
        if key in known:
            raise config.wrong(path, f"is for all services: set {key} beside services, not in one")
        hint = did_you_mean(key, ("job", *SECTIONS)) or f"; known there: job, {', '.join(SECTIONS)}"
        raise config.wrong(path, f"no such key{hint}")
    if value is None:
        raise config.refuse(path, value, "would delete it for this service; leave the key out")


def split(
    rules: Mapping[str, Any], services: Iterable[Service], rules_of: Callable[[Service], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the rule files of all, with the jobs of `services` left out where these have rules of their own, and theirs.

    `rules` are those of the configuration of all: {file: {groups: […]}}. `rules_of` returns them as they were if its settings
    held for everybody. Raises ConfigError for a setting that is about no service.
    """
    left_out: dict[str, list[str]] = {}
    files: dict[str, Any] = {}
    general = {_text(rule) for _, rule in _each(rules)}
    for service in services:
        own = list(_each(rules_of(service)))
        texts = {_text(rule) for _, rule in own}
        recorded = {rule.get("record") for _, rule in own}
        for _, rule in _each(rules):
            # What is recorded under another name disturbs nobody, and dashboards read it.
            if _text(rule) not in texts and ("alert" in rule or rule["record"] in recorded):
                left_out.setdefault(_text(rule), []).extend(service.jobs)
        groups = _groups(service, [(group, rule) for group, rule in own if _text(rule) not in general])
        if groups:
            files[service.file] = {"groups": groups}
    return {
        name: {**file, "groups": [_without(group, left_out) for group in file["groups"]]}
        for name, file in rules.items()
    } | files


def _without(group: Mapping[str, Any], left_out: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    rules = []
    for rule in group["rules"]:
        jobs = left_out.get(_text(rule))
        rules.append({**rule, "expr": promql.narrowed(rule["expr"], _matcher(jobs, but=True))} if jobs else rule)
    return {**group, "rules": rules}


def _groups(service: Service, own: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the rules of a service in few groups: those that are evaluated alike stand together, in their order."""
    alike: dict[tuple[str, str], tuple[dict[str, Any], list[dict[str, Any]]]] = {}
    for group, rule in own:
        kind = "alerts" if "alert" in rule else "rules"
        fields = {key: value for key, value in group.items() if key not in ("name", "rules")}
        alike.setdefault((kind, _text(fields)), (fields, []))[1].append(_of(service, rule))
    groups: list[dict[str, Any]] = []
    for (kind, _), (fields, rules) in alike.items():
        for first in range(0, len(rules), RULES_IN_GROUP):
            before = sum(group["name"].endswith(kind) for group in groups)
            number = f"-{before + 1}" if before else ""
            name = f"service-{_short(service.name)}{number}.{kind}"  # ours are runtime-…
            groups.append({"name": name, **fields, "rules": rules[first : first + RULES_IN_GROUP]})
    return groups


def _of(service: Service, rule: Mapping[str, Any]) -> dict[str, Any]:
    expression = promql.narrowed(rule["expr"], _matcher(service.jobs, but=False))
    if expression == rule["expr"]:
        about = rule.get("alert") or rule["record"]
        raise config.wrong(
            ("services", service.name), f"{about} is about no service: change it for all, beside services"
        )
    return {**rule, "expr": expression}


def _matcher(jobs: Sequence[str], *, but: bool) -> str:
    """Return the matcher of some jobs, or of all but them."""
    if len(jobs) == 1:
        return f"job{'!=' if but else '='}{json.dumps(jobs[0], ensure_ascii=False)}"
    pattern = "|".join(re.escape(job).replace(r"\-", "-") for job in sorted(jobs))
    return f"job{'!~' if but else '=~'}{json.dumps(pattern, ensure_ascii=False)}"


def _each(rules: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Yield every rule with its group; what is recorded first, since alerts read it."""
    for name in sorted(rules, reverse=True):
        for group in rules[name]["groups"]:
            for rule in group["rules"]:
                yield group, rule


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 7]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
