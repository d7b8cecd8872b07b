"""What the agent shows people: its targets and their states, and a page for each that leads to all that there is of it."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING, Final

from runtime_exporter.agent.discovery import METRICS, MOUNT
from runtime_exporter.agent.lastprofiles import last_profiles_route
from runtime_exporter.metrics.exposition import negotiate
from runtime_exporter.web.alert import PATH as ALERT_PATH
from runtime_exporter.web.api_pages import api_routes
from runtime_exporter.web.app import application_of
from runtime_exporter.web.page import Ask, Reply, Route, html, text
from runtime_exporter.web.profile_pages import profile_routes
from runtime_exporter.web.style import document
from runtime_exporter.web.summary_pages import summary_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed.wsgi import WSGIApplication

    from runtime_exporter.agent.watched import Watched
    from runtime_exporter.agent.watcher import State
    from runtime_exporter.settings import Settings

_UNAVAILABLE: Final = 503


def targets_route(watched: Callable[[], Iterable[Watched]]) -> Route:
    """Return the page with all targets."""

    def page(ask: Ask) -> Reply:
        rows = "".join(_row(one, ask.root) for one in watched())
        body = (
            '<header><h1>Targets</h1><p class="soft">What this agent profiles.</p></header>\n'
            f'<table class="rows"><thead><tr><th>Target</th><th>State</th><th>Last profiles</th></tr></thead><tbody>\n{rows}</tbody></table>\n'
            f'<footer><a href="{escape(ask.root, quote=True)}/">All pages of the agent</a></footer>\n'
        )
        return html(document("Targets", body))

    return Route(MOUNT, page, title="Targets: what is profiled, and how that goes")


def target_app(watched: Watched, settings: Settings) -> WSGIApplication:
    """Return the application with all pages of one target that the settings allow."""
    title = "Metrics: what the profiles come to, as Prometheus scrapes them"
    pages = [Route(METRICS, _metrics_page(watched), title=title)]
    if settings.serves_profiles:
        pages += _profile_pages(watched, settings)
    return application_of([*pages, Route("/", _target_page(watched, pages))])


def _profile_pages(watched: Watched, settings: Settings) -> list[Route]:
    return [
        last_profiles_route(watched.watcher, longest=settings.profile_seconds_limit),
        *profile_routes(watched.shelf, watched.captures, comparisons=lambda: watched.watcher.report.comparisons),
        *api_routes(watched.shelf.kept),
        *summary_routes(lambda _: watched.watcher.report),
        Route(ALERT_PATH, watched.alerts, methods=("POST",)),
    ]


def _metrics_page(watched: Watched) -> Callable[[Ask], Reply]:
    """Return /metrics: 503 while the target is down, so that Prometheus' `up` is about the target, and no old value stays."""

    def page(ask: Ask) -> Reply:
        state = watched.watcher.state
        if state.up is False:
            return text(f"{watched.target.name} is not profiled: {state.problem}\n", _UNAVAILABLE)
        form = negotiate(ask.accept)
        return Reply(watched.metrics.expose(form, ask.query.get("name[]")), form.content_type)

    return page


def _target_page(watched: Watched, routes: Sequence[Route]) -> Callable[[Ask], Reply]:
    def page(ask: Ask) -> Reply:
        target, state = watched.target, watched.watcher.state
        links = "".join(_link(ask.root + route.path, route.title) for route in routes if route.title)
        parent = ask.root.removesuffix(f"/{target.name}")
        body = (
            f'<header><h1>{escape(target.name)}</h1><p class="soft">{escape(_described(watched))}</p></header>\n'
            f"<p>{escape(_state(state) + _stretched(watched))}</p>\n<dl>\n{links}</dl>\n"
            f'<footer><a href="{escape(parent, quote=True)}">All targets</a></footer>\n'
        )
        return html(document(target.name, body))

    return page


def _row(watched: Watched, root: str) -> str:
    state = watched.watcher.state
    href = escape(f"{root}{MOUNT}/{watched.target.name}/", quote=True)
    return (
        f'<tr><td><a href="{href}">{escape(watched.target.name)}</a><br><span class="soft">{escape(_described(watched))}'
        f"</span></td><td>{escape(_state(state) + _stretched(watched))}</td>"
        f'<td data-head="last profiles">{escape(_age(state.last))}</td></tr>\n'
    )


def _described(watched: Watched) -> str:
    """Return what kind of target it is."""
    target = watched.target
    if target.url:
        return f"Go, {target.url}"
    return f"Python, process {target.pid}" if target.pid else f"Python, the process with {target.command!r}"


def _state(state: State) -> str:
    if state.up is None:
        return "The first profiles are being taken."
    if state.up:
        return "Up."
    tries = "the last try" if state.in_a_row == 1 else f"the last {state.in_a_row} tries"
    return f"Down, {tries}: {state.problem}."


def _stretched(watched: Watched) -> str:
    """Return why it is looked at less often than was asked for; empty where it is not."""
    state, asked = watched.watcher.state, watched.target.interval
    if not state.up or state.interval <= asked:
        return ""
    budget = f"{100 * watched.settings.overhead_budget:g} %"
    return f" Looked at every {state.interval:.0f} s instead of {asked:g} s: each look takes {state.cost:.2g} s of CPU, and {budget} of a core is its budget."


def _age(moment: float) -> str:
    if not moment:
        return "none yet"
    seconds = max(0.0, time.time() - moment)
    for name, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {name} ago"
    return f"{seconds:.0f} s ago"


def _link(path: str, title: str) -> str:
    shown = escape(path, quote=True)
    return f'<div><dt><a href="{shown}">{shown}</a></dt><dd>{escape(title)}</dd></div>\n'
