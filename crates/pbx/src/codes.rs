//! Feature codes: what users dial on their phones to change something. This is the only table of
//! them; `docs/feature-codes.md` lists it for people.

use crate::floor::AgentChange;

/// A code and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// What is dialled.
    pub dialled: &'static str,
    /// What it does.
    pub feature: Feature,
    /// What it does, in words.
    pub help: &'static str,
}

/// What a code does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Changes whether the user takes calls from queues.
    Agent(AgentChange),
    /// Parks a call that is handed on to it.
    Park,
}

/// Every code.
pub const CODES: &[Code] = &[
    Code {
        dialled: "*45",
        feature: Feature::Agent(AgentChange::LogIn),
        help: "Log in: take calls from the queues you are an agent of",
    },
    Code {
        dialled: "*46",
        feature: Feature::Agent(AgentChange::LogOut),
        help: "Log out: take no calls from queues any more",
    },
    Code {
        dialled: "*47",
        feature: Feature::Agent(AgentChange::Pause),
        help: "Pause: take no calls from queues for a while, but stay logged in",
    },
    Code {
        dialled: "*48",
        feature: Feature::Agent(AgentChange::Resume),
        help: "Come back from a pause",
    },
    Code {
        dialled: "*68",
        feature: Feature::Park,
        help: "Park a call: hand it on to this code, and you hear the slot it waits in",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = include_str!("../../../docs/feature-codes.md");

    #[test]
    fn every_code_is_unlike_the_others_and_listed() {
        for code in CODES {
            let alike = CODES.iter().filter(|other| {
                other.dialled.starts_with(code.dialled) || other.feature == code.feature
            });
            assert_eq!(alike.count(), 1, "{}", code.dialled);
            let row = format!("| `{}` | {} |", code.dialled, code.help);
            assert!(LISTED.contains(&row), "not in docs/feature-codes.md: {row}");
        }
    }
}
