"""/api/v1/targets: the targets for Prometheus' HTTP service discovery, so that job and instance are the target's and not ours.

Format: https://prometheus.io/docs/prometheus/latest/http_sd/.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runtime_exporter.web.page import Ask, Reply, Route, json_reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime_exporter.agent.watched import Watched

PATH: Final = "/api/v1/targets"
MOUNT: Final = "/targets"
"""What is before the name of a target in the paths of its pages."""
METRICS: Final = "/metrics"
# What a client may say of our address: no more than an address can be.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def discovery_route(watched: Callable[[], Iterable[Watched]], netloc: Callable[[], tuple[str, str]]) -> Route:
    """Return the page. `netloc` gives the scheme and the address that we listen on, for clients that do not say how they call us."""

    def page(ask: Ask) -> Reply:
        scheme, address = netloc()
        if _HOST.fullmatch(ask.host):
            address = ask.host  # who found us there finds the metrics there
        return json_reply([_group(one, address, scheme, ask.root) for one in watched()])

    return Route(PATH, page, title="Targets for Prometheus: http_sd_configs takes them from here")


def _group(watched: Watched, address: str, scheme: str, root: str) -> dict[str, Any]:
    target = watched.target
    path = f"{root}{MOUNT}/{target.name}"
    labels = {
        **target.labels,
        "job": target.job,
        "instance": target.instance,
        # Who scrapes the target itself has series of this job and instance, too, `up` among them: this tells them apart,
        # and is where its pages are.
        "agent": f"{address}{path}",
        "__scheme__": scheme,
        "__metrics_path__": f"{path}{METRICS}",
    }
    return {"targets": [address], "labels": labels}
