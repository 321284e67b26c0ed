//! A member of a conference: what it hears, and what its keys do.

use serde::Deserialize;

use super::Conference;
use crate::cx::Cx;
use crate::effect::Speech;
use crate::floor::{Beginning, Door, News, Role, Voices};
use crate::sound::{PlayId, Sound, Times, Tone};

/// When those who are there hear one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Starts {
    #[default]
    AtOnce,
    WithOwner,
}

/// How they are told who comes and goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Announce {
    #[default]
    Tone,
    Words,
    None,
}

/// A member.
#[derive(Debug)]
pub(crate) struct Seat {
    role: Role,
    company: Company,
    /// What it has chosen itself.
    own: Speech,
    /// What the room was told of it last; `None` while it is not mixed yet.
    told: Option<Speech>,
    hears: Hears,
    star: Star,
}

/// With whom it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// It waits for an owner.
    Awaiting,
    Alone,
    Others,
}

/// What it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hears {
    Room,
    Words(PlayId),
    Music,
}

/// Whether the key before was `*`: the next one is a wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Star {
    #[default]
    Up,
    Pressed,
}

/// Whether it wants to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Stay,
    Leave,
    /// Everybody shall leave.
    End,
}

impl Seat {
    /// Words came to their end.
    pub(super) fn heard(&mut self, play: PlayId, cx: &mut Cx<'_, '_>) {
        if self.hears == Hears::Words(play) {
            self.hears = Hears::Room;
            self.pass_time(cx);
        }
    }

    /// Who has nobody to listen to hears music.
    fn pass_time(&mut self, cx: &mut Cx<'_, '_>) {
        match (self.company, self.hears) {
            (Company::Awaiting | Company::Alone, Hears::Room) => {
                cx.play(vec![Sound::Music], Times::Forever);
                self.hears = Hears::Music;
            }
            (Company::Others, Hears::Music) => {
                cx.stop_playing();
                self.hears = Hears::Room;
            }
            (Company::Awaiting | Company::Alone, Hears::Words(_) | Hears::Music)
            | (Company::Others, Hears::Words(_) | Hears::Room) => {}
        }
    }

    fn say(&mut self, sound: Sound, cx: &mut Cx<'_, '_>) {
        self.hears = Hears::Words(cx.play(vec![sound], Times::Once));
    }

    fn say_speech(&mut self, cx: &mut Cx<'_, '_>) {
        let words = match self.told {
            Some(Speech::Muted) => "conf-muted",
            Some(Speech::Heard) | None => "conf-unmuted",
        };
        self.say(prompt(words), cx);
    }
}

impl Conference {
    /// The first thing that a new member hears is how many are there.
    pub(super) fn take_seat(&self, role: Role, cx: &mut Cx<'_, '_>) -> Seat {
        let mut seat = Seat {
            role,
            company: Company::Awaiting,
            own: Speech::Heard,
            told: None,
            hears: Hears::Room,
            star: Star::Up,
        };
        let members = self.look_around(&mut seat, cx);
        let words = match seat.company {
            Company::Awaiting => prompt("conf-wait-owner"),
            Company::Alone | Company::Others => Sound::ConferenceSize(members),
        };
        seat.say(words, cx);
        seat
    }

    /// Takes in who is there, and is mixed as it should be. Says how many are there.
    fn look_around(&self, seat: &mut Seat, cx: &mut Cx<'_, '_>) -> u32 {
        let Some(found) = cx.floor().rooms().find(&self.room) else {
            return 0;
        };
        let awaits = self.starts == Starts::WithOwner && found.beginning == Beginning::OwnerAwaited;
        seat.company = match found.members {
            _ if awaits => Company::Awaiting,
            0 | 1 => Company::Alone,
            2.. => Company::Others,
        };
        let speech = match (found.voices, seat.role) {
            (Voices::Owners, Role::Guest) => Speech::Muted,
            (Voices::Owners, Role::Owner) | (Voices::All, _) => seat.own,
        };
        if !awaits && seat.told != Some(speech) {
            // Who is to be mixed is answered.
            cx.join_room(&self.room, speech);
            seat.told = Some(speech);
        }
        u32::try_from(found.members).unwrap_or(u32::MAX)
    }

    /// Something has happened in the room.
    pub(super) fn hear_of(&self, news: News, seat: &mut Seat, cx: &mut Cx<'_, '_>) {
        let before = seat.told;
        self.look_around(seat, cx);
        match news {
            News::Joined | News::Left if seat.company == Company::Awaiting => {}
            News::Joined => self.announce(Tone::Joined, "conf-someone-joined", seat, cx),
            News::Left => self.announce(Tone::Left, "conf-someone-left", seat, cx),
            News::VoicesChanged if before != seat.told => seat.say_speech(cx),
            // The object sees to the end.
            News::VoicesChanged | News::Ended => {}
        }
        seat.pass_time(cx);
    }

    fn announce(&self, tone: Tone, words: &'static str, seat: &mut Seat, cx: &mut Cx<'_, '_>) {
        match self.announce {
            Announce::Tone => seat.say(Sound::Tone(tone), cx),
            Announce::Words => seat.say(prompt(words), cx),
            Announce::None => {}
        }
    }

    /// A wish is `*` and one more key; what only owners may wish is nothing for guests.
    pub(super) fn key(&self, key: char, seat: &mut Seat, cx: &mut Cx<'_, '_>) -> Wish {
        let star = std::mem::take(&mut seat.star);
        let call = cx.call();
        match (star, key, seat.role) {
            (Star::Up, '*', _) => seat.star = Star::Pressed,
            (Star::Pressed, '0', _) => return Wish::Leave,
            (Star::Pressed, '6', _) => self.turn_own_voice(seat, cx),
            (Star::Pressed, '5', Role::Owner) => {
                let words = match cx.floor().rooms().turn_voices(&self.room, call) {
                    Some(Voices::Owners) => "conf-guests-muted",
                    Some(Voices::All) | None => "conf-guests-unmuted",
                };
                seat.say(prompt(words), cx);
            }
            (Star::Pressed, '7', Role::Owner) => {
                let words = match cx.floor().rooms().turn_key(&self.room) {
                    Some(Door::Locked) => "conf-locked",
                    Some(Door::Open) | None => "conf-unlocked",
                };
                seat.say(prompt(words), cx);
            }
            (Star::Pressed, '8', Role::Owner) => return Wish::End,
            (Star::Up | Star::Pressed, _, Role::Owner | Role::Guest) => {}
        }
        Wish::Stay
    }

    fn turn_own_voice(&self, seat: &mut Seat, cx: &mut Cx<'_, '_>) {
        if seat.told.is_none() {
            return;
        }
        seat.own = match seat.own {
            Speech::Heard => Speech::Muted,
            Speech::Muted => Speech::Heard,
        };
        self.look_around(seat, cx);
        seat.say_speech(cx);
    }
}

fn prompt(words: &'static str) -> Sound {
    Sound::Prompt(words.into())
}
