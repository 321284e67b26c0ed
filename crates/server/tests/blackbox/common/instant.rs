//! Instants as text: the contract's `2019-10-01T15:31:15.000Z` and sipp's `2019-10-01 15:31:15.000000`.
//!
//! As numbers they are milliseconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

/// The instant of the contract's form, exactly: UTC, milliseconds, `Z`.
pub(crate) fn parse_contract(text: &str) -> Option<i64> {
    let is_exact = text.len() == 24 && text.as_bytes().get(10) == Some(&b'T');
    let plain = text.strip_suffix('Z').filter(|_| is_exact)?;
    parse(&plain.replace('T', " "))
}

/// `yyyy-mm-dd hh:mm:ss.fraction` in UTC; the fraction is cut to milliseconds.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, time) = text.trim().split_once(' ')?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let days = days_since_1970(date.next()??, date.next()??, date.next()??);
    let (time, fraction) = time.split_once('.')?;
    let mut time = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let seconds = time.next()?? * 3600 + time.next()?? * 60 + time.next()??;
    let millis: i64 = fraction.get(..3)?.parse().ok()?;
    Some((days * 86_400 + seconds) * 1000 + millis)
}

/// Now.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("this century's milliseconds fit")
}

/// The day `yyyy-mm-dd` of an instant, in UTC.
pub(crate) fn day(at_ms: i64) -> String {
    let target = at_ms.div_euclid(86_400_000);
    let year = (1970..=9999)
        .find(|year| days_since_1970(year + 1, 1, 1) > target)
        .expect("years go on");
    let is_after = |month: &i64| days_since_1970(year, month + 1, 1) > target;
    let month = (1..12).find(is_after).unwrap_or(12);
    let day = target - days_since_1970(year, month, 1) + 1;
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[test]
fn instants_are_read_and_days_written() {
    assert_eq!(parse_contract("1970-01-02T00:00:00.001Z"), Some(86_400_001));
    assert_eq!(
        parse_contract("2019-10-01T15:31:15.000Z"),
        Some(1_569_943_875_000)
    );
    assert_eq!(parse("2026-11-24 04:03:01.527718"), Some(1_795_492_981_527));
    assert_eq!(parse_contract("2019-10-01 15:31:15.000Z"), None);
    assert_eq!(parse_contract("2019-10-01T15:31:15Z"), None);
    assert_eq!(day(1_569_943_875_000), "2019-10-01");
    assert_eq!(day(1_709_164_800_000), "2024-02-29");
    assert_eq!(day(1_704_067_199_999), "2023-12-31");
}
