//! Mails with audio, handed to the operator's mail server (RFC 5321).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use pbx::{MailOutcome, RecordingId};
use tokio::sync::Semaphore;

use super::words::Words;
use crate::settings::{Encryption, Smtp};

/// Pauses between tries. A webhook waits for its mail, so they are few.
const PAUSES: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_mins(1),
];
/// After so long the mail is given up, whatever it waits for: the webhook goes out.
const DEADLINE: Duration = Duration::from_mins(2);
/// Mails that are sent at a time: each is in memory meanwhile.
const SENT_AT_ONCE: usize = 4;
/// What is larger is not attached; the mail has its link.
const MAX_ATTACHMENT_BYTES: u64 = 15 << 20;
/// Letters of an error that are kept.
const MAX_ERROR_CHARS: usize = 300;

/// Who sends mails.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: String,
    places: Semaphore,
}

/// A mail to be sent.
pub(super) struct Mail<'a> {
    pub(super) recording: RecordingId,
    /// Whom the account's mails are from; the operator's address if it does not say.
    pub(super) from: Option<&'a str>,
    pub(super) to: &'a [Arc<str>],
    pub(super) words: &'a Words,
    pub(super) audio: PathBuf,
}

/// Why mails cannot be sent at all.
#[derive(Debug, thiserror::Error)]
#[error("mails cannot be sent by {host}")]
pub struct MailerError {
    host: String,
    source: lettre::transport::smtp::Error,
}

/// Why one try was in vain.
#[derive(Debug, thiserror::Error)]
enum TryError {
    #[error("an address is none")]
    Address(#[from] lettre::address::AddressError),
    #[error("the mail cannot be written")]
    Message(#[from] lettre::error::Error),
    #[error("its audio cannot be read")]
    Audio(#[from] std::io::Error),
    #[error("the mail server did not take it")]
    Server(#[from] lettre::transport::smtp::Error),
}

impl TryError {
    /// RFC 5321 §4.2.1: what is refused with 5yz is refused the next time too.
    fn is_for_good(&self) -> bool {
        match self {
            Self::Address(_) | Self::Message(_) => true,
            Self::Audio(_) => false,
            Self::Server(error) => error.is_permanent(),
        }
    }
}

impl Mailer {
    /// The mailer of these settings; none when they name no server.
    pub fn new(settings: &Smtp) -> Result<Option<Self>, MailerError> {
        if settings.host.is_empty() {
            return Ok(None);
        }
        let host = settings.host.as_str();
        let tls = || {
            TlsParameters::new(host.to_owned()).map_err(|source| MailerError {
                host: host.to_owned(),
                source,
            })
        };
        let tls = match settings.encryption {
            Encryption::None => Tls::None,
            Encryption::Starttls => Tls::Required(tls()?),
            Encryption::Tls => Tls::Wrapper(tls()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port)
            .timeout(Some(Duration::from_secs(settings.timeout_seconds.into())))
            .tls(tls);
        if !settings.username.is_empty() {
            let credentials =
                Credentials::new(settings.username.clone(), settings.password.clone());
            builder = builder.credentials(credentials);
        }
        Ok(Some(Self {
            transport: builder.build(),
            from: settings.from.clone(),
            places: Semaphore::new(SENT_AT_ONCE),
        }))
    }

    /// Hands a mail to the server, with a few tries. It is given up at the deadline at the latest.
    pub(super) async fn deliver(&self, mail: &Mail<'_>) -> MailOutcome {
        match tokio::time::timeout(DEADLINE, self.try_often(mail)).await {
            Ok(Ok(())) => MailOutcome::Sent,
            Ok(Err(error)) => MailOutcome::Failed(told_with_causes(&error)),
            Err(_) => MailOutcome::Failed("no mail server took it in time".to_owned()),
        }
    }

    async fn try_often(&self, mail: &Mail<'_>) -> Result<(), TryError> {
        for pause in PAUSES {
            match self.send(mail).await {
                Err(error) if !error.is_for_good() => {
                    let recording = mail.recording;
                    tracing::warn!(error = told_with_causes(&error), %recording, "a mail waits");
                    tokio::time::sleep(pause).await;
                }
                done => return done,
            }
        }
        self.send(mail).await
    }

    async fn send(&self, mail: &Mail<'_>) -> Result<(), TryError> {
        let _place = self.places.acquire().await;
        let message = self.message(mail).await?;
        self.transport.send(message).await?;
        Ok(())
    }

    async fn message(&self, mail: &Mail<'_>) -> Result<Message, TryError> {
        let from: Mailbox = mail.from.unwrap_or(&self.from).parse()?;
        // The same for every try: a server that took it before the answer was lost can tell.
        let id = format!("<{}@{}>", mail.recording, from.email.domain());
        let mut builder = Message::builder()
            .from(from)
            .subject(mail.words.subject.clone())
            .message_id(Some(id));
        for to in mail.to {
            builder = builder.to(to.parse()?);
        }
        let text = SinglePart::plain(mail.words.message.clone());
        if tokio::fs::metadata(&mail.audio).await?.len() > MAX_ATTACHMENT_BYTES {
            return Ok(builder.singlepart(text)?);
        }
        let audio = tokio::fs::read(&mail.audio).await?;
        let name = format!("{}.mp3", mail.recording.call());
        let audio = Attachment::new(name).body(audio, mpeg());
        Ok(builder.multipart(MultiPart::mixed().singlepart(text).singlepart(audio))?)
    }
}

fn mpeg() -> ContentType {
    ContentType::parse("audio/mpeg").expect("this is a type and a subtype")
}

fn told_with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let told: Vec<String> = causes.map(ToString::to_string).collect();
    told.join(": ").chars().take(MAX_ERROR_CHARS).collect()
}
