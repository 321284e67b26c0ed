//! The legs of all calls: which dialog, which media path, and which other leg each belongs to.
//!
//! A table and its look-ups; what happens to a leg is told in `dial`, `session` and `front`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use media::{Description, Direction, Fax, Latch, PathId, Port};
use pbx::{AccountId, CallId, Failure, LegId, Speech};
use sip::{DialogId, Invite};

/// One side of a call.
pub(crate) struct Leg {
    pub(crate) account: AccountId,
    /// `None` until the first leg is dialled for it.
    pub(crate) call: Option<CallId>,
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) media: Media,
    /// The leg it talks with, or was dialled for.
    pub(crate) other: Option<LegId>,
}

/// What a leg is to its call.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Caller,
    Device(Arc<str>),
    Trunk(Arc<str>),
}

impl Role {
    /// As kept with the call.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Caller => "caller".to_owned(),
            Self::Device(username) => format!("device {username}"),
            Self::Trunk(name) => format!("trunk {name}"),
        }
    }
}

/// How far a leg has come.
pub(crate) enum State {
    /// It called us and waits for an answer.
    Calling(DialogId),
    /// We call it.
    Dialling(Dialling),
    /// Answered.
    Talking {
        dialog: DialogId,
        /// The offer we passed on to it, which its other leg waits for.
        asked: Option<Asked>,
    },
}

/// An outgoing leg before its answer.
pub(crate) struct Dialling {
    /// One for each registration of the device that still rings; the first to answer wins.
    pub(crate) branches: Vec<Branch>,
    /// The most telling failure of the branches that ended.
    pub(crate) failure: Option<Failure>,
    /// Where else the same call can be sent when the first address does not answer.
    pub(crate) retry: Option<Box<Retry>>,
    /// The branch whose audio the caller hears before the answer.
    pub(crate) early: Option<DialogId>,
}

/// One INVITE of an outgoing leg.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) dialog: DialogId,
    /// Where it was sent.
    pub(crate) remote: SocketAddr,
}

/// A trunk's other addresses, best first.
pub(crate) struct Retry {
    pub(crate) invite: Invite,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// An offer of one leg that its other leg has been asked to answer.
pub(crate) struct Asked {
    pub(crate) by: LegId,
    pub(crate) offer: Session,
    pub(crate) standing: Standing,
    /// What we had described to the other leg before, which stands if it refuses.
    pub(crate) before: Option<Vec<u8>>,
}

/// What a peer describes within a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    Audio(Description),
    Fax(Fax),
}

impl Session {
    /// Of a description that offers both, the audio is taken.
    pub(crate) fn parse(sdp: &[u8]) -> Option<Self> {
        let audio = Description::parse(sdp).map(Self::Audio);
        audio.or_else(|_| Fax::parse(sdp).map(Self::Fax)).ok()
    }
}

/// Whether an offer still wants its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does.
    Open,
    /// Who made it has taken it back, but its other leg may still accept it.
    Withdrawn,
    /// It is ours: the leg learns how its other leg is now. Nobody waits for the answer, and so many
    /// more of the kind may follow.
    Ours { rounds: u8 },
}

/// The media side of a leg.
pub(crate) struct Media {
    pub(crate) port: Option<Port>,
    /// What the peer described last, of audio.
    pub(crate) theirs: Option<Description>,
    /// What it described since then, while it is in a fax.
    pub(crate) fax: Option<Fax>,
    /// What we described last.
    pub(crate) ours: Option<Vec<u8>>,
    /// Version of `ours`.
    pub(crate) version: u64,
    pub(crate) latch: Latch,
    /// Which way the peer wants audio to flow, as it last offered: its answer to somebody's hold
    /// says nothing about that.
    pub(crate) wish: Direction,
    /// Whether it hears its other leg, or music because that one does not listen.
    pub(crate) hears: Hears,
    /// How it reaches its other leg or its room, when that is on another media thread.
    pub(crate) tie: Option<Tie>,
    /// The room that it is in.
    pub(crate) seat: Option<Seat>,
}

