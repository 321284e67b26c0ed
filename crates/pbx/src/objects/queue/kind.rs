//! What is shown of queues.

use super::super::{Exit, Field, Kind, Need, Pace, Palette, Shape};
use super::MAX_CALLERS;
use crate::draft::{MAX_RING_SECONDS, MIN_RING_SECONDS};
use crate::event::HangupCause;

/// What may be said again and again.
const REMINDERS: &[&str] = &["queue-thank-you", "queue-still-busy", "please-wait"];

/// Keys that may leave the line.
const KEYS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "#"];

/// How often something may be told.
const INTERVAL: Shape = Shape::Whole {
    least: 15,
    most: 3_600,
};

const fn optional(
    name: &'static str,
    title: &'static str,
    help: &'static str,
    shape: Shape,
) -> Field {
    Field {
        name,
        title,
        help,
        shape,
        need: Need::Optional,
    }
}

const fn exit(name: &'static str, title: &'static str, cause: HangupCause, pace: Pace) -> Exit {
    Exit {
        name,
        title,
        cause,
        pace,
    }
}

pub(super) const KIND: Kind = Kind {
    name: "queue",
    title: "Queue",
    palette: Palette::Basic,
    help: "Answers callers, who wait in line with music until an agent is free. They are offered \
           in the order they came: the first to all free agents together, or as many callers at \
           once as there are free agents, each to one. Agents log in and out and pause with \
           codes on their phones. Calls through it are listed and told under its name.",
    fields: &[
        Field {
            name: "agents",
            title: "Agents",
            help: "users who answer, in their order",
            shape: Shape::Users,
            need: Need::Required,
        },
        optional(
            "strategy",
            "Who rings",
            "all free agents when absent, but of several callers each is offered one before the \
             first is offered more; or one at a time: who has been idle longest, who has taken the \
             fewest calls, each in turn, or anybody",
            Shape::Choice(&[
                "ring_all",
                "longest_idle",
                "fewest_calls",
                "round_robin",
                "random",
            ]),
        ),
        optional(
            "ring_seconds",
            "Ring time",
            "how long an agent rings for one caller; 20 when absent",
            Shape::Whole {
                least: MIN_RING_SECONDS,
                most: MAX_RING_SECONDS,
            },
        ),
        optional(
            "retry_seconds",
            "Retry pause",
            "how long an agent who did not answer is left alone; 5 when absent",
            Shape::Whole {
                least: 1,
                most: 600,
            },
        ),
        optional(
            "wrap_up_seconds",
            "Wrap-up time",
            "how long an agent who has talked with a caller is left alone; not at all when absent",
            Shape::Whole {
                least: 0,
                most: 3_600,
            },
        ),
        optional(
            "max_wait_seconds",
            "Longest wait",
            "how long a caller waits at most; half an hour when absent",
            Shape::Whole {
                least: 5,
                most: 14_400,
            },
        ),
        optional(
            "max_callers",
            "Longest line",
            "how many callers wait at most; 100 when absent",
            Shape::Whole {
                least: 1,
                most: MAX_CALLERS,
            },
        ),
        optional(
            "priority",
            "Priority",
            "whose callers come first when an agent is free for several queues: those of the \
             higher number; 0 when absent",
            Shape::Whole { least: 0, most: 9 },
        ),
        optional(
            "announce",
            "Announcements",
            "what callers are told of the line, on entry and again and again; nothing when absent",
            Shape::Choice(&["nothing", "place", "wait", "place_and_wait"]),
        ),
        optional(
            "announce_seconds",
            "Announced every",
            "how often; every minute when absent",
            INTERVAL,
        ),
        optional(
            "reminder",
            "Reminder",
            "what else callers hear again and again; none when absent. The key that leaves the \
             line is named after it",
            Shape::Sound(REMINDERS),
        ),
        optional(
            "reminder_seconds",
            "Reminded every",
            "how often; every two minutes when absent",
            INTERVAL,
        ),
        optional(
            "music",
            "Music",
            "what callers hear in line; the account's music on hold when absent",
            Shape::Sound(&[]),
        ),
        optional(
            "exit_key",
            "Exit key",
            "the key that leaves the line by the exit of that name; none when absent",
            Shape::Choice(KEYS),
        ),
    ],
    exits: &[
        exit(
            "time_out",
            "Waited too long",
            HangupCause::NoAnswer,
            Pace::AfterWaiting,
        ),
        exit("full", "Line is full", HangupCause::Busy, Pace::AtOnce),
        exit(
            "nobody",
            "Nobody logged in",
            HangupCause::Unavailable,
            Pace::AtOnce,
        ),
        exit(
            "key",
            "Key pressed",
            HangupCause::Normal,
            Pace::AfterWaiting,
        ),
    ],
};
