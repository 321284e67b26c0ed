#!/usr/bin/env python3
"""Writes the sound files of the tests: a second of 440 Hz left and 1,000 Hz right.

    pip install av==18.1.0 soundfile==0.14.0 numpy && python3 make.py
"""

from pathlib import Path

import av
import numpy as np
import soundfile

# File, container, encoder, rate, layout.
FILES = [
    ("stereo.mp3", "mp3", "libmp3lame", 44_100, "stereo"),
    ("stereo.m4a", "ipod", "aac", 44_100, "stereo"),
    ("lossless.m4a", "ipod", "alac", 16_000, "stereo"),
    ("stereo.aac", "adts", "aac", 48_000, "stereo"),
    ("stereo.flac", "flac", "flac", 48_000, "stereo"),
    ("opus.ogg", "ogg", "libopus", 48_000, "stereo"),
    ("mono.opus.ogg", "ogg", "libopus", 48_000, "mono"),
    ("browser.webm", "webm", "libopus", 48_000, "mono"),
    ("linear24.wav", "wav", "pcm_s24le", 11_025, "stereo"),
    ("float.wav", "wav", "pcm_f32le", 8_000, "stereo"),
    ("alaw.wav", "wav", "pcm_alaw", 8_000, "stereo"),
    ("ulaw.wav", "wav", "pcm_mulaw", 8_000, "stereo"),
    ("adpcm.wav", "wav", "adpcm_ms", 22_050, "stereo"),
    ("linear.aiff", "aiff", "pcm_s16be", 12_000, "stereo"),
]


def tones(rate: int) -> np.ndarray:
    time = np.arange(rate) / rate
    sides = [np.sin(2 * np.pi * hz * time) for hz in (440, 1_000)]
    return (0.4 * 32_767 * np.array(sides)).astype(np.int16)


def write(name: str, container: str, encoder: str, rate: int, layout: str) -> None:
    audio = tones(rate)
    if layout == "mono":
        audio = audio.sum(axis=0, dtype=np.int32).astype(np.int16)[None, :] // 2
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(audio), format="s16p", layout=layout)
    frame.sample_rate = rate
    with av.open(str(Path(__file__).parent / name), "w", format=container) as file:
        stream = file.add_stream(encoder, rate=rate, layout=layout)
        for part in [frame, None]:
            file.mux(stream.encode(part))


for row in FILES:
    write(*row)
soundfile.write(Path(__file__).parent / "vorbis.ogg", tones(44_100).T, 44_100, "VORBIS", format="OGG")
