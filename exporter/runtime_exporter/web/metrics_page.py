"""/metrics: the exposition, in the format that the client asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from runtime_exporter.metrics.exposition import Format, negotiate
from runtime_exporter.web.page import Ask, Reply, text
from runtime_exporter.web.shared import SharedExposition, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Expose(Protocol):
    """Writes what there is in a format; with `names`, only the families and samples that are called so."""

    def __call__(self, form: Format, names: Collection[str] | None = None) -> bytes:
        """Return the exposition."""


def make_metrics_page(expose: Expose | SharedExposition) -> Callable[[Ask], Reply]:
    """Return the page; `name[]`, as often as wanted, restricts it to these families or samples, as with prometheus_client."""
    answers = shared(expose)

    def page(ask: Ask) -> Reply:
        form = negotiate(ask.accept)
        names = ask.query.get("name[]")
        if names is not None:
            return Reply(answers.restricted(form, names), form.content_type)
        exposition, age = answers.get(form)
        if exposition is None:
            return text(
                "503 Service Unavailable: the metrics are being written for others; ask again in a moment\n", 503
            )
        headers = (("Age", str(int(age))),) if age else ()
        return Reply(exposition.body, form.content_type, headers=headers, zipped=partial(answers.zipped, exposition))

    return page
