//! The spoken prompts, by language. They lie in the program as they were made, and are decoded and
//! encoded for phones by whoever needs them: a start costs nothing, and idle memory neither.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use media::codec::Codec;
use media::sound::Sound;

use crate::pcm::Pcm;
use crate::say::{self, Part, Rules};
use crate::upload::{self, UploadLimits};

/// The prompts of one language, and its rules for numbers and times.
pub struct Language {
    code: &'static str,
    rules: Rules,
    prompts: BTreeMap<&'static str, Prompt>,
}

/// One recorded phrase, word or letter.
pub struct Prompt {
    /// Its name, the same in every language that has it.
    pub id: &'static str,
    /// Where callers hear it.
    pub used: &'static str,
    /// The words that are spoken.
    pub words: &'static str,
    file: &'static [u8],
}

impl Language {
    /// The language with this code, such as `en`. A region is looked for first and then left out:
    /// `en-AU` is English until there is a folder for it.
    pub fn named(code: &str) -> Option<&'static Self> {
        let found = LANGUAGES
            .iter()
            .find(|language| language.code.eq_ignore_ascii_case(code));
        let base = || {
            code.rsplit_once('-')
                .and_then(|(base, _)| Self::named(base))
        };
        found.or_else(base)
    }

    /// All languages there are.
    pub fn all() -> &'static [Self] {
        &LANGUAGES
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// All its prompts, in the order of their ids.
    pub fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.prompts.values()
    }

    /// The prompt with this id.
    pub fn prompt(&self, id: &str) -> Option<&Prompt> {
        self.prompts.get(id)
    }

    /// The prompts that say these parts, in the order in which they are played. What the language has no
    /// prompt for is left out: the rest is still worth hearing.
    pub fn say(&self, parts: &[Part<'_>]) -> Vec<&Prompt> {
        let ids = say::ids(self.rules, parts);
        ids.iter().filter_map(|id| self.prompt(id)).collect()
    }
}

impl Prompt {
    /// The sound for phones that speak this encoding, decoded and encoded each time, some milliseconds for a
    /// sentence: it does not belong where calls wait.
    pub fn sound(&self, codec: Codec) -> Sound {
        self.pcm().sound(&[codec])
    }

    /// The sound as linear audio of 16 kHz.
    pub fn pcm(&self) -> Pcm {
        let decoded = upload::decode(self.file, Pcm::WIDE_HZ, &UploadLimits::PROMPT);
        // The tests decode every prompt; a damaged one would be silence.
        decoded.unwrap_or_else(|_| Pcm::new(Pcm::WIDE_HZ, Vec::new()))
    }
}

/// A prompt as `build.rs` writes it: id, where used, words, file.
type Row = (&'static str, &'static str, &'static str, &'static [u8]);

/// The folders of `prompts/`.
const FOLDERS: &[(&str, &[Row])] = include!(concat!(env!("OUT_DIR"), "/prompts.rs"));

static LANGUAGES: LazyLock<Vec<Language>> = LazyLock::new(|| {
    let language = |(code, rows): &(&'static str, &[Row])| {
        let rules = say::rules(code)?;
        let prompts = rows.iter().map(prompt).collect();
        Some(Language {
            code,
            rules,
            prompts,
        })
    };
    FOLDERS.iter().filter_map(language).collect()
});

fn prompt((id, used, words, file): &Row) -> (&'static str, Prompt) {
    (
        id,
        Prompt {
            id,
            used,
            words,
            file,
        },
    )
}

#[cfg(test)]
mod tests {
    use media::codec::{Decoder, Rate};

    use super::*;
    use crate::level::{PEAK_DBTP, SPEECH_LUFS, loudness, true_peak_db};
    use crate::spectrum::total_db;

    /// Every prompt of every language, decoded once.
    static ALL: LazyLock<Vec<(&Prompt, Pcm)>> = LazyLock::new(|| {
        let prompts = Language::all().iter().flat_map(Language::prompts);
        prompts.map(|prompt| (prompt, prompt.pcm())).collect()
    });

