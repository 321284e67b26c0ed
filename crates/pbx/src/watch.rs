//! What lamps show: the calls of whoever is watched, told as they change. A name that nobody watches
//! costs nothing.
//!
//! It is read off the calls after each step rather than kept beside them, so that it cannot differ
//! from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::effect::CallerId;
use crate::ids::{CallId, LegId};

/// One part of somebody in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The call.
    pub call: CallId,
    /// Which part of it: one name may have several in a call, one after the other or at once.
    pub part: u32,
    /// Who began it.
    pub direction: LineDirection,
    /// How far it has come.
    pub state: LineState,
    /// The leg that rings, by which the call may be taken over.
    pub rings: Option<LegId>,
    /// The other side, when the account lets it be seen.
    pub other: Option<CallerId>,
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineDirection {
    /// Whoever is watched.
    Calls,
    /// The other side.
    IsCalled,
}

/// How far a part of a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineState {
    /// Nothing rings yet.
    Trying,
    /// It rings.
    Ringing,
    /// They talk.
    Talking,
}

/// The names that are watched, and what was last seen of them.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    names: BTreeMap<Arc<str>, BTreeMap<CallId, Vec<Line>>>,
    /// The watched names in each call.
    of_call: BTreeMap<CallId, BTreeSet<Arc<str>>>,
    /// What has changed in this step.
    changed: BTreeSet<Arc<str>>,
}

impl Watched {
    /// Whether nobody watches anybody.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// From now on changes of the name are told, and at once how it is.
    pub(crate) fn begin(&mut self, name: Arc<str>) {
        self.names.entry(Arc::clone(&name)).or_default();
        self.changed.insert(name);
    }

    /// Nobody watches the name any more.
    pub(crate) fn end(&mut self, name: &str) {
        let calls = self.names.remove(name).into_iter().flatten();
        for (call, _) in calls {
            if let Some(names) = self.of_call.get_mut(&call) {
                names.remove(name);
                if names.is_empty() {
                    self.of_call.remove(&call);
                }
            }
        }
        self.changed.remove(name);
    }

    /// Looks at a call: these are all parts of it, none when it is over.
    pub(crate) fn look(&mut self, call: CallId, parts: Vec<(Arc<str>, Line)>) {
        let mut seen: BTreeMap<Arc<str>, Vec<Line>> = BTreeMap::new();
        for (name, line) in parts {
            if self.names.contains_key(&name) {
                seen.entry(name).or_default().push(line);
            }
        }
        for name in self.of_call.remove(&call).unwrap_or_default() {
            if let Some(calls) = self.names.get_mut(&name)
                && !seen.contains_key(&name)
            {
                calls.remove(&call);
                self.changed.insert(name);
            }
        }
        if !seen.is_empty() {
            self.of_call.insert(call, seen.keys().cloned().collect());
        }
        for (name, lines) in seen {
            if let Some(calls) = self.names.get_mut(&name)
                && calls.get(&call) != Some(&lines)
            {
                calls.insert(call, lines);
                self.changed.insert(name);
            }
        }
    }

    /// The next name whose state has changed, with the whole of it.
    pub(crate) fn next_change(&mut self) -> Option<(Arc<str>, Vec<Line>)> {
        let name = self.changed.pop_first()?;
        let calls = self.names.get(&name)?;
        let lines = calls.values().flatten().cloned().collect();
        Some((name, lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(call: CallId, state: LineState) -> Line {
        Line {
            call,
            part: 0,
            direction: LineDirection::Calls,
            state,
            rings: None,
            other: None,
        }
    }

    fn changes(watched: &mut Watched) -> Vec<(String, Vec<LineState>)> {
        let next = || watched.next_change();
        let changes = std::iter::from_fn(next);
        changes
            .map(|(name, lines)| {
                let states = lines.iter().map(|line| line.state);
                (name.to_string(), states.collect())
            })
            .collect()
    }

    #[test]
    fn a_change_of_a_watched_name_is_told_once_and_with_all_its_calls() {
        use LineState::{Ringing, Talking};
        let (one, other) = (CallId(1), CallId(2));
        let (john, ann): (Arc<str>, Arc<str>) = ("1010".into(), "1020".into());
        let mut watched = Watched::default();
        watched.begin(john.clone());
        assert_eq!(changes(&mut watched), [("1010".to_owned(), vec![])]);

        watched.look(
            one,
            vec![
                (john.clone(), line(one, Ringing)),
                (ann, line(one, Ringing)),
            ],
        );
        watched.look(other, vec![(john.clone(), line(other, Talking))]);
        let both = ("1010".to_owned(), vec![Ringing, Talking]);
        assert_eq!(changes(&mut watched), [both]);

        watched.look(one, vec![(john.clone(), line(one, Ringing))]);
        assert_eq!(changes(&mut watched), [], "nothing has changed");
        watched.look(one, Vec::new());
        let left = ("1010".to_owned(), vec![Talking]);
        assert_eq!(changes(&mut watched), [left]);

        watched.end(&john);
        watched.look(other, Vec::new());
        assert_eq!(changes(&mut watched), []);
        assert!(watched.is_empty() && watched.of_call.is_empty());
    }
}
