//! Parts calls by the hour and the day, as the clocks of the account's people show them.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::calendar::{Calendar, Unreadable, Written};
use crate::cx::{Cx, Moment, Step};
use crate::draft::Compiler;
use crate::event::HangupCause;
use crate::standing::Forced;

/// Groups of one object: more cannot be understood.
pub(crate) const MAX_GROUPS: usize = 64;

/// The exit when no group holds.
const NO_MATCH: &str = "no_match";

/// Where calls go when.
#[derive(Debug)]
pub(crate) struct TimeConditions {
    zone: TimeZone,
    groups: Vec<Group>,
    /// The exit that all calls take, whatever the time is.
    fixed: Option<Arc<str>>,
    /// What people dial behind the codes that decide for the clock.
    switch: Option<Arc<str>>,
}

#[derive(Debug)]
struct Group {
    exit: Arc<str>,
    calendar: Calendar,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    groups: Vec<GroupSettings>,
    #[serde(default, rename = "override")]
    fixed: Option<String>,
    #[serde(default)]
    switch: Option<String>,
}

/// An exit, and beside it the hours and days.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct GroupSettings {
    exit: String,
    written: Written,
}

impl TryFrom<Map<String, Value>> for GroupSettings {
    type Error = serde_json::Error;

    fn try_from(mut group: Map<String, Value>) -> Result<Self, Self::Error> {
        let exit = group.remove("exit").unwrap_or_default();
        Ok(Self {
            exit: serde_json::from_value(exit)?,
            written: serde_json::from_value(Value::Object(group))?,
        })
    }
}

impl Object for TimeConditions {
    const KIND: Kind = Kind {
        name: "time_conditions",
        title: "Time conditions",
        palette: Palette::Basic,
        help: "Parts calls by the time of the account's time zone. Each group names hours, \
               weekdays, days of the month, months, years or dates, and an exit; of each list one \
               entry must hold. The first group that holds says where a call goes. Hours that go \
               over midnight belong to the day they begin on.",
        fields: &[
            Field {
                name: "groups",
                title: "Groups",
                help: "when, and by which exit, such as {\"exit\": \"open\", \"hours\": \
                       [\"09:00-17:00\"], \"weekdays\": [\"mon-fri\"]}; holidays are dates",
                shape: Shape::TimeGroups,
                need: Need::Required,
            },
            Field {
                name: "override",
                title: "Override",
                help: "the exit that every call takes meanwhile, whatever the time is; none when \
                       absent",
                shape: Shape::OwnExit,
                need: Need::Optional,
            },
            Field {
                name: "switch",
                title: "Switch",
                help: "a number; users who dial the codes for day and night and this number decide \
                       until they leave it to the clock again: by day every call leaves by the \
                       first group's exit, by night none holds. Objects with the same number go \
                       together",
                shape: Shape::Digits { most: 4 },
                need: Need::Optional,
            },
        ],
        exits: &[Exit {
            name: NO_MATCH,
            title: "Doesn't match",
            cause: HangupCause::Unavailable,
            pace: Pace::AtOnce,
        }],
    };

    type Settings = Settings;
    type State = ();

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let groups = settings.groups.iter().enumerate();
        let groups: Vec<_> = groups
            .map(|(place, group)| group.compile(&format!("groups[{place}]"), compiler))
            .collect();
        let groups: Vec<Group> = groups.into_iter().collect::<Option<_>>()?;
        let fixed = settings.fixed.map(Arc::from);
        let is_exit =
            |exit: &Arc<str>| **exit == *NO_MATCH || groups.iter().any(|group| group.exit == *exit);
        if let Some(unknown) = fixed.as_ref().filter(|exit| !is_exit(exit)) {
            let rule = format!("`{unknown}` is neither a group's exit nor {NO_MATCH}");
            compiler.fault("override", rule);
        }
        Some(Self {
            zone: compiler.zone(),
            groups,
            fixed,
            switch: settings.switch.map(Arc::from),
        })
    }

    fn handle(&self, _state: &mut (), _moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        let forced = self.switch.as_ref().and_then(|switch| cx.forced(switch));
        let exit = match forced {
            Some(forced) => self.exit_if(forced),
            None => self.exit_at(cx.now()),
        };
        Step::Exit(exit.to_owned().into())
    }
}

impl TimeConditions {
    /// The number of its switch.
    pub(crate) fn switch(&self) -> Option<&str> {
        self.switch.as_deref()
    }

    /// Where calls go when somebody has decided.
    fn exit_if(&self, forced: Forced) -> &str {
        match forced {
            Forced::Match => self.groups.first().map_or(NO_MATCH, |group| &group.exit),
            Forced::NoMatch => NO_MATCH,
        }
    }

    fn exit_at(&self, now: clock::Time) -> &str {
        if let Some(fixed) = &self.fixed {
            return fixed;
        }
        let local = self.local(now);
        let mut groups = self.groups.iter();
        let group = groups.find(|group| group.calendar.holds(local));
        group.map_or(NO_MATCH, |group| &group.exit)
    }

    /// What the clock on the wall shows.
    fn local(&self, now: clock::Time) -> DateTime {
        let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let at = Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX);
        self.zone.to_datetime(at)
    }
}

impl GroupSettings {
    fn compile(&self, setting: &str, compiler: &mut Compiler<'_>) -> Option<Group> {
        if self.exit == NO_MATCH {
            let rule = "is where calls go when no group holds: name another exit";
            compiler.fault(&format!("{setting}.exit"), rule);
        }
        if self.written.is_empty() {
            let rule = "names no hours and no days, so every call would leave by it: name some";
            compiler.fault(setting, rule);
            return None;
        }
        match self.written.read() {
            Ok(calendar) => Some(Group {
                exit: self.exit.as_str().into(),
                calendar,
            }),
            Err(bad) => {
                for Unreadable { list, place, rule } in bad {
                    compiler.fault(&format!("{setting}.{list}[{place}]"), rule);
                }
                None
            }
        }
    }
}
