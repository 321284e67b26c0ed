//! Packed counters and the calendar they count in.
//!
//! A span of 256 days holds a count per day, a day holds a count per hour. The counts of one span or
//! day are one string of bytes (LEB128, zeros at the end left out), so that ten users over years are
//! a few dozen small rows: reading them is what a page at a deep offset costs.

/// Hours of a day.
pub(crate) const HOURS: usize = 24;
/// Days of a span: as many as a `u8` counts.
pub(crate) const DAYS: usize = 256;
/// An hour in milliseconds.
pub(crate) const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// An hour of the calendar, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    /// Number of the span since 1970.
    pub(crate) span: i64,
    /// Day of the span.
    pub(crate) day: u8,
    /// Hour of the day.
    pub(crate) hour: u8,
}

impl Slot {
    /// The hour that a millisecond since 1970 lies in.
    pub(crate) fn of(ms: i64) -> Self {
        let day = ms.div_euclid(DAY_MS);
        let hour = ms.rem_euclid(DAY_MS) / HOUR_MS;
        Self {
            span: day >> 8,
            day: low_byte(day),
            hour: low_byte(hour),
        }
    }

    /// Number of the day since 1970.
    pub(crate) fn day_number(self) -> i64 {
        (self.span << 8) + i64::from(self.day)
    }

    /// Its first millisecond since 1970.
    pub(crate) fn start_ms(self) -> i64 {
        self.day_number() * DAY_MS + i64::from(self.hour) * HOUR_MS
    }
}

fn low_byte(number: i64) -> u8 {
    number.to_le_bytes()[0]
}

const MORE: u8 = 0x80;
/// Bytes of the longest LEB128 form of a `u64`.
const LONGEST: usize = 10;

/// Adds `delta` to the count at `index`. `None` when the count would fall below zero or the bytes
/// are no counts.
pub(crate) fn add(packed: &[u8], index: usize, delta: i64) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(packed.len() + index + LONGEST);
    let mut rest = packed;
    for _ in 0..index {
        let count = take(&mut rest)?;
        put(&mut bytes, count);
    }
    let count = take(&mut rest)?.checked_add_signed(delta)?;
    put(&mut bytes, count);
    bytes.extend_from_slice(rest);
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Some(bytes)
}

/// Adds packed counts to `sums`. `None` when the bytes are no counts or too many.
pub(crate) fn add_to(sums: &mut [u64], mut packed: &[u8]) -> Option<()> {
    let mut sums = sums.iter_mut();
    while !packed.is_empty() {
        let count = take(&mut packed)?;
        *sums.next()? += count;
    }
    Some(())
}

/// Where a position falls among consecutive counts: the key of the count it lies in, and how many lie
/// before that one. `None` when it lies behind them all.
pub(crate) fn find<K>(
    counts: impl IntoIterator<Item = (K, u64)>,
    position: u64,
) -> Option<(K, u64)> {
    let mut before = 0;
    for (key, count) in counts {
        if position < before + count {
            return Some((key, before));
        }
        before += count;
    }
    None
}

/// The next count; zero behind the last one.
fn take(bytes: &mut &[u8]) -> Option<u64> {
    if bytes.is_empty() {
        return Some(0);
    }
    let mut count = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        count |= u64::from(byte & !MORE) << shift;
        if byte & MORE == 0 {
            return Some(count);
        }
    }
    None
}

fn put(bytes: &mut Vec<u8>, mut count: u64) {
    loop {
        let low = count.to_le_bytes()[0] & !MORE;
        count >>= 7;
        if count == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | MORE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(packed: &[u8]) -> Option<Vec<u64>> {
        let mut sums = vec![0; DAYS];
        add_to(&mut sums, packed)?;
        Some(sums)
    }

    #[test]
    fn counts_go_up_and_down_like_an_array() {
        let mut packed = Vec::new();
        let mut plain = vec![0_u64; DAYS];
        let mut state = 1_u64;
        for _ in 0..5_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let index = usize::try_from(state >> 56).unwrap();
            let delta = i64::try_from((state >> 32) % 700).unwrap() - 300;
            match plain[index].checked_add_signed(delta) {
                Some(count) => {
                    plain[index] = count;
                    packed = add(&packed, index, delta).unwrap();
                }
                None => assert_eq!(add(&packed, index, delta), None, "never below zero"),
            }
        }
        assert_eq!(unpack(&packed), Some(plain));
    }

    #[test]
    fn empty_again_takes_no_bytes() {
        let once = add(&[], 200, 3).unwrap();
        assert_eq!(add(&once, 200, -3), Some(Vec::new()));
    }

    #[test]
    fn bytes_that_are_no_counts_are_refused() {
        let table: [&[u8]; 3] = [&[MORE], &[0xff; 11], &[1; DAYS + 1]];
        for bytes in table {
            assert_eq!(unpack(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn find_skips_empty_counts_and_knows_the_end() {
        let counts = [('a', 0), ('b', 2), ('c', 0), ('d', 3)];
        let table = [
            (0, Some(('b', 0))),
            (1, Some(('b', 0))),
            (2, Some(('d', 2))),
            (4, Some(('d', 2))),
            (5, None),
        ];
        for (position, expect) in table {
            assert_eq!(find(counts, position), expect, "position {position}");
        }
    }

    #[test]
    fn an_hour_knows_its_first_millisecond() {
        for ms in [
            0,
            HOUR_MS - 1,
            HOUR_MS,
            DAY_MS * 256 - 1,
            DAY_MS * 256,
            1_764_000_123_456,
        ] {
            let slot = Slot::of(ms);
            assert_eq!(slot.start_ms(), ms - ms % HOUR_MS, "{ms}");
            assert_eq!(slot.day_number(), ms / DAY_MS, "{ms}");
        }
    }
}
