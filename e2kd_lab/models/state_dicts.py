"""State dicts: unwrap them, and load one that must fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from torch import Tensor, nn

from e2kd_lab.models.weight_files import is_plain
from e2kd_lab.system.errors import CheckpointError, shown

# Names that training programs give to the weights proper, and what wraps a network without being one.
_CONTAINERS = ("model", "state_dict", "model_state_dict")
_WRAPPERS = ("module.", "_forward_module.", "_orig_mod.")
_SEQUENCE = "0."
_OF_LINEAR = ("weight", "bias")
# Buffers that say nothing about the function: batches that normalisation has seen (absent before PyTorch 0.4.1), and
# what stochastic weight averaging and counters of operations add.
MAY_BE_MISSING = "num_batches_tracked"
MAY_BE_BESIDE = frozenset({"n_averaged", "total_ops", "total_params"})
_DEEPEST = 3


def state_dict_of(checkpoint: Any, source: str) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, without the containers and key prefixes that wrappers add.

    Parameters
    ----------
    checkpoint : object
        What `read_checkpoint` returns.
    source : str
        Where it comes from, for messages.

    Raises
    ------
    CheckpointError
        If there is none, or several and none of the usual name.
    """
    for container in _CONTAINERS:
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(container), Mapping):
            checkpoint = checkpoint[container]
    inside = list(state_dicts_in(checkpoint, ""))
    if not inside:
        raise CheckpointError(f"{source} holds no state dict; expected names with tensors, bare or under 'model'.")
    if len(inside) > 1 and inside[0][0]:
        raise CheckpointError(
            f"{source} holds several state dicts, {listed([where for where, _ in inside])}; expected one, or 'model'."
        )
    state = {key: value for key, value in inside[0][1].items() if isinstance(value, Tensor)}
    while prefix := next((wrapper for wrapper in _WRAPPERS if all(key.startswith(wrapper) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def load_state(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict whose keys and shapes must be the model's.

    Counts of batches may be missing, and counts of operations or averaged models may be beside: see the module.

    Raises
    ------
    CheckpointError
        Lists the first keys that are missing, not known, or of another shape; the model is then unchanged.
    """
    expected = model.state_dict()
    state = _with_prefix_of(expected, state)
    state = {key: value for key, value in state.items() if key in expected or last(key) not in MAY_BE_BESIDE}
    state |= {key: own for key, own in expected.items() if key not in state and last(key) == MAY_BE_MISSING}
    problems = [f"'{key}' is missing" for key in expected if key not in state]
    problems += [f"'{shown(key)}' is not in the model" for key in state if key not in expected]
    problems += [
        f"'{key}' has shape {tuple(state[key].shape)}, expected {tuple(expected[key].shape)}"
        for key in expected
        if key in state and state[key].shape != expected[key].shape
    ]
    problems += [
        f"'{key}' is {state[key].layout} of {state[key].dtype}, expected plain real numbers"
        for key in expected
        if key in state and not is_plain(state[key])
    ]
    if problems:
        more = f", and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise CheckpointError(
            f"{source} does not fit {type(model).__name__}: {'; '.join(problems[:5])}{more}; "
            "expected the same keys and shapes as the model's state dict."
        )
    model.load_state_dict(state)


def with_own_classifier(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state, but with the model's own classifier where the state's has another number of classes.

    The classifier is the last linear layer, or convolution of single pixels, and any other with as many outputs; it is
    replaced where nothing but the number of outputs differs.
    """
    own = model.state_dict()
    state = _with_prefix_of(own, state)
    outputs = {name: layer.weight.shape[0] for name, layer in model.named_modules() if _is_linear(layer)}
    classes = list(outputs.values())[-1:]
    parameters = [f"{name}.{part}".lstrip(".") for name in outputs if outputs[name] in classes for part in _OF_LINEAR]
    keys = [key for key in parameters if key in own and key in state and _differ_in_outputs(own[key], state[key])]
    if len({state[key].shape[0] for key in keys}) != 1:
        return dict(state)
    return {**state, **{key: own[key] for key in keys}}


def state_dicts_in(content: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each mapping of names to at least one tensor, with its path, the outermost first.

    Parameters
    ----------
    content : object
        A checkpoint, searched three mappings deep.
    where : str
        Its own path, with dots.
    """
    seen: set[int] = set()
    level = [(where, content)]
    for _ in range(_DEEPEST + 1):
        below = []
        for path, mapping in level:
            if not isinstance(mapping, Mapping) or id(mapping) in seen or not all(isinstance(k, str) for k in mapping):
                continue
            seen.add(id(mapping))
            if any(isinstance(value, Tensor) for value in mapping.values()):
                yield path, mapping
            below += [(f"{path}.{key}" if path else key, value) for key, value in mapping.items()]
        level = below


def listed(names: list[str]) -> str:
    """Names as a sentence lists them: quoted, the first six, with "and"."""
    quoted = [f"'{shown(name)}'" for name in names[:6]] + ([f"{len(names) - 6} more"] if len(names) > 6 else [])
    return " and ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def last(key: str) -> str:
    """The last component of a key."""
    return key.rpartition(".")[2]


def _is_linear(layer: nn.Module) -> TypeGuard[nn.Linear | nn.Conv2d]:
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1))


def _differ_in_outputs(a: Tensor, b: Tensor) -> bool:
    return a.dim() == b.dim() and a.shape[:1] != b.shape[:1] and a.shape[1:] == b.shape[1:]


def _with_prefix_of(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Add or remove the prefix "0." of networks saved as the first element of a sequence."""
    wanted = all(key.startswith(_SEQUENCE) for key in expected)
    if wanted == all(key.startswith(_SEQUENCE) for key in state):
        return state
    if wanted:
        return {_SEQUENCE + key: value for key, value in state.items()}
    return {key.removeprefix(_SEQUENCE): value for key, value in state.items()}