/// What a leg that talks hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    /// Its other leg.
    Peer,
    /// Music on hold.
    Music,
}

/// Two paths that are each other's phone, one on each of two threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    /// Beside the leg that has it, and beside the other one.
    pub(crate) ends: [Port; 2],
}

/// A place in a room.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    /// The room's name.
    pub(crate) room: Arc<str>,
    /// What is mixed there: its own path, or the end of a tie line.
    pub(crate) path: PathId,
    /// Whether it may be heard.
    pub(crate) speech: Speech,
}

impl Media {
    pub(crate) fn new(theirs: Option<Description>, latch: Latch) -> Self {
        let wish = theirs.as_ref().map(Description::direction);
        Self {
            port: None,
            wish: wish.unwrap_or_default(),
            hears: Hears::Peer,
            tie: None,
            seat: None,
            theirs,
            fax: None,
            ours: None,
            version: 0,
            latch,
        }
    }
}

impl Media {
    /// What the peer and its other leg do just now.
    pub(crate) fn session(&self) -> Option<Session> {
        match &self.fax {
            Some(fax) => Some(Session::Fax(fax.clone())),
            None => self.theirs.clone().map(Session::Audio),
        }
    }

    /// The peer has described this. Gives what was before.
    pub(crate) fn describes(&mut self, session: Session) -> (Option<Description>, Option<Fax>) {
        let before = (self.theirs.clone(), self.fax.take());
        match session {
            Session::Audio(audio) => self.theirs = Some(audio),
            Session::Fax(fax) => self.fax = Some(fax),
        }
        before
    }

    /// The audio that the peer described, in the lines that its session has by now.
    pub(crate) fn audio(&self) -> Option<Description> {
        let theirs = self.theirs.as_ref()?;
        Some(match &self.fax {
            Some(fax) => fax.back_to(theirs),
            None => theirs.clone(),
        })
    }
}

/// Phones may sit behind a NAT, carriers do not.
pub(crate) fn latch_of(role: &Role, signalling: IpAddr) -> Latch {
    match role {
        Role::Trunk(_) => Latch::Exact,
        Role::Caller | Role::Device(_) => Latch::Restricted { signalling },
    }
}

impl Leg {
    /// The one dialog of a leg that does not fork.
    pub(crate) fn dialog(&self) -> Option<DialogId> {
        match &self.state {
            State::Calling(dialog) | State::Talking { dialog, .. } => Some(*dialog),
            State::Dialling(_) => None,
        }
    }

    /// What we described to it last.
    pub(crate) fn told(&self) -> Option<Description> {
        Description::parse(self.media.ours.as_deref()?).ok()
    }

    /// What we described to it when both sides agreed last: not what it has been offered since.
    pub(crate) fn agreed(&self) -> Option<&[u8]> {
        match &self.state {
            State::Talking {
                asked: Some(asked), ..
            } => asked.before.as_deref(),
            State::Talking { asked: None, .. } | State::Calling(_) | State::Dialling(_) => {
                self.media.ours.as_deref()
            }
        }
    }

    /// Whether an offer was passed on to it that it has not answered.
    pub(crate) fn is_asked(&self) -> bool {
        matches!(&self.state, State::Talking { asked: Some(_), .. })
    }

    /// The peer that speaks is that of this branch: its audio comes from there.
    pub(crate) fn is_heard_from(&mut self, dialog: DialogId) {
        let State::Dialling(dialling) = &self.state else {
            return;
        };
        let branch = dialling
            .branches
            .iter()
            .find(|branch| branch.dialog == dialog);
        if let Some(branch) = branch {
            self.media.latch = latch_of(&self.role, branch.remote.ip());
        }
    }

    pub(crate) fn dialogs(&self) -> Vec<DialogId> {
        match &self.state {
            State::Calling(dialog) | State::Talking { dialog, .. } => vec![*dialog],
            State::Dialling(dialling) => dialling
                .branches
                .iter()
                .map(|branch| branch.dialog)
                .collect(),
        }
    }
}

