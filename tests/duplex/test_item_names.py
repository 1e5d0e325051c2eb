"""Names of items: who may take them, what they refer to, and where an item stands."""

from __future__ import annotations

import pytest

from duplex import actions, events
from duplex.actions import Refused
from duplex.conversation import ItemReference, SpokenTurn
from models.base import (
    AnswerOptions,
    AssistantText,
    FunctionCall,
    FunctionOutput,
    Instructions,
    Item,
    UserText,
)
from tests.duplex.scene import Scene


def typed(item_id: str, text: str = "hi", after: str | None = None) -> events.ItemOffered:
    return offered(item_id, UserText(text), after)


def offered(item_id: str, part: Item, after: str | None = None) -> events.ItemOffered:
    wire = {"type": "message", "role": "user", "content": []}
    return events.ItemOffered(item_id, "user", (part,), wire, after, "e")


def refers(*item_ids: str, apart: bool = True) -> events.ResponseRequested:
    items = tuple(ItemReference(item_id, "response.input[0].id") for item_id in item_ids)
    return events.ResponseRequested(AnswerOptions(speak=False), items, in_conversation=not apart)


def keys(stage: Scene) -> list[str]:
    return [entry.key for entry in stage.session.conversation.context()]


# ------------------------------------------------------------------------------------- collisions


def test_the_server_gives_no_name_that_a_client_has_taken() -> None:
    stage = Scene()
    for number in range(1, 9):
        stage.handle(typed(f"item_t_{number}"))
    stage.ask()
    stage.advance(4)
    names = [turn.item_id for turn in stage.session.conversation.turns]
    assert len(names) == len(set(names)) == 10
    assert not stage.all(actions.Refuse)


def test_a_client_cannot_take_the_name_of_what_is_being_said() -> None:
    stage = Scene(answers=False)
    stage.hear(0.6, True)
    spoken = stage.one(actions.SpeechStarted).item_id
    stage.handle(typed(spoken))
    assert stage.one(actions.Refuse).param == "item.id"
    stage.hear(0.4, False)
    assert stage.one(actions.BufferCommitted).item_id == spoken
    answer = stage.one(actions.ResponseStarted).item_id
    stage.handle(typed(answer))
    assert [refuse.param for refuse in stage.all(actions.Refuse)] == ["item.id"] * 2


def test_a_call_takes_no_name_of_a_client() -> None:
    stage = Scene(answers=False)
    stage.handle(typed("item_t_1_call0"))
    stage.handle(offered("mine", FunctionCall("f", "{}", "call_t_1_call0_")))
    stage.handle(events.ResponseRequested(AnswerOptions(speak=False)))
    stage.handle(events.AnswerCallMade(1, "get_time", "{}"))
    made = stage.one(actions.ResponseCallAdded)
    assert (made.item_id, made.call_id) == ("item_t_1_call0__", "call_t_1_call0__")


def test_no_item_is_called_as_the_front_is() -> None:
    stage = Scene()
    stage.handle(typed("root"))
    assert stage.one(actions.Refuse).what is Refused.ITEM


def test_a_name_that_is_given_again_means_something_else() -> None:
    """A stream that has read the first item must not take the second for it."""
    stage = Scene()
    stage.handle(typed("a", "my name is Bob"))
    [before] = keys(stage)
    stage.handle(events.ItemDeleteRequested("a"))
    stage.handle(typed("a", "my name is Alice"))
    [after] = keys(stage)
    assert before != after


def test_no_name_of_a_client_makes_a_key_of_another_item() -> None:
    stage = Scene()
    stage.ask()
    stage.advance(4)
    answer = stage.session.conversation.turns[1]
    stage.handle(
        events.ItemOffered(f"{answer.item_id}/whole", "user", (UserText("x"),) * 300, {}, None, "e")
    )
    for name in ("a~1", "a", "greeting"):
        stage.handle(typed(name))
    stage.handle(events.ItemDeleteRequested("a"))
    stage.handle(typed("a"))
    found = keys(stage)
    assert len(found) == len(set(found))
    assert "greeting" not in found


# ------------------------------------------------------------------------------------- references


