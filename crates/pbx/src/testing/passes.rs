//! A webhook object on every way of a random flow: the calls go as they went without, and each
//! pass is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clock::Time;

use serde_json::json;

use super::walk::{Course, Taped, walk_on_tape};
use crate::account::Account;
use crate::draft::{Draft, Flow, Object};
use crate::effect::Effect;
use crate::event::{Component, Event, Fact, HangupCause};
use crate::ids::{AccountId, CallId, Ids};
use crate::input::Input;
use crate::objects::{Palette, kind};

/// Stands between the two objects in the id of a webhook object that was put between them.
const ARROW: &str = "--";

/// Walks, and has the same things happen to an account with webhook objects on every way. Says
/// how many passes were told. `spoil` may change what that account does.
pub fn compare_with_webhooks(
    seed: u64,
    steps: u32,
    spoil: &mut dyn FnMut(Vec<Effect>) -> Vec<Effect>,
) -> Result<u64, String> {
    let mut tape = Vec::new();
    let course = Course {
        seed,
        steps,
        kinds: |_| true,
    };
    walk_on_tape(course, &mut |effects| effects, &mut tape)?;
    let mut pair: Option<Pair> = None;
    for told in tape {
        match (told, &mut pair) {
            (Taped::Draft(draft, version, ..), None) => pair = Some(Pair::new(&draft, version)?),
            (Taped::Draft(draft, version, now, ids), Some(pair)) => {
                pair.apply((&draft, version), now, &ids)?;
            }
            (Taped::Input(..), None) => return Err("a walk begins with a draft".to_owned()),
            // A call that is handed on goes on somewhere else without passing anything.
            (Taped::Input(_, Input::Transfer { .. }, _), Some(_)) => {}
            (Taped::Input(now, input, ids), Some(pair)) => {
                let plain = pair.plain.handle(now, input.clone(), &mut ids.clone());
                let told = pair.telling.handle(now, input, &mut ids.clone());
                if plain.iter().chain(&told).any(is_too_many_hops) {
                    // The objects that were put in count too.
                    break;
                }
                pair.compare(&plain, spoil(told))
                    .map_err(|broken| format!("seed {seed} at {now}: {broken}"))?;
            }
        }
    }
    Ok(pair.map_or(0, |pair| pair.passes))
}

/// Two accounts to which the same things happen.
struct Pair {
    plain: Account,
    telling: Account,
    /// The object that each call was last told to go to.
    places: BTreeMap<CallId, String>,
    /// The objects in which calls begin.
    entries: BTreeSet<String>,
    passes: u64,
}

impl Pair {
    fn new(draft: &Draft, version: u64) -> Result<Self, String> {
        let compile = |draft: &Draft| {
            let plan = draft.compile(AccountId(1), version);
            plan.map_err(|problems| format!("it does not compile: {problems:?}"))
        };
        let entries = draft.flows.iter().flat_map(|flow| {
            let entries = flow.objects.iter().filter(|object| is_entry(object));
            entries.map(|object| format!("{}/{}", flow.id, object.id))
        });
        Ok(Self {
            entries: entries.collect(),
            plain: Account::new(Arc::new(compile(draft)?)),
            telling: Account::new(Arc::new(compile(&with_webhooks(draft))?)),
            places: BTreeMap::new(),
            passes: 0,
        })
    }

    fn apply(
        &mut self,
        (draft, version): (&Draft, u64),
        now: Time,
        ids: &Ids,
    ) -> Result<(), String> {
        let Self {
            plain,
            telling,
            entries,
            ..
        } = Self::new(draft, version)?;
        // Calls go on under the plan they began with.
        self.entries.extend(entries);
        let plain = self
            .plain
            .apply(Arc::clone(plain.plan()), now, &mut ids.clone());
        let plan = Arc::clone(telling.plan());
        let telling = self.telling.apply(plan, now, &mut ids.clone());
        self.compare(&plain, telling)
    }

    /// But for the passes, both do the same.
    fn compare(&mut self, plain: &[Effect], telling: Vec<Effect>) -> Result<(), String> {
        let mut rest = Vec::with_capacity(telling.len());
        for effect in telling {
            match put_in(&effect) {
                Some((event, component)) => self.pass(event.call, component)?,
                None => rest.push(effect),
            }
        }
        if plain == rest {
            return Ok(());
        }
        Err(format!("without webhooks {plain:#?}, with them {rest:#?}"))
    }

