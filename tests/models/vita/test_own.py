"""Every number as it was when the modules were equal to the outside reference."""

from __future__ import annotations

import torch
from safetensors.torch import load_file

from tests.models.vita.own import FILE, outputs


def test_no_number_has_changed() -> None:
    wanted, found = load_file(FILE), outputs()
    assert found.keys() == wanted.keys()
    for key, tensor in wanted.items():
        torch.testing.assert_close(found[key], tensor, atol=1e-4, rtol=1e-4, msg=f"{key} differs")
        assert float(tensor.abs().mean()) > 1e-3, key
