"""Everything an operator can set, in one frozen object, checked once.

Flags rule over the environment (ANTIPHON_*, sections by two underscores: ANTIPHON_LIMITS__IDLE),
that over the TOML file, that over the defaults.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from server.edge.allowances import Allowances
from server.environment import service_links, unknown_variables
from server.faults import toml_faults
from server.realtime.budget import BudgetSettings

MEBIBYTE = 2**20
_MODELS = Path(__file__).resolve().parent.parent / "models"
BUNDLED = {"nano": _MODELS / "nano", "smollm": _MODELS / "smollm"}  # by the name in --model
BUNDLED_MODEL = BUNDLED["nano"]
_SCHEMES = ("http://", "https://")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
NO_KEYS = (
    "api_keys: none are set, and other machines can reach this address. Set ANTIPHON_API_KEYS, or "
    "say --without-keys (ANTIPHON_WITHOUT_KEYS=true) to let everybody in"
)


class ConfigurationError(Exception):
    """`faults` names every field that is wrong, with what is wrong about it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def _split(value: Any) -> Any:
    """Lists in the environment are written with commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]


class Limits(BaseModel):
    """What one client may ask of the server. Times are seconds, sizes bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frame: int = Field(default=21 * MEBIBYTE, ge=64 * 1024, le=256 * MEBIBYTE)
    request_seconds: float = Field(default=10.0, gt=0)  # until a request is there, with its body
    half_open: int = Field(default=256, ge=8)  # connections without a whole request
    messages_a_second: int = Field(default=1000, ge=10)
    idle: float = Field(default=900.0, gt=0)  # without a message from the client
    session: float | None = Field(default=None, gt=0)  # in all; None: as long as the client likes
    unread: int = Field(
        default=4 * MEBIBYTE, ge=64 * 1024
    )  # waiting for a client that reads slowly
    unread_seconds: float = Field(default=10.0, gt=0)  # then the client is let go
    ping_seconds: float = Field(default=20.0, gt=0)
    loading: float = Field(default=30.0, ge=0)  # for which a handshake waits for the models


class DrainSettings(BaseModel):
    """How the server ends after SIGTERM. Times are seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float = Field(default=5.0, ge=0, le=86_400)  # in which open calls end by themselves
    answers: float = Field(default=10.0, ge=0, le=600)  # then: for what is being said
    stagger: float = Field(default=5.0, ge=0, le=600)  # over which the closes are spread at most
    socket: Path | None = None  # a Unix socket for `antiphon drain`


class ResumeSettings(BaseModel):
    """Whether a conversation outlives its connection, and where it waits for its client."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    # "": off; "memory": this process; or the address of a Redis: redis://, rediss://, unix://
    store: str = Field(default="", pattern=r"^(|memory|(redis|rediss|unix)://\S+)$")
    seconds: float = Field(default=120.0, ge=1, le=86_400)  # in which the client may come back
    keys: Secrets = ()  # Fernet keys, the newest first
    server: str = Field(default="", pattern=r"^[A-Za-z0-9-]{0,63}$")  # tokens begin with it
    sound: int = Field(default=4 * MEBIBYTE, ge=0, le=256 * MEBIBYTE)  # bytes of one conversation
    memory: int = Field(default=256 * MEBIBYTE, ge=MEBIBYTE)  # bytes of all, in the store "memory"

    @property
    def is_shared(self) -> bool:
        """Other servers, and other programs, can read the store."""
        return self.store not in ("", "memory")

    @model_validator(mode="after")
    def _encrypted_outside(self) -> ResumeSettings:
        if self.is_shared and not self.keys:
            raise ValueError("keys: what people said leaves this process only encrypted")
        return self


class VllmSettings(BaseModel):
    """For engine vllm. `memory` is the share of each GPU that all its engines may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topology: Literal["auto", "dual", "single"] = "auto"  # auto: dual where it fits
    memory: float = Field(default=0.85, gt=0, le=0.95)
    cache_mebibytes: int | None = Field(default=None, ge=16)  # of each engine; None: what is left
    sequences: int = Field(default=64, ge=1, le=1024)  # that one engine computes in one step
    share_weights: bool = False  # by a daemon that holds them once; GPUs only


class CascadeSettings(BaseModel):
    """For engine cascade: how the language model is asked, and what writes down what is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    capacity: int = Field(default=8192, ge=512, le=2_000_000)  # tokens of a request and its reply
    first_seconds: float = Field(default=9.0, gt=0, le=600)  # until the first words of a reply
    next_seconds: float = Field(default=9.0, gt=0, le=600)  # between two pieces of it
    warm_up: Literal["auto", "on", "off"] = "auto"  # auto: where the address is no https
    style: str | None = None  # added to the instructions of spoken answers; None: our own words
    extra: dict[str, Any] = Field(default_factory=dict)  # fields added to each request
    transcriber: str = "auto"  # auto, moonshine, nano, a whisper folder, or an http address
    transcriber_model: str = "whisper-1"  # its name at that address
    transcriber_key: SecretStr = SecretStr("")
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}$")  # that is spoken


