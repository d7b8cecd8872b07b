"""Stacks merged from the root on: the tree that a flame graph draws, flat and in the order in which it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from runtime_exporter.profiling.profile import location_frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runtime_exporter.profiling.profile import Profile

MOST_NODES: Final = 20_000
"""Nodes of a tree: what a browser handles without a pause. The smallest are left out first."""

_LARGEST_DEPTH: Final = 512  # frames from the root on; deeper is recursion that nobody reads

Function = tuple[str, str]
"""Name and file; lines are not told apart."""
Totals = tuple[int, ...]
"""A value for each sample type."""


class Node(NamedTuple):
    """A function called by its parent, which is the last node before it with a smaller depth. The root has depth 0."""

    function: Function
    depth: int
    totals: Totals
    self_: Totals


class Tree(NamedTuple):
    """The nodes, parents before children and these by name; and how many were too small to be kept."""

    nodes: tuple[Node, ...]
    left_out: int


class _Branch:
    """A node while samples are added."""

    __slots__ = ("children", "self_", "totals")

    def __init__(self, width: int) -> None:
        self.children: dict[Function, _Branch] = {}
        self.totals = [0] * width
        self.self_ = [0] * width


def grow(profile: Profile, *, most_nodes: int = MOST_NODES) -> Tree:
    """Return the tree of a profile, of all its sample types at once."""
    root = _merged(profile)
    smallest = _threshold(root, most_nodes)
    nodes = tuple(_kept(root, smallest))
    return Tree(nodes, sum(1 for _ in _walk(root)) - len(nodes))


def _merged(profile: Profile) -> _Branch:
    width = len(profile.sample_types)
    paths = {
        location.id: [(frame.name, frame.file) for frame in reversed(location_frames(location))]
        for location in profile.locations
    }
    root = _Branch(width)
    for locations, values, _ in profile.samples:
        branch = root
        _add(root.totals, values)
        path = [function for location in reversed(locations) for function in paths[location.id]]
        for function in path[:_LARGEST_DEPTH]:
            child = branch.children.get(function)
            if child is None:
                child = branch.children[function] = _Branch(width)
            branch = child
            _add(branch.totals, values)
        _add(branch.self_, values)
    return root


def _add(sums: list[int], values: Totals) -> None:
    for index, value in enumerate(values):
        sums[index] += value


def _threshold(root: _Branch, most_nodes: int) -> float:
    """Return the share that a node needs to be among the `most_nodes` largest."""
    shares = sorted((_share(branch, root) for _, _, branch in _walk(root)), reverse=True)
    return shares[most_nodes] if len(shares) > most_nodes else -1.0


def _share(branch: _Branch, root: _Branch) -> float:
    """Return the largest share of the whole that a node has by any sample type."""
    return max(
        (abs(part / whole) for part, whole in zip(branch.totals, root.totals, strict=True) if whole), default=0.0
    )


def _kept(root: _Branch, smallest: float) -> Iterator[Node]:
    for function, depth, branch in _walk(root, smallest):
        yield Node(function, depth, tuple(branch.totals), tuple(branch.self_))


def _walk(root: _Branch, smallest: float = -1.0) -> Iterator[tuple[Function, int, _Branch]]:
    """Yield what has a larger share than `smallest`, with all its ancestors; the root always."""
    waiting: list[tuple[Function, int, _Branch]] = [(("", ""), 0, root)]
    while waiting:
        function, depth, branch = waiting.pop()
        yield function, depth, branch
        children = sorted(branch.children.items(), reverse=True)
        waiting.extend((name, depth + 1, child) for name, child in children if _share(child, root) > smallest)
