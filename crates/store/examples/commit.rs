//! CPU time of the writer per bridged call, from user to user with one webhook: two rows, nine facts,
//! one delivery and its result.
//!
//! `cargo run --release -p store --example commit [FOLDER]`; a folder on tmpfs leaves the disk out.
#![expect(
    clippy::print_stdout,
    reason = "a program that measures tells what it found"
)]

use std::path::Path;
use std::time::Instant;

use clock::Time;
use pbx::cdr::{UserCall, UserCallKind};
use pbx::{
    AccountId, CallId, Direction, Event, Fact, HangupCause, LegId, LegReport, Trigger, UserRef,
};
use store::{AttemptResult, Batch, DeliveryId, Fate, NewDelivery, Tells, Writer};

const ACCOUNT: AccountId = AccountId(1);
const FIRST_SECOND: u64 = 1_795_500_000;
/// Batches between the start of a call and its answer, its end, and the result of its webhook.
const STEP: u64 = 5;
/// Calls of one measurement.
const CALLS: u64 = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = std::env::args().nth(1);
    let parent = given.map_or_else(std::env::temp_dir, Into::into);
    for (users, calls_per_commit) in [(2, 1), (2, 10), (200, 1), (200, 10), (200, 100)] {
        let folder = tempfile::tempdir_in(&parent)?;
        let mut writer = Writer::open(&folder.path().join("switchhook.db"))?;
        measure(&mut writer, users, calls_per_commit)?;
        report(folder.path())?;
    }
    Ok(())
}

/// Every batch holds each step of as many calls, as when they come at an even rate.
fn measure(writer: &mut Writer, users: u64, calls: u64) -> Result<(), Box<dyn std::error::Error>> {
    let rounds = CALLS / calls;
    let batches: Vec<Batch> = (0..rounds + 3 * STEP)
        .map(|round| batch(round, rounds, (users, calls)))
        .collect();
    let (begun, cpu) = (Instant::now(), cpu_nanos()?);
    for batch in &batches {
        writer.commit(batch)?;
    }
    let cpu = cpu_nanos()? - cpu;
    let commits = u64::try_from(batches.len())?;
    println!(
        "{users} users, {calls} calls per commit: {:.1} µs CPU per call, {:.1} µs CPU and {} µs \
         elapsed per commit",
        as_micros(cpu, CALLS),
        as_micros(cpu, commits),
        begun.elapsed().as_micros() / u128::from(commits),
    );
    Ok(())
}

fn as_micros(nanos: u64, parts: u64) -> f64 {
    let tenths = u32::try_from(nanos / 100 / parts).unwrap_or(u32::MAX);
    f64::from(tenths) / 10.0
}

/// CPU time of this thread, in user and kernel mode.
fn cpu_nanos() -> Result<u64, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse()?)
}

fn report(folder: &Path) -> std::io::Result<()> {
    let size = std::fs::metadata(folder.join("switchhook.db"))?.len();
    println!("    {} bytes per call on the disk", size / CALLS);
    Ok(())
}

/// The steps of calls that fall into one round; calls begin in the first `rounds`.
fn batch(round: u64, rounds: u64, (users, calls): (u64, u64)) -> Batch {
    let mut batch = Batch::default();
    for step in 0..=3 {
        let Some(begun) = round
            .checked_sub(step * STEP)
            .filter(|begun| *begun < rounds)
        else {
            continue;
        };
        for number in begun * calls..(begun + 1) * calls {
            let call = Call { number, users };
            match step {
                0 => call.begins(&mut batch),
                1 => call.is_answered(&mut batch),
                2 => call.ends(&mut batch),
                _ => call.is_told(&mut batch),
            }
        }
    }
    if round.is_multiple_of(50) {
        batch.heartbeat = Some(Time::from_secs(FIRST_SECOND + round / 50));
    }
    batch
}

struct Call {
    number: u64,
    users: u64,
}

impl Call {
    fn id(&self) -> CallId {
        let second = FIRST_SECOND + self.number / 50;
        CallId(second * 1_000_000 + self.number % 50)
    }

    fn start(&self) -> Time {
        Time::from_millis((FIRST_SECOND * 1_000) + self.number * 20)
    }

    fn user(&self, offset: u64) -> UserRef {
        let number = 1_000 + (self.number * 7 + offset) % self.users;
        UserRef {
            number: number.to_string().into(),
            name: format!("User {number}").into(),
        }
    }

    fn tell(&self, batch: &mut Batch, facts: impl IntoIterator<Item = Fact>) {
        let (at, call) = (self.start(), self.id());
        batch.events.extend(facts.into_iter().map(|fact| Event {
            at,
            account: ACCOUNT,
            call,
            fact,
        }));
    }

    fn row(&self, kind: UserCallKind, user: UserRef) -> UserCall {
        let instant = Some(self.start());
        UserCall {
            account: ACCOUNT,
            call: self.id(),
            kind,
            caller_id: Some(self.user(0).number.to_string()),
            caller_name: Some(self.user(0).name.to_string()),
            dest_number: self.user(1).number.to_string(),
            user_name: user.name,
            user_number: user.number,
            call_start_at: self.start(),
            connected_at: instant,
            ended_at: instant,
            call_duration_seconds: 0,
            conversation_duration_seconds: 0,
        }
    }

    fn begins(&self, batch: &mut Batch) {
        let arrived = Fact::Arrived {
            direction: Direction::Internal,
            caller_id: Some(self.user(0).number.to_string()),
            caller_name: Some(self.user(0).name.to_string()),
            dest_number: self.user(1).number.to_string(),
        };
        let ringing = Fact::UserRinging {
            user: self.user(1),
            queue: None,
            ring_group: None,
        };
        self.tell(
            batch,
            [
                arrived,
                Fact::OutboundStarted { user: self.user(0) },
                ringing,
            ],
        );
    }

    fn rows(&self) -> [UserCall; 2] {
        [
            self.row(UserCallKind::UserOutboundAnswered, self.user(0)),
            self.row(UserCallKind::UserInboundAnswered, self.user(1)),
        ]
    }

    fn is_answered(&self, batch: &mut Batch) {
        let user = self.user(0);
        let outbound = Fact::OutboundAnswered { user };
        self.tell(batch, [Fact::UserAnswered { user: self.user(1) }, outbound]);
    }

    fn ends(&self, batch: &mut Batch) {
        let cause = HangupCause::Normal;
        let (caller, called) = (self.user(0), self.user(1));
        let ended = Fact::OutboundEnded { user: caller };
        self.tell(
            batch,
            [
                Fact::UserEnded { user: called },
                ended,
                Fact::Ended { cause },
            ],
        );
        batch.rows.extend(self.rows());
        batch.deliveries.push(NewDelivery {
            account: ACCOUNT,
            endpoint: "crm".into(),
            call: self.id(),
            tells: Tells::Trigger(Trigger::UserInboundCompleted),
            body: [b'{'; 420][..].into(),
            at: self.start(),
        });
    }

    fn is_told(&self, batch: &mut Batch) {
        let closed = |leg| Fact::LegClosed {
            leg: LegId(leg),
            role: "caller".into(),
            report: LegReport {
                packets_received: 1_500,
                packets_sent: 1_500,
                ..LegReport::default()
            },
        };
        self.tell(
            batch,
            [closed(2 * self.number), closed(2 * self.number + 1)],
        );
        batch.attempts.push(AttemptResult {
            delivery: DeliveryId(self.number + 1),
            at: self.start(),
            fate: Fate::Delivered,
            status: Some(200),
            error: None,
        });
    }
}
