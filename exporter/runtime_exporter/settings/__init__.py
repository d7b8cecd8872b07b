"""The settings: a setting is a row of `Settings`, and the documentation, the environment variables and the checks follow from it.

A value comes from the first of: an argument, the environment variable `RUNTIME_EXPORTER_<NAME>`, the configuration file, the default.
"""

from __future__ import annotations

import os
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from runtime_exporter.errors import ConfigError
from runtime_exporter.nearest import did_you_mean
from runtime_exporter.settings import types
from runtime_exporter.settings.sources import Setting, gather, masked_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# OpenTelemetry's advice for http.server.request.duration (semantic conventions 1.23, "Metric: http.server.request.duration").
OTEL_BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True)
class Row:
    """One line of the table of settings; the password in a URL is masked. Other secrets are in files, which settings name."""

    name: str
    value: object
    source: str
    default: object
    help: str


def _row(parse: Callable[[object], Any], default: Any, help_: str) -> Any:
    return field(default=default, metadata={"parse": parse, "help": help_})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the exporter is told to do. Frozen; made by `load`, or with the defaults by `Settings()`."""

    disabled: bool = _row(
        types.boolean, False, "Switch everything off: start() then returns a handle that does nothing."
    )
    config_file: str | None = _row(
        types.optional_path,
        None,
        "File with settings, YAML or JSON. Without one, runtime-exporter/config.yaml, .yml or .json is looked for in"
        " $XDG_CONFIG_HOME (~/.config), then in $XDG_CONFIG_DIRS (/etc/xdg).",
    )
    address: str = _row(
        types.text, "127.0.0.1", "Address to listen on: a name, IPv4 or IPv6; 0.0.0.0 or :: for every interface."
    )
    port: int = _row(
        types.port, 9464, "TCP port to listen on; 0 lets the operating system choose one, see the handle's .url."
    )
    metrics_path: str = _row(types.url_path, "/metrics", "Path of the metrics.")
    web_config_file: str | None = _row(
        types.optional_path,
        None,
        "Prometheus web configuration file: TLS, basic authentication (extra [auth]) and headers for everything that is served.",
    )
    web_connections_limit: int = _row(
        types.positive_integer, 32, "Connections answered at once; more wait for their turn."
    )
    web_timeout: float = _row(
        types.duration, 10.0, "Seconds in which a client has to send its request and to take the answer."
    )
    debug_endpoints: bool = _row(types.boolean, True, "Serve /debug/config (the effective settings, secrets masked).")
    profile_endpoints: bool = _row(
        types.boolean,
        True,
        "Serve profiles of this process at /debug/pprof/, as Go does, and those that are kept at /api/v1/profiles; not without debug_endpoints.",
    )
    profile_seconds_limit: float = _row(
        types.duration, 120.0, "Longest profile that a request may ask for, in seconds; one is taken at a time."
    )
    health_timeout: float = _row(
        types.duration, 2.0, "Seconds after which a health check without a timeout of its own is unhealthy."
    )
    collectors: tuple[str, ...] = _row(
        types.collector_names,
        (),
        "Collectors to run, commas between them; -name leaves one out. Empty: all that exist.",
    )
    scrape_timeout: float = _row(
        types.duration,
        2.0,
        "Seconds a scrape may wait for collectors; what comes later is served with its last values.",
    )
    overhead_budget: float = _row(
        types.ratio,
        0.01,
        "Part of one core that the exporter may use by itself; it lowers its own rates to stay below.",
    )
    run_directory: str | None = _row(
        types.optional_path,
        None,
        "Directory, which has to be there, in which the workers of a preforking server share their numbers: each of them then answers for all. Without one a process is alone.",
    )
    run_directory_interval: float = _row(
        types.duration,
        5.0,
        "Seconds after which a worker brings its numbers up to date for the others, when no scrape does.",
    )
    label_limit: int = _row(
        types.positive_integer, 100, "Values of a label that the application chooses; more fold into other."
    )
    route_limit: int = _row(types.positive_integer, 200, "Routes in http_route; more fold into other.")
    object_types_limit: int = _row(types.positive_integer, 20, "Types in python_object_types; more fold into other.")
    disk_paths: tuple[str, ...] = _row(
        types.directories,
        (),
        "Directories, commas between them, whose file systems are looked at beside the working directory's.",
    )
    thread_groups_limit: int = _row(types.positive_integer, 30, "Groups of threads; more fold into other.")
    http_buckets: tuple[float, ...] = _row(
        types.buckets, OTEL_BUCKETS_SECONDS, "Upper bounds of http_server_request_duration_seconds, in seconds."
    )
    http_body_sizes: bool = _row(types.boolean, False, "Measure the sizes of request and response bodies, too.")
    profiling: bool = _row(
        types.boolean,
        True,
        "Profile this process all the time, within the overhead budget; see the profile_ metrics. Switched off nothing of it is imported.",
    )
    profile_interval: float = _row(types.duration, 60.0, "Seconds that one profile covers.")
    profile_top: int = _row(
        types.positive_integer, 15, "Functions of each kind of profile that have series; the rest is other."
    )
    profile_pinned: tuple[str, ...] = _row(
        types.patterns, (), "Regular expressions, commas between them: functions that always have a series."
    )
    profile_directory: str | None = _row(
        types.optional_path,
        None,
        "Directory in which profiles are kept, as pprof files; without it none is, but for the newest 8 MiB of several workers in their run directory.",
    )
    profile_bytes_limit: int = _row(
        types.positive_integer, 256 * 1024 * 1024, "Bytes that kept profiles may take; the oldest are removed first."
    )
    profile_comparison_windows: int = _row(
        types.positive_integer,
        5,
        "Profiles that are compared with the past at once; three of five comparisons confirm a regression, which takes three times as many intervals.",
    )
    profile_baseline_windows: int = _row(
        types.whole_number,
        0,
        "Fewest profiles that a baseline must have. 0: 180, or 60 of the version before or the same hour of other days, for which false alarms are known to be rare; with fewer there are more.",
    )
    profile_leak_span: float = _row(
        types.duration,
        3600.0,
        "Seconds over which memory has to grow before it is suspected of a leak; threads and tasks a sixth of that.",
    )
    pyroscope_url: str | None = _row(
        types.http_url,
        None,
        "Pyroscope, or Alloy's pyroscope.receive_http, to push every profile to; without it none is.",
    )
    pyroscope_api: str = _row(
        types.one_of("ingest", "push"),
        "ingest",
        "How to push: ingest is POST /ingest, as Pyroscope's own agents do; push is PusherService/Push, as Alloy does.",
    )
    pyroscope_application: str = _row(
        types.application_name, "", "Name of this application in Pyroscope; needed with pyroscope_url."
    )
    pyroscope_tenant: str = _row(types.text, "", "Tenant of a Pyroscope that has several: the header X-Scope-OrgID.")
    pyroscope_user: str = _row(
        types.text, "", "User for basic authentication; pyroscope_password_file has the password."
    )
    pyroscope_password_file: str | None = _row(
        types.optional_path, None, "File with the password of pyroscope_user; read anew each time, for rotation."
    )
    pyroscope_token_file: str | None = _row(
        types.optional_path, None, "File with a bearer token, instead of a user and a password."
    )
    alert_profiling: bool = _row(
        types.boolean,
        True,
        "Take a profile of this process for an alert that Alertmanager posts to /-/alert; not without profile_endpoints.",
    )
    alert_instance: str = _row(
        types.text,
        "",
        "Value of the label instance of alerts that are about this process. Empty: any that ends with the port that it is served on.",
    )
    alert_profile_seconds: float = _row(
        types.duration, 10.0, "Seconds of CPU or wall time that a profile for an alert covers."
    )
    alert_heap_seconds: int = _row(
        types.whole_number,
        3,
        "Seconds over which allocations are traced for an alert about memory; as long, code that allocates runs many times slower. 0: never,"
        " as on CPython before 3.12.9 and 3.13.2, which can crash when tracing ends.",
    )
    alert_pause: float = _row(types.duration, 600.0, "Seconds between two profiles for alerts of one name, at least.")
    grafana_url: str | None = _row(
        types.http_url,
        None,
        "Grafana to tell of profiles that were taken for alerts, as annotations; without it none is.",
    )
    grafana_token_file: str | None = _row(
        types.optional_path,
        None,
        "File with the token of a service account that may write annotations; read anew each time.",
    )
    profile_locks: bool = _row(
        types.boolean,
        False,
        "Count waits for the locks that are created from the start on: who waits, how long, and who makes others wait.",
    )
    profile_lock_packages: tuple[str, ...] = _row(
        types.packages,
        (),
        "Packages whose locks are counted with profile_locks, commas between them. Empty: all but the standard library.",
    )
    profile_heap: bool = _row(
        types.boolean,
        False,
        "Trace every allocation from the start on (tracemalloc, 1 frame): memory by place. Code that allocates much runs 7 to 24 times slower.",
    )
    service_version: str = _row(
        types.text, "", "Version of the application: a profile is compared with those of the version before."
    )
    log_level: str = _row(
        types.one_of("debug", "info", "warning", "error", "critical"),
        "info",
        "Lowest level of the exporter's own log lines.",
    )
    log_format: str = _row(
        types.one_of("text", "json"), "text", "How the exporter writes its own log lines: text or json."
    )
    sources: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def serves_profiles(self) -> bool:
        """Whether there are pages with profiles."""
        return self.debug_endpoints and self.profile_endpoints

    def source(self, name: str) -> str:
        """Return where the value of a setting came from: "argument", "environment NAME", "path:line" or "default"."""
        return self.sources.get(name, "default")

    def table(self) -> tuple[Row, ...]:
        """Return a row a setting, in order, as anybody may see it."""
        return tuple(
            Row(row.name, masked_url(getattr(self, row.name)), self.source(row.name), row.default, row.help)
            for row in SETTINGS
        )


SETTINGS = tuple(
    Setting(item.name, item.metadata["parse"], item.default, item.metadata["help"])
    for item in fields(Settings)
    if item.default is not MISSING
)


def load(arguments: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings from `arguments`, the environment, the configuration file and the defaults, in that order.

    An argument of None is one that was not given. Raises `ConfigError`, in one line, for a name that is no setting and for a
    value that is not right, with where it came from and the nearest known name.
    """
    rows = {row.name: row for row in SETTINGS}
    given = gather(rows, arguments or {}, os.environ if environ is None else environ)
    values = {name: rows[name].read(origin.value, origin.source) for name, origin in given.items()}
    return Settings(**values, sources={name: origin.source for name, origin in given.items()})


def select(settings: Settings, known: Iterable[str]) -> tuple[str, ...]:
    """Return the collectors of `known`, in their order, that the setting `collectors` leaves in.

    Names alone select just these; a name with "-" before it is left out; no names stand for all. Raises `ConfigError` for a
    name that is not known.
    """
    names = tuple(known)
    for word in settings.collectors:
        if word.removeprefix("-") not in names:
            source = settings.source("collectors")
            hint = did_you_mean(word.removeprefix("-"), names) or f"; known are {', '.join(names)}"
            message = f"collectors = {word!r} ({source}): no such collector{hint}"
            raise ConfigError(message, setting="collectors", value=word, source=source)
    wanted = [word for word in settings.collectors if not word.startswith("-")] or names
    unwanted = {word[1:] for word in settings.collectors if word.startswith("-")}
    return tuple(name for name in names if name in wanted and name not in unwanted)