    /// A call goes on where it was told to have gone to.
    fn pass(&mut self, call: CallId, component: &Component) -> Result<(), String> {
        let (flow, way) = component.place.split_once('/').unwrap_or_default();
        let mut stops = way.split(ARROW);
        let (from, to) = (stops.next(), stops.last());
        let from = format!("{flow}/{}", from.unwrap_or_default());
        let to = format!("{flow}/{}", to.unwrap_or_default());
        let before = self.places.insert(call, to);
        self.passes += 1;
        let follows = match &before {
            Some(before) => *before == from,
            None => self.entries.contains(&from),
        };
        if follows {
            return Ok(());
        }
        Err(format!(
            "call {call} is told to pass {way} while in {before:?}"
        ))
    }
}

/// The pass of an object that was put in.
fn put_in(effect: &Effect) -> Option<(&Event, &Component)> {
    let Effect::Emit(event) = effect else {
        return None;
    };
    let Fact::ComponentPassed { component } = &event.fact else {
        return None;
    };
    component
        .place
        .contains(ARROW)
        .then_some((event, component))
}

fn is_entry(object: &Object) -> bool {
    let kind = kind(&object.kind);
    kind.is_some_and(|kind| kind.palette == Palette::Entry)
}

fn is_too_many_hops(effect: &Effect) -> bool {
    let cause = HangupCause::TooManyHops;
    matches!(effect, Effect::Emit(event) if event.fact == Fact::Ended { cause })
}

/// The draft with a webhook object between every two of its objects.
fn with_webhooks(draft: &Draft) -> Draft {
    let mut draft = draft.clone();
    for flow in &mut draft.flows {
        let webhooks = on_every_way(flow);
        flow.objects.extend(webhooks);
    }
    draft
}

/// Leads every exit to a webhook object, and that one to where the exit led.
fn on_every_way(flow: &mut Flow) -> Vec<Object> {
    let mut webhooks = Vec::new();
    for object in &mut flow.objects {
        for (exit, target) in &mut object.exits {
            let id = [&*object.id, exit, &*target].join(ARROW);
            let settings = json!({"url": "https://crm.example.com/", "secret_token": "5up3r"});
            webhooks.push(Object {
                id: id.clone(),
                kind: "webhook".to_owned(),
                name: String::new(),
                at: (0, 0),
                settings: settings.as_object().cloned().unwrap_or_default(),
                exits: BTreeMap::from([("next".to_owned(), std::mem::replace(target, id))]),
            });
        }
    }
    webhooks
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: u64 = 100;
    const STEPS: u32 = 400;

    #[test]
    fn a_webhook_object_on_every_way_changes_nothing_and_tells_each_pass_once() {
        let passes = (0..SEEDS).map(|seed| {
            compare_with_webhooks(seed, STEPS, &mut |effects| effects)
                .unwrap_or_else(|broken| panic!("{broken}"))
        });
        let passes: u64 = passes.sum();
        assert!(passes > 10 * SEEDS, "only {passes} passes prove little");
    }

    /// Says each pass so often, and expects that it is noticed.
    #[track_caller]
    fn check_bites(name: &str, copies: fn(&Effect) -> usize) {
        let caught = (0..50).any(|seed| {
            compare_with_webhooks(seed, STEPS, &mut |effects| {
                let repeat = |effect: Effect| std::iter::repeat_n(effect.clone(), copies(&effect));
                effects.into_iter().flat_map(repeat).collect()
            })
            .is_err()
        });
        assert!(caught, "nothing notices: {name}");
    }

    #[test]
    fn planted_bugs_are_caught() {
        check_bites("passes of one kind of exit are not told", |effect| {
            usize::from(
                !put_in(effect).is_some_and(|(_, component)| component.place.contains("next")),
            )
        });
        check_bites("a pass is told twice", |effect| {
            1 + usize::from(put_in(effect).is_some())
        });
        check_bites("the call ends where it should go on", |effect| {
            usize::from(!matches!(effect, Effect::Dial { .. }))
        });
    }
}
