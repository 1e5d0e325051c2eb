"""The speech decoder: equal to the reference, stepping equal to training, aligner included."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from models.vita.cache import growing
from models.vita.config import SpeechDecoderConfig
from models.vita.speech_decoder import SpeechDecoder, SpeechPrefill
from tests.models.vita.golden import SPEECH, assert_close, expected, needs_golden

TINY = SpeechDecoderConfig(width=32, heads=4, feed_forward=64, aligner=(2, 1))
OWN = SpeechDecoderConfig(
    width=32, heads=4, feed_forward=64, codes=20, aligner=(1, 3), text_vocabulary=30
)


def own_decoder() -> SpeechDecoder:
    torch.manual_seed(11)
    decoder = SpeechDecoder(OWN)
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return decoder.eval().requires_grad_(False)


@needs_golden
def test_codes_are_those_of_the_reference() -> None:
    wanted = expected("vita_tts_tiny")
    decoder = SpeechDecoder(TINY).eval().requires_grad_(False)
    decoder.load_state_dict(load_file(SPEECH / "decoder" / "model.safetensors"))
    text = wanted["decoder.hidden_in"]
    assert_close(decoder.prepare(text), wanted["decoder.pre_nn_out"])
    out, past = decoder.prefill(text)
    assert_close(out, wanted["decoder.prefill_out"])
    codes, logits = [TINY.start], []
    for index in range(len(wanted["decoder.greedy_tokens"])):
        place = torch.tensor([1 + text.shape[1] + index])
        layers = growing(past)
        scores, _ = decoder.step(torch.tensor([codes[-1:]]), place, layers)
        past = tuple(tensor for layer in layers for tensor in layer.whole)
        logits.append(scores)
        codes.append(int(scores.argmax()))
    assert_close(torch.cat(logits[:5]), wanted["decoder.logits_first5"])
    assert codes[1:] == wanted["decoder.greedy_tokens"].tolist()


def test_training_equals_stepping_in_a_padded_batch() -> None:
    decoder = own_decoder()
    ids = torch.randint(0, 30, (2, 9))
    lengths, codes = torch.tensor([6, 9]), torch.randint(0, 20, (2, 7))
    logits, weights = decoder(decoder.embed_text(ids), lengths, codes, return_alignment=True)
    assert logits.shape == (2, 8, 24)
    assert weights is not None
    assert weights.shape == (2, 8, 9)
    for row, length in enumerate(lengths.tolist()):
        past = SpeechPrefill(decoder)(ids[row : row + 1, :length])
        spoken = [OWN.start, *codes[row].tolist()]
        for index, code in enumerate(spoken):
            place = torch.tensor([1 + length + index])
            layers = growing(past)
            scores, aligned = decoder.step(torch.tensor([[code]]), place, layers)
            past = tuple(tensor for layer in layers for tensor in layer.whole)
            assert aligned is not None
            torch.testing.assert_close(scores[0], logits[row, index], atol=1e-4, rtol=0)
            wanted = weights[row, index, :length]
            torch.testing.assert_close(aligned[0, 1 : 1 + length], wanted, atol=1e-5, rtol=0)


def test_the_prefix_looks_both_ways_and_codes_only_back() -> None:
    decoder = own_decoder()
    text, codes = torch.randn(1, 5, 32), torch.randint(0, 20, (1, 4))
    lengths = torch.tensor([5])
    before, _ = decoder(text, lengths, codes)
    changed = codes.clone()
    changed[0, 2] = (changed[0, 2] + 1) % 20
    after, _ = decoder(text, lengths, changed)
    same = (before - after).abs().amax(-1)[0] < 1e-6
    assert same.tolist() == [True, True, True, False, False]
    first = decoder.prefill(text)[0][0, 0]
    text[0, 4] += 1.0
    assert not torch.allclose(decoder.prefill(text)[0][0, 0], first, atol=1e-4)


def test_a_decoder_without_a_table_takes_vectors() -> None:
    decoder = SpeechDecoder(TINY)
    assert decoder.split(torch.randn(1, 3, 128)).shape == (1, 12, 32)
    with pytest.raises(ValueError, match="vectors"):
        decoder.embed_text(torch.zeros(1, 1, dtype=torch.long))