def test_a_reference_reads_the_item_as_it_stands() -> None:
    stage = Scene()
    stage.ask()
    stage.advance(4)
    spoken, answer = stage.session.conversation.turns
    stage.handle(typed("typed", "hello"))
    stage.handle(events.ItemTruncateRequested(answer.item_id, 0, 450))
    stage.answers = False
    stage.handle(refers(spoken.item_id, answer.item_id, "typed"))
    asked = stage.all(actions.StartAnswer)[-1]
    assert asked.items == (
        SpokenTurn(spoken.item_id, ""),
        AssistantText(answer.heard_text(), cut=True),
        UserText("hello"),
    )


def test_of_an_answer_that_plays_what_was_heard_is_read() -> None:
    stage = Scene()
    stage.ask()
    stage.advance(1.0)
    answer = stage.session.conversation.turns[1]
    stage.answers = False
    stage.handle(refers(answer.item_id))
    items = stage.all(actions.StartAnswer)[-1].items
    assert items is not None and isinstance(items[0], AssistantText)
    assert 5 < len(items[0].text.split()) < 15


@pytest.mark.parametrize("apart", [True, False])
def test_a_deleted_or_refused_item_cannot_be_referred_to(apart: bool) -> None:
    stage = Scene()
    stage.handle(typed("kept"))
    stage.handle(typed("lost", after="nowhere"))
    stage.handle(refers("lost", apart=apart))
    stage.handle(events.ItemDeleteRequested("kept"))
    stage.handle(refers("kept", apart=apart))
    refused = stage.all(actions.Refuse)[1:]
    assert [(refuse.code, refuse.param) for refuse in refused] == [
        ("invalid_value", "response.input[0].id")
    ] * 2
    assert [refuse.what for refuse in refused] == [Refused.APART if apart else Refused.OTHER] * 2
    assert not stage.all(actions.StartAnswer)


def test_an_item_refused_for_its_name_leaves_the_first_as_it_was() -> None:
    stage = Scene(answers=False)
    stage.handle(typed("a", "first"))
    stage.handle(typed("a", "second"))
    stage.handle(refers("a"))
    assert stage.one(actions.StartAnswer).items == (UserText("first"),)


# ------------------------------------------------------------------------------- outputs of calls


def test_the_output_of_an_unknown_call_is_refused_as_at_openai() -> None:
    stage = Scene()
    stage.handle(offered("o", FunctionOutput("call_x", "5")))
    refused = stage.one(actions.Refuse)
    assert refused.code == "invalid_tool_call_id"
    assert refused.message == "Tool call ID 'call_x' not found in conversation."
    assert refused.event_id == "e" and refused.what is Refused.ITEM
    stage.handle(offered("c", FunctionCall("f", "{}", "call_x")))
    stage.handle(offered("o", FunctionOutput("call_x", "5")))
    assert [added.item["id"] for added in stage.all(actions.ItemAdded)] == ["c", "o"]
    stage.handle(events.ItemDeleteRequested("c"))
    stage.handle(offered("p", FunctionOutput("call_x", "5")))
    assert len(stage.all(actions.Refuse)) == 2


def test_an_output_in_a_responses_own_input_has_its_call_there_or_in_the_conversation() -> None:
    stage = Scene(answers=False)
    call, output = FunctionCall("f", "{}", "c"), FunctionOutput("c", "5")

    def ask(*items: Item) -> None:
        stage.handle(events.ResponseRequested(AnswerOptions(), items, in_conversation=False))

    ask(output)
    assert stage.one(actions.Refuse).code == "invalid_tool_call_id"
    ask(call, output)
    stage.handle(offered("c", call))
    ask(Instructions("Be brief."), output)
    assert len(stage.all(actions.StartAnswer)) == 2


# ------------------------------------------------------------------------------------ known places


def test_what_stood_behind_a_deleted_item_stands_behind_the_one_before() -> None:
    stage = Scene()
    for name in ("a", "b", "c"):
        stage.handle(typed(name))
    stage.handle(events.ItemDeleteRequested("b"))
    stage.handle(events.ItemDeleteRequested("a"))
    found = stage.all(actions.ItemDeleted)
    assert [(one.item_id, one.previous_item_id) for one in found] == [("b", "a"), ("a", None)]
