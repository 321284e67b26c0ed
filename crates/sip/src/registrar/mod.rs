//! Where the devices of each user can be reached (RFC 3261 §10.3, RFC 5626 for connections).
//!
//! The registrar keeps bindings and their ends; whose they are and whether the request may change
//! them was decided before. Every table is bounded.

mod binding;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::Time;
use smallvec::SmallVec;

pub use binding::Binding;
pub use request::{MAX_CONTACTS_PER_REQUEST, MAX_TEXT_BYTES, MAX_URI_PARAMS, RegisterRequest};

use crate::transport::FlowId;
use request::{Wanted, Wish};

/// Bindings of one address. A further one takes the place of the one refreshed longest ago: a
/// phone that changes its identity at each restart must not lock itself out.
pub const MAX_BINDINGS_PER_AOR: usize = 10;

/// How many bindings one call of [`Registrar::expire`] takes away, so that no step is long.
pub const MAX_EXPIRED_PER_STEP: usize = 1_000;

/// An address of record, numbered by the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Aor(pub u64);

/// What the registrar grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrarLimits {
    /// The shortest lifetime; shorter wishes are answered 423.
    pub min_expires_seconds: u32,
    /// The lifetime when none is asked for.
    pub default_expires_seconds: u32,
    /// The longest lifetime; longer wishes get this one.
    pub max_expires_seconds: u32,
    /// Bindings of all addresses together; beyond it, new ones are answered 503.
    pub bindings: usize,
}

impl Default for RegistrarLimits {
    fn default() -> Self {
        Self {
            min_expires_seconds: 60,
            default_expires_seconds: 3_600,
            max_expires_seconds: 7_200,
            bindings: 200_000,
        }
    }
}

/// Why a REGISTER changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterError {
    /// A header that cannot be used, with what is wrong.
    Malformed(&'static str),
    /// The lifetime asked for is too short; the answer carries Min-Expires.
    IntervalTooBrief {
        /// The shortest lifetime granted.
        min_expires_seconds: u32,
    },
    /// Its number is not above the one that made the binding: an old request that came late.
    OutOfOrder,
    /// The table is full.
    Full,
}

impl RegisterError {
    /// The status code of the answer.
    pub const fn code(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::IntervalTooBrief { .. } => 423,
            Self::OutOfOrder => 500,
            Self::Full => 503,
        }
    }
}

/// The bindings of all addresses.
#[derive(Debug, Default)]
pub struct Registrar {
    limits: RegistrarLimits,
    bindings: BTreeMap<Aor, Vec<Binding>>,
    by_expiry: BTreeSet<(Time, Aor, BindingId)>,
    /// Only bindings that came down a connection: a socket for datagrams does not close.
    by_flow: BTreeSet<(FlowId, Aor, BindingId)>,
    last_id: BindingId,
}

/// Tells bindings apart; never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct BindingId(u64);

