//! Instants as the outside sees them: `2019-10-01T15:31:15.000Z`, always UTC, always milliseconds.

use std::fmt;

use clock::Time;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// An instant on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub Time);

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0.as_millis()).unwrap_or(i64::MAX);
        // Years beyond 9999 have no such form; the last one that has stands for them.
        let timestamp = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
        write!(formatter, "{timestamp:.3}")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_utc_milliseconds_and_z() {
        let cases = [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_569_943_875_000_000, "2019-10-01T15:31:15.000Z"),
            (1_569_943_875_001_999, "2019-10-01T15:31:15.001Z"),
            (1_582_977_599_999_999, "2020-02-29T11:59:59.999Z"),
            (u64::MAX, "9999-12-30T22:00:00.999Z"),
        ];
        for (micros, expect) in cases {
            assert_eq!(Stamp(Time::from_micros(micros)).to_string(), expect);
        }
    }
}
