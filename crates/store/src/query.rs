//! What can be asked about call rows.

use std::sync::Arc;

use clock::Time;
use pbx::cdr::{Side, UserCall};
use pbx::{AccountId, CallId};

/// Rows in one page at most.
pub const MAX_PAGE_ROWS: u32 = 10_000;

/// Which rows of an account are wanted. The order is total: start of the user's part, in
/// milliseconds as the contract shows it; ties by call, then user number, then side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCallQuery {
    /// Whose calls.
    pub account: AccountId,
    /// Started at or after this instant.
    pub from: Option<Time>,
    /// Started before this instant.
    pub to_exclusive: Option<Time>,
    /// Of users with one of these numbers or names; one that nobody has matches nothing.
    pub users: Option<Vec<String>>,
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
    /// When the user's part of the call started; milliseconds count.
    pub call_start_at: Time,
    /// The call.
    pub call: CallId,
    /// The user's number.
    pub user_number: Arc<str>,
    /// The user's part in it.
    pub side: Side,
}

/// A part of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The rows, instants cut to milliseconds.
    pub rows: Vec<UserCall>,
    /// How many rows match the filters, whatever the place, offset and limit.
    pub total: u64,
}

impl UserCallQuery {
    /// All calls of an account, newest first, as many as one page holds.
    pub fn all(account: AccountId) -> Self {
        Self {
            account,
            from: None,
            to_exclusive: None,
            users: None,
            call: None,
            order: Order::NewestFirst,
            after: None,
            offset: 0,
            limit: MAX_PAGE_ROWS,
        }
    }
}

impl Position {
    /// Where a row stands.
    pub fn of(row: &UserCall) -> Self {
        Self {
            call_start_at: Time::from_millis(row.call_start_at.as_millis()),
            call: row.call,
            user_number: row.user_number.clone(),
            side: row.kind.side(),
        }
    }
}
