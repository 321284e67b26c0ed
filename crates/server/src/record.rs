//! Inputs of the engine on paper, and played again: `record_inputs` and `switchhook replay FILE`.
//!
//! One JSON object per line: what the engine was made from, then each input with its instant. Every
//! so often a digest of all effects so far, which a replay must reach too, bit for bit. The file holds
//! what phones said, digests and secrets included, so only its owner can read it.

mod digest;
mod entry;
mod start;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clock::Time;
use engine::{Effect, Engine, Input};
use media::{MediaEvent, PathId, PlayId, Port};
use pbx::draft::Draft;
use pbx::{AccountId, AgentChange, CallId, QuestionId, Standing, Told};
use serde::{Deserialize, Serialize};
use sip::{Destination, FlowId};

use digest::EffectDigest;
use entry::{Entry, transport_of};
use start::Start;

/// Inputs between two digests.
const INPUTS_PER_DIGEST: u64 = 1_000;
/// The longest recording, in bytes: what comes after is not written down.
const MAX_RECORDING_BYTES: u64 = 8 << 30;

/// Writes inputs down.
pub struct Recorder {
    file: BufWriter<File>,
    written: u64,
    inputs: u64,
    effects: EffectDigest,
    failed: bool,
}

impl Recorder {
    /// Begins a recording at `path`, which must not exist.
    pub fn create(path: &Path, settings: &engine::Settings) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let effects = EffectDigest::default();
        let mut recorder = Self {
            file: BufWriter::new(file),
            written: 0,
            inputs: 0,
            effects,
            failed: false,
        };
        recorder.line(Time::ZERO, &Entry::Start(Start::of(settings)));
        Ok(recorder)
    }

    /// Writes an input down, before the engine takes it. An account's plan is written by
    /// [`Recorder::write_draft`].
    pub fn write(&mut self, now: Time, input: &Input<'_>) {
        if let Some(entry) = Entry::of(input) {
            self.line(now, &entry);
        }
    }

    /// Writes down that a plan was applied, as the draft that it was made from.
    pub fn write_draft(&mut self, now: Time, draft: &Draft, plan: &pbx::Plan) {
        match serde_json::to_value(draft) {
            Ok(draft) => {
                let (account, version) = (plan.account.0, plan.version);
                self.line(
                    now,
                    &Entry::Apply {
                        account,
                        version,
                        draft,
                    },
                );
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// Takes the effects of the last input into the digest.
    pub fn took(&mut self, now: Time, effects: &[Effect]) {
        self.effects.add(effects);
        self.inputs += 1;
        if self.inputs.is_multiple_of(INPUTS_PER_DIGEST) {
            self.digest(now);
        }
    }

    fn digest(&mut self, now: Time) {
        let entry = Entry::Digest {
            sha256: self.effects.so_far(),
        };
        self.line(now, &entry);
    }

    fn line(&mut self, now: Time, entry: &Entry) {
        if self.failed {
            return;
        }
        let line = Line {
            at: now.as_micros(),
            entry,
        };
        match serde_json::to_vec(&line) {
            Ok(mut json) => {
                json.push(b'\n');
                self.written += json.len() as u64;
                if let Err(error) = self.file.write_all(&json) {
                    self.give_up(&error);
                } else if self.written > MAX_RECORDING_BYTES {
                    self.give_up(&"the recording has reached its longest size");
                }
            }
            Err(error) => self.give_up(&error),
        }
    }

    /// A recording with a gap is worth nothing, so it ends; calls go on.
    fn give_up(&mut self, error: &dyn std::fmt::Display) {
        tracing::error!(%error, "the recording of inputs ends here");
        self.failed = true;
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.digest(Time::ZERO);
        if let Err(error) = self.file.flush() {
            tracing::error!(%error, "the end of the recording of inputs is lost");
        }
    }
}

/// What a replay has found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs played.
    pub inputs: u64,
    /// Effects they had.
    pub effects: u64,
    /// Digests that were compared; all agreed.
    pub digests: u64,
    /// SHA-256 of all effects.
    pub sha256: String,
}

/// Plays a recording again. Each effect is shown to `watch`.
pub fn replay(path: &Path, mut watch: impl FnMut(Time, &Effect)) -> anyhow::Result<Replayed> {
    let file = File::open(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    let mut engine = None;
    let mut digest = EffectDigest::default();
    let mut done = Replayed::default();
    for (number, line) in (1_u64..).zip(BufReader::new(file).lines()) {
        // kill -9 leaves half a line behind.
        let Ok(Line { at, entry }) = serde_json::from_str::<Line<Entry>>(&line?) else {
            tracing::warn!(number, "the recording ends with half a line");
            break;
        };
        let now = Time::from_micros(at);
        match entry {
            Entry::Start(start) => engine = Some(Engine::new(start.settings())),
            Entry::Digest { sha256 } => {
                let ours = digest.so_far();
                anyhow::ensure!(
                    ours == sha256,
                    "line {number}: effects differ from the recorded ones ({ours}, recorded {sha256})"
                );
                done.digests += 1;
            }
            Entry::Packet { .. }
            | Entry::FlowClosed { .. }
            | Entry::SendFailed { .. }
            | Entry::Ports { .. }
            | Entry::Silent { .. }
            | Entry::PlayEnded { .. }
            | Entry::Digit { .. }
            | Entry::RecordClosed { .. }
            | Entry::Closed { .. }
            | Entry::Resolved { .. }
            | Entry::Told { .. }
            | Entry::Mailbox { .. }
            | Entry::Apply { .. }
            | Entry::Restore { .. }
            | Entry::Agent { .. }
            | Entry::Remove { .. }
            | Entry::Originate { .. }
            | Entry::Load { .. }
            | Entry::HangUpAll
            | Entry::Wake => {
                let engine = engine.as_mut().ok_or_else(|| {
                    anyhow::anyhow!("line {number}: the recording has no beginning")
                })?;
                let effects = play(engine, now, entry)?;
                digest.add(&effects);
                done.inputs += 1;
                done.effects += effects.len() as u64;
                for effect in &effects {
                    watch(now, effect);
                }
            }
        }
    }
    done.sha256 = digest.so_far();
    Ok(done)
}

fn play(engine: &mut Engine, now: Time, entry: Entry) -> anyhow::Result<Vec<Effect>> {
    if let Entry::Packet { source, base64 } = entry {
        let (source, bytes) = (source.into(), &STANDARD.decode(base64)?);
        return Ok(engine.handle(now, Input::Packet { source, bytes }));
    }
    if let Entry::Apply {
        account,
        version,
        draft,
    } = entry
    {
        let plan = plan_of(draft, AccountId(account), version)?;
        return Ok(engine.handle(now, Input::Apply(plan)));
    }
    Ok(input_of(entry).map_or_else(Vec::new, |input| engine.handle(now, input)))
}

/// What needs nothing read that could be wrong.
fn input_of(entry: Entry) -> Option<Input<'static>> {
    Some(match entry {
        Entry::FlowClosed { flow } => Input::FlowClosed(FlowId(flow)),
        Entry::SendFailed {
            transport,
            remote,
            flow,
        } => send_failed(&transport, remote, flow),
        Entry::Ports { ports } => ports_bound(ports),
        Entry::Silent { path } => silent(path),
        Entry::PlayEnded { path, play } => play_ended(path, play),
        Entry::Digit { path, digit } => key_pressed(path, digit),
        Entry::RecordClosed {
            recording,
            seconds,
            reason,
        } => record_closed(recording, seconds, reason),
        Entry::Closed { path, report } => closed(path, report),
        Entry::Resolved {
            token,
            addresses,
            valid_ms,
        } => resolved(token, addresses, valid_ms),
        Entry::Told {
            account,
            call,
            question,
            told,
        } => told_of(AccountId(account), call, question, told),
        Entry::Mailbox {
            account,
            user,
            counts,
        } => mailbox_of(AccountId(account), user, counts),
        Entry::Restore { account, standings } => restored(AccountId(account), standings),
        Entry::Agent {
            account,
            user,
            change,
        } => agent_is(AccountId(account), user, change),
        Entry::Remove { account } => Input::Remove(AccountId(account)),
        Entry::Originate { account, asked } => Input::Originate {
            account: AccountId(account),
            asked,
        },
        Entry::Load { load } => Input::Load(load.into()),
        Entry::HangUpAll => Input::HangUpAll,
        Entry::Wake => Input::Wake,
        Entry::Start(_) | Entry::Digest { .. } | Entry::Packet { .. } | Entry::Apply { .. } => {
            return None;
        }
    })
}

fn told_of(account: AccountId, call: CallId, question: QuestionId, told: Told) -> Input<'static> {
    Input::Told {
        account,
        call,
        question,
        told,
    }
}

