"""A flame graph as one HTML file: nothing is loaded from elsewhere, and nothing of the profile can run in it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

from runtime_exporter.profiling.flamegraph.joint import join
from runtime_exporter.profiling.flamegraph.tree import grow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runtime_exporter.profiling.flamegraph.tree import Tree
    from runtime_exporter.profiling.profile import Profile

__all__ = ["render", "render_change"]


def render(profile: Profile, *, title: str, sample_type: str = "", function: str = "") -> str:
    """Return the page. All sample types are in it; `sample_type` is the one that it shows first, and `function` is searched for.

    Raises ProfileError for a sample type that the profile does not have.
    """
    content = _content(profile, grow(profile), title, profile.index(sample_type))
    return _page(title, {**content, "search": function})


def render_change(
    before: Profile,
    after: Profile,
    *,
    title: str,
    sample_type: str = "",
    function: str = "",
    normalised: bool = False,
) -> str:
    """Return the page of what changed: a frame is as wide as it was and is together, red where it grew and blue where it shrank.

    `normalised` scales the values before to the total after. Raises ProfileError for profiles of different sample types.
    """
    shown, width = after.index(sample_type), len(after.sample_types)
    joined = join(before, after, normalised=normalised)
    content = _content(joined, grow(joined), title, shown)
    totals, self_ = content["totals"], content["self"]
    return _page(
        title,
        {
            **content,
            "types": after.sample_types,
            "totals": totals[:width],
            "self": self_[:width],
            "before": {"totals": totals[width:], "self": self_[width:], "normalised": normalised},
            "search": function,
        },
    )


def _page(title: str, content: Mapping[str, object]) -> str:
    page, style, script = (_asset(name) for name in ("page.html", "page.css", "page.js"))
    return page.format(
        title=html.escape(title),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        profile=_json(content),
    )


def _content(profile: Profile, tree: Tree, title: str, shown: int) -> dict[str, Any]:
    """Return what the page's script draws: columns instead of a record for each node, for size."""
    functions = {function: index for index, function in enumerate(dict.fromkeys(node.function for node in tree.nodes))}
    columns = range(len(profile.sample_types))
    return {
        "title": title,
        "types": profile.sample_types,
        "shown": shown,
        "time": profile.time_nanos / 1e9,
        "duration": profile.duration_nanos / 1e9,
        "samples": len(profile.samples),
        "leftOut": tree.left_out,
        "functions": [*functions],
        "function": [functions[node.function] for node in tree.nodes],
        "depth": [node.depth for node in tree.nodes],
        "totals": [[node.totals[column] for node in tree.nodes] for column in columns],
        "self": [[node.self_[column] for node in tree.nodes] for column in columns],
    }


def _json(content: object) -> str:
    """Return JSON that cannot end the script element that it stands in, whatever a function is called."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return what a content security policy calls exactly this text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
