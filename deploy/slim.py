"""deploy: takes out of an environment what this server never loads: `python slim.py ENVIRONMENT`.

Packages are installed by hash, as they are published; several bring libraries for other systems,
tests, or a second copy of what they hold. A line that finds nothing ends the build, so that none
outlives the package that it is about.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# Beside each what it is. Paths are those of site-packages.
UNUSED = (
    "moonshine_voice/*.dylib",  # libraries for macOS
    "moonshine_voice/*.so",  # its own runtime: we read its weights with onnxruntime
    "moonshine_voice.libs",
    "moonshine_voice/assets/*.wav",  # an example
    "silero_vad/data/*.jit",  # the same network for torch
    "silero_vad/data/silero_vad.onnx",  # others than the one that models/vad.py reads
    "silero_vad/data/silero_vad_16k.safetensors",
    "silero_vad/data/silero_vad_16k_sequence.onnx",
    "silero_vad/data/silero_vad_half.onnx",
    "silero_vad/data/silero_vad_op18_ifless.onnx",
    "silero_vad/data/silero_vad_openvino_16k.onnx",
    "onnxruntime/capi/libonnxruntime.so.*",  # for C programs: the module for Python holds its own
    "onnxruntime/transformers",  # tools that change models
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "hf_xet",  # downloads: nothing is fetched
    "huggingface_hub",
    "fsspec",
    "numpy/**/tests",
    "numpy/f2py",
    "pip",  # nothing is installed any more
    "setuptools",
)


def main(environment: Path) -> int:
    """Take it out, and say how much it was; 1 where a line finds nothing."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    freed, useless = 0, []
    for pattern in UNUSED:
        found = list(packages.glob(pattern))
        if not found:
            useless.append(pattern)
        for path in found:
            freed += size(path)
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    print(f"{freed / 2**20:.0f} MiB taken out of {environment}")  # noqa: T201
    for pattern in useless:
        print(f"slim.py: nothing is called {pattern} any more")  # noqa: T201
    return 1 if useless else 0


def size(path: Path) -> int:
    """Bytes of a file, or of all files of a folder; what is gone already counts nothing."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