fn mailbox_of(account: AccountId, user: Arc<str>, counts: pbx::MailboxCounts) -> Input<'static> {
    Input::Mailbox {
        account,
        user,
        counts,
    }
}

fn send_failed(transport: &str, remote: SocketAddr, flow: Option<u64>) -> Input<'static> {
    Input::SendFailed(Destination {
        transport: transport_of(transport),
        remote,
        flow: flow.map(FlowId),
    })
}

fn resolved(token: u64, addresses: Vec<SocketAddr>, valid_ms: u64) -> Input<'static> {
    Input::Resolved {
        token,
        addresses,
        valid: Duration::from_millis(valid_ms),
    }
}

fn restored(account: AccountId, standings: Vec<Standing>) -> Input<'static> {
    Input::Restore { account, standings }
}

fn agent_is(account: AccountId, user: Arc<str>, change: AgentChange) -> Input<'static> {
    Input::Agent {
        account,
        user,
        change,
    }
}

fn ports_bound(ports: Vec<(u64, u16)>) -> Input<'static> {
    let port = |(path, rtp_port)| Port {
        path: PathId::from_bits(path),
        rtp_port,
    };
    Input::Media(MediaEvent::Ports {
        ports: ports.into_iter().map(port).collect(),
    })
}

fn plan_of(
    draft: serde_json::Value,
    account: AccountId,
    version: u64,
) -> anyhow::Result<Arc<pbx::Plan>> {
    let draft: Draft = serde_json::from_value(draft)?;
    let plan = draft.compile(account, version).map_err(|problems| {
        let first = problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        anyhow::anyhow!("an account of the recording does not compile: {first}")
    })?;
    Ok(Arc::new(plan))
}

fn record_closed(
    recording: media::RecordingId,
    seconds: u32,
    reason: media::RecordEnd,
) -> Input<'static> {
    Input::Media(MediaEvent::RecordClosed {
        recording,
        seconds,
        reason,
    })
}

fn silent(path: u64) -> Input<'static> {
    let path = PathId::from_bits(path);
    Input::Media(MediaEvent::Silent { path })
}

fn closed(path: u64, report: media::LegReport) -> Input<'static> {
    let path = PathId::from_bits(path);
    Input::Media(MediaEvent::Closed { path, report })
}

fn play_ended(path: u64, play: u32) -> Input<'static> {
    Input::Media(MediaEvent::PlayEnded {
        path: PathId::from_bits(path),
        play: PlayId(play),
    })
}

/// The engine does not ask how long a key was held.
fn key_pressed(path: u64, digit: char) -> Input<'static> {
    Input::Media(MediaEvent::Dtmf {
        path: PathId::from_bits(path),
        digit,
        duration_ms: 0,
    })
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line<E> {
    /// Microseconds since the epoch.
    at: u64,
    #[serde(flatten)]
    entry: E,
}