impl Registrar {
    /// An empty registrar.
    pub fn new(limits: RegistrarLimits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Carries out a REGISTER, whole or not at all, and shows the bindings there are now.
    pub fn apply(
        &mut self,
        now: Time,
        aor: Aor,
        request: &RegisterRequest<'_>,
    ) -> Result<&[Binding], RegisterError> {
        self.remove_where(aor, |binding| binding.expires <= now);
        match &request.wish {
            Wish::Query => {}
            Wish::RemoveAll => {
                check_order(self.all(aor), request)?;
                self.remove_where(aor, |_| true);
            }
            Wish::Change(wanted) => {
                let granted = self.check(now, aor, request, wanted)?;
                for (wanted, expires) in wanted.iter().zip(granted) {
                    self.change(aor, request, wanted, expires);
                }
                self.bindings
                    .entry(aor)
                    .and_modify(|all| all.sort_by_key(|one| u16::MAX - one.q));
            }
        }
        Ok(self.all(aor))
    }

    /// The bindings of an address that have not ended, the most preferred first.
    pub fn bindings(&self, aor: Aor, now: Time) -> impl Iterator<Item = &Binding> {
        self.all(aor)
            .iter()
            .filter(move |binding| binding.expires > now)
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.by_expiry.len()
    }

    /// Whether there is no binding.
    pub fn is_empty(&self) -> bool {
        self.by_expiry.is_empty()
    }

    /// When [`Registrar::expire`] has something to do.
    pub fn deadline(&self) -> Option<Time> {
        self.by_expiry.first().map(|(expires, ..)| *expires)
    }

    /// Takes away bindings that have ended and says whose, once per binding. What is over
    /// [`MAX_EXPIRED_PER_STEP`] is left; [`Registrar::deadline`] then is still in the past.
    pub fn expire(&mut self, now: Time) -> Vec<Aor> {
        let mut losers = Vec::new();
        while losers.len() < MAX_EXPIRED_PER_STEP
            && let Some((expires, aor, id)) = self.by_expiry.first().copied()
            && expires <= now
        {
            self.remove_where(aor, |binding| binding.id == id);
            losers.push(aor);
        }
        losers
    }

    /// Takes away the bindings that can only be reached down a connection that is gone
    /// (RFC 5626 §5.3), and says whose, once per binding.
    pub fn flow_closed(&mut self, flow: FlowId) -> Vec<Aor> {
        let first = (flow, Aor(0), BindingId(0));
        let last = (flow, Aor(u64::MAX), BindingId(u64::MAX));
        let lost: Vec<_> = self.by_flow.range(first..=last).copied().collect();
        for (_, aor, id) in &lost {
            self.remove_where(*aor, |binding| binding.id == *id);
        }
        lost.into_iter().map(|(_, aor, _)| aor).collect()
    }

    /// Takes away all bindings of an address whose user is gone.
    pub fn remove(&mut self, aor: Aor) {
        self.remove_where(aor, |_| true);
    }

    fn all(&self, aor: Aor) -> &[Binding] {
        self.bindings.get(&aor).map_or(&[], Vec::as_slice)
    }

    /// Everything that can speak against a change, before anything is changed. Gives the end
    /// granted to each contact, `None` for those to take away.
    fn check(
        &self,
        now: Time,
        aor: Aor,
        request: &RegisterRequest<'_>,
        wanted: &[Wanted<'_>],
    ) -> Result<SmallVec<[Option<Time>; 2]>, RegisterError> {
        let all = self.all(aor);
        let mut added = 0;
        let mut granted = SmallVec::new();
        for wanted in wanted {
            let seconds = self.grant(wanted.expires.or(request.expires))?;
            let mut replaced = all
                .iter()
                .filter(|one| request.replaces(all, one, wanted))
                .peekable();
            if seconds > 0 && replaced.peek().is_none() {
                added += 1;
            }
            check_order(replaced, request)?;
            granted.push((seconds > 0).then(|| now + Duration::from_secs(seconds.into())));
        }
        if self.len() + added > self.limits.bindings {
            return Err(RegisterError::Full);
        }
        Ok(granted)
    }

    /// The lifetime for a wish (RFC 3261 §10.3 step 7); zero takes the binding away.
    fn grant(&self, asked: Option<u32>) -> Result<u32, RegisterError> {
        let min_expires_seconds = self.limits.min_expires_seconds;
        match asked {
            None => Ok(self.limits.default_expires_seconds),
            Some(0) => Ok(0),
            Some(seconds) if seconds < min_expires_seconds => {
                Err(RegisterError::IntervalTooBrief {
                    min_expires_seconds,
                })
            }
            Some(seconds) => Ok(seconds.min(self.limits.max_expires_seconds)),
        }
    }

    /// Puts a binding in the place of those it replaces, or only takes those away.
    fn change(
        &mut self,
        aor: Aor,
        request: &RegisterRequest<'_>,
        wanted: &Wanted<'_>,
        expires: Option<Time>,
    ) {
        let all = self.all(aor);
        let replaced: Vec<_> = all
            .iter()
            .filter(|one| request.replaces(all, one, wanted))
            .map(|one| one.id)
            .collect();
        self.remove_where(aor, |binding| replaced.contains(&binding.id));
        let Some(expires) = expires else { return };
        self.last_id.0 += 1;
        let binding = Binding::new(self.last_id, request, wanted, expires);
        self.make_room(aor);
        self.insert(aor, binding);
    }

    fn make_room(&mut self, aor: Aor) {
        let all = self.all(aor);
        if all.len() < MAX_BINDINGS_PER_AOR {
            return;
        }
        // Ids grow, so the least is the one registered or refreshed longest ago.
        let oldest = all.iter().map(|binding| binding.id).min();
        self.remove_where(aor, |binding| Some(binding.id) == oldest);
    }

    fn insert(&mut self, aor: Aor, binding: Binding) {
        self.by_expiry.insert((binding.expires, aor, binding.id));
        if binding.source.transport.is_reliable() {
            self.by_flow.insert((binding.source.flow, aor, binding.id));
        }
        self.bindings.entry(aor).or_default().push(binding);
    }

    fn remove_where(&mut self, aor: Aor, goes: impl Fn(&Binding) -> bool) {
        let Some(all) = self.bindings.get_mut(&aor) else {
            return;
        };
        all.retain(|binding| {
            let stays = !goes(binding);
            if !stays {
                self.by_expiry.remove(&(binding.expires, aor, binding.id));
                self.by_flow.remove(&(binding.source.flow, aor, binding.id));
            }
            stays
        });
        if all.is_empty() {
            self.bindings.remove(&aor);
        }
    }
}

/// A binding changes only by a request with a higher number, if both come from one device's life
/// (RFC 3261 §10.3 steps 6 and 7).
fn check_order<'b>(
    bindings: impl IntoIterator<Item = &'b Binding>,
    request: &RegisterRequest<'_>,
) -> Result<(), RegisterError> {
    let is_late =
        |binding: &Binding| *binding.call_id == *request.call_id && binding.cseq >= request.cseq;
    let any_late = bindings.into_iter().any(is_late);
    (!any_late).then_some(()).ok_or(RegisterError::OutOfOrder)
}

#[cfg(test)]
mod tests;
