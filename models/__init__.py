"""Models and the engines that run them. Nothing of what they do leaves the machine.

Libraries that report their use to their makers read these variables when they are first imported;
this package is imported before any of them, in every process. Whoever sets one himself has his way.
"""

from __future__ import annotations

import os
from typing import Final

SILENCED: Final = {
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime: a device id and a queue of events for Microsoft
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}
for _name, _value in SILENCED.items():
    os.environ.setdefault(_name, _value)
