#!/usr/bin/env python3
"""Plays the music on hold into on-hold.flac: "Long Afternoon", an electric piano, a soft voice above it, no drums.

    pip install numpy==2.4.6 scipy==1.17.1 soundfile==0.14.0 pyloudnorm==0.2.0
    python3 make.py

It is written for the telephone: everything that matters lies between 200 Hz and 3.4 kHz, nothing begins suddenly, and
nothing is so soft that a phone takes it for silence. Each note is played into a ring, so that the end runs into the
beginning.
"""

from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile

RATE = 16_000
# 68.6 beats a minute; a bar is 175 frames of 20 ms.
BEAT = 14_000
BARS = 24
LENGTH = BARS * 4 * BEAT
TARGET_LUFS = -23.0
# G.711 has 13 bits, so the file has 13 bits too: it is a fifth smaller.
STEP = 8 / 32_768

NAMES = {"C": 0, "C#": 1, "D": 2, "D#": 3, "E": 4, "F": 5, "F#": 6, "G": 7, "G#": 8, "A": 9, "A#": 10, "B": 11}

# The bass note, and the hand above it.
CHORDS = {
    "Dmaj9": ("D3", "A3 C#4 E4 F#4"),
    "Bm9": ("B2", "A3 C#4 D4 F#4"),
    "Gmaj9": ("G2", "B3 D4 F#4 A4"),
    "A9sus": ("A2", "G3 B3 D4 E4"),
    "F#m7": ("F#2", "A3 C#4 E4 F#4"),
    "Bm7": ("B2", "A3 B3 D4 F#4"),
    "Em9": ("E3", "G3 B3 D4 F#4"),
    "A7": ("A2", "G3 B3 C#4 E4"),
    "D69": ("D3", "A3 B3 E4 F#4"),
    "D/F#": ("F#2", "A3 D4 E4 F#4"),
}

# A bar each; two chords share a bar.
PART_A = "Dmaj9 | Bm9 | Gmaj9 | A9sus | F#m7 | Bm7 | Em9 | A9sus"
PART_A2 = "Dmaj9 | Bm9 | Gmaj9 | A9sus | F#m7 | Bm7 | Em9 A7 | D69"
PART_B = "Gmaj9 | F#m7 | Em9 | D/F# | Gmaj9 | Bm7 | Em9 | A9sus A7"

# The beat of the bar at which a note begins, the note, and how many beats it lasts.
TUNE_A = """
0.5 A4 .5  1 D5 1  2 F#5 2         | 0 E5 1.5  1.5 D5 .5  2 B4 2
0.5 D5 .5  1 E5 1  2 F#5 1  3 D5 1 | 0 E5 3.5
0.5 F#5 .5 1 A5 1  2 E5 2          | 0 F#5 1.5  1.5 E5 .5  2 D5 2
0.5 B4 .5  1 D5 .5 1.5 E5 .5  2 G5 1  3 F#5 1 | 0 E5 3
"""
TUNE_A2 = """
0.5 A4 .5  1 D5 1  2 F#5 2         | 0 E5 1.5  1.5 D5 .5  2 B4 1  3 C#5 1
0 D5 1     1 E5 1  2 F#5 1  3 A5 1 | 0 E5 3.5
0.5 F#5 .5 1 A5 1  2 E5 2          | 0 F#5 1.5  1.5 E5 .5  2 D5 2
0 G5 1     1 F#5 .5 1.5 E5 .5  2 C#5 1  3 E5 1 | 0 D5 3.5
"""
TUNE_B = """
1 B5 1     2 A5 1  3 F#5 1         | 0 A5 2  2 E5 1.5
0.5 G5 1   1.5 F#5 .5  2 E5 1  3 B4 1 | 0 D5 3
1 B5 1     2 A5 1  3 D5 1          | 0 F#5 2  2 D5 1.5
0.5 E5 .5  1 F#5 .5  1.5 G5 .5  2 A5 1  3 G5 1 | 0 E5 3.5
"""


def hertz(note: str) -> float:
    return 440.0 * 2 ** ((NAMES[note[:-1]] - 9) / 12 + int(note[-1]) - 4)


def attack(time: np.ndarray, seconds: float) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(time / seconds, 0, 1))


def piano(note: str, beats: float) -> np.ndarray:
    """An electric piano: a tine that rings brightly and then only hums."""
    frequency = hertz(note)
    time = np.arange(int(beats * BEAT + 0.6 * RATE)) / RATE
    turn = 2 * np.pi * frequency * time
    bright = (0.5 + 1.1 * np.exp(-time / 0.6)) * min(1.0, 330 / frequency)
    tone = np.sin(turn + bright * np.sin(turn)) + 0.06 * np.exp(-time / 0.15) * np.sin(4 * turn)
    release = np.clip((time[-1] - time) / 0.6, 0, 1) ** 2
    return tone * attack(time, 0.012) * np.exp(-time / 2.4) * release


