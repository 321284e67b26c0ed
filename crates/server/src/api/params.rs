//! The query parameters of the contract (§1.1), from text to a typed query.

use std::fmt::Write as _;

use clock::Time;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use pbx::{AccountId, CallId};
use store::{CallQuery, Order};

use super::cursor::Cursor;
use super::envelope::ApiError;

/// Rows in an answer when nothing is said, and at most.
const DEFAULT_LIMIT: u32 = 100;
const MAX_LIMIT: u32 = store::MAX_PAGE_ROWS;

/// Names that the users filter is known by.
pub(super) const USERS: [&str; 6] = [
    "users_numbers",
    "users_names",
    "user_numbers",
    "user_number",
    "users",
    "user",
];

/// What a query string asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Rows that this query finds.
    Rows(CallQuery),
    /// Something that nothing can match.
    Nothing,
}

/// The parameters as written, in order. A name may stand several times, and end in `[]`.
#[derive(Debug)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes());
        // An empty value counts as absent.
        let given = pairs.filter(|(_, value)| !value.trim().is_empty());
        Self(
            given
                .map(|(name, value)| (plain(&name).to_owned(), value.trim().to_owned()))
                .collect(),
        )
    }

    /// A parameter that has one value: of several the last.
    fn one(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rfind(|(given, _)| given == name)
            .map(|(_, value)| value.as_str())
    }

    /// A parameter that is a list: comma-joined, repeated, or both, under any of its names.
    pub(super) fn list(&self, names: &[&str]) -> Option<Vec<String>> {
        let given: Vec<&(String, String)> = self
            .0
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()))
            .collect();
        if given.is_empty() {
            return None;
        }
        let items = given.iter().flat_map(|(_, value)| value.split(','));
        Some(
            items
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        )
    }

    /// The query of an account's rows; the filter of queues or ring groups has these names.
    pub(super) fn calls(&self, account: AccountId, groups: &[&str]) -> Result<Asked, ApiError> {
        let order = self.order()?;
        let call = match self.one("unique_call_id").map(exact_call) {
            None => None,
            Some(Some(call)) => Some(call),
            Some(None) => return Ok(Asked::Nothing),
        };
        Ok(Asked::Rows(CallQuery {
            account,
            from: self.date("from_date")?.map(|day| day.first),
            to_exclusive: self.date("to_date")?.map(|day| day.end),
            users: self.list(&USERS),
            groups: self.list(groups),
            call,
            order,
            after: self.cursor(order)?,
            offset: self.number("offset")?.unwrap_or(0),
            limit: self.limit()?,
        }))
    }

    fn order(&self) -> Result<Order, ApiError> {
        match self.one("sort_by") {
            None | Some("newest_first") => Ok(Order::NewestFirst),
            Some("oldest_first") => Ok(Order::OldestFirst),
            Some(_) => Err(ApiError::field(
                "sort_by",
                "must be newest_first or oldest_first",
            )),
        }
    }

    fn cursor(&self, order: Order) -> Result<Option<store::Position>, ApiError> {
        let Some(text) = self.one("cursor") else {
            return Ok(None);
        };
        let cursor = Cursor::read(text).filter(|cursor| cursor.order == order);
        let rule = "is not one that an answer with the same sort_by gave";
        cursor
            .map(|cursor| Some(cursor.position))
            .ok_or_else(|| ApiError::field("cursor", rule))
    }

    fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |text: &str| {
            let number = text
                .parse::<u64>()
                .ok()
                .filter(|number| i64::try_from(*number).is_ok());
            number.ok_or_else(|| ApiError::field(name, "must be an integer that is not negative"))
        };
        self.one(name).map(parse).transpose()
    }

    fn limit(&self) -> Result<u32, ApiError> {
        let rule = || ApiError::field("limit", format!("must be an integer from 1 to {MAX_LIMIT}"));
        let Some(text) = self.one("limit") else {
            return Ok(DEFAULT_LIMIT);
        };
        let limit = text.parse::<u32>().map_err(|_| rule())?;
        if (1..=MAX_LIMIT).contains(&limit) {
            Ok(limit)
        } else {
            Err(rule())
        }
    }

    fn date(&self, name: &str) -> Result<Option<Span>, ApiError> {
        let parse = |text: &str| {
            Span::read(text)
                .ok_or_else(|| ApiError::field(name, "must be a date of the form yyyy-mm-dd"))
        };
        self.one(name).map(parse).transpose()
    }

    /// The same parameters for the page behind `cursor`.
    pub(super) fn behind(&self, cursor: &Cursor) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let kept = self
            .0
            .iter()
            .filter(|(name, _)| name != "cursor" && name != "offset");
        for (name, value) in kept {
            query.append_pair(name, value);
        }
        query.append_pair("cursor", &cursor.to_string());
        query.finish()
    }
}

