"""State-dict keys that transformers renames in files."""

from __future__ import annotations

import sys

from torch import nn


def saved_keys(model: nn.Module) -> dict[str, str]:
    """Keys that transformers renames when it saves a network, and their names in the file.

    Since version 5 transformers keeps the files' names of older versions and renames on loading and saving. Only
    renamed tensors are known here; what it also splits or joins has no entry.

    Parameters
    ----------
    model : nn.Module
        A network of transformers, or one that has such networks as modules.

    Returns
    -------
    dict of str to str
        From the key in memory to the key in the file; empty where transformers is not loaded or renames nothing.
    """
    conversion = getattr(sys.modules.get("transformers.core_model_loading"), "revert_weight_conversion", None)
    networks = getattr(sys.modules.get("transformers.modeling_utils"), "PreTrainedModel", None)
    if conversion is None or networks is None:
        return {}
    names: dict[str, str] = {}
    for place, module in model.named_modules():
        start = f"{place}." if place else ""
        if isinstance(module, networks) and not any(key.startswith(start) for key in names):
            state = module.state_dict()
            # A renamed tensor is the same object under another name.
            keys = {id(tensor): start + key for key, tensor in state.items()}
            saved = conversion(module, dict(state))
            names |= {keys[id(tensor)]: start + name for name, tensor in saved.items() if id(tensor) in keys}
    return {key: name for key, name in names.items() if key != name}
