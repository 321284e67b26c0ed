#!/usr/bin/env python3
"""Speaks the prompts of a language that have no sound yet. See README.md beside this file.

    python3 make.py en              speaks what is missing
    python3 make.py en goodbye      speaks one prompt anew
    python3 make.py en --all        speaks everything anew
"""

import sys
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
from hibari import Hibari
from scipy.signal import butter, resample_poly, sosfiltfilt

RATE = 16_000
# What a caller hears from a prompt is as loud as what he hears from a recording or an upload.
TARGET_LUFS = -19.0
# True peak, with room for what the codecs add.
PEAK = 10 ** (-1.5 / 20)
# Speech is taken to begin and end where it rises above this, relative to its loudest 10 ms.
EDGE = 10 ** (-42 / 20)
# What is left of the silence around it, in samples. Sentences are built from short prompts, so it is short.
LEAD, TAIL = int(0.02 * RATE), int(0.07 * RATE)
# Slower than the voice's own pace: a telephone is harder to follow than a room.
SPEED = 0.82
# Some 45 kbit/s: lossless files would be twice as large, and no telephone passes the difference.
MP3 = {"format": "MP3", "bitrate_mode": "VARIABLE", "compression_level": 0.4}
# A word alone is mumbled by the voice, so it is spoken at the end of a sentence and cut off there. Of 61 numbers,
# ordinals and letters, a recogniser (pocketsphinx) took 20 for another one when alone, and 4 when cut off.
CARRIER = "The answer is: {}"
# As loud as this relative to the loudest 10 ms is still the pause before the word.
PAUSE = 10 ** (-34 / 20)


def read(language: Path) -> dict[str, str]:
    lines = (language / "prompts.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {name: text for name, _, text in rows}


def speak(voice: Hibari, text: str) -> np.ndarray:
    if " " in text:
        return resample_poly(voice(text, speed=SPEED, seed=0), 2, 3)
    sentence = resample_poly(voice(CARRIER.format(text), speed=SPEED, seed=0), 2, 3)
    return sentence[longest_pause_end(sentence) :]


def longest_pause_end(sentence: np.ndarray) -> int:
    block = RATE // 100
    blocks = sentence[: len(sentence) // block * block].reshape(-1, block)
    power = np.sqrt((blocks**2).mean(axis=1))
    loud = np.flatnonzero(power > PAUSE * power.max())
    longest = np.argmax(np.diff(loud))
    return (loud[longest + 1] - 3) * block


def trim(sound: np.ndarray) -> np.ndarray:
    block = RATE // 100
    power = np.sqrt(np.convolve(sound**2, np.ones(block) / block, "same"))
    loud = np.flatnonzero(power > EDGE * power.max())
    first, last = max(loud[0] - LEAD, 0), loud[-1] + TAIL
    cut = sound[first:last].copy()
    fade = np.linspace(0, 1, LEAD // 2)
    cut[: len(fade)] *= fade
    cut[-len(fade) :] *= fade[::-1]
    return cut


def level(sound: np.ndarray) -> np.ndarray:
    # The measure needs blocks of 400 ms, so a short sound is measured as if it were repeated.
    measured = np.tile(sound, max(1, int(np.ceil(3 * RATE / len(sound)))))
    meter = pyloudnorm.Meter(RATE)
    for _ in range(4):
        gain = 10 ** ((TARGET_LUFS - meter.integrated_loudness(measured)) / 20)
        sound, measured = sound * gain, measured * gain
        peak = np.abs(resample_poly(sound, 4, 1)).max()
        if peak <= PEAK:
            break
        # Round the few peaks off instead of being quieter than every other prompt.
        sound = PEAK * np.tanh(sound / PEAK * 0.98)
        measured = np.tile(sound, max(1, int(np.ceil(3 * RATE / len(sound)))))
    return sound


def make(voice: Hibari, text: str) -> np.ndarray:
    sound = speak(voice, text)
    # Nothing below it passes a telephone, but it would be measured.
    sound = sosfiltfilt(butter(2, 80, "highpass", fs=RATE, output="sos"), sound)
    return level(trim(sound))


def main() -> None:
    language, *wanted = sys.argv[1:]
    folder = Path(__file__).parent / language
    texts = read(folder)
    if wanted == ["--all"]:
        wanted = list(texts)
    missing = [name for name in texts if not (folder / f"{name}.mp3").exists()]
    voice = Hibari()
    for name in wanted or missing:
        sound = make(voice, texts[name])
        path = folder / f"{name}.mp3"
        soundfile.write(path, sound, RATE, **MP3)
        print(f"{name}: {len(sound) / RATE:.2f} s, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
