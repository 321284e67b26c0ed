//! Whom the caller talks with.

use super::{AttemptId, Goal, State};
use crate::core::Core;
use crate::event::UserRef;
use crate::ids::LegId;
use crate::plan::UserIndex;

impl Core {
    /// The user whom an attempt is to reach.
    pub(crate) fn user_of(&self, id: AttemptId) -> Option<UserRef> {
        let attempt = self.attempts.iter().find(|attempt| attempt.id == id)?;
        let Goal::User(user) = attempt.goal else {
            return None;
        };
        self.plan.user(user).map(|user| user.who.clone())
    }

    /// Whether the caller talks with somebody.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected().is_some()
    }

    /// Whom the caller talks with: by which leg, and which user of the account it is, if any.
    pub(crate) fn connected(&self) -> Option<(LegId, Option<UserIndex>)> {
        self.attempts.iter().find_map(|attempt| {
            let State::Connected(leg) = attempt.state else {
                return None;
            };
            let user = match attempt.goal {
                Goal::User(user) => Some(user),
                Goal::Caller | Goal::Outside { .. } => None,
            };
            Some((leg, user))
        })
    }
}
