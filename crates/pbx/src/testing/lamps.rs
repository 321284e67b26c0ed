//! What is true of lamps: what was told of a watched name last is how it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::laws::{Verdict, law};
use crate::account::Account;
use crate::effect::Effect;
use crate::input::Input;
use crate::watch::Line;

/// Who is watched, and what was told of each last.
#[derive(Debug, Default)]
pub(super) struct Lamps {
    told: BTreeMap<Arc<str>, Option<Vec<Line>>>,
}

impl Lamps {
    /// Who is watched.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Arc<str>> {
        self.told.keys()
    }

    /// Before the account takes it.
    pub(super) fn input(&mut self, input: &Input) {
        if let Input::Watch { name } = input {
            self.told.insert(Arc::clone(name), None);
        } else if let Input::Unwatch { name } = input {
            self.told.remove(name);
        }
    }

    /// What the account answered with, and how it is now.
    pub(super) fn effects(&mut self, effects: &[Effect], account: &Account) -> Verdict {
        for effect in effects {
            if let Effect::Watched { name, lines } = effect {
                let told = self.told.get_mut(name);
                let told = told.ok_or_else(|| format!("{name} is told, and nobody watches"))?;
                law(told.as_ref() != Some(lines) || lines.is_empty(), || {
                    format!("{name} is told twice to be {lines:?}")
                })?;
                *told = Some(lines.clone());
            }
        }
        for (name, told) in &self.told {
            let (lines, parts) = account.lines_of(name);
            law(told.as_ref() == Some(&lines), || {
                format!("{name} was told to be {told:?} and is {lines:?}")
            })?;
            law(lines.len() == parts, || {
                format!("{name} has {parts} parts in calls and shows {lines:?}")
            })?;
        }
        Ok(())
    }
}
