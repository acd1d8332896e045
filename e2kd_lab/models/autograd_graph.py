"""The autograd graph of a forward pass: dominators of the input, and operations between two tensors."""

from __future__ import annotations

from typing import Any

from torch import Tensor

# A node and the number of its output, as in `torch.autograd.graph.GradientEdge`.
Edge = tuple[Any, int]


def edge_of(tensor: Tensor) -> Edge:
    """Graph node, and number of its output, that a tensor comes from."""
    return tensor.grad_fn, tensor.output_nr


def dominators(end: Tensor, start: Tensor) -> list[Edge]:
    """Edges that every path from a leaf to the end crosses, the end first.

    These are the leaf's dominators (Cooper, Harvey and Kennedy, 2001); in an acyclic graph one pass in topological
    order finds them.

    Parameters
    ----------
    end, start : Tensor
        A result, and the leaf that it may depend on.

    Returns
    -------
    list of Edge
        Empty if the end does not depend on the leaf.
    """
    order = _topological(edge_of(end))
    above: dict[Edge, list[Edge]] = {}
    for place in order:
        for other in _next(place):
            above.setdefault(other, []).append(place)
    depth, dominator = {order[0]: 0}, {order[0]: order[0]}
    for place in order[1:]:
        common, *others = above[place]
        for other in others:
            while common != other:
                if depth[common] >= depth[other]:
                    common = dominator[common]
                else:
                    other = dominator[other]
        dominator[place], depth[place] = common, depth[common] + 1
    here = next((place for place in order if getattr(place[0], "variable", None) is start), None)
    found: list[Edge] = []
    while here is not None and here != order[0]:
        here = dominator[here]
        found.insert(0, here)
    return found


def operations_behind(end: Tensor, start: Tensor) -> set[str]:
    """Names of the graph's nodes between a tensor and a result, those behind parameters included."""
    stop = edge_of(start)
    seen, waiting, names = {stop}, [edge_of(end)], set()
    while waiting:
        place = waiting.pop()
        if place in seen:
            continue
        seen.add(place)
        names.add(place[0].name())
        waiting += _next(place)
    return names


def _next(place: Edge) -> list[Edge]:
    return [(node, number) for node, number in place[0].next_functions if node is not None]


def _topological(first: Edge) -> list[Edge]:
    """Nodes below one in topological order."""
    done: list[Edge] = []
    seen, waiting = {first}, [(first, iter(_next(first)))]
    while waiting:
        place, below = waiting[-1]
        other = next((one for one in below if one not in seen), None)
        if other is None:
            done.append(place)
            waiting.pop()
        else:
            seen.add(other)
            waiting.append((other, iter(_next(other))))
    return done[::-1]
