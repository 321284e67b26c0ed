//! What calls ask of mailboxes: to be let in, another PIN, another greeting.
//!
//! Guessing a PIN takes longer than anybody lives: after a few wrong ones the mailbox lets nobody in
//! for a while, whoever calls and however often, also after a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pbx::{
    AccountId, AskedBy, Greeting, MAX_MESSAGES, MailboxAsk, MailboxQuestion, MailboxTold, OwnPhone,
    Plan, RecordingId, Told, pin_hash,
};
use store::{MailboxRow, PhonePin, Reader, SoundWrite};
use subtle::ConstantTimeEq;

use crate::clock::Clock;
use crate::directory::Live;
use crate::drive::Message;
use crate::inbox::Sender;
use crate::ledger::Ledger;
use crate::recordings;
use crate::sounds::{Library, Use};

/// Wrong PINs, one after the other, that lock a mailbox.
const MAX_WRONG: u32 = 5;
/// How long it is locked.
const LOCKED: Duration = Duration::from_mins(15);

/// What it works with.
pub struct Parts {
    /// Reads what is stored.
    pub reader: Reader,
    /// Stores.
    pub ledger: Ledger,
    /// What is in force.
    pub accounts: Live,
    /// The accounts' own sounds, among them greetings.
    pub library: Library,
    /// The folder of journals and audio.
    pub recordings: PathBuf,
    /// The clock.
    pub clock: Clock,
    /// Told of sounds that have changed.
    pub drive: Sender<Message>,
}

/// Answers what calls ask.
#[derive(Clone)]
pub struct Mailboxes {
    parts: Arc<Parts>,
    /// One after the other, so that nobody guesses in parallel.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Mailboxes {
    /// Answers with these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            turn: Arc::default(),
        }
    }

    /// The answer; what cannot be done is no answer, and said in the log.
    pub async fn answer(&self, question: &MailboxQuestion) -> Told {
        let _turn = self.turn.lock().await;
        match self.parts.answer(question).await {
            Ok(told) => Told::Mailbox(told),
            Err(error) => {
                let call = question.call;
                tracing::error!(%call, "a mailbox could not answer: {error:#}");
                Told::Nothing
            }
        }
    }
}

impl Parts {
    async fn answer(&self, question: &MailboxQuestion) -> anyhow::Result<MailboxTold> {
        let mailbox = (question.account, &*question.mailbox);
        match &question.asks {
            MailboxAsk::Open { by, pin } => self.open(mailbox, *by, pin.as_deref()).await,
            MailboxAsk::ChangePin { pin } => self.change_pin(mailbox, pin).await,
            MailboxAsk::KeepGreeting {
                greeting,
                recording,
            } => self.keep_greeting(mailbox, *greeting, *recording).await,
            MailboxAsk::DropGreeting { greeting } => self.drop_greeting(mailbox, *greeting).await,
        }
    }

    async fn open(
        &self,
        (account, number): (AccountId, &str),
        by: AskedBy,
        pin: Option<&str>,
    ) -> anyhow::Result<MailboxTold> {
        let row = self.row(account, number)?;
        if row.locked_until > self.clock.now() {
            return Ok(MailboxTold::Locked);
        }
        let directory = self.accounts.current();
        let plan = directory.plan(account);
        let expected = expected_pin(&row, document_pin(plan, number));
        match (pin, expected) {
            (None, None) if by == AskedBy::Own => self.messages(account, number),
            (None, Some(_)) if by == AskedBy::Own && opens_by_itself(plan) => {
                self.messages(account, number)
            }
            (None, _) => Ok(MailboxTold::PinNeeded),
            (Some(pin), Some(expected)) if is_pin(number, pin, expected) => {
                if row.wrong > 0 {
                    self.ledger
                        .save_mailbox(MailboxRow { wrong: 0, ..row })
                        .await?;
                }
                self.messages(account, number)
            }
            (Some(_), _) => self.pin_was_wrong(row).await,
        }
    }

    async fn pin_was_wrong(&self, row: MailboxRow) -> anyhow::Result<MailboxTold> {
        let wrong = row.wrong + 1;
        let is_locked = wrong >= MAX_WRONG;
        let (number, account) = (row.number.clone(), row.account);
        let changed = if is_locked {
            MailboxRow {
                wrong: 0,
                locked_until: self.clock.now() + LOCKED,
                ..row
            }
        } else {
            MailboxRow { wrong, ..row }
        };
        self.ledger.save_mailbox(changed).await?;
        if is_locked {
            tracing::warn!(account = account.0, %number, "a mailbox is locked: many wrong PINs");
            return Ok(MailboxTold::Locked);
        }
        Ok(MailboxTold::PinWrong)
    }

