//! Commands on their way to the media threads.
//!
//! To wake another thread costs more than most commands. Those that nobody can hear the lack of
//! therefore wait for company: that a port is taken, watched, or free again.

use std::time::Duration;

use clock::Time;
use media::Command;

/// After so long the next round takes commands along that could wait.
const SOON: Duration = Duration::from_millis(5);
/// The longest wait, if no round comes by.
pub(super) const LATEST: Duration = Duration::from_millis(20);
/// So many commands do not wait: they may have emptied the stock of ports.
const COMPANY: usize = 16;

/// Commands in their order.
#[derive(Debug, Default)]
pub(super) struct Held {
    commands: Vec<Command>,
    /// When the first one was held back.
    since: Option<Time>,
}

impl Held {
    /// Adds one.
    pub(super) fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// All of them if it is time, else none.
    pub(super) fn take(&mut self, now: Time) -> Vec<Command> {
        if self.commands.is_empty() {
            return Vec::new();
        }
        let since = *self.since.get_or_insert(now);
        let is_time = since + SOON <= now
            || self.commands.len() >= COMPANY
            || !self.commands.iter().all(can_wait);
        if is_time { self.take_all() } else { Vec::new() }
    }

    /// All of them.
    pub(super) fn take_all(&mut self) -> Vec<Command> {
        self.since = None;
        std::mem::take(&mut self.commands)
    }

    /// When they have waited long enough.
    pub(super) fn deadline(&self) -> Option<Time> {
        Some(self.since? + LATEST)
    }
}

fn can_wait(command: &Command) -> bool {
    match command {
        Command::Claim { .. } | Command::Watch { .. } | Command::Release { .. } => true,
        // What arrives meanwhile would be taken for what it was before, for RTP instead of a fax.
        Command::Remote { .. }
        | Command::Bridge { .. }
        | Command::Unbridge { .. }
        | Command::Play { .. }
        | Command::Stop { .. }
        | Command::SendDtmf { .. }
        | Command::Join { .. }
        | Command::Leave { .. }
        | Command::Record { .. }
        | Command::PauseRecord { .. }
        | Command::ResumeRecord { .. }
        | Command::StopRecord { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use media::{PathId, ThreadId};

    use super::*;

    const PATH: PathId = PathId::new(ThreadId(0), 0, 0);
    const CLAIM: Command = Command::Claim { path: PATH };

    fn at(milliseconds: u64) -> Time {
        Time::from_millis(milliseconds)
    }

    #[test]
    fn what_can_wait_waits_for_company_but_not_long() {
        let mut held = Held::default();
        assert_eq!((held.take(at(0)), held.deadline()), (vec![], None));
        held.push(CLAIM);
        assert_eq!(held.take(at(100)), []);
        assert_eq!(held.deadline(), Some(at(120)));
        held.push(CLAIM);
        assert_eq!(held.take(at(104)), []);
        assert_eq!(held.take(at(105)), [CLAIM, CLAIM]);
        assert_eq!((held.take(at(106)), held.deadline()), (vec![], None));
    }

    #[test]
    fn what_is_heard_takes_everything_along_in_its_order() {
        let mut held = Held::default();
        let stop = Command::Stop { path: PATH };
        held.push(CLAIM);
        assert_eq!(held.take(at(100)), []);
        held.push(stop.clone());
        assert_eq!(held.take(at(101)), [CLAIM, stop]);
        held.push(CLAIM);
        assert_eq!(held.take(at(102)), [], "it waits anew");
        assert_eq!(held.deadline(), Some(at(122)));
    }

    #[test]
    fn many_do_not_wait() {
        let mut held = Held::default();
        for _ in 0..COMPANY {
            held.push(CLAIM);
        }
        assert_eq!(held.take(at(100)).len(), COMPANY);
    }
}