/// `users_numbers[]` and `users_numbers[0]` are `users_numbers`.
fn plain(name: &str) -> &str {
    let name = name.trim();
    match name.split_once('[') {
        Some((plain, index)) if index.ends_with(']') => plain,
        _ => name,
    }
}

/// The call that has exactly this id; other spellings of the same number are nobody's.
fn exact_call(text: &str) -> Option<CallId> {
    let call: CallId = text.parse().ok()?;
    let mut written = String::new();
    write!(written, "{call}").ok()?;
    (written == text).then_some(call)
}

/// What a date parameter means: a whole UTC day, or one instant.
struct Span {
    first: Time,
    end: Time,
}

impl Span {
    fn read(text: &str) -> Option<Self> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            // Rows carry milliseconds, and both ends of the range are in it.
            let first = u64::try_from(instant.as_millisecond()).ok()?;
            return Some(Self {
                first: Time::from_millis(first),
                end: Time::from_millis(first + 1),
            });
        }
        if text.len() != "yyyy-mm-dd".len() {
            return None;
        }
        let date: Date = text.parse().ok()?;
        let next = date.checked_add(1.day()).ok()?;
        Some(Self {
            first: midnight(date)?,
            end: midnight(next)?,
        })
    }
}

fn midnight(date: Date) -> Option<Time> {
    let timestamp = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    // Nobody called before 1970.
    let seconds = u64::try_from(timestamp.as_second()).unwrap_or(0);
    Some(Time::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId(3);

    fn asked(query: &str) -> Result<Asked, ApiError> {
        Params::parse(query).calls(ACCOUNT, &["queues_names", "queue_name"])
    }

    fn rows(query: &str) -> CallQuery {
        match asked(query) {
            Ok(Asked::Rows(rows)) => rows,
            other => panic!("{query}: {other:?}"),
        }
    }

    fn defaults() -> CallQuery {
        CallQuery {
            limit: 100,
            ..CallQuery::all(ACCOUNT)
        }
    }

    #[test]
    fn absent_empty_and_unknown_parameters_leave_the_defaults() {
        for query in [
            "",
            "limit=&offset=&sort_by=&users=",
            "colour=red&&=",
            "unique_call_id=",
        ] {
            assert_eq!(rows(query), defaults(), "{query}");
        }
    }

    #[test]
    fn every_spelling_of_the_user_filter() {
        for name in USERS {
            for query in [
                format!("{name}=1010,1020"),
                format!("{name}=1010&{name}=1020"),
                format!("{name}[]=1010&{name}[]=1020"),
                format!("{name}%5B%5D=1010&{name}%5B1%5D=1020"),
                format!("{name}=1010%2C+1020,"),
            ] {
                let users = Some(vec!["1010".to_owned(), "1020".to_owned()]);
                assert_eq!(
                    rows(&query),
                    CallQuery {
                        users,
                        ..defaults()
                    },
                    "{query}"
                );
            }
        }
        let users = Some(vec!["John Smith".to_owned()]);
        assert_eq!(
            rows("users_names=John%20Smith"),
            CallQuery {
                users,
                ..defaults()
            }
        );
        assert_eq!(
            rows("users_numbers=,").users,
            Some(vec![]),
            "a list that names nobody"
        );
    }

    #[test]
    fn the_group_filter_stands_beside_the_user_filter() {
        let names = |names: [&str; 2]| Some(names.map(str::to_owned).to_vec());
        for query in [
            "queues_names=Sales,Front%20desk&users=1010,1020",
            "queue_name[]=Sales&queues_names=Front+desk&user=1010&user=1020&ringgroups_names=x",
        ] {
            let expect = CallQuery {
                groups: names(["Sales", "Front desk"]),
                users: names(["1010", "1020"]),
                ..defaults()
            };
            assert_eq!(rows(query), expect, "{query}");
        }
    }

    #[test]
    fn days_are_whole_utc_days_and_instants_are_instants() {
        let day = 86_400;
        let start = 1_569_888_000; // 2019-10-01T00:00:00Z
        let cases = [
            ("from_date=2019-10-01", Some(start * 1000), None),
            ("to_date=2019-10-01", None, Some((start + day) * 1000)),
            (
                "from_date=2019-10-01&to_date=2019-10-02",
                Some(start * 1000),
                Some((start + 2 * day) * 1000),
            ),
            (
                "from_date=2019-10-01T10:00:00%2B10:00",
                Some(start * 1000),
                None,
            ),
            (
                "to_date=2019-10-01T00:00:00.500Z",
                None,
                Some(start * 1000 + 501),
            ),
            ("from_date=1969-01-01", Some(0), None),
        ];
        for (query, from, to) in cases {
            let rows = rows(query);
            assert_eq!(rows.from, from.map(Time::from_millis), "{query}");
            assert_eq!(rows.to_exclusive, to.map(Time::from_millis), "{query}");
        }
    }

    #[test]
    fn a_call_id_matches_exactly_or_nothing() {
        assert_eq!(
            rows("unique_call_id=1569943875010000").call,
            Some(CallId(1_569_943_875_010_000))
        );
        for id in [
            "abc",
            "01569943875010000",
            "1",
            "-1",
            "1569943875010000x",
            "99999999999999999999999",
        ] {
            assert_eq!(
                asked(&format!("unique_call_id={id}")),
                Ok(Asked::Nothing),
                "{id}"
            );
        }
    }

    #[test]
    fn what_breaks_a_rule_is_named() {
        let date = "must be a date of the form yyyy-mm-dd";
        let limit = "must be an integer from 1 to 10000";
        let offset = "must be an integer that is not negative";
        let sort = "must be newest_first or oldest_first";
        let cases = [
            ("limit", "0", limit),
            ("limit", "10001", limit),
            ("limit", "ten", limit),
            ("limit", "-1", limit),
            ("limit", "1.5", limit),
            ("offset", "-1", offset),
            ("offset", "x", offset),
            ("offset", "99999999999999999999", offset),
            ("sort_by", "newest", sort),
            ("sort_by", "NEWEST_FIRST", sort),
            ("from_date", "2019-13-01", date),
            ("from_date", "2019-02-29", date),
            ("from_date", "01.10.2019", date),
            ("to_date", "2019-10-1", date),
            ("to_date", "yesterday", date),
            ("to_date", "20191001", date),
            (
                "cursor",
                "AAAA",
                "is not one that an answer with the same sort_by gave",
            ),
        ];
        for (name, value, rule) in cases {
            let got = asked(&format!("{name}={value}"));
            assert_eq!(got, Err(ApiError::field(name, rule)), "{name}={value}");
        }
    }

    #[test]
    fn numbers_are_taken_as_given() {
        let rows = rows("offset=50&limit=30&sort_by=oldest_first");
        assert_eq!(
            (rows.offset, rows.limit, rows.order),
            (50, 30, Order::OldestFirst)
        );
        assert_eq!(
            self::rows("limit=10000&limit=7").limit,
            7,
            "the last one counts"
        );
    }
}
