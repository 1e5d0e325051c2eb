"""antiphon eval: the rules on tables; the model and the full path with the scripted engine."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer import Typer
from typer.testing import CliRunner
from websockets.asyncio.server import ServerConnection, serve

from audio.frame import HEAR_RATE
from models.vad import SileroDetector, SileroModel
from server.call.record import Happening
from server.config import ServerSettings
from server.evaluation import command as command_module
from server.evaluation import system as system_module
from server.evaluation.command import chosen, command, table
from server.evaluation.manifest import LabelledRecording, read_manifest
from server.evaluation.scores import EvaluatedClip, figures, unreached
from server.evaluation.system import call_all, serving, settles
from server.evaluation.words import word_errors
from server.service import Engine
from tests.engine_script import EngineScript, ScriptedAnswer
from tests.scripted_engine import ScriptedInstance

ORDER = "intent=orderDrink; coffeeDrink=latte; size=small; sugarAmount=a bit of sugar"


def recording(label: str, tag: str = "", name: str = "x.wav") -> LabelledRecording:
    return LabelledRecording(Path(name), name, "dev", label, "-", tag, 1.0)


@pytest.mark.parametrize(
    ("answer", "whole", "f1"),
    [
        ("One small latte, with a bit of sugar.", 1.0, 1.0),
        ("One small latte.", 0.0, 2 * 2 / 5),
        ("One small latte, single shot, with a bit of sugar.", 0.0, 2 * 3 / 7),  # one extra
        ("I cannot answer that.", 0.0, 0.0),
    ],
)
def test_orders(answer: str, whole: float, f1: float) -> None:
    found = figures([EvaluatedClip(recording("query", ORDER), True, answer)], None)
    assert found["command_accuracy"] == whole
    assert found["slot_accuracy"] == pytest.approx(f1)
    assert found["command_accuracy_count"] == 1
    assert len(found["command_accuracy_misses"]) == 1 - whole
    assert found["query_recall"] == 1.0


@pytest.mark.parametrize(
    ("answer", "right"),
    [("You said seven.", 1.0), ("You said seven, not one.", 0.0), ("", 0.0)],
)
def test_digits(answer: str, right: float) -> None:
    assert (
        figures([EvaluatedClip(recording("digit", "7"), True, answer)], None)["digit_accuracy"]
        == right
    )


def test_false_queries_are_counted_for_the_model_and_for_the_system() -> None:
    noise = [recording("noise", name=f"n{n}.wav") for n in range(4)]
    model = [EvaluatedClip(one, n == 0) for n, one in enumerate(noise)]
    model.append(EvaluatedClip(recording("read_speech", name="talk.wav"), True))
    system = [EvaluatedClip(one, False) for one in noise]
    found = figures(model, system)
    assert found["noise_false_query_model"] == 0.25
    assert found["noise_false_query_model_misses"] == ["n0.wav"]
    assert found["noise_false_query_system"] == 0.0
    assert found["noise_false_query_system_count"] == 4
    assert found["talk_false_query_model"] == 1.0
    assert found["talk_false_query_system"] is None
    assert "noise_false_query_system" not in figures(model, None)
    assert table(found).row_count == 3


def test_questions_are_told_from_orders_and_read_word_by_word() -> None:
    asked = recording("query", "What is 12 plus 30?", "a.wav")
    other = recording("query", "How do I bake bread?", "b.wav")
    model = [
        EvaluatedClip(asked, True, "Forty two.", "what is twelve plus thirty"),
        EvaluatedClip(other, False, "I am sorry, I cannot answer that.", "How do I make bread?"),
        EvaluatedClip(recording("query", ORDER), True, "One small latte."),
        EvaluatedClip(recording("unfinished"), True),
        EvaluatedClip(recording("backchannel"), False),
    ]
    found = figures(model, model)
    assert found["command_accuracy_count"] == found["query_recall_count"] == 1
    assert found["question_recall"] == 0.5 and found["question_recall_misses"] == ["b.wav"]
    assert found["question_refused"] == 0.5 and found["question_answered"] == 1.0
    assert found["word_errors"] == 1 / 10 and found["word_errors_count"] == 10
    assert found["word_errors_system"] == 1 / 10
    assert found["unfinished_false_query_model"] == 1.0
    assert found["backchannel_false_query_system"] == 0.0


@pytest.mark.parametrize(
    ("said", "read", "wrong"),
    [
        ("the cat sat", "The cat sat.", 0),
        ("the cat sat", "the cat", 1),
        ("the cat sat", "a cat sat down", 2),
        ("the cat sat", "", 3),
        ("中国的首都", "中国首都。", 1),
    ],
)
def test_wrong_words_are_counted(said: str, read: str, wrong: int) -> None:
    assert word_errors(said, read).wrong == wrong


def test_recordings_may_lie_elsewhere(tmp_path: Path) -> None:
    manifest = tmp_path / "M.tsv"
    manifest.write_text("path\tsplit\tlabel\na.wav\tdev\tquery\n")
    [found] = read_manifest(manifest, Path("elsewhere"))
    assert found.path == Path("elsewhere/a.wav") and found.name == "a.wav"


def test_choice_keeps_the_split_and_known_labels() -> None:
    kept = [recording("query"), recording("rir"), recording("noise"), recording("noise")]
    assert [one.label for one in chosen(kept, "dev")] == ["query", "noise", "noise"]
    assert len(chosen(kept, "all", limit=1)) == 2
    with pytest.raises(ValueError, match="held"):
        chosen(kept, "held")


@pytest.mark.parametrize("text", ["path\tlabel\nx\ty", "path\tsplit\tlabel\na\tdev", ""])
def test_a_bad_manifest_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "M.tsv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"M\.tsv"):
        read_manifest(path)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Our own short clips: a question as a query, a silent one as noise."""
    clips = Path(__file__).resolve().parent.parent / "data" / "audio"
    question = clips / "question_en_capital.flac"
    lines = ["path\tsplit\tlabel\tspeaker\ttranscript_or_tag\tseconds\tsource\tlicence"]
    lines.append(f"{question}\tdev\tquery\ts\t{ORDER}\t2\tx\ty")
    silent = tmp_path / "silent.wav"
    hiss = np.random.default_rng(0).standard_normal(HEAR_RATE) * 0.0005
    soundfile.write(silent, hiss, HEAR_RATE)
    lines.append(f"{silent.name}\tdev\tnoise\t-\thiss\t1\tx\ty")
    lines.append(f"{silent.name}\ttrain\tnoise\t-\thiss\t1\tx\ty")
    path = tmp_path / "M.tsv"
    path.write_text("\n".join(lines))
    return path


