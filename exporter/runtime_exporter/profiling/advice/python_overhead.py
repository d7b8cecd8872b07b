"""What a Python service pays for beside its work: left on, made again, told, looked up. Read off CPU and wall profiles.

The order is the order of causes: what an earlier rule explains, a later one does not count again.
"""

from __future__ import annotations

from typing import Final

from runtime_exporter.profiling.advice.frames import IMPORTING, Frames, package
from runtime_exporter.profiling.advice.share import Share, waits_for_work
from runtime_exporter.profiling.advice.values import Rule, Threshold
from runtime_exporter.profiling.advice.wording import COMPARE, SMALL

_OBSERVERS: Final = package(
    "runtime_exporter", "ddtrace", "newrelic", "sentry_sdk", "opentelemetry", "elasticapm", "scout_apm", "pyroscope",
    "prometheus_client", "pyinstrument",
) | Frames("(runtime-exporter)")  # fmt: skip
RULES: Final = (
    Rule(
        name="debug-left-on",
        language="python",
        title="A debugger or a framework's debug mode is at work",
        judge=Share(
            frames=Frames(
                "django.db.backends.utils:CursorDebugWrapper.*",
                # Without qualified names, in Python 3.10, these say it.
                "django.db.backends.utils:CursorDebugWrapper.debug_sql",
                "werkzeug.debug:DebuggedApplication.debug_application",
                "django.views.debug:*",
                "werkzeug.debug:DebuggedApplication.*",
                "coverage.pytracer:*",
                "bdb:Bdb.*",
            ),
            threshold=Threshold("share of CPU time beneath frames of a debug mode", 0.01, "ratio", SMALL),
            what="requests that run under a debug mode",
        ),
        kind="cpu",
        speaks="Frames that exist only in a debug mode (Django's CursorDebugWrapper and debug page, Werkzeug's debugger, bdb, coverage's Python tracer) are in the profile.",
        silent="There are no such frames. A tracer written in C leaves none: `tracing-left-on` knows it by other means.",
        do="Set DEBUG=False (Django), debug=False (Flask), and start the service without coverage or a debugger.",
        verify=COMPARE,
        wrong="The process is a developer's own, or a run of tests with coverage.",
        severity="warning",
    ),
    Rule(
        name="observer-cost",
        language="python",
        title="The instruments themselves cost CPU",
        judge=Share(
            frames=_OBSERVERS,
            by="own",
            threshold=Threshold("share of CPU time in the code of profilers and tracers", 0.02, "ratio", "chosen: twice the overhead budget of 1 % that this exporter and ddtrace promise"),
            what="watching the program",
        ),
        kind="cpu",
        speaks="Code of this exporter, of ddtrace, Sentry, OpenTelemetry, New Relic, Elastic or prometheus_client is what runs, the standard library that it calls included.",
        silent="The instrument only wraps the application's code: what it wraps is not its cost.",
        do="Lower its sampling rate or the number of spans, leave out instrumentations that nobody reads, and export in batches.",
        verify="Compare runtime_exporter_overhead_ratio, and the share in the next profile.",
        wrong="The process's job is observability, as a collector's is.",
        needs_leaf=True,
    ),
    Rule(
        name="import-at-runtime",
        language="python",
        title="Modules are imported while requests are served",
        judge=Share(
            frames=IMPORTING,
            called=True,
            threshold=Threshold("share of CPU time beneath the import machinery", 0.02, "ratio", SMALL),
            what="importing modules after the start",
        ),
        least_age=300,  # pools and caches are warm by then
        kind="cpu",
        speaks="Functions that were called (not the top of a module) spend their time beneath importlib.",
        silent="The process is younger than five minutes, or the program itself runs beneath an import.",
        do="Move the import to the top of the module; where it breaks a cycle or saves start-up time, import once at start.",
        verify=COMPARE,
        wrong="A job that starts a process for each task: there the start is the work. Loading plug-ins is, too, if it is rare.",
        needs_leaf=True,
    ),
    Rule(
        name="template-compile",
        language="python",
        title="Templates are compiled again and again",
        judge=Share(
            frames=package("jinja2.compiler", "jinja2.parser", "jinja2.lexer", "jinja2.optimizer") | Frames(
                "jinja2.environment:Environment.compile",
                "jinja2.environment:Environment._parse",
                "jinja2.environment:Environment._generate",
                "django.template.base:Template.compile_nodelist",
                "django.template.base:Lexer.*",
                "django.template.base:DebugLexer.*",
                "django.template.base:Parser.*",
                "mako.template:_compile*",
            ),
            threshold=Threshold("share of CPU time compiling templates", 0.02, "ratio", SMALL),
            what="compiling templates, not rendering them",
        ),
        kind="cpu",
        speaks="Compilers of Jinja2, Django or Mako are in the profile; rendering is not counted.",
        silent="Templates are only rendered.",
        do="Keep one Environment (Jinja2: its cache_size above the number of templates, auto_reload off; Django: the cached loader) and do not call Template(source) or from_string() for each request.",
        verify=COMPARE,
        wrong="The templates come from users, each is used once, and there is nothing to keep.",
    ),
    Rule(
        name="client-per-request",
        language="python",
        title="A client or TLS context is made for each request",
        judge=Share(
            frames=Frames(
                "ssl:create_default_context",
                "ssl:_create_unverified_context",
                "ssl:SSLContext.load_default_certs",
                "ssl:SSLContext.__new__",
                "httpx._config:create_ssl_context",
                "urllib3.util.ssl_:create_urllib3_context",
                "boto3:client",
                "boto3:resource",
                "boto3.session:Session.__init__",
                "boto3.session:Session.client",
                "boto3.session:Session.resource",
                "botocore.session:Session.create_client",
            ),
            without=IMPORTING,
            threshold=Threshold("share of CPU time making clients and TLS contexts", 0.02, "ratio", SMALL),
            what="making clients and TLS contexts",
        ),
        kind="cpu",
        speaks="TLS contexts (each reads the whole certificate bundle) or boto3 clients and sessions are made in the window.",
        silent="They are made once, while modules are imported.",
        do="Make the client once for each process (httpx.Client, requests.Session, boto3 client) and use it for all requests.",
        verify=COMPARE,
        wrong="Each request needs credentials or certificates of its own.",
    ),
    Rule(
        name="exceptions-as-control-flow",
        language="python",
        title="Tracebacks are written all the time",
        judge=Share(
            frames=package("traceback", "linecache"),
            threshold=Threshold("share of CPU time formatting tracebacks", 0.05, "ratio", SMALL),
            what="formatting tracebacks",
        ),
        kind="cpu",
        speaks="Frames of traceback or linecache have the share: format_exc(), logger.exception(), warnings.",
        silent="Exceptions are raised but nobody formats them: raising leaves no frame of its own.",
        do="Find the exception in the caller's log. Where it is expected, test for it first or log one line without exc_info.",
        verify="python_exceptions_total, if it is collected, and the share in the next profile.",
        wrong="An outage of something else is going on, and the tracebacks are the news.",
    ),
    Rule(
        name="logging-in-hot-path",
        language="python",
        title="Logging costs a noticeable part of the CPU",
        judge=Share(
            frames=Frames("logging:Logger._log", "logging:Logger.handle", "loguru._logger:Logger._log"),
            threshold=Threshold("share of CPU time beneath Logger._log", 0.05, "ratio", SMALL),
            what="logging",
        ),
        kind="cpu",
        speaks="Records are made, formatted and written beneath logging.Logger._log (or loguru's).",
        silent="The level check turned the call away: that leaves no such frame.",
        do="Raise the level or log a summary for each request instead of each step; give arguments instead of f-strings; hand the writing to a QueueHandler's thread.",
        verify=COMPARE,
        wrong="The log is the product (audit), or a flood of errors has another cause: read what is logged first. A QueueHandler moves the CPU to another thread of the same interpreter; only fewer records save it.",
        needs_leaf=True,
    ),
    Rule(
        name="dns-lookup",
        language="python",
        title="Threads wait for name lookups",
        judge=Share(
            frames=Frames("socket:getaddrinfo"),
            kind="wall",
            idle=waits_for_work,
            threshold=Threshold("share of wall time of threads at work in socket.getaddrinfo", 0.05, "ratio", SMALL),
            what="looking up names",
            time="time of threads at work",
        ),
        speaks="socket.getaddrinfo is in the wall profile; threads that wait for work are not in the total.",
        silent="Connections are kept open, or a resolver's cache answers at once.",
        do="Keep connections (a Session or a pool), run a caching resolver on the host, and in Kubernetes write names with a final dot or lower ndots.",
        verify="Compare the wall profile, and the latency of outgoing requests.",
        wrong="The resolver is down: this is then the outage and not a habit.",
        kind="wall",
        gain_of="wall time",
    ),
)  # fmt: skip
