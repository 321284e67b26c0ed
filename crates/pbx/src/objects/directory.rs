//! Directory: callers key in the beginning of a name and choose whom they meant.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::play_audio::LONGEST_PLAY;
use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::{HangupCause, UserRef};
use crate::plan::UserIndex;
use crate::sound::{Sound, Times};

/// Letters of a name that are keyed in, and fewer if the name has fewer or `#` ends them.
const LETTERS: usize = 3;
/// How often a caller may key in a name.
const MAX_TRIES: u32 = 3;
/// How long a key is waited for.
const KEY_WAIT: Duration = Duration::from_secs(5);
/// People of one beginning who are offered.
const MAX_OFFERED: usize = 20;
const END_KEY: char = '#';

/// Lets callers find users by their names.
#[derive(Debug)]
pub(crate) struct Directory {
    people: Vec<Person>,
}

/// Somebody who can be found.
#[derive(Debug)]
struct Person {
    user: UserIndex,
    number: Arc<str>,
    last_name: String,
    /// The keys of the last name's first letters.
    keys: String,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    #[serde(default)]
    users: Option<Vec<String>>,
}

/// What a call does here.
#[derive(Debug, Default)]
pub(crate) enum State {
    /// It has not come yet.
    #[default]
    Outside,
    /// It is asked for a name, for the so manieth time.
    Asked { keys: String, tries: u32 },
    /// It is offered one of those who were found, by position.
    Offered {
        found: Vec<usize>,
        place: usize,
        tries: u32,
    },
}

impl Object for Directory {
    const KIND: Kind = Kind {
        name: "directory",
        title: "Directory",
        palette: Palette::Basic,
        help: "Asks the caller for the first three letters of a last name, keyed in as on the keys \
               of a phone, and offers whoever has such a name: 1 calls this person, 2 or * goes on \
               to the next. Who has recorded a name is heard; other names are spelled.",
        fields: &[Field {
            name: "users",
            title: "People",
            help: "who can be found; everybody when absent",
            shape: Shape::Users,
            need: Need::Optional,
        }],
        exits: &[
            Exit {
                name: "no_match",
                title: "Nobody found",
                cause: HangupCause::Normal,
                pace: Pace::AfterWaiting,
            },
            Exit {
                name: "time_out",
                title: "No key",
                cause: HangupCause::Normal,
                pace: Pace::AfterWaiting,
            },
        ],
    };

    type Settings = Settings;
    type State = State;

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let users = match settings.users {
            None => compiler.everybody(),
            Some(numbers) => {
                let numbers = numbers.iter().enumerate();
                let users = numbers.map(|(place, number)| {
                    let (user, _) = compiler.user(&format!("users[{place}]"), number)?;
                    Some((user, compiler.user_ref(user)?))
                });
                users.collect::<Option<Vec<_>>>()?
            }
        };
        let people = users
            .into_iter()
            .filter_map(|(user, who)| Person::new(user, &who));
        Some(Self {
            people: people.collect(),
        })
    }

    fn handle(&self, state: &mut State, moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        match (&mut *state, moment) {
            (State::Outside, Moment::Entered) => {
                *state = ask(&[], 1, cx);
                Step::Stay
            }
            (State::Asked { .. } | State::Offered { .. }, Moment::Played { .. }) => {
                cx.wake_in(KEY_WAIT);
                Step::Stay
            }
            (State::Asked { keys, .. }, Moment::Woken) if keys.is_empty() => Step::exit("time_out"),
            (State::Asked { keys, tries }, Moment::Woken | Moment::Digit(END_KEY)) => {
                let (keys, tries) = (std::mem::take(keys), *tries);
                self.search(&keys, tries, state, cx)
            }
            (State::Asked { keys, tries }, Moment::Digit(key)) => {
                keys.push(key);
                let (tries, is_whole) = (*tries, keys.len() >= LETTERS);
                if is_whole {
                    let keys = std::mem::take(keys);
                    return self.search(&keys, tries, state, cx);
                }
                cx.stop_playing();
                cx.wake_in(KEY_WAIT);
                Step::Stay
            }
            (State::Offered { .. }, Moment::Woken) => Step::exit("time_out"),
            (
                State::Offered {
                    found,
                    place,
                    tries,
                },
                Moment::Digit(key),
            ) => {
                let (chosen, tries) = (found.get(*place).copied(), *tries);
                match key {
                    '1' => self.take(chosen),
                    '2' | '*' => {
                        *place += 1;
                        match found.get(*place).copied() {
                            Some(next) => self.offer(next, cx),
                            None => nobody(tries, state, cx),
                        }
                    }
                    _ => Step::Stay,
                }
            }
            (
                State::Outside | State::Asked { .. } | State::Offered { .. },
                Moment::Entered
                | Moment::Woken
                | Moment::Answered { .. }
                | Moment::Failed { .. }
                | Moment::Left { .. }
                | Moment::Played { .. }
                | Moment::Recorded { .. }
                | Moment::Digit(_)
                | Moment::Told
                | Moment::InLine(_)
                | Moment::InRoom(_),
            ) => Step::Stay,
        }
    }
}

