"""The stages of a CNN: the last map of each height and width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Size = tuple[int, ...]
_MOST_STAGES = 4


def stage_paths(chain: Sequence[tuple[str, Size]], sizes: Mapping[str, Size]) -> tuple[str, ...]:
    """Paths of the last map of each height and width, the shallowest first, at most four.

    What the next stage does before it makes its maps smaller counts as the next stage's.

    Parameters
    ----------
    chain : sequence of (str, Size)
        Path, and height and width, of the maps that everything passes through, from the image to the explained one.
    sizes : mapping
        Height and width of the maps that layers put out, by their paths.
    """
    order = list(dict.fromkeys(size for _, size in chain))
    found = []
    for number, size in enumerate(order):
        here = [path for path, other in chain if other == size]
        before = [path for path, other in chain if other in order[:number]]
        below = order[number + 1] if number + 1 < len(order) else None

        def is_of_next(path: str, below: Size | None = below, before: list[str] = before) -> bool:
            return below is not None and any(
                sizes.get(around) == below and not any(other.startswith(f"{around}.") for other in before)
                for around in _around(path)
            )

        found.append(([path for path in here if not is_of_next(path)] or here)[-1])
    return tuple(found[-_MOST_STAGES:])


def _around(path: str) -> Iterator[str]:
    while "." in path:
        path = path.rpartition(".")[0]
        yield path
