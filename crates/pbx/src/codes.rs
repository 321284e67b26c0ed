//! Feature codes: what users dial or press on their phones to have something done. This is the only
//! table of them; `docs/feature-codes.md` lists it for people. An account may give a feature another
//! code or none.
//!
//! A code begins with `*` or `#`, so that it is never an internal number and never a call for help.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::floor::AgentChange;
use crate::objects::Whose;
use crate::standing::{Forced, Switch, When};

/// Characters of the longest code.
pub(crate) const MAX_CODE_CHARS: usize = 6;

/// What is dialled or pressed for a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// What it does.
    pub feature: Feature,
    /// What the account document calls the feature.
    pub name: &'static str,
    /// The code of accounts that have chosen no other.
    pub usual: &'static str,
    /// What may follow the code.
    pub after: After,
    /// Where it is used.
    pub place: Place,
    /// What it does, in words.
    pub help: &'static str,
}

/// What a code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Changes whether the user takes calls from queues.
    Agent(AgentChange),
    /// Parks a call that is handed on to it.
    Park,
    /// Keeps calls from the user's phones, or lets them come again.
    DoNotDisturb(Switch),
    /// Sends the user's calls on.
    Forward(When),
    /// Sends them on no more.
    EndForward(When),
    /// Decides for a time switch what the clock would, or gives the decision back.
    Time(Option<Forced>),
    /// Takes a call that rings for somebody else.
    PickUp,
    /// Switches the recording of a conversation on and off.
    Record,
    /// Opens a mailbox.
    Mailbox(Whose),
}

/// What may follow a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing: more digits are another number.
    Nothing,
    /// A number, which the feature reads; it says so when it needs one and there is none.
    Number,
}

/// Where a code is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is called like a number.
    Dialled,
    /// Its keys are pressed in a conversation.
    InCall,
}

/// Every feature.
pub const CODES: &[Code] = &[
    Code {
        feature: Feature::Agent(AgentChange::LogIn),
        name: "log_in",
        usual: "*45",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Log in: take calls from the queues you are an agent of",
    },
    Code {
        feature: Feature::Agent(AgentChange::LogOut),
        name: "log_out",
        usual: "*46",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Log out: take no calls from queues any more",
    },
    Code {
        feature: Feature::Agent(AgentChange::Pause),
        name: "pause",
        usual: "*47",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Pause: take no calls from queues for a while, but stay logged in",
    },
    Code {
        feature: Feature::Agent(AgentChange::Resume),
        name: "resume",
        usual: "*48",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Come back from a pause",
    },
    Code {
        feature: Feature::DoNotDisturb(Switch::On),
        name: "do_not_disturb",
        usual: "*78",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Do not disturb: your phones ring for nobody, callers find you busy",
    },
    Code {
        feature: Feature::DoNotDisturb(Switch::Off),
        name: "end_do_not_disturb",
        usual: "*79",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Your phones ring again",
    },
    Code {
        feature: Feature::Forward(When::Always),
        name: "forward_always",
        usual: "*72",
        after: After::Number,
        place: Place::Dialled,
        help: "Forward every call",
    },
    Code {
        feature: Feature::EndForward(When::Always),
        name: "end_forward_always",
        usual: "*73",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Forward every call no more",
    },
    Code {
        feature: Feature::Forward(When::Busy),
        name: "forward_busy",
        usual: "*90",
        after: After::Number,
        place: Place::Dialled,
        help: "Forward calls when you are busy, decline, or are not to be disturbed",
    },
    Code {
        feature: Feature::EndForward(When::Busy),
        name: "end_forward_busy",
        usual: "*91",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Forward calls no more when you are busy",
    },
    Code {
        feature: Feature::Forward(When::NoAnswer),
        name: "forward_no_answer",
        usual: "*92",
        after: After::Number,
        place: Place::Dialled,
        help: "Forward calls that you do not answer, or when no phone of yours can be reached",
    },
    Code {
        feature: Feature::EndForward(When::NoAnswer),
        name: "end_forward_no_answer",
        usual: "*93",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Forward calls no more that you do not answer",
    },
    Code {
        feature: Feature::Time(Some(Forced::Match)),
        name: "time_match",
        usual: "*26",
        after: After::Number,
        place: Place::Dialled,
        help: "Time conditions with that switch hold, whatever the time is: day",
    },
    Code {
        feature: Feature::Time(Some(Forced::NoMatch)),
        name: "time_no_match",
        usual: "*27",
        after: After::Number,
        place: Place::Dialled,
        help: "Time conditions with that switch do not hold, whatever the time is: night",
    },
    Code {
        feature: Feature::Time(None),
        name: "time_by_clock",
        usual: "*28",
        after: After::Number,
        place: Place::Dialled,
        help: "Time conditions with that switch go by the clock again",
    },
    Code {
        feature: Feature::PickUp,
        name: "pick_up",
        usual: "*8",
        after: After::Number,
        place: Place::Dialled,
        help: "Take the call that rings longest for a colleague, or the one of that colleague",
    },
    Code {
        feature: Feature::Record,
        name: "record",
        usual: "*1",
        after: After::Nothing,
        place: Place::InCall,
        help: "Record the conversation, or stop recording it, if you may; both sides hear a tone",
    },
    Code {
        feature: Feature::Park,
        name: "park",
        usual: "*68",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Park a call: hand it on to this code, and you hear the slot it waits in",
    },
    Code {
        feature: Feature::Mailbox(Whose::Own),
        name: "mailbox",
        usual: "*97",
        after: After::Nothing,
        place: Place::Dialled,
        help: "Your mailbox: hear messages, record greetings",
    },
    Code {
        feature: Feature::Mailbox(Whose::Any),
        name: "any_mailbox",
        usual: "*98",
        after: After::Number,
        place: Place::Dialled,
        help: "A mailbox from another phone",
    },
];

