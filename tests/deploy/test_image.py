"""The Dockerfile: its targets, its locks, and what the chart says of them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import yaml

from models.moonshine import FOLDER
from models.vad import _WEIGHTS
from server.app import ENGINES

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
slim = SimpleNamespace(**runpy.run_path(str(ROOT / "deploy" / "slim.py")))


def locked(name: str) -> dict[str, str]:
    """Package and version of each line of a lock file."""
    text = (ROOT / "requirements" / name).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.M))


def test_every_engine_of_the_chart_has_a_target() -> None:
    values = yaml.safe_load((ROOT / "deploy/helm/antiphon/values.yaml").read_text())
    targets = set(re.findall(r"^FROM base AS (\w+)$", DOCKERFILE, re.M))
    assert targets == {"cpu", "gpu", "vllm"}
    assert set(values["images"]) <= set(ENGINES)
    tags = {image["tag"].rpartition("-")[2] for image in values["images"].values()}
    assert tags == {"gpu", "vllm", values["images"]["embedded"]["tag"]}


def test_what_the_dockerfile_copies_is_there_and_sent_along() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    sent = (ROOT / ".dockerignore").read_text()
    for names in copied:
        for name in names.split():
            assert (ROOT / name).exists(), name
            assert f"!{name.strip('/').split('/')[0]}" in sent, name


def test_the_image_has_what_the_server_has_and_what_resuming_needs() -> None:
    image, served = locked("image.lock"), locked("serve.lock")
    assert {"redis", "cryptography", "opentelemetry-sdk"} <= image.keys()
    assert "torch" not in image
    shared = image.keys() & served.keys()
    assert len(shared) > 40
    assert {name: image[name] for name in shared} == {name: served[name] for name in shared}


def test_the_image_for_vllm_has_its_own_lock() -> None:
    lock = locked("vllm.lock")
    assert {"vllm", "torch", "redis", "opentelemetry-sdk"} <= lock.keys()
    assert lock["torch"] == "2.13.0"
    assert "requirements/vllm.lock" in DOCKERFILE


def test_only_what_is_never_loaded_is_taken_out_of_the_image(tmp_path: Path) -> None:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    kept = [f"silero_vad/data/{_WEIGHTS}", f"{FOLDER}/encoder_model.ort", "numpy/core.py"]
    gone = [pattern.replace("**", "lib").replace("*", "x") for pattern in slim.UNUSED]
    for name in (*kept, *gone):
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_bytes(b"1")
    assert slim.main(tmp_path) == 0
    left = {str(path.relative_to(packages)) for path in packages.rglob("*") if path.is_file()}
    assert left == set(kept)
    assert slim.main(tmp_path) == 1  # there is nothing of it any more: the list is out of date


def test_the_cpu_image_is_copied_from_what_is_slim() -> None:
    slimmed = DOCKERFILE.split("AS build-cpu")[1].split("FROM ")[0]
    assert "slim.py /opt/antiphon" in slimmed
    assert "COPY --from=build-cpu /opt/antiphon" in DOCKERFILE.split("FROM base AS cpu")[1]