def scripted_engine(_: Any) -> Engine:
    order = ScriptedAnswer(text="One small latte, with a bit of sugar.")
    script = EngineScript(answers=(order,))  # everything is a query
    instances = (ScriptedInstance(script, name="a"), ScriptedInstance(script, name="b"))
    silero = SileroModel()
    return Engine((instances,), lambda: SileroDetector(silero))


def test_the_command_writes_figures_and_a_plot(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_module, "load_engine", scripted_engine)
    app = Typer()
    app.command()(command)
    out = tmp_path / "out.json"
    arguments = ["--manifest", str(manifest), "--json", str(out), "--split", "dev"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["command_accuracy"] == 1.0
    assert found["query_recall"] == 1.0
    assert found["query_recall_system"] == 1.0
    assert found["command_accuracy_system"] == 1.0
    # The scripted model takes everything for a query: only the full path knows that it was quiet.
    assert found["noise_false_query_model"] == 1.0
    assert found["noise_false_query_system"] == 0.0
    assert found["calls_failed"] == 0.0
    assert found["calls_failed_count"] == 2
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


async def test_a_busy_server_is_asked_again(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.admission.RETRY_AFTER", 0)
    settings = ServerSettings(port=0, sessions_per_pair=1, log_level="error")
    recordings = chosen(read_manifest(manifest), "dev")
    async with serving(settings, scripted_engine(None)) as url:
        outcome = await call_all(url, recordings, lambda: None, sessions=2)
    assert not outcome.failed
    assert sorted((one.recording.label, one.acted) for one in outcome.heard) == [
        ("noise", False),
        ("query", True),
    ]


@pytest.mark.parametrize(
    ("refuse", "reason"),
    [
        ({"status": 503, "Retry-After": "1"}, "busy"),
        ({"status": 503, "Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}, "5 s"),
        ({"status": 401}, "refused"),
    ],
)
async def test_a_call_that_never_gets_through_is_told_with_its_reason(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, refuse: dict[str, Any], reason: str
) -> None:
    monkeypatch.setattr(system_module, "GIVE_UP", 0.5)

    def deny(connection: ServerConnection, _: Any) -> Any:
        answer = connection.respond(HTTPStatus(refuse["status"]), "no")
        if "Retry-After" in refuse:
            answer.headers["Retry-After"] = refuse["Retry-After"]
        return answer

    recordings = chosen(read_manifest(manifest), "dev")
    async with serve(lambda _: asyncio.sleep(0), "127.0.0.1", 0, process_request=deny) as server:
        url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        outcome = await call_all(url, recordings, lambda: None, sessions=2)
    found = unreached(outcome.failed, len(recordings))
    assert found["calls_failed"] == 1.0
    assert all(reason in text for text in found["calls_failed_misses"])


def state(user: str, assistant: str) -> Happening:
    return Happening(0.5, {"type": "antiphon.state", "user": user, "assistant": assistant})


CREATED = Happening(0.6, {"type": "response.created"})


@pytest.mark.parametrize(
    ("label", "happenings", "now", "known"),
    [
        ("noise", [], 1.5, False),  # a voice may still be noticed
        ("noise", [], 2.1, True),
        ("noise", [CREATED], 0.7, True),
        ("query", [CREATED, state("silent", "speaking")], 2.1, False),  # its words count
        ("query", [CREATED, state("silent", "listening")], 2.1, True),
        ("query", [state("paused", "listening")], 4.0, False),  # it may be going on
    ],
)
def test_a_call_lasts_until_all_is_known(
    label: str, happenings: list[Happening], now: float, known: bool
) -> None:
    assert settles(recording(label), 1.0)(happenings, now) is known
