//! Who answered is asked for a key: a voice mailbox cannot take the call.

use super::{Attempt, State};
use crate::core::Core;
use crate::cx::Moment;
use crate::effect::Effect;
use crate::event::HangupCause;
use crate::ids::LegId;
use crate::input::Failure;
use crate::sound::{PlayId, Sound, Times};
use crate::turn::Turn;

/// What who answered is asked, and the keys that say yes and no.
const QUESTION: &str = "call-press-one-to-accept";
const YES: char = '1';
const NO: char = '2';

impl Attempt {
    /// Who was asked hears the question no more.
    pub(super) fn stop_asking(&self, turn: &mut Turn<'_>) {
        if let State::Asked(leg, Some(_)) = self.state {
            turn.push(Effect::StopPlaying { leg });
        }
    }
}

impl Core {
    /// Asks who answered whether to take the call. The caller hears that it rings meanwhile.
    pub(super) fn ask_for_key(&mut self, index: usize, leg: LegId, turn: &mut Turn<'_>) {
        let play = self.caller.next_play();
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.state = State::Asked(leg, Some(play));
        }
        turn.push(Effect::Play {
            leg,
            play,
            sounds: vec![Sound::Prompt(QUESTION.into())],
            times: Times::Forever,
        });
        // What is said there is not for the caller yet.
        self.early_media_over(leg);
        self.ring_caller(turn);
    }

    /// A key was pressed on a called leg: the answer to our question, if it was asked.
    pub(crate) fn leg_pressed(
        &mut self,
        leg: LegId,
        key: char,
        turn: &mut Turn<'_>,
    ) -> Option<Moment> {
        let index = self.asked(leg)?;
        match key {
            YES => {
                let attempt = self.attempts.get_mut(index)?;
                attempt.stop_asking(turn);
                attempt.state = State::Answered(leg);
                let attempt = attempt.id;
                Some(Moment::Answered { attempt })
            }
            NO => {
                let attempt = self.attempts.remove(index);
                Some(self.declined(attempt, turn))
            }
            _ => None,
        }
    }

    /// The call of who was asked, by position.
    pub(super) fn asked(&self, leg: LegId) -> Option<usize> {
        let mut attempts = self.attempts.iter();
        attempts.position(|attempt| matches!(attempt.state, State::Asked(asked, _) if asked == leg))
    }

    /// A called leg has heard all of a play. The question has no end: it could not be played.
    pub(crate) fn leg_played(&mut self, leg: LegId, play: PlayId) {
        let attempts = self.attempts.iter_mut();
        for attempt in attempts.filter(|one| one.state == State::Asked(leg, Some(play))) {
            attempt.state = State::Asked(leg, None);
        }
    }

    fn declined(&mut self, attempt: Attempt, turn: &mut Turn<'_>) -> Moment {
        let id = attempt.id;
        self.end_attempt(attempt, HangupCause::Normal, turn);
        Moment::Failed {
            attempt: id,
            failure: Failure::Declined,
        }
    }

    /// Who was asked is gone without an answer.
    pub(super) fn asked_gone(&mut self, index: usize, leg: LegId, turn: &mut Turn<'_>) -> Moment {
        let mut attempt = self.attempts.remove(index);
        attempt.state = State::Trying;
        self.drop_leg(&mut attempt, leg, turn);
        self.declined(attempt, turn)
    }
}