impl Directory {
    fn search(&self, keys: &str, tries: u32, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
        let people = self.people.iter().enumerate();
        let found = people.filter(|(_, person)| !keys.is_empty() && person.keys.starts_with(keys));
        let found: Vec<usize> = found.map(|(place, _)| place).take(MAX_OFFERED).collect();
        let Some(first) = found.first().copied() else {
            return nobody(tries, state, cx);
        };
        *state = State::Offered {
            found,
            place: 0,
            tries,
        };
        self.offer(first, cx)
    }

    fn offer(&self, place: usize, cx: &mut Cx<'_, '_>) -> Step {
        let Some(person) = self.people.get(place) else {
            return Step::exit("no_match");
        };
        let words = |id: &'static str| Sound::Prompt(id.into());
        let sounds = vec![
            Sound::Person {
                number: Arc::clone(&person.number),
                name: person.last_name.clone(),
            },
            words("directory-internal-number"),
            Sound::Digits(person.number.to_string()),
            words("directory-press-one"),
        ];
        cx.play(sounds, Times::Once);
        cx.wake_in(LONGEST_PLAY);
        Step::Stay
    }

    fn take(&self, place: Option<usize>) -> Step {
        let person = place.and_then(|place| self.people.get(place));
        match person {
            Some(person) => Step::User(person.user),
            None => Step::exit("no_match"),
        }
    }
}

impl Person {
    /// Who has no letter in the last name cannot be found.
    fn new(user: UserIndex, who: &UserRef) -> Option<Self> {
        let last_name = who.name.split_whitespace().next_back()?;
        let keys: String = last_name.chars().filter_map(key_of).take(LETTERS).collect();
        (!keys.is_empty()).then(|| Self {
            user,
            number: Arc::clone(&who.number),
            last_name: last_name.to_owned(),
            keys,
        })
    }
}

fn nobody(tries: u32, state: &mut State, cx: &mut Cx<'_, '_>) -> Step {
    if tries >= MAX_TRIES {
        return Step::exit("no_match");
    }
    *state = ask(&["directory-none"], tries + 1, cx);
    Step::Stay
}

fn ask(before: &[&'static str], tries: u32, cx: &mut Cx<'_, '_>) -> State {
    let words = before.iter().chain(&["directory-enter"]);
    let words = words.map(|words| Sound::Prompt((*words).into()));
    cx.play(words.collect(), Times::Once);
    cx.wake_in(LONGEST_PLAY);
    State::Asked {
        keys: String::new(),
        tries,
    }
}

/// The key that a letter is on (ITU-T E.161), whatever accent it has; a figure is its own key.
fn key_of(letter: char) -> Option<char> {
    let lower = letter.to_lowercase().next()?;
    Some(match lower {
        'a'..='c' | 'à'..='å' | 'æ' | 'ç' | 'ą' | 'ć' | 'č' => '2',
        'd'..='f' | 'è'..='ë' | 'ð' | 'ď' | 'đ' | 'ę' | 'ě' => '3',
        'g'..='i' | 'ì'..='ï' | 'ğ' | 'ı' => '4',
        'j'..='l' | 'ł' | 'ľ' => '5',
        'm'..='o' | 'ñ' | 'ò'..='ö' | 'ø' | 'ń' | 'ň' | 'ő' | 'œ' => '6',
        'p'..='s' | 'ß' | 'ř' | 'ś' | 'š' | 'ş' => '7',
        't'..='v' | 'ù'..='ü' | 'ť' | 'ů' | 'ű' => '8',
        'w'..='z' | 'ý' | 'ÿ' | 'ź' | 'ż' | 'ž' => '9',
        '0'..='9' => lower,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keyed_in_by_their_last_word() {
        for (name, keys) in [
            ("John Smith", "764"),
            ("Ann Lee", "533"),
            ("Zoë", "963"),
            ("Jürgen Größer", "476"),
            ("Conan O'Neill", "663"),
            ("Front desk 2", "2"),
            ("Li Wu", "98"),
        ] {
            let who = UserRef {
                number: "1010".into(),
                name: name.into(),
            };
            let person = Person::new(UserIndex(0), &who).unwrap();
            assert_eq!(person.keys, keys, "{name}");
        }
        let who = UserRef {
            number: "1010".into(),
            name: "佐藤".into(),
        };
        assert!(Person::new(UserIndex(0), &who).is_none());
    }
}
