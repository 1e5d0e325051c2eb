"""How a cascade judges words by rules: the form of a sentence, whatever it is about."""

from __future__ import annotations

from models.base import Conversation, Verdict
from models.word_evidence import evidence_of, weighed


class RuleJudge:
    """A models.engines.cascade.instance.WordJudge: the rules of models.word_evidence."""

    async def judged(self, conversation: Conversation, verdict: Verdict) -> Verdict:
        return weighed(verdict, evidence_of(verdict.words))
