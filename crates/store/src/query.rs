//! What can be asked about call rows.

use std::sync::Arc;

use clock::Time;
use pbx::cdr::{GroupCall, Side, UserCall};
use pbx::{AccountId, CallId};

/// Rows in one page at most.
pub const MAX_PAGE_ROWS: u32 = 10_000;

/// Which rows of an account are wanted. The order is total: start of the user's part or of the stay,
/// in milliseconds as the contract shows it; ties by call, then user number and side, or stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallQuery {
    /// Whose calls.
    pub account: AccountId,
    /// Started at or after this instant.
    pub from: Option<Time>,
    /// Started before this instant.
    pub to_exclusive: Option<Time>,
    /// Of users with one of these numbers or names; one that nobody has matches nothing. The user of
    /// a stay is the one who answered.
    pub users: Option<Vec<String>>,
    /// Of stays in queues or ring groups with one of these names. Users' calls are in none.
    pub groups: Option<Vec<String>>,
    /// Of this call.
    pub call: Option<CallId>,
    /// Which end comes first.
    pub order: Order,
    /// Only rows behind this place in that order.
    pub after: Option<Position>,
    /// Then leave out so many.
    pub offset: u64,
    /// At most so many, and at most [`MAX_PAGE_ROWS`].
    pub limit: u32,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The contract's default.
    #[default]
    NewestFirst,
    /// The other way round.
    OldestFirst,
}

/// The place of a row in the order, for going on behind it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// When the user's part of the call, or the stay, started; milliseconds count.
    pub call_start_at: Time,
    /// The call.
    pub call: CallId,
    /// The user's number; empty for a stay.
    pub user_number: Arc<str>,
    /// Which of the user's two sides it is (0: was called, 1: called), or which stay.
    pub part: u32,
}

/// A part of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<R> {
    /// The rows, instants cut to milliseconds.
    pub rows: Vec<R>,
    /// How many rows match the filters, whatever the place, offset and limit.
    pub total: u64,
}

impl CallQuery {
    /// All calls of an account, newest first, as many as one page holds.
    pub fn all(account: AccountId) -> Self {
        Self {
            account,
            from: None,
            to_exclusive: None,
            users: None,
            groups: None,
            call: None,
            order: Order::NewestFirst,
            after: None,
            offset: 0,
            limit: MAX_PAGE_ROWS,
        }
    }
}

impl<R> Page<R> {
    /// Where nothing matches.
    pub const EMPTY: Self = Self {
        rows: Vec::new(),
        total: 0,
    };
}

impl From<&UserCall> for Position {
    fn from(row: &UserCall) -> Self {
        Self {
            call_start_at: Time::from_millis(row.call_start_at.as_millis()),
            call: row.call,
            user_number: row.user_number.clone(),
            part: side_number(row.kind.side()),
        }
    }
}

impl From<&GroupCall> for Position {
    fn from(row: &GroupCall) -> Self {
        Self {
            call_start_at: Time::from_millis(row.call_start_at.as_millis()),
            call: row.call,
            user_number: Arc::default(),
            part: row.stay,
        }
    }
}

/// A side as it is stored, and as it stands in a [`Position`].
pub(crate) fn side_number(side: Side) -> u32 {
    match side {
        Side::Inbound => 0,
        Side::Outbound => 1,
    }
}
