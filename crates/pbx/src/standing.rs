//! What stands until somebody changes it: what users have set by phone, and what else an account
//! remembers beyond its calls. It is no part of the document, and newer documents change nothing of
//! it; a restart neither. Changed by [`Fact::Stands`](crate::Fact::Stands) alone: the floor takes in
//! what is told, and the ledger keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::floor::Presence;
use crate::number::E164;

/// One thing that stands. Users are known by internal number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Standing {
    /// Whether an agent takes calls from queues.
    Agent {
        /// The agent.
        user: Arc<str>,
        /// How.
        presence: Presence,
    },
    /// Whether a user's phones ring.
    DoNotDisturb {
        /// Whose.
        user: Arc<str>,
        /// `On`: they do not.
        switch: Switch,
    },
    /// Where a user's calls go.
    Forward {
        /// Whose.
        user: Arc<str>,
        /// Which of them.
        when: When,
        /// Where; nowhere else when absent.
        to: Option<ForwardTo>,
    },
    /// Whether the clock decides in time conditions.
    Time {
        /// The number of their switch.
        switch: Arc<str>,
        /// What is so instead.
        forced: Option<Forced>,
    },
}

/// On or off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// It is so.
    On,
    /// It is not.
    #[default]
    Off,
}

/// Which calls a user forwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All.
    Always,
    /// Those that find the user busy.
    Busy,
    /// Those that nobody answers, or that reach no phone.
    NoAnswer,
}

/// Where a call is forwarded to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardTo {
    /// Another user.
    User(Arc<str>),
    /// A number outside.
    Number(E164),
    /// The user's own mailbox.
    Voicemail,
}

/// What is so in time conditions, whatever the time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// The first group holds.
    Match,
    /// None does.
    NoMatch,
}

impl Standing {
    /// What it is about: of each there is one.
    pub fn subject(&self) -> String {
        match self {
            Self::Agent { user, .. } => format!("agent/{user}"),
            Self::DoNotDisturb { user, .. } => format!("do_not_disturb/{user}"),
            Self::Forward { user, when, .. } => format!("{when}/{user}"),
            Self::Time { switch, .. } => format!("time/{switch}"),
        }
    }

    /// Whether it would be so if nobody had said anything: nothing has to be remembered.
    pub fn is_usual(&self) -> bool {
        match self {
            Self::Agent { presence, .. } => *presence == Presence::default(),
            Self::DoNotDisturb { switch, .. } => *switch == Switch::default(),
            Self::Forward { to, .. } => to.is_none(),
            Self::Time { forced, .. } => forced.is_none(),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Always => "forward_always",
            Self::Busy => "forward_busy",
            Self::NoAnswer => "forward_no_answer",
        })
    }
}

/// What stands in an account, agents apart. Only what is unusual is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings {
    undisturbed: BTreeSet<Arc<str>>,
    forwards: BTreeMap<(Arc<str>, When), ForwardTo>,
    times: BTreeMap<Arc<str>, Forced>,
}

impl Standings {
    /// Something stands from now on. Agents are told apart.
    pub(crate) fn stand(&mut self, standing: &Standing) {
        match standing {
            Standing::Agent { .. } => {}
            Standing::DoNotDisturb { user, switch } => match switch {
                Switch::On => drop(self.undisturbed.insert(Arc::clone(user))),
                Switch::Off => drop(self.undisturbed.remove(user)),
            },
            Standing::Forward { user, when, to } => {
                put(&mut self.forwards, (Arc::clone(user), *when), to.as_ref());
            }
            Standing::Time { switch, forced } => {
                put(&mut self.times, Arc::clone(switch), forced.as_ref());
            }
        }
    }

    /// Whether the user's phones ring for nobody.
    pub(crate) fn is_undisturbed(&self, user: &str) -> bool {
        self.undisturbed.contains(user)
    }

    /// Where such calls of the user go.
    pub(crate) fn forward(&self, user: &Arc<str>, when: When) -> Option<&ForwardTo> {
        self.forwards.get(&(Arc::clone(user), when))
    }

