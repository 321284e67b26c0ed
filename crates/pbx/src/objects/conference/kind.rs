//! What is shown of a conference room.

use super::super::{Exit, Field, Kind, Need, Pace, Palette, Shape};
use super::MAX_PIN_DIGITS;
use crate::event::HangupCause;
use crate::floor::MAX_ROOM_MEMBERS;

const fn exit(name: &'static str, title: &'static str, cause: HangupCause) -> Exit {
    Exit {
        name,
        title,
        cause,
        pace: Pace::AfterWaiting,
    }
}

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

pub(super) const KIND: Kind = Kind {
    name: "conference",
    title: "Conference room",
    palette: Palette::Basic,
    help: "Lets callers talk with everybody who is in the room of that name, wherever they came \
           from. *6 mutes the caller or lets it speak again, *0 leaves the room. An owner also has \
           *5, which mutes all guests or lets them speak again, *7, which locks the room or opens \
           it again, and *8, which ends the conference.",
    fields: &[
        Field {
            name: "room",
            title: "Room",
            help: "the room's name: objects with the same name lead into the same room",
            shape: Shape::Text { most: 32 },
            need: Need::Required,
        },
        optional(
            "pin",
            "PIN",
            "what guests key in, followed by #; nothing is asked of them when absent",
            Shape::Pin {
                most: MAX_PIN_DIGITS,
            },
        ),
        optional(
            "owner_pin",
            "Owner's PIN",
            "what an owner keys in instead; guests without a PIN of their own just press #",
            Shape::Pin {
                most: MAX_PIN_DIGITS,
            },
        ),
        optional(
            "owners",
            "Owners",
            "users who are owners without a PIN when they call from their own phones",
            Shape::Users,
        ),
        optional(
            "starts",
            "Start",
            "whether callers hear music until an owner has come; they talk at once when absent",
            Shape::Choice(&["at_once", "with_owner"]),
        ),
        optional(
            "announce",
            "Announcement",
            "how those in the room are told who comes and goes; by a tone when absent",
            Shape::Choice(&["tone", "words", "none"]),
        ),
        optional(
            "max_members",
            "Most members",
            "how many may be in the room; 32 when absent",
            Shape::Whole {
                least: 2,
                most: MAX_ROOM_MEMBERS,
            },
        ),
        optional(
            "max_minutes",
            "Longest conference",
            "after how long from its beginning it ends; never when absent",
            Shape::Whole {
                least: 1,
                most: 1_440,
            },
        ),
    ],
    exits: &[
        exit("next", "Afterwards", HangupCause::Normal),
        exit("wrong_pin", "Wrong PIN", HangupCause::Normal),
        exit("full", "Full or locked", HangupCause::Busy),
    ],
};
