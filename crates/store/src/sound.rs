//! Sounds of an account's own as the store knows them. Their audio lies in files.

use clock::Time;
use pbx::AccountId;

/// A sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundRow {
    /// Whose.
    pub account: AccountId,
    /// What it is called.
    pub name: String,
    /// How long it is.
    pub seconds: u32,
    /// When its audio was kept.
    pub saved_at: Time,
}

/// What changes about sounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoundWrite {
    /// It is kept, instead of one of the same name.
    Save(SoundRow),
    /// It is no more.
    Remove {
        /// Whose.
        account: AccountId,
        /// What it was called.
        name: String,
    },
}
