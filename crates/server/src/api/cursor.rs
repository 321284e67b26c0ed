//! The opaque `cursor`: a place in the order, from which a client reads on without an offset.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use clock::Time;
use pbx::CallId;
use serde::{Deserialize, Serialize};
use store::{Order, Position};

/// A place in one of the two orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) order: Order,
    pub(super) position: Position,
}

/// How it is written: order, milliseconds, call, side or stay, user.
#[derive(Serialize, Deserialize)]
struct Written(u8, u64, u64, u32, String);

const NEWEST_FIRST: u8 = 0;
const OLDEST_FIRST: u8 = 1;

impl Cursor {
    /// Reads what [`fmt::Display`] wrote.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text).ok()?;
        let Written(order, millis, call, part, user) = serde_json::from_slice(&bytes).ok()?;
        let order = match order {
            NEWEST_FIRST => Order::NewestFirst,
            OLDEST_FIRST => Order::OldestFirst,
            _ => return None,
        };
        let call_start_at = Time::from_millis(millis);
        let position = Position {
            call_start_at,
            call: CallId(call),
            user_number: user.into(),
            part,
        };
        Some(Self { order, position })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            Order::NewestFirst => NEWEST_FIRST,
            Order::OldestFirst => OLDEST_FIRST,
        };
        let place = &self.position;
        let user = place.user_number.to_string();
        let written = Written(
            order,
            place.call_start_at.as_millis(),
            place.call.0,
            place.part,
            user,
        );
        let bytes = serde_json::to_vec(&written).map_err(|_| fmt::Error)?;
        formatter.write_str(&BASE64.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_it_wrote_and_nothing_else() {
        let position = Position {
            call_start_at: Time::from_millis(1_569_943_875_001),
            call: CallId(1_569_943_875_010_000),
            user_number: "1010".into(),
            part: 1,
        };
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let cursor = Cursor {
                order,
                position: position.clone(),
            };
            assert_eq!(Cursor::read(&cursor.to_string()), Some(cursor));
        }
        for text in ["", "!", "bm9uc2Vuc2U", "WzksMSwyLDAsIiJd"] {
            assert_eq!(Cursor::read(text), None, "{text}");
        }
    }
}
