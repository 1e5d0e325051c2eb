"""The recipe of SmolLM2's changes: rows, verdicts, wordings as they reach the model, learning."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from models.smollm import checkpoint
from models.smollm.chat import Chat
from models.smollm.gguf import GgufFile
from models.training.smollm import open_questions, wishes
from models.training.smollm.answers import first_sentence, is_sound
from models.training.smollm.dialogues import (
    HALF,
    LONGEST,
    NOT_MEANT,
    NOTHING,
    WHOLE,
    Material,
    batches,
)
from models.training.smollm.lowrank import AdaptedLanguageModel
from models.training.smollm.mishearing import written
from models.training.smollm.packing import changes_of
from models.training.smollm.scores import OPEN
from models.training.smollm.tuning import Learner, LowRankTuning, pretrained
from tests.models.smollm import gguf_writer

OWN = (("why is the sky blue", "Sunlight is scattered by the air."),)


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gguf_writer.write(tmp_path_factory.mktemp("recipe") / "small.gguf")


@pytest.fixture(scope="module")
def chat(gguf: Path) -> Chat:
    with GgufFile(gguf) as file:
        return Chat(checkpoint.tokenizer(file))


@pytest.fixture(scope="module")
def material(chat: Chat) -> Material:
    return Material(chat, 3, OWN, longest=700)  # the small tokenizer has a token for each letter


def test_every_answer_is_predicted_whole(chat: Chat, material: Material) -> None:
    """What is predicted after an assistant's opening are the tokens that stand there, up to the
    end of its turn; nothing else is."""
    opening = chat.turn("assistant")
    for _ in range(300):
        row = material.row()
        assert len(row.ids) == len(row.targets) == len(row.verdicts)
        asked = [place for place, target in enumerate(row.targets) if target != NOTHING]
        for place in asked:
            assert row.targets[place] == row.ids[place + 1]
            starts = place if place - 1 not in asked else None
            if starts is not None:
                assert row.ids[place - len(opening) + 1 : place + 1] == opening
            if place + 1 not in asked:
                assert row.targets[place] == chat.end


def test_verdicts_stand_on_the_users_words(chat: Chat, material: Material) -> None:
    """Only the last word of a turn is whole, and behind it the turn ends or the row does."""
    seen = set()
    for _ in range(300):
        row = material.row()
        for place, verdict in enumerate(row.verdicts):
            seen.add(verdict)
            if verdict == WHOLE:
                assert row.ids[place + 1] == chat.end
            if verdict in (HALF, NOT_MEANT):
                assert row.targets[place] == NOTHING
            if verdict == HALF:  # it ends the row, or something comes behind it
                assert row.ids[place + 1 : place + 2] != [chat.end]
    assert seen == {NOTHING, WHOLE, HALF, NOT_MEANT}


def test_rows_are_bounded_and_batches_padded(chat: Chat) -> None:
    made = batches(Material(chat, 5, OWN), 2000, rows=32)
    for _ in range(6):
        batch = next(made)
        assert batch.ids.shape == batch.targets.shape == batch.verdicts.shape
        assert batch.ids.shape[1] <= LONGEST
        assert batch.positions <= max(2000, batch.ids.shape[1])
        padded = batch.ids == 0
        assert ((batch.weights > 0) == (batch.targets != NOTHING)).all()
        assert (batch.targets[padded] == NOTHING).all()
        assert (batch.verdicts[padded] == NOTHING).all()


def test_arguments_have_the_types_that_the_signature_says() -> None:
    kinds = {"string": str, "integer": int, "number": int, "boolean": bool, "list of string": list}
    random, called = Random(4), 0
    for _ in range(400):
        made = wishes.typed_function(random)
        call = made.exchanges[0].call
        if call is None:
            continue
        called += 1
        signature = next(each for each in made.tools if each.startswith(f"{call.name}("))
        arguments = json.loads(call.arguments)
        inside = signature[len(call.name) + 1 : -1]
        shown = dict(each.split(": ", 1) for each in inside.split(", "))
        assert set(shown) == set(arguments)
        for name, value in arguments.items():
            kind = shown[name]
            assert value in kind.split("|") if "|" in kind else type(value) is kinds[kind]
    assert called > 300


def test_a_transfer_is_one_of_those_declared() -> None:
    random = Random(5)
    for _ in range(100):
        made = wishes.transfer(random)
        call = made.exchanges[0].call
        assert call is not None
        assert call.name in {each.partition("(")[0] for each in made.tools}


def test_faithful_words_only_change_in_letters_and_signs() -> None:
    random, text = Random(6), "what is seven plus five"
    faithful = {written(random, text, faithful=True) for _ in range(200)}
    assert {each.lower().rstrip("?.!") for each in faithful} == {text}
    assert len(faithful) > 2
    free = {written(random, text) for _ in range(300)}
    assert any("7" in each for each in free)
    assert any(each.islower() and each[-1] not in "?.!" for each in free)


def test_unsound_answers_are_left_out() -> None:
    assert is_sound("A guitar is an instrument with six strings.")
    bad_ones = (
        "Yes.", "As an AI I have no opinion on this.", "A tiger is a cat, a tiger is big.",
        "Plants grow, plants live, and they need water.", "Here are three tips.",
    )  # fmt: skip
    for bad in bad_ones:
        assert not is_sound(bad), bad
    assert first_sentence("One thing. Another thing.") == "One thing."
    assert first_sentence("no end") == "no end"


def test_questions_that_are_scored_are_not_learned() -> None:
    def plain(text: str) -> str:
        return text.lower().strip("?. ")

    learned = {plain(q) for q, _ in open_questions.written()}
    learned |= {plain(q) for q in open_questions.unanswered()}
    assert not learned & {plain(question) for question, _ in OPEN}


def test_low_rank_learning_makes_the_losses_smaller_and_leaves_the_weights(
    gguf: Path, chat: Chat
) -> None:
    torch.manual_seed(0)
    with GgufFile(gguf) as file:
        model = AdaptedLanguageModel(pretrained(file), chat.markers, rank=4)
    before = {n: b.clone() for n, b in model.named_buffers()}
    batch = next(batches(Material(chat, 7, OWN), 1200, rows=32))
    learner = Learner(model, chat)
    optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    totals = []
    for _ in range(12):
        losses = learner.losses(batch)
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.8 * totals[0]
    assert all(torch.equal(b, before[n]) for n, b in model.named_buffers())


def test_a_run_stops_resumes_and_is_packed(gguf: Path, chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text(json.dumps(OWN))
    LowRankTuning(gguf, tmp_path, minutes=0.02).run()
    first = torch.load(tmp_path / "resume.pt", weights_only=True)
    LowRankTuning(gguf, tmp_path, minutes=0.05).run(resume=True)
    second = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert second["steps"] > first["steps"] > 0
    changes = changes_of(tmp_path / "changes.pt", chat)
    assert set(changes.rows) == set(chat.markers)
    assert len(changes.up) == 7 * gguf_writer.LAYERS
    assert any(np.abs(up).max() > 0 for up in changes.up.values())
