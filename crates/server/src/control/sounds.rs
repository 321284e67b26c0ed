//! Sounds of accounts through the door: handed in, listed and removed.

use anyhow::Context;
use pbx::draft::Problem;
use pbx::{AccountId, Plan};
use store::{AccountDocument, Reader, SoundRow, SoundWrite, Writer};

use super::{Door, find_account};
use crate::account;
use crate::accounts::Accounts;
use crate::clock::Clock;
use crate::drive::Message;
use crate::sounds::{self, Library, Use};

/// What is handed in.
pub(super) struct Handed {
    pub(super) account: String,
    pub(super) name: String,
    pub(super) purpose: Use,
    pub(super) file: Vec<u8>,
}

/// What is known of an account when its sounds change.
struct Known {
    account: AccountId,
    plan: std::sync::Arc<Plan>,
    rows: Vec<SoundRow>,
}

impl Known {
    fn of(name: &str, accounts: &Accounts, reader: &Reader) -> anyhow::Result<Self> {
        let stored: AccountDocument = find_account(&reader.accounts()?, name)?;
        Ok(Self {
            account: stored.account,
            plan: accounts.open(&stored)?.plan,
            rows: reader.sounds(stored.account)?,
        })
    }

    /// Nothing that a caller would miss is removed.
    fn may_remove(&self, name: &str) -> anyhow::Result<()> {
        let is_known = self.rows.iter().any(|row| row.name == name);
        anyhow::ensure!(is_known, "the account has no sound `{name}`");
        let used: Vec<&str> = sounds::used_at(&self.plan, name).collect();
        anyhow::ensure!(
            used.is_empty(),
            "`{name}` is played by {}: let it play something else first",
            used.join(", ")
        );
        Ok(())
    }
}

impl Door {
    /// Keeps a sound. Decoding is left to a thread that may take its time.
    pub(super) async fn add_sound(&self, handed: Handed) -> anyhow::Result<String> {
        let _turn = self.turn.lock().await;
        let known = Known::of(&handed.account, &self.accounts, &self.reader)?;
        let (library, now, account) = (self.library.clone(), self.clock.now(), known.account);
        let import = move || import(&library, account, &handed, &known.rows, now);
        let row = tokio::task::spawn_blocking(import).await??;
        let text = added(&row);
        self.ledger.write_sound(SoundWrite::Save(row)).await?;
        self.sounds_changed(account)?;
        Ok(text)
    }

    pub(super) async fn remove_sound(&self, account: &str, name: &str) -> anyhow::Result<String> {
        let _turn = self.turn.lock().await;
        let known = Known::of(account, &self.accounts, &self.reader)?;
        known.may_remove(name)?;
        let account = known.account;
        self.ledger.write_sound(removal(account, name)).await?;
        self.library.forget(account, name)?;
        self.sounds_changed(account)?;
        Ok(removed(name))
    }

    pub(super) fn list_sounds(&self, account: &str) -> anyhow::Result<String> {
        list(account, &self.accounts, &self.reader)
    }

    /// Callers hear from now on what there is now.
    fn sounds_changed(&self, account: AccountId) -> anyhow::Result<()> {
        let told = self.drive.send(Message::SoundsChanged(account));
        told.ok().context(
            "the sound is kept, but the server is too busy to take it up: restart it, or hand it \
             in again",
        )
    }
}

/// What the document plays and nobody has handed in, in lines for people.
pub(super) fn complaints(
    document: &str,
    plan: &Plan,
    reader: &Reader,
    account: AccountId,
) -> anyhow::Result<String> {
    let missing: Vec<Problem> = sounds::missing(plan, &reader.sounds(account)?);
    Ok(account::explain(document, &missing))
}

/// A line of comment for each sound, for the end of a document.
pub(super) fn comments(plan: &Plan, rows: &[SoundRow]) -> String {
    let lines = sounds::list(plan, rows).into_iter();
    lines.fold(String::new(), |text, line| text + "# sound " + &line + "\n")
}

pub(super) fn list(name: &str, accounts: &Accounts, reader: &Reader) -> anyhow::Result<String> {
    let known = Known::of(name, accounts, reader)?;
    let lines = sounds::list(&known.plan, &known.rows);
    if lines.is_empty() {
        return Ok(format!("`{name}` has no sounds of its own"));
    }
    Ok(lines.join("\n"))
}

/// Keeps a sound while no server runs.
pub(super) fn add_here(
    handed: &Handed,
    (library, accounts): (&Library, &Accounts),
    (reader, writer): (&Reader, &mut Writer),
) -> anyhow::Result<String> {
    let known = Known::of(&handed.account, accounts, reader)?;
    let now = Clock::start().now();
    let row = import(library, known.account, handed, &known.rows, now)?;
    let text = added(&row);
    writer.write_sound(&SoundWrite::Save(row))?;
    Ok(text)
}

/// Removes a sound while no server runs.
pub(super) fn remove_here(
    (account, name): (&str, &str),
    (library, accounts): (&Library, &Accounts),
    (reader, writer): (&Reader, &mut Writer),
) -> anyhow::Result<String> {
    let known = Known::of(account, accounts, reader)?;
    known.may_remove(name)?;
    writer.write_sound(&removal(known.account, name))?;
    library.forget(known.account, name)?;
    Ok(removed(name))
}

fn import(
    library: &Library,
    account: AccountId,
    handed: &Handed,
    known: &[SoundRow],
    now: ::clock::Time,
) -> anyhow::Result<SoundRow> {
    let file = (&*handed.file, handed.purpose);
    Ok(library.import((account, &handed.name), file, known, now)?)
}

fn removal(account: AccountId, name: &str) -> SoundWrite {
    let name = name.to_owned();
    SoundWrite::Remove { account, name }
}

fn added(row: &SoundRow) -> String {
    format!("`{}` is kept: {} s", row.name, row.seconds)
}

fn removed(name: &str) -> String {
    format!("`{name}` is no more")
}