def voice(note: str, beats: float) -> np.ndarray:
    """Something between a flute and a hummed tone, which comes and goes slowly."""
    frequency = hertz(note)
    time = np.arange(int(beats * BEAT + 0.35 * RATE)) / RATE
    trill = 0.0035 * attack(time - 0.3, 0.5) * np.sin(2 * np.pi * 4.8 * time)
    turn = 2 * np.pi * np.cumsum(frequency * (1 + trill)) / RATE
    tone = np.sin(turn) + 0.22 * np.sin(2 * turn) + 0.07 * np.sin(3 * turn)
    release = attack(time[-1] - time, 0.35)
    return tone * attack(time, 0.09) * release * (0.8 + 0.2 * np.exp(-time / 0.8))


def strings(note: str, beats: float) -> np.ndarray:
    """Hardly heard, but never silent."""
    time = np.arange(int((beats + 1) * BEAT)) / RATE
    tone = sum(np.sin(2 * np.pi * hertz(note) * (1 + cents) * time) for cents in (-0.0016, 0.0, 0.0018))
    return tone / 3 * attack(time, 1.2) * attack(time[-1] - time, 1.2)


def put(ring: np.ndarray, sound: np.ndarray, beat: float, gain: float) -> None:
    places = (int(beat * BEAT) + np.arange(len(sound))) % LENGTH
    np.add.at(ring, places, gain * sound)


def play_chords(ring: np.ndarray, names: list[str], bar: int) -> None:
    beats = 4 / len(names)
    for index, name in enumerate(names):
        start = bar * 4 + index * beats
        bass, hand = CHORDS[name]
        hand = hand.split()
        put(ring, piano(bass, beats - 0.25), start, 0.36)
        for place, note in enumerate(hand):
            put(ring, piano(note, beats), start + 0.03 * place, 0.3)
            put(ring, strings(note, beats), start, 0.06)
        # The hand comes back, note by note, where the bar would stand still.
        for place, note in enumerate(hand[1:] if beats > 2 else []):
            put(ring, piano(note, 1.5), start + 2 + 0.5 * place, 0.2)


def play_tune(ring: np.ndarray, bar_text: str, bar: int) -> None:
    words = bar_text.split()
    for beat, note, beats in zip(words[::3], words[1::3], words[2::3]):
        put(ring, voice(note, float(beats)), bar * 4 + float(beat), 0.34)


def in_a_room(ring: np.ndarray) -> np.ndarray:
    """A small hall, all around the ring."""
    time = np.arange(int(1.6 * RATE)) / RATE
    noise = np.random.default_rng(20).normal(size=len(time)) * np.exp(-time / 0.35)
    noise *= attack(time, 0.02)
    noise /= np.sqrt((noise**2).sum())
    echo = np.zeros(LENGTH)
    echo[: len(noise)] = noise
    return ring + 0.3 * np.fft.irfft(np.fft.rfft(ring) * np.fft.rfft(echo), LENGTH)


def for_the_telephone(ring: np.ndarray) -> np.ndarray:
    frequency = np.fft.rfftfreq(LENGTH, 1 / RATE)
    low = 1 / (1 + (110 / np.maximum(frequency, 1e-9)) ** 6)
    high = 1 / (1 + (frequency / 3_600) ** 12)
    return np.fft.irfft(np.fft.rfft(ring) * low * high, LENGTH)


def main() -> None:
    ring = np.zeros(LENGTH)
    chords = " | ".join([PART_A, PART_A2, PART_B]).split("|")
    tunes = [line for part in (TUNE_A, TUNE_A2, TUNE_B) for line in part.strip().splitlines()]
    tunes = "|".join(tunes).split("|")
    assert len(chords) == len(tunes) == BARS
    for bar, (names, tune) in enumerate(zip(chords, tunes)):
        play_chords(ring, names.split(), bar)
        play_tune(ring, tune, bar)
    ring = for_the_telephone(in_a_room(ring))
    loudness = pyloudnorm.Meter(RATE).integrated_loudness(ring)
    ring *= 10 ** ((TARGET_LUFS - loudness) / 20)
    path = Path(__file__).parent / "on-hold.flac"
    soundfile.write(path, np.round(ring / STEP) * STEP, RATE, "PCM_16", format="FLAC", compression_level=1.0)
    print(f"{LENGTH / RATE:.1f} s, peak {np.abs(ring).max():.2f}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
