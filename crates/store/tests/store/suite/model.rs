//! A list of rows, sorted and filtered the plain way, and random rows and queries for it.

use clock::Time;
use pbx::cdr::{GroupCall, UserCall, UserCallKind};
use pbx::{AccountId, GroupKind};
use store::{CallQuery, Order, Page, Position};

use super::{ACME, DAY_MS, MIDNIGHT_MS, OTHER, call, row, stay, user_ref};

/// A row, and what the filters look at.
pub(crate) trait Listed: Clone {
    fn account(&self) -> AccountId;
    fn position(&self) -> Position;
    /// The user's number and name.
    fn user(&self) -> Option<(&str, &str)>;
    /// The queue or ring group.
    fn group(&self) -> Option<&str>;
}

impl Listed for UserCall {
    fn account(&self) -> AccountId {
        self.account
    }

    fn position(&self) -> Position {
        Position::from(self)
    }

    fn user(&self) -> Option<(&str, &str)> {
        Some((&self.user_number, &self.user_name))
    }

    fn group(&self) -> Option<&str> {
        None
    }
}

impl Listed for GroupCall {
    fn account(&self) -> AccountId {
        self.account
    }

    fn position(&self) -> Position {
        Position::from(self)
    }

    fn user(&self) -> Option<(&str, &str)> {
        let user = self.user.as_ref();
        user.map(|user| (&*user.number, &*user.name))
    }

    fn group(&self) -> Option<&str> {
        Some(&self.name)
    }
}

/// What the store must answer, by brute force.
pub(crate) fn page<R: Listed>(rows: &[R], query: &CallQuery) -> Page<R> {
    let matching = rows.iter().filter(|row| matches(*row, query));
    let mut rows: Vec<R> = matching.cloned().collect();
    rows.sort_by_key(R::position);
    if query.order == Order::NewestFirst {
        rows.reverse();
    }
    let total = u64::try_from(rows.len()).unwrap();
    if let Some(after) = &query.after {
        rows.retain(|row| match query.order {
            Order::OldestFirst => row.position() > *after,
            Order::NewestFirst => row.position() < *after,
        });
    }
    let offset = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(query.limit).unwrap();
    let rows = rows.into_iter().skip(offset).take(limit).collect();
    Page { rows, total }
}

fn matches(row: &impl Listed, query: &CallQuery) -> bool {
    let Position {
        call_start_at: start,
        call: its_call,
        ..
    } = row.position();
    let is_user = |text: &String| {
        let user = row.user();
        user.is_some_and(|(number, name)| text == number || text == name)
    };
    let is_group = |text: &String| row.group() == Some(text);
    let (users, groups) = (query.users.as_ref(), query.groups.as_ref());
    row.account() == query.account
        && query.call.is_none_or(|call| call == its_call)
        && query.from.is_none_or(|from| from <= start)
        && query.to_exclusive.is_none_or(|to| start < to)
        && users.is_none_or(|users| users.iter().any(is_user))
        && groups.is_none_or(|groups| groups.iter().any(is_group))
}