class VitaSettings(BaseModel):
    """For VITA checkpoints. The prompts stand in place of those that the checkpoint was trained
    behind, where they are not empty: for sound and text alone, with pictures, with a video."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    context: int = Field(default=4096, ge=512, le=131_072)  # tokens of one conversation
    prompt_sound: str = ""
    prompt_image: str = ""
    prompt_video: str = ""


class ServerSettings(BaseSettings):
    """The operator's settings. Paths are relative to the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="ANTIPHON_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8080, ge=0, le=65_535)
    model: Path = BUNDLED_MODEL
    model_name: str = Field(default="nano", pattern=r"^[\w.-]{1,64}$")
    model_aliases: Names = ()  # other names for it beside gpt-*realtime*; * is any letters
    engine: Literal["auto", "embedded", "pytorch", "vllm", "cascade", "smollm"] = "auto"
    llm: Names = ()  # for cascade: one address of a language model, or two for two roles
    llm_model: str = ""  # its name there
    llm_key: SecretStr = SecretStr("")
    llm_key_file: Path | None = None
    cascade: CascadeSettings = CascadeSettings()
    device: str = "auto"  # for pytorch and vllm
    vllm: VllmSettings = VllmSettings()
    vita: VitaSettings = VitaSettings()
    synthesizer: str = ""  # espeak-ng, or an http address: for checkpoints without a voice
    synthesizer_voice: str = ""
    synthesizer_key: SecretStr = SecretStr("")
    tls: Literal["off", "self-signed"] = "off"  # self-signed: a new certificate at each start
    tls_certificate: Path | None = None  # PEM, with the chain
    tls_key: Path | None = None  # PEM, without a passphrase
    api_keys: Secrets = ()
    without_keys: bool = False  # let everybody in who reaches an address beyond this machine
    host_names: Names = ()  # that are answered to, beside this machine's own; "*" is every one
    trusted_proxies: Names = ("127.0.0.1",)  # whose X-Forwarded-For is believed
    allowed_origins: Names = ()  # beside the server's own; "*" is every origin
    pairs: int = Field(default=1, ge=1, le=64)
    sessions_per_pair: int = Field(default=4, ge=1, le=1024)
    lead_ms: int = Field(default=80, ge=0, le=2_000)
    instructions: str = ""  # what a session is told where the client says nothing
    speaker_profile: bool = True  # tell the voices that a session has answered from others
    trace_directory: Path | None = None
    trace_words: bool = False
    # An OTLP collector that is sent a span a turn: http://collector:4318/v1/traces; "": none
    spans: str = Field(default="", pattern=r"^(|https?://\S+)$")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    limits: Limits = Limits()
    budget: BudgetSettings = BudgetSettings()
    allowances: Allowances = Allowances()
    drain: DrainSettings = DrainSettings()
    resume: ResumeSettings = ResumeSettings()

    @field_validator("api_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < 8 for key in keys):
            raise ValueError("a key has at least 8 letters")
        return keys

    @model_validator(mode="after")
    def _certificate_is_whole(self) -> ServerSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: both are needed")
        if self.tls_certificate is not None and self.tls != "off":
            raise ValueError("tls is 'self-signed' or a certificate is given, not both")
        return self

    @model_validator(mode="after")
    def _is_not_open_unasked(self) -> ServerSettings:
        if not self.is_local and not self.api_keys and not self.without_keys:
            raise ValueError(NO_KEYS)
        return self

    @field_validator("model")
    @classmethod
    def _named(cls, model: Path) -> Path:
        """A bundled model may be called by its name, where no folder has that name."""
        return model if model.exists() else BUNDLED.get(str(model), model)

    @field_validator("llm")
    @classmethod
    def _addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if len(addresses) > 2 or not all(one.startswith(_SCHEMES) for one in addresses):
            raise ValueError("one or two addresses that begin with http:// or https:// are wanted")
        if any("@" in urlsplit(one).netloc for one in addresses):
            raise ValueError("a key belongs in llm_key, not in the address")
        return addresses

    @model_validator(mode="after")
    def _is_cascade_complete(self) -> ServerSettings:
        if self.engine == "cascade" and not self.llm:
            raise ValueError("llm: the cascade wants the address of a language model")
        if self.llm and self.engine not in ("auto", "cascade"):
            raise ValueError(f"llm: engine {self.engine} uses no language model by address")
        if self.llm and not self.llm_model:
            raise ValueError("llm_model: the name of the model at that address is wanted")
        return self

    @property
    def llm_secret(self) -> str:
        """The key of the language model's address. Raises ConfigurationError."""
        if self.llm_key_file is None:
            return self.llm_key.get_secret_value()
        try:
            return self.llm_key_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(["llm_key_file: cannot be read as text"]) from None

    @property
    def capacity(self) -> int:
        return self.pairs * self.sessions_per_pair

    @property
    def is_local(self) -> bool:
        """Only this machine can reach the server."""
        return is_loopback(self.host)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Variables(settings_cls), TomlConfigSettingsSource(settings_cls)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is always this machine: 127.0.0.0/8, ::1, localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Variables(EnvSettingsSource):
    """The environment without what Kubernetes puts into it for services."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        links = {name.lower() for name in service_links(os.environ)}
        return {k: v for k, v in super()._load_env_vars().items() if k.lower() not in links}


def load_settings(
    config: Path | None = None, flags: Mapping[str, Any] | None = None
) -> ServerSettings:
    """Read file, environment and flags (those that are not None).

    `config` or ANTIPHON_CONFIG names the file. Raises ConfigurationError with every fault at once.
    """
    named = os.environ.get("ANTIPHON_CONFIG")
    file = config or (Path(named) if named else None)
    if file is not None and (unreadable := toml_faults(file)):
        raise ConfigurationError(unreadable)

    class FromFile(ServerSettings):
        model_config = SettingsConfigDict(toml_file=file)

    faults = unknown_variables(os.environ, ServerSettings)
    given = {key: value for key, value in (flags or {}).items() if value is not None}
    try:
        settings = FromFile(**given)
    except ValidationError as error:
        faults += [_fault(fault) for fault in error.errors()]
    if faults:
        raise ConfigurationError(faults)
    return settings


def _fault(fault: Any) -> str:
    """One line; never the value, which may be a key."""
    field = ".".join(str(part) for part in fault["loc"])
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{field}: {said}" if field else said
