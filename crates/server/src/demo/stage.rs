//! The phones of the demo together, what they tell, and what went wrong.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::ladder::{Tape, Who};
use super::phone::{self, Ending, Handle, Identity, News, Order, World};
use super::{PATIENCE, say};
use crate::clock::Clock;

/// The phones, and what they told that nobody has asked for yet.
pub(super) struct Stage {
    phones: Vec<(Who, Handle)>,
    tape: Tape,
    news: mpsc::Receiver<(Who, News)>,
    pending: Vec<(Who, News)>,
    failures: Vec<String>,
}

impl Stage {
    /// Switches the phones on. The carrier's port is open already: the account names it.
    pub(super) fn open(server: SocketAddr, carrier: UdpSocket) -> anyhow::Result<Self> {
        let (sender, news) = mpsc::sync_channel(MAX_NEWS);
        let world = World {
            clock: Clock::start(),
            tape: Tape::default(),
            news: sender,
        };
        let mut phones = Vec::new();
        let outside = Identity {
            who: Who::Carrier,
            user: "61491570156".to_owned(),
            domain: server.to_string(),
            password: None,
            hertz: 400,
        };
        phones.push((
            Who::Carrier,
            phone::start(outside, carrier, server, world.clone())?,
        ));
        for identity in inside() {
            let socket = phone::port(Ipv4Addr::LOCALHOST.into())?;
            phones.push((
                identity.who,
                phone::start(identity, socket, server, world.clone())?,
            ));
        }
        Ok(Self {
            phones,
            tape: world.tape,
            news,
            pending: Vec::new(),
            failures: Vec::new(),
        })
    }

    /// Tells a phone to do something.
    pub(super) fn order(&self, who: Who, order: Order) {
        if let Some((_, phone)) = self.phones.iter().find(|(other, _)| *other == who) {
            phone.order(order);
        }
    }

    /// Waits until `who` tells what is `wanted`.
    pub(super) fn wait(&mut self, who: Who, wanted: &News) -> anyhow::Result<()> {
        self.find(who, &format!("{wanted:?}"), |news| news == wanted)
            .map(|_| ())
    }

    /// Waits until a call comes in at `who`.
    pub(super) fn wait_ringing(&mut self, who: Who) -> anyhow::Result<()> {
        self.find(who, "Rings", |news| matches!(news, News::Rings(_)))
            .map(|_| ())
    }

    /// Waits until the call of `who` is over as it should be; the packets that it heard.
    pub(super) fn wait_over(&mut self, who: Who, ending: Ending) -> anyhow::Result<u32> {
        let what = format!("Over({ending:?})");
        let news = self.find(who, &what, |news| matches!(news, News::Over(..)))?;
        let News::Over(found, packets) = news else {
            anyhow::bail!("{who}: {news:?} instead of {what}");
        };
        anyhow::ensure!(found == ending, "{who}: Over({found:?}) instead of {what}");
        Ok(packets.heard)
    }

    fn find(
        &mut self,
        who: Who,
        what: &str,
        wanted: impl Fn(&News) -> bool,
    ) -> anyhow::Result<News> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self
                .pending
                .iter()
                .position(|(other, news)| *other == who && wanted(news));
            if let Some(index) = found {
                return Ok(self.pending.remove(index).1);
            }
            match self
                .news
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(news) => self.pending.push(news),
                Err(_) => {
                    anyhow::bail!("{who}: {what} did not happen; what did: {:?}", self.pending)
                }
            }
        }
    }

    /// Shows the ladder since the last one, and notes whether the scene went as it should.
    pub(super) fn curtain(&mut self, outcome: anyhow::Result<String>) -> anyhow::Result<()> {
        // The last answers are still on their way.
        std::thread::sleep(SETTLE);
        self.pending.extend(self.news.try_iter());
        say(self.tape.draw().trim_end())?;
        match outcome {
            Ok(remark) => say(&remark)?,
            Err(error) => {
                say(&format!("FAILED: {error:#}"))?;
                self.failures.push(format!("{error:#}"));
            }
        }
        self.pending.clear();
        Ok(())
    }

    /// Notes what does not hold.
    pub(super) fn check(&mut self, holds: bool, what: &str) {
        if !holds {
            self.failures.push(what.to_owned());
        }
    }

    /// What went wrong.
    pub(super) fn failures(&self) -> Vec<String> {
        self.failures.clone()
    }

    /// Switches the phones off.
    pub(super) fn close(self) {
        self.phones.into_iter().for_each(|(_, phone)| phone.stop());
    }
}

fn inside() -> impl Iterator<Item = Identity> {
    let phones = [
        (Who::Desk, "1010-desk", "correct-horse", 450),
        (Who::Mobile, "1010-mobile", "battery-staple", 500),
        (Who::Ann, "1020-desk", "staple-battery", 550),
    ];
    phones
        .into_iter()
        .map(|(who, user, password, hertz)| Identity {
            who,
            user: user.to_owned(),
            domain: "demo.example.com".to_owned(),
            password: Some(password.to_owned()),
            hertz,
        })
}

/// News that waits to be read; more is dropped.
const MAX_NEWS: usize = 1_000;
/// After this nothing of a scene is on its way any more.
const SETTLE: Duration = Duration::from_millis(100);
