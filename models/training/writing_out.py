"""models.training: questions as a person would write them down, for nano to learn dictation."""

from __future__ import annotations

from models.training.pinyin import is_chinese

_ASKING = (
    "what", "which", "how", "where", "who", "why", "when", "is", "are", "can", "could", "do",
    "does", "did", "would", "will", "should", "whose", "may", "have", "what's", "am",
)  # fmt: skip
_ASKING_CHINESE = ("什么", "吗", "呢", "哪", "谁", "几", "多少", "怎", "为什么", "多远", "是不是")


def written_out(text: str) -> str:
    """ "what can i do" as "What can I do?"; characters with their mark."""
    if is_chinese(text):
        asks = any(word in text for word in _ASKING_CHINESE)
        return text.rstrip("。？") + ("？" if asks else "。")
    words = ["I" + word[1:] if word == "i" or word[:2] == "i'" else word for word in text.split()]
    if not words:
        return ""
    mark = "?" if words[0].lower() in _ASKING else "."
    sentence = " ".join(words)
    return sentence[:1].upper() + sentence[1:] + mark
