//! What callers hear while it rings and when it does not, in the manner of their country (ITU-T E.180,
//! Supplement 2). `media::tone` makes the sound.

use std::time::Duration;

use media::tone::Tone;

/// The tones of a country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tones {
    /// The ISO 3166 code in capitals; `EU` for the tones that most of Europe shares.
    pub country: &'static str,
    /// It rings at the other end.
    pub ringing: Tone,
    /// The other end is busy.
    pub busy: Tone,
    /// The call cannot be completed.
    pub congestion: Tone,
}

impl Tones {
    /// The tones of a country by its ISO 3166 code; for one that is not in the table, those that most of
    /// Europe and much of the world shares.
    pub fn of(country: &str) -> &'static Self {
        let is_it = |tones: &&Self| tones.country.eq_ignore_ascii_case(country);
        COUNTRIES.iter().find(is_it).unwrap_or(&EUROPE)
    }

    /// Every country in the table.
    pub fn all() -> &'static [Self] {
        COUNTRIES
    }
}

const COUNTRIES: &[Tones] = &[
    EUROPE,
    Tones {
        country: "AT",
        ringing: tone(420.0, &[ms(1_000), ms(5_000)]),
        busy: tone(420.0, &[ms(400), ms(400)]),
        congestion: tone(420.0, &[ms(200), ms(200)]),
    },
    Tones {
        country: "AU",
        ringing: DOUBLE_RING,
        busy: tone(425.0, &TWICE_375),
        // Told from busy by every second one being softer, which a tone here cannot say.
        congestion: tone(425.0, &TWICE_375),
    },
    AMERICA,
    Tones {
        country: "CH",
        congestion: tone(425.0, &[ms(200), ms(200)]),
        ..EUROPE
    },
    Tones {
        country: "DE",
        ringing: EUROPE.ringing,
        busy: tone(425.0, &[ms(480), ms(480)]),
        congestion: tone(425.0, &[ms(240), ms(240)]),
    },
    Tones {
        country: "ES",
        ringing: tone(425.0, &[ms(1_500), ms(3_000)]),
        busy: tone(425.0, &[ms(200), ms(200)]),
        congestion: tone(
            425.0,
            &[ms(200), ms(200), ms(200), ms(200), ms(200), ms(600)],
        ),
    },
    Tones {
        country: "FR",
        ringing: tone(440.0, &[ms(1_500), ms(3_500)]),
        busy: tone(440.0, &[ms(500), ms(500)]),
        congestion: tone(440.0, &[ms(250), ms(250)]),
    },
    Tones {
        country: "GB",
        ringing: DOUBLE_RING,
        busy: tone(400.0, &TWICE_375),
        congestion: tone(400.0, &[ms(400), ms(350), ms(225), ms(525)]),
    },
    Tones {
        country: "IT",
        congestion: tone(425.0, &[ms(200), ms(200)]),
        ..EUROPE
    },
    Tones {
        country: "NL",
        ..EUROPE
    },
    Tones {
        country: "NZ",
        ringing: DOUBLE_RING,
        busy: tone(400.0, &[ms(500), ms(500)]),
        congestion: tone(400.0, &[ms(250), ms(250)]),
    },
    Tones {
        country: "US",
        ..AMERICA
    },
];

const EUROPE: Tones = Tones {
    country: "EU",
    ringing: tone(425.0, &[ms(1_000), ms(4_000)]),
    busy: tone(425.0, &[ms(500), ms(500)]),
    congestion: tone(425.0, &[ms(250), ms(250)]),
};

const AMERICA: Tones = Tones {
    country: "CA",
    ringing: two(440.0, 480.0, &[ms(2_000), ms(4_000)]),
    busy: two(480.0, 620.0, &[ms(500), ms(500)]),
    congestion: two(480.0, 620.0, &[ms(250), ms(250)]),
};

/// As in Britain and where its network was taken over.
const DOUBLE_RING: Tone = two(400.0, 450.0, &[ms(400), ms(200), ms(400), ms(2_000)]);

/// Twice, so that a cycle has whole frames of 20 ms.
const TWICE_375: [Duration; 4] = [ms(375); 4];

const fn tone(hertz: f64, cadence: &'static [Duration]) -> Tone {
    two(hertz, 0.0, cadence)
}

const fn two(first: f64, second: f64, cadence: &'static [Duration]) -> Tone {
    Tone {
        hertz: [first, second],
        cadence,
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use media::codec::{Codec, Decoder, Rate};
    use media::sound::{FRAME_MS, Sound};

    use super::*;
    use crate::spectrum::{is_tones, total_db};

    fn decoded(sound: &Sound) -> Vec<i16> {
        let mut decoder = Decoder::new(Codec::Pcma, Rate::Narrow).unwrap();
        let mut samples = Vec::new();
        for frame in 0..sound.frames() {
            decoder.decode(sound.frame(Codec::Pcma, frame).unwrap(), &mut samples);
        }
        samples
    }

    /// Each span of the cadence holds the tone's frequencies or nothing.
    fn check(country: &str, tone: &Tone) {
        let samples = decoded(&tone.sound(&[Codec::Pcma]));
        let expected: Vec<f64> = tone.hertz.into_iter().filter(|hz| *hz > 0.0).collect();
        let mut start = 0;
        for (place, span) in tone.cadence.iter().enumerate() {
            let end = start + span.as_millis() as usize * 8;
            // The edges fade.
            let inner = &samples[start + 80..end - 80];
            if place.is_multiple_of(2) {
                assert!(
                    is_tones(inner, 8_000, &expected),
                    "{country}: {tone:?} {place}"
                );
            } else {
                assert!(total_db(inner) < -60.0, "{country}: {tone:?} {place}");
            }
            start = end;
        }
        assert_eq!(start, samples.len(), "{country}: {tone:?} has whole frames");
    }

    #[test]
    fn every_tone_has_its_frequencies_and_its_cadence() {
        for tones in Tones::all() {
            for tone in [&tones.ringing, &tones.busy, &tones.congestion] {
                check(tones.country, tone);
                let cycle: Duration = tone.cadence.iter().sum();
                assert!(cycle.as_millis().is_multiple_of(FRAME_MS.into()));
                assert!(tone.cadence.len().is_multiple_of(2), "it ends with a pause");
            }
        }
    }

    #[test]
    fn a_country_is_found_by_its_code_and_each_only_once() {
        for country in ["AU", "US", "CA", "GB", "DE", "FR", "NL", "EU"] {
            assert_eq!(Tones::of(country).country, country);
        }
        assert_eq!(Tones::of("gb").country, "GB");
        assert_eq!(Tones::of("Atlantis").country, "EU");
        let mut codes: Vec<&str> = Tones::all().iter().map(|tones| tones.country).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Tones::all().len());
    }
}