/// A leg that is over, whose media path has yet to report.
pub(crate) struct Closed {
    pub(crate) account: AccountId,
    pub(crate) call: CallId,
    pub(crate) leg: LegId,
    pub(crate) role: String,
}

/// Every leg of the node.
#[derive(Default)]
pub(crate) struct Legs {
    all: BTreeMap<LegId, Leg>,
    by_dialog: BTreeMap<DialogId, LegId>,
    by_path: BTreeMap<PathId, LegId>,
    closing: BTreeMap<PathId, Closed>,
}

impl Legs {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many paths have been released and have not reported.
    pub(crate) fn closing_len(&self) -> usize {
        self.closing.len()
    }

    pub(crate) fn insert(&mut self, id: LegId, leg: Leg) {
        for dialog in leg.dialogs() {
            self.by_dialog.insert(dialog, id);
        }
        self.all.insert(id, leg);
    }

    pub(crate) fn leg(&self, id: LegId) -> Option<&Leg> {
        self.all.get(&id)
    }

    pub(crate) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.all.get_mut(&id)
    }

    /// The leg of a dialog. A dialog whose leg is over is nobody's.
    pub(crate) fn of_dialog(&self, dialog: DialogId) -> Option<LegId> {
        self.by_dialog.get(&dialog).copied()
    }

    pub(crate) fn of_path(&self, path: PathId) -> Option<LegId> {
        self.by_path.get(&path).copied()
    }

    pub(crate) fn of_account(&self, account: AccountId) -> Vec<LegId> {
        let is_its = |(id, leg): (&LegId, &Leg)| (leg.account == account).then_some(*id);
        self.all.iter().filter_map(is_its).collect()
    }

    /// Gives a leg its media path.
    pub(crate) fn set_port(&mut self, id: LegId, port: Port) {
        if let Some(leg) = self.all.get_mut(&id) {
            leg.media.port = Some(port);
            self.by_path.insert(port.path, id);
        }
    }

    /// One more branch of an outgoing leg.
    pub(crate) fn add_branch(&mut self, id: LegId, branch: Branch) {
        if let Some(Leg {
            state: State::Dialling(dialling),
            ..
        }) = self.all.get_mut(&id)
        {
            dialling.branches.push(branch);
            self.by_dialog.insert(branch.dialog, id);
        }
    }

    /// A branch is over.
    pub(crate) fn drop_branch(&mut self, dialog: DialogId) -> Option<Branch> {
        let id = self.by_dialog.remove(&dialog)?;
        let State::Dialling(dialling) = &mut self.all.get_mut(&id)?.state else {
            return None;
        };
        let place = dialling
            .branches
            .iter()
            .position(|branch| branch.dialog == dialog)?;
        Some(dialling.branches.remove(place))
    }

    /// The branch that answered is the leg from now on. Gives the others.
    pub(crate) fn answered(&mut self, id: LegId, dialog: DialogId) -> Vec<DialogId> {
        let Some(leg) = self.all.get_mut(&id) else {
            return Vec::new();
        };
        leg.is_heard_from(dialog);
        let mut others = leg.dialogs();
        others.retain(|other| *other != dialog);
        for other in &others {
            self.by_dialog.remove(other);
        }
        leg.state = State::Talking {
            dialog,
            asked: None,
        };
        others
    }

    /// Takes a leg out. Gives it and the dialogs it still had.
    pub(crate) fn remove(&mut self, id: LegId) -> Option<(Leg, Vec<DialogId>)> {
        let leg = self.all.remove(&id)?;
        let dialogs = leg.dialogs();
        for dialog in &dialogs {
            self.by_dialog.remove(dialog);
        }
        if let Some(port) = leg.media.port {
            self.by_path.remove(&port.path);
            if let Some(call) = leg.call {
                let role = leg.role.describe();
                let closed = Closed {
                    account: leg.account,
                    call,
                    leg: id,
                    role,
                };
                self.closing.insert(port.path, closed);
            }
        }
        Some((leg, dialogs))
    }

    /// The leg whose path has reported.
    pub(crate) fn closed(&mut self, path: PathId) -> Option<Closed> {
        self.closing.remove(&path)
    }
}