    /// What somebody has decided for that time switch.
    pub(crate) fn forced(&self, switch: &str) -> Option<Forced> {
        self.times.get(switch).copied()
    }

    /// Everything that stands here.
    pub(crate) fn all(&self) -> impl Iterator<Item = Standing> + '_ {
        let undisturbed = self.undisturbed.iter().map(|user| Standing::DoNotDisturb {
            user: Arc::clone(user),
            switch: Switch::On,
        });
        let forwards = self.forwards.iter();
        let forwards = forwards.map(|((user, when), to)| Standing::Forward {
            user: Arc::clone(user),
            when: *when,
            to: Some(to.clone()),
        });
        let times = self.times.iter().map(|(switch, forced)| Standing::Time {
            switch: Arc::clone(switch),
            forced: Some(*forced),
        });
        undisturbed.chain(forwards).chain(times)
    }
}

impl Standing {
    /// The same thing as if nobody had said anything.
    pub(crate) fn usual(self) -> Self {
        match self {
            Self::Agent { user, .. } => Self::Agent {
                user,
                presence: Presence::default(),
            },
            Self::DoNotDisturb { user, .. } => Self::DoNotDisturb {
                user,
                switch: Switch::default(),
            },
            Self::Forward { user, when, .. } => Self::Forward {
                user,
                when,
                to: None,
            },
            Self::Time { switch, .. } => Self::Time {
                switch,
                forced: None,
            },
        }
    }
}

fn put<K: Ord, V: Clone>(map: &mut BTreeMap<K, V>, key: K, value: Option<&V>) {
    match value {
        Some(value) => drop(map.insert(key, value.clone())),
        None => drop(map.remove(&key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> Vec<Standing> {
        let user: Arc<str> = "1010".into();
        let forward = |when, to| Standing::Forward {
            user: Arc::clone(&user),
            when,
            to: Some(to),
        };
        vec![
            Standing::DoNotDisturb {
                user: Arc::clone(&user),
                switch: Switch::On,
            },
            forward(When::Always, ForwardTo::User("1011".into())),
            forward(When::Busy, ForwardTo::Voicemail),
            forward(
                When::NoAnswer,
                ForwardTo::Number("+61412345678".parse().unwrap()),
            ),
            Standing::Time {
                switch: "1".into(),
                forced: Some(Forced::NoMatch),
            },
        ]
    }

    #[test]
    fn what_stands_is_all_there_is_and_goes_when_it_is_usual_again() {
        let mut standings = Standings::default();
        for standing in each() {
            assert!(!standing.is_usual(), "{standing:?}");
            standings.stand(&standing);
        }
        assert_eq!(standings.all().collect::<Vec<_>>(), each());
        for standing in each() {
            let usual = standing.clone().usual();
            assert!(usual.is_usual());
            assert_eq!(usual.subject(), standing.subject());
            standings.stand(&usual);
        }
        assert_eq!(standings.all().count(), 0);
    }

    #[test]
    fn what_stands_is_written_so_that_it_can_be_read_for_ever() {
        let written = each().into_iter().map(|standing| {
            let json = serde_json::to_string(&standing).unwrap();
            assert_eq!(serde_json::from_str::<Standing>(&json).unwrap(), standing);
            format!("{} {json}", standing.subject())
        });
        let expected = [
            r#"do_not_disturb/1010 {"kind":"do_not_disturb","user":"1010","switch":"on"}"#,
            r#"forward_always/1010 {"kind":"forward","user":"1010","when":"always","to":{"user":"1011"}}"#,
            r#"forward_busy/1010 {"kind":"forward","user":"1010","when":"busy","to":"voicemail"}"#,
            r#"forward_no_answer/1010 {"kind":"forward","user":"1010","when":"no_answer","to":{"number":61412345678}}"#,
            r#"time/1 {"kind":"time","switch":"1","forced":"no_match"}"#,
        ];
        assert_eq!(written.collect::<Vec<_>>(), expected);
    }
}