    #[test]
    fn every_folder_is_a_language() {
        let codes: Vec<&str> = Language::all().iter().map(Language::code).collect();
        let folders: Vec<&str> = FOLDERS.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, folders, "each folder needs its rules in say::rules");
        assert_eq!(Language::named("en-AU").unwrap().code(), "en");
        assert_eq!(Language::named("EN").unwrap().code(), "en");
        assert!(Language::named("tlh").is_none());
    }

    #[test]
    fn every_language_has_the_prompts_of_english() {
        let english = Language::named("en").unwrap();
        for language in Language::all() {
            let lacks = |prompt: &&Prompt| language.prompt(prompt.id).is_none();
            let missing: Vec<&str> = english.prompts().filter(lacks).map(|p| p.id).collect();
            // What numbers and dates are made of is a matter of each language's rules.
            let is_word = |id: &&str| say::WORD_PREFIXES.iter().any(|word| id.starts_with(word));
            let phrases: Vec<&&str> = missing.iter().filter(|id| !is_word(id)).collect();
            assert!(phrases.is_empty(), "{}: {phrases:?}", language.code());
        }
    }

    #[test]
    fn every_prompt_is_as_loud_as_the_others_and_not_clipped() {
        for (prompt, pcm) in ALL.iter() {
            let lufs = loudness(pcm).unwrap_or(-200.0);
            assert!(
                (lufs - SPEECH_LUFS).abs() <= 1.0,
                "{}: {lufs:.1} LUFS",
                prompt.id
            );
            let peak = true_peak_db(pcm);
            assert!(peak <= PEAK_DBTP + 0.5, "{}: {peak:.1} dBTP", prompt.id);
        }
    }

    #[test]
    fn every_prompt_is_as_long_as_its_words() {
        for (prompt, pcm) in ALL.iter() {
            let seconds = pcm.duration().as_secs_f64();
            // A speaker makes about 17 letters a second, pauses included, and needs half a second for a
            // word alone.
            let letters = prompt.words.len() as f64;
            let range = letters / 24.0 + 0.1..=letters / 9.0 + 0.75;
            assert!(
                range.contains(&seconds),
                "{}: {seconds:.2} s of {range:.2?}",
                prompt.id
            );
        }
    }

    #[test]
    fn every_prompt_holds_speech_from_end_to_end() {
        for (prompt, pcm) in ALL.iter() {
            let samples = pcm.samples();
            // Speech has its power where a telephone passes it, and syllables: neither hum, hiss nor tone.
            let narrow = pcm.at_rate(Pcm::NARROW_HZ);
            let lost = total_db(samples) - total_db(narrow.samples());
            assert!(
                lost < 6.0,
                "{}: {lost:.1} dB lost in a telephone",
                prompt.id
            );
            let blocks = samples.chunks_exact(480).map(total_db);
            let (low, high) = blocks.fold((0.0, -200.0), |(low, high): (f64, f64), db| {
                (low.min(db), high.max(db))
            });
            assert!(high - low > 15.0, "{}: {low:.1} to {high:.1} dB", prompt.id);
            // No silence is left at either end: sentences are built of prompts.
            let edge = samples.len().min(2_400);
            for end in [&samples[..edge], &samples[samples.len() - edge..]] {
                assert!(
                    total_db(end) > high - 40.0,
                    "{}: silent at an end",
                    prompt.id
                );
            }
        }
    }

    #[test]
    fn a_sound_is_made_in_each_encoding() {
        let prompt = Language::named("en").unwrap().prompt("goodbye").unwrap();
        let length = prompt.pcm().duration().as_secs_f64();
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
            let sound = prompt.sound(codec);
            assert!(sound.codecs().eq([codec]));
            assert!((sound.duration().as_secs_f64() - length).abs() < 0.021);
        }
    }

    #[test]
    fn what_a_phone_decodes_is_what_was_spoken() {
        let prompt = Language::named("en").unwrap().prompt("vm-welcome").unwrap();
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
            let sound = prompt.sound(codec);
            let mut decoder = Decoder::new(codec, Rate::Wide).unwrap();
            let mut samples = Vec::new();
            for frame in 0..sound.frames() {
                decoder.decode(sound.frame(codec, frame).unwrap(), &mut samples);
            }
            let lufs = loudness(&Pcm::new(Pcm::WIDE_HZ, samples)).unwrap();
            // Narrow-band speech lacks what lies above 3.4 kHz.
            assert!(
                (lufs - SPEECH_LUFS).abs() < 1.5,
                "{codec:?}: {lufs:.1} LUFS"
            );
        }
    }
}
