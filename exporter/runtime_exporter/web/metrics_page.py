"""/metrics: the exposition, in the format that the client asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runtime_exporter.metrics.exposition import Format, negotiate
from runtime_exporter.web.page import Ask, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


class Expose(Protocol):
    """Writes what there is in a format; with `names`, only the families and samples that are called so."""

    def __call__(self, form: Format, names: Collection[str] | None = None) -> bytes:
        """Return the exposition."""


def make_metrics_page(expose: Expose) -> Callable[[Ask], Reply]:
    """Return the page; `name[]`, as often as wanted, restricts it to these families or samples, as with prometheus_client."""

    def page(ask: Ask) -> Reply:
        form = negotiate(ask.accept)
        return Reply(expose(form, ask.query.get("name[]")), form.content_type)

    return page
