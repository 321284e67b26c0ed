//! What callers hear: sounds that settings name, music, and the rules of mailboxes.

use std::sync::Arc;

use super::compile::Compiler;
use crate::mailbox::MAX_MESSAGES;
use crate::objects::sound_complaint;
use crate::plan::VoicemailRules;
use crate::sound::Sound;

/// Messages a mailbox takes when nothing else is said.
const DEFAULT_MAX_MESSAGES: u32 = 100;

impl Compiler<'_> {
    /// The rules of all mailboxes.
    pub(super) fn mailboxes(&mut self) -> VoicemailRules {
        let rules = &self.draft.voicemail;
        let most = u32::try_from(MAX_MESSAGES).unwrap_or(u32::MAX);
        let max_messages = rules.max_messages.unwrap_or(DEFAULT_MAX_MESSAGES);
        if !(1..=most).contains(&max_messages) {
            self.error("voicemail.max_messages", format!("must be 1 to {most}"));
        }
        if rules.keep_days == Some(0) {
            self.error(
                "voicemail.keep_days",
                "is 0, which keeps no message: leave it out to keep them as long as other \
                 recordings",
            );
        }
        VoicemailRules {
            max_messages,
            keep_days: rules.keep_days,
            own_phone: rules.own_phone,
        }
    }

    /// The account's own music on hold.
    pub(super) fn music(&mut self) -> Option<Sound> {
        let word = self.draft.music.as_deref()?;
        match sound_complaint(&word.into(), &[]) {
            Some(complaint) => {
                self.error("music", complaint);
                None
            }
            None => Some(self.sound_at("music".to_owned(), word)),
        }
    }

    /// What a setting has played.
    pub(crate) fn sound(&mut self, setting: &str, word: &str) -> Sound {
        let path = self.path_of(setting);
        self.sound_at(path, word)
    }

    fn sound_at(&mut self, path: String, word: &str) -> Sound {
        let sound = Sound::written(word);
        if let Sound::File(name) = &sound {
            self.sounds.push((path, Arc::clone(name)));
        }
        sound
    }
}