/// The codes of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Codes {
    dialled: BTreeMap<Arc<str>, &'static Code>,
    in_call: BTreeMap<Arc<str>, &'static Code>,
}

impl Codes {
    /// Gives a feature its code. What is in the way of it, if something is: then it has none.
    pub(crate) fn add(&mut self, text: &str, code: &'static Code) -> Option<&'static Code> {
        let codes = match code.place {
            Place::Dialled => &mut self.dialled,
            Place::InCall => &mut self.in_call,
        };
        let clash = codes.iter().find_map(|(other, theirs)| {
            let clash = is_read_as(text, (other, theirs)) || is_read_as(other, (text, code));
            clash.then_some(*theirs)
        });
        if clash.is_none() {
            codes.insert(text.into(), code);
        }
        clash
    }

    /// The feature that is dialled, and what follows its code.
    pub fn dialled<'t>(&self, text: &'t str) -> Option<(&'static Code, &'t str)> {
        if let Some(code) = self.dialled.get(text) {
            return Some((code, ""));
        }
        let takes_more = self.dialled.iter().rev();
        takes_more
            .filter(|(_, code)| code.after == After::Number)
            .find_map(|(begins, code)| Some((*code, text.strip_prefix(&**begins)?)))
    }

    /// The feature whose keys were pressed last.
    pub(crate) fn pressed(&self, keys: &str) -> Option<Feature> {
        let mut codes = self.in_call.iter();
        let pressed = codes.find(|(text, _)| keys.ends_with(&***text));
        pressed.map(|(_, code)| code.feature)
    }

    /// Every code that is dialled, in order.
    pub fn all_dialled(&self) -> impl Iterator<Item = (&str, &'static Code)> {
        self.dialled.iter().map(|(text, code)| (&**text, *code))
    }
}

/// Whether a text may be a code.
pub(crate) fn is_code(text: &str) -> bool {
    let is_key = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
    (2..=MAX_CODE_CHARS).contains(&text.len())
        && text.starts_with(['*', '#'])
        && text.bytes().all(is_key)
}

/// Whether what is dialled for one feature is, or may be, what is dialled for that other one.
fn is_read_as(text: &str, (other, code): (&str, &Code)) -> bool {
    let Some(rest) = text.strip_prefix(other) else {
        return false;
    };
    match (code.place, code.after) {
        // In a conversation the shorter one is done before the longer one is complete.
        (Place::InCall, _) => true,
        (Place::Dialled, After::Number) => rest.bytes().all(|byte| byte.is_ascii_digit()),
        (Place::Dialled, After::Nothing) => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = include_str!("../../../docs/feature-codes.md");

    #[test]
    fn every_feature_has_a_name_and_a_code_of_its_own_and_is_listed() {
        let mut codes = Codes::default();
        for code in CODES {
            let alike = CODES
                .iter()
                .filter(|other| other.name == code.name || other.feature == code.feature);
            assert_eq!(alike.count(), 1, "{}", code.name);
            assert!(is_code(code.usual), "{}", code.usual);
            assert_eq!(codes.add(code.usual, code), None, "{}", code.usual);
            let number = match code.after {
                After::Nothing => "",
                After::Number => " number",
            };
            let (usual, name, help) = (code.usual, code.name, code.help);
            let row = format!("| `{usual}`{number} | {help} | `{name}` |");
            assert!(LISTED.contains(&row), "not in docs/feature-codes.md: {row}");
        }
    }

    #[test]
    fn codes_that_could_be_taken_for_one_another_clash() {
        let numbered = CODES.iter().find(|code| code.after == After::Number);
        let (plain, numbered) = (&CODES[0], numbered.unwrap());
        for (first, second, clashes) in [
            ((plain, "*45"), (plain, "*45"), true),
            ((plain, "*4"), (plain, "*45"), false),
            ((numbered, "*8"), (plain, "*81"), true),
            ((plain, "*81"), (numbered, "*8"), true),
            ((numbered, "*8"), (plain, "*8*"), false),
            ((numbered, "*8"), (plain, "*9"), false),
        ] {
            let mut codes = Codes::default();
            assert_eq!(codes.add(first.1, first.0), None);
            let clash = codes.add(second.1, second.0);
            assert_eq!(clash.is_some(), clashes, "{first:?} {second:?}");
        }
    }

    #[test]
    fn the_longest_code_is_meant_and_the_rest_follows_it() {
        let mut codes = Codes::default();
        for code in CODES {
            codes.add(code.usual, code);
        }
        let dialled = |text| {
            let found = codes.dialled(text);
            found.map(|(code, rest)| format!("{}|{rest}", code.name))
        };
        for (text, expected) in [
            ("*45", Some("log_in|")),
            ("*451", None),
            ("*72", Some("forward_always|")),
            ("*721010", Some("forward_always|1010")),
            ("*72*", Some("forward_always|*")),
            ("*72+61412345678", Some("forward_always|+61412345678")),
            ("*1", None),
            ("72", None),
            ("", None),
        ] {
            assert_eq!(dialled(text).as_deref(), expected, "{text}");
        }
    }
}