    fn messages(&self, account: AccountId, number: &str) -> anyhow::Result<MailboxTold> {
        let most = u32::try_from(MAX_MESSAGES).unwrap_or(u32::MAX);
        let messages = self.reader.messages(account, number, most)?;
        Ok(MailboxTold::Opened(messages))
    }

    async fn change_pin(
        &self,
        (account, number): (AccountId, &str),
        pin: &str,
    ) -> anyhow::Result<MailboxTold> {
        let row = self.row(account, number)?;
        let pin = PhonePin {
            hash: pin_hash(number, pin),
            instead_of: document_pin(self.accounts.current().plan(account), number),
        };
        let pin = Some(pin);
        self.ledger.save_mailbox(MailboxRow { pin, ..row }).await?;
        Ok(MailboxTold::Done)
    }

    async fn keep_greeting(
        &self,
        (account, number): (AccountId, &str),
        greeting: Greeting,
        recording: RecordingId,
    ) -> anyhow::Result<MailboxTold> {
        let known = self.reader.sounds(account)?;
        let (library, folder) = (self.library.clone(), self.recordings.clone());
        let (name, now) = (greeting.sound_name(number), self.clock.now());
        let keep = move || {
            let pcm = recordings::pcm(&folder, recording)?;
            let file = audio::wav::mono(&pcm);
            let file = (&*file, Use::Speech);
            anyhow::Ok(library.import((account, &name), file, &known, now)?)
        };
        let row = tokio::task::spawn_blocking(keep).await??;
        self.ledger.write_sound(SoundWrite::Save(row)).await?;
        self.sounds_changed(account)
    }

    async fn drop_greeting(
        &self,
        (account, number): (AccountId, &str),
        greeting: Greeting,
    ) -> anyhow::Result<MailboxTold> {
        let name = greeting.sound_name(number);
        self.library.forget(account, &name)?;
        let write = SoundWrite::Remove { account, name };
        self.ledger.write_sound(write).await?;
        self.sounds_changed(account)
    }

    fn sounds_changed(&self, account: AccountId) -> anyhow::Result<MailboxTold> {
        let told = self.drive.send(Message::SoundsChanged(account));
        anyhow::ensure!(told.is_ok(), "the drive loop is too far behind");
        Ok(MailboxTold::Done)
    }

    fn row(&self, account: AccountId, number: &str) -> anyhow::Result<MailboxRow> {
        let found = self.reader.mailbox(account, number)?;
        Ok(found.unwrap_or_else(|| MailboxRow {
            account,
            number: number.to_owned(),
            pin: None,
            wrong: 0,
            locked_until: clock::Time::ZERO,
        }))
    }
}

/// The PIN that was set last: by phone, unless the document says another one since then.
fn expected_pin(row: &MailboxRow, document: Option<[u8; 32]>) -> Option<[u8; 32]> {
    let by_phone = row.pin.filter(|pin| pin.instead_of == document);
    by_phone.map(|pin| pin.hash).or(document)
}

fn document_pin(plan: Option<&Arc<Plan>>, number: &str) -> Option<[u8; 32]> {
    let (_, user) = plan?.user_by_number(number)?;
    user.pin
}

fn opens_by_itself(plan: Option<&Arc<Plan>>) -> bool {
    plan.is_some_and(|plan| plan.voicemail.own_phone == OwnPhone::Opens)
}

fn is_pin(number: &str, pin: &str, expected: [u8; 32]) -> bool {
    pin_hash(number, pin).ct_eq(&expected).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pin_that_was_set_last_counts() {
        let hash = |pin: &str| pin_hash("1010", pin);
        let row = |pin: Option<(&str, Option<&str>)>| MailboxRow {
            account: AccountId(1),
            number: "1010".to_owned(),
            pin: pin.map(|(pin, instead_of)| PhonePin {
                hash: hash(pin),
                instead_of: instead_of.map(hash),
            }),
            wrong: 0,
            locked_until: clock::Time::ZERO,
        };
        let cases = [
            (None, None, None),
            (None, Some("1111"), Some("1111")),
            (Some(("2222", None)), None, Some("2222")),
            (Some(("2222", Some("1111"))), Some("1111"), Some("2222")),
            (Some(("2222", Some("1111"))), Some("3333"), Some("3333")),
            (Some(("2222", None)), Some("3333"), Some("3333")),
        ];
        for (by_phone, document, expect) in cases {
            let found = expected_pin(&row(by_phone), document.map(hash));
            assert_eq!(found, expect.map(hash), "{by_phone:?}, {document:?}");
        }
        assert!(is_pin("1010", "4711", hash("4711")));
        assert!(
            !is_pin("1011", "4711", hash("4711")),
            "a hash is its mailbox's"
        );
    }
}
