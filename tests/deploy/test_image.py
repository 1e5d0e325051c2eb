"""The Dockerfile: its targets, its locks, and what the chart says of them."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from server.app import ENGINES

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


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
