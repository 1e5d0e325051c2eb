"""The synthetic voices: which ones nano learns from, and which are kept back for evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from models.training.skills.exchange import pick

RESERVED_FLITE = ("awb", "rms")
RESERVED_FESTIVAL = ("ked_diphone",)
RESERVED_VARIANTS = ("Alicia", "Michael", "f4", "m5", "klatt4", "steph2")

RESERVED_KOKORO = (
    "af_nova", "af_sky", "am_liam", "am_onyx", "bf_alice", "bf_lily", "bm_daniel", "bm_lewis",
)  # fmt: skip
RESERVED_KOKORO_CHINESE = ("zf_xiaoni", "zm_yunxia", "zm_yunyang")

TRAIN_RHVOICE = ("bdl", "bdl", "clb")
TRAIN_PICO = ("en-US", "en-GB")
TRAIN_KOKORO = (
    "af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole",
    "af_river", "af_sarah", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_michael", "am_puck",
    "am_santa", "bf_emma", "bf_isabella", "bm_fable", "bm_george",
)  # fmt: skip
TRAIN_KOKORO_CHINESE = ("zf_xiaobei", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi")
TRAIN_FESTIVAL = ("kal_diphone", "cmu_us_slt_arctic_hts")
TRAIN_VARIANTS = (
    "Alex Andrea Andy Annie Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Mike Mr "
    "Nguyen adam anika announcer antonio aunty belinda benjamin boris caleb croak david ed edward "
    "edward2 f1 f2 f3 f5 grandma grandpa gustave iven iven2 iven3 iven4 john kaukovalta klatt "
    "klatt2 klatt3 klatt5 klatt6 linda m1 m2 m3 m4 m6 m7 m8 marcelo max michel miguel norbert "
    "pablo paul pedro quincy rob robert sandro shelby steph steph3 travis victor zac whisper"
).split()
ACCENTS = (
    "en-us", "en-us", "en-us", "en", "en", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan",
    "en-gb-x-gbcwmd", "en-029", "en-us-nyc",
)  # fmt: skip


MANDARIN = "cmn-latn-pinyin"  # the espeak-ng voice that reads pinyin with tones


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to speak. `speed` 1 is the engine's own; `pitch` 0 to 1 within its range."""

    engine: str  # espeak, flite, festival, rhvoice, pico, kokoro or hibari
    name: str
    accent: str = ""
    speed: float = 1.0
    pitch: float = 0.5
    liveliness: float = 0.5

    @property
    def speaker(self) -> str:
        """What two clips of the same voice share, whatever their speed and pitch."""
        return f"{self.engine}-{self.name}"


def reserved_speakers() -> frozenset[str]:
    """Speakers that must never occur in training."""
    return frozenset(
        [f"flite-{name}" for name in RESERVED_FLITE]
        + [f"festival-{name}" for name in RESERVED_FESTIVAL]
        + [f"espeak-{name}" for name in RESERVED_VARIANTS]
        + [f"kokoro-{name}" for name in (*RESERVED_KOKORO, *RESERVED_KOKORO_CHINESE)]
    )


def training_voice(random: Random, festival: float = 0.0, statistical: float = 0.0) -> Voice:
    """A random voice to learn from; `festival` is the share of that slow engine, `statistical`
    that of RHVoice and Pico, whose voices are nearer to people and which Debian does not have."""
    if random.random() < statistical:
        return _statistical(random)
    kind = random.random()
    if kind < festival:
        return Voice("festival", pick(random, TRAIN_FESTIVAL), speed=random.uniform(0.85, 1.25))
    if kind < 0.35:
        name = pick(random, ("slt", "slt", "kal16", "kal16", "kal"))
        return Voice("flite", name, "", random.uniform(0.75, 1.35), random.uniform(0.1, 0.9))
    return Voice(
        "espeak",
        pick(random, TRAIN_VARIANTS),
        pick(random, ACCENTS),
        random.uniform(0.7, 1.35),
        random.uniform(0.1, 0.9),
        random.uniform(0.2, 0.9),
    )


def _statistical(random: Random) -> Voice:
    pitch = random.uniform(0.2, 0.8)
    if random.random() < 0.6:
        return Voice("rhvoice", pick(random, TRAIN_RHVOICE), "", random.uniform(0.8, 1.3), pitch)
    return Voice("pico", pick(random, TRAIN_PICO), "", random.uniform(0.75, 1.3), pitch)


def evaluation_voice(random: Random) -> Voice:
    """A random reserved voice."""
    kind = random.random()
    if kind < 0.5:
        return Voice("flite", pick(random, RESERVED_FLITE), speed=random.uniform(0.9, 1.15))
    if kind < 0.6:
        return Voice("festival", pick(random, RESERVED_FESTIVAL))
    return Voice(
        "espeak", pick(random, RESERVED_VARIANTS), pick(random, ("en-us", "en")),
        random.uniform(0.8, 1.2), random.uniform(0.3, 0.7),
    )  # fmt: skip


def mandarin_voice(random: Random, held_out: bool = False) -> Voice:
    """A random Chinese voice: only espeak-ng has any, so "reserved" means an unseen variant."""
    return Voice(
        "espeak",
        pick(random, RESERVED_VARIANTS if held_out else TRAIN_VARIANTS),
        MANDARIN,
        random.uniform(0.8, 1.2) if held_out else random.uniform(0.7, 1.3),
        random.uniform(0.3, 0.7) if held_out else random.uniform(0.1, 0.9),
        random.uniform(0.3, 0.8),
    )


def neural_voice(random: Random, *, chinese: bool, held_out: bool = False) -> Voice:
    """A random voice of Kokoro."""
    kept_back: tuple[str, ...] = RESERVED_KOKORO_CHINESE if chinese else RESERVED_KOKORO
    learned: tuple[str, ...] = TRAIN_KOKORO_CHINESE if chinese else TRAIN_KOKORO
    name = pick(random, kept_back if held_out else learned)
    return Voice("kokoro", name, speed=random.uniform(0.8, 1.25))


def distilled_voice() -> Voice:
    """hibari's one voice, distilled from one of Kokoro's to learn from: English, and very fast."""
    return Voice("hibari", "heart")
