"""Sound: waves, spectrograms, cepstral coefficients."""

from tests.cases import case, const, f32, given

_WAVE = given(
    b"RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    b"data\x08\x00\x00\x00\x00\x80\xff\x7f\x00\x00\x00\x40",
    "object",
)

CASES = [
    case("DecodeWav", _WAVE, order=1, smooth=False, label="as it is"),
    case("DecodeWav", _WAVE, order=1, smooth=False, label="filled", desired_channels=2, desired_samples=6),
    case("AudioSpectrogram", f32(20, 2), order=1, smooth=False, window_size=6, stride=3),
    case("AudioSpectrogram", f32(20, 1), order=1, smooth=False, window_size=8, stride=5, magnitude_squared=True),
    case("Mfcc", f32(1, 2, 129, low=0.0), const(16000), order=1, smooth=False),
    case("EncodeWav", given([[0.5, -0.25], [1.0, -1.0], [0.1, 1.5]]), const(8000), order=1, smooth=False),
]
