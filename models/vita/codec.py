"""The codec's decoder (TiCodec, HiFi-GAN form): codes in, samples out; at once or as a stream."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.vita.config import CodecConfig

SLOPE = 0.1  # of every leaky rectifier


class ResidualBlock(nn.Module):
    """Pairs of a dilated and a plain convolution, each pair a residual; length is kept."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        half = kernel // 2
        self.convs1 = nn.ModuleList(
            nn.Conv1d(width, width, kernel, dilation=d, padding=half * d) for d in dilations
        )
        self.convs2 = nn.ModuleList(
            nn.Conv1d(width, width, kernel, padding=half) for _ in dilations
        )

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            inner = dilated(functional.leaky_relu(x, SLOPE))
            x = x + plain(functional.leaky_relu(inner, SLOPE))
        return x


class Generator(nn.Module):
    """Code vectors [b, code width, n] -> samples [b, n * samples per code]."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.initial_width >> i for i in range(len(config.upsample_rates) + 1)]
        self.conv_pre = nn.Conv1d(config.code_width, widths[0], 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for i, rate in enumerate(config.upsample_rates):
            kernel = config.upsample_kernels[i]
            narrow = nn.ConvTranspose1d(
                widths[i], widths[i + 1], kernel, rate, padding=(kernel - rate) // 2
            )
            self.ups.append(narrow)
            for size, dilations in zip(config.block_kernels, config.block_dilations, strict=True):
                self.resblocks.append(ResidualBlock(widths[i + 1], size, dilations))
        self.conv_post = nn.Conv1d(widths[-1], 1, 7, padding=3)

    def forward(self, vectors: Tensor, speaker: Tensor | None) -> Tensor:
        """speaker [b, global width] is added where the stages are as wide as it is."""
        x, each = self.conv_pre(vectors), len(self.config.block_kernels)
        for i, up in enumerate(self.ups):
            length = x.shape[-1] * self.config.upsample_rates[i]
            x = up(functional.leaky_relu(x, SLOPE))[..., :length]
            blocks = list(self.resblocks)[i * each : (i + 1) * each]
            x = torch.stack([block(x) for block in blocks]).mean(0)
            if speaker is not None and x.shape[1] == speaker.shape[1]:
                x = x + speaker[..., None]
        wave: Tensor = self.conv_post(functional.leaky_relu(x, SLOPE)).tanh()
        return wave[:, 0]


class Codebook(nn.Module):
    def __init__(self, codes: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, width)


class Quantizer(nn.Module):
    """The code table, and one table for each of the codes that make up the speaker."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.quantizer_modules = nn.ModuleList([Codebook(config.codes, config.code_width)])
        speaker = config.global_codes if config.global_width else ()
        self.quantizer_modules_globaltokens = nn.ModuleList(
            Codebook(config.codes, config.global_width // len(speaker)) for _ in speaker
        )


class Codec(nn.Module):
    """codes [b, n] -> samples [b, n * samples per code], -1..1."""

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = Generator(config)
        self.quantizer = Quantizer(config)

    def embed(self, codes: Tensor) -> Tensor:
        """codes [b, n] -> [b, code width, n]."""
        table = self.quantizer.quantizer_modules[0].get_submodule("embedding")
        out: Tensor = table(codes).transpose(1, 2)
        return out

    def speaker(self) -> Tensor | None:
        """The fixed voice as [1, global width]; None for a codec without one."""
        tables = self.quantizer.quantizer_modules_globaltokens
        parts = [
            table.get_submodule("embedding").get_parameter("weight")[code]
            for table, code in zip(tables, self.config.global_codes, strict=False)
        ]
        return torch.cat(parts)[None] if parts else None

    def forward(self, codes: Tensor) -> Tensor:
        wave: Tensor = self.generator(self.embed(codes), self.speaker())
        return wave


class CodecStream:
    """Samples while codes still arrive: each piece is decoded with `context` codes on both sides,
    so that the joined pieces equal the one-shot decode."""

    def __init__(self, codec: Codec, chunk: int) -> None:
        self.codec, self.chunk = codec, chunk
        self._codes: list[int] = []  # codes not yet spoken, behind `_left` codes of context
        self._left = 0

    def push(self, code: int) -> Tensor | None:
        """Take one code; gives [chunk * samples per code] when enough has come."""
        self._codes.append(code)
        context = self.codec.config.context
        if len(self._codes) < self._left + self.chunk + context:
            return None
        piece = self._decode(self.chunk)
        spoken = self._left + self.chunk
        keep = min(context, spoken)
        self._codes, self._left = self._codes[spoken - keep :], keep
        return piece

    def flush(self) -> Tensor:
        """All that is left, [m] (may be empty); the stream is fresh again."""
        piece = self._decode(len(self._codes) - self._left)
        self._codes, self._left = [], 0
        return piece

    def _decode(self, count: int) -> Tensor:
        device = self.codec.generator.conv_post.weight.device
        if count <= 0:
            return torch.zeros(0, device=device)
        wave: Tensor = self.codec(torch.tensor([self._codes], device=device))[0]
        each = self.codec.config.samples_per_code
        return wave[self._left * each : (self._left + count) * each]