/// Numbers that look random and are the same each time (`SplitMix64`).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.roll(u64::try_from(from.len()).unwrap())).unwrap()]
    }

    /// An instant that is often at, just before or just behind a border of hours, days or spans.
    fn instant_ms(&mut self) -> u64 {
        let base = match self.roll(4) {
            0 => MIDNIGHT_MS,
            1 => MIDNIGHT_MS - self.roll(300) * DAY_MS,
            2 => MIDNIGHT_MS + self.roll(48) * 3_600_000,
            _ => MIDNIGHT_MS + self.roll(2 * DAY_MS),
        };
        match self.roll(4) {
            0 => base,
            1 => base - 1,
            2 => base + 1,
            _ => base + self.roll(10_000),
        }
    }

    fn user(&mut self) -> String {
        (1_000 + self.roll(6)).to_string()
    }

    /// Rows with many ties in their start and call, of two accounts.
    pub(crate) fn rows(&mut self, count: u64) -> Vec<UserCall> {
        let mut rows = std::collections::BTreeMap::new();
        let mut start_ms = MIDNIGHT_MS;
        for number in 0..count {
            if !self.one_in(4) {
                start_ms = self.instant_ms();
            }
            let call = call(number - self.roll(3).min(number));
            let mut row = row(call, &self.user(), start_ms);
            row.kind = *self.pick(&KINDS);
            row.account = if self.one_in(8) { OTHER } else { ACME };
            row.caller_id = (!self.one_in(3)).then(|| format!("61{number}"));
            row.connected_at = row.connected_at.filter(|_| self.one_in(2));
            if self.one_in(20) {
                row.user_name = "Renamed".into();
            }
            let key = (
                row.account,
                row.call,
                row.user_number.clone(),
                Position::from(&row).part,
            );
            rows.entry(key).or_insert(row);
        }
        rows.into_values().collect()
    }

    /// Stays with many ties in their start and call, of two accounts, in a few groups of one kind.
    pub(crate) fn stays(&mut self, kind: GroupKind, count: u64) -> Vec<GroupCall> {
        let mut rows = std::collections::BTreeMap::new();
        let mut start_ms = MIDNIGHT_MS;
        for number in 0..count {
            if !self.one_in(4) {
                start_ms = self.instant_ms();
            }
            let call = call(number - self.roll(3).min(number));
            let mut row = stay(call, u32::try_from(1 + self.roll(4)).unwrap(), start_ms);
            row.kind = kind;
            row.name = (*self.pick(&GROUPS)).into();
            row.account = if self.one_in(8) { OTHER } else { ACME };
            row.user = (!self.one_in(3)).then(|| user_ref(&self.user()));
            row.connected_at = row.connected_at.filter(|_| row.user.is_some());
            row.caller_name = self.one_in(3).then(|| format!("Caller {number}"));
            rows.entry((row.account, row.call, row.stay)).or_insert(row);
        }
        rows.into_values().collect()
    }

    /// A query about such stays.
    pub(crate) fn query_of_stays(&mut self, rows: &[GroupCall]) -> CallQuery {
        let mut query = self.query(rows);
        query.groups = match self.roll(4) {
            0 => None,
            1 => Some(vec![]),
            2 => Some(vec!["nobody".into()]),
            _ => Some((0..2).map(|_| self.pick(&GROUPS).to_string()).collect()),
        };
        if self.one_in(2) {
            query.users = None;
        }
        query
    }

    /// A query about such rows.
    pub(crate) fn query<R: Listed>(&mut self, rows: &[R]) -> CallQuery {
        let mut query = CallQuery::all(ACME);
        if self.one_in(2) {
            query.from = Some(Time::from_millis(self.instant_ms()));
        }
        if self.one_in(2) {
            query.to_exclusive = Some(Time::from_micros(self.instant_ms() * 1_000 + self.roll(2)));
        }
        query.users = match self.roll(5) {
            0 => None,
            1 => Some(vec![self.user()]),
            2 => Some(vec![self.user(), "Renamed".into(), "nobody".into()]),
            _ => Some((0..self.roll(9)).map(|_| self.user()).collect()),
        };
        if self.one_in(10) {
            query.call = Some(self.pick(rows).position().call);
        }
        if self.one_in(4) {
            query.after = Some(self.pick(rows).position());
        }
        query.order = *self.pick(&[Order::NewestFirst, Order::OldestFirst]);
        query.offset = *self.pick(&[0, 0, 1, 7, 100, 1_000, u64::MAX]);
        query.limit = *self.pick(&[0, 1, 10, 100, 10_000]);
        query
    }
}

const GROUPS: [&str; 3] = ["Sales", "Support", "1001"];

const KINDS: [UserCallKind; 4] = [
    UserCallKind::UserInboundAnswered,
    UserCallKind::UserInboundMissed,
    UserCallKind::UserOutboundAnswered,
    UserCallKind::UserOutboundUnanswered,
];
