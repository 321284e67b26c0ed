//! The one door to accounts: a socket in the data folder while the server runs, else the store itself
//! under the same lock. The command line and, later, the portal go through it.

mod sounds;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pbx::draft::Secrets;
use serde::{Deserialize, Serialize};
use sounds::Handed;
use store::{AccountDocument, Reader, Writer};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::accounts::{self, Accounts};
use crate::clock::Clock;
use crate::directory::{Directory, Live};
use crate::drive::Message;
use crate::inbox::Sender;
use crate::ledger::Ledger;
use crate::recordings::link;
use crate::settings::Settings;
use crate::sounds::{Library, Use};
use crate::{account, hooks};

/// The longest request or answer, in bytes.
const MAX_LINE_BYTES: u64 = 16 << 20;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Put a document into force.
    Apply {
        /// As it was written.
        document: String,
    },
    /// Show an account's document.
    Export {
        /// The account's name.
        account: String,
        /// Whether secrets come out as they are.
        with_secrets: bool,
    },
    /// Keep a sound of an account; the file follows the request.
    AddSound {
        /// The account's name.
        account: String,
        /// What the sound is called.
        name: String,
        /// What it is for.
        purpose: Use,
        /// Bytes of the file.
        bytes: usize,
    },
    /// Remove a sound of an account.
    RemoveSound {
        /// The account's name.
        account: String,
        /// What the sound is called.
        name: String,
    },
    /// Show the sounds of an account, and what plays them.
    ListSounds {
        /// The account's name.
        account: String,
    },
    /// Let a link to a recording lead nowhere any more.
    Revoke {
        /// The link.
        link: String,
    },
}

/// What comes back: lines for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It was done.
    Done(String),
    /// It was not.
    Failed(String),
}

/// The server's side of the door.
pub struct Door {
    /// Checks and seals.
    pub accounts: Accounts,
    /// Reads what is stored.
    pub reader: Reader,
    /// Stores.
    pub ledger: Ledger,
    /// What is in force.
    pub live: Live,
    /// The drive loop.
    pub drive: Sender<Message>,
    /// The clock.
    pub clock: Clock,
    /// The beginning of links to recordings.
    pub base_url: String,
    /// The accounts' own sounds.
    pub library: Library,
    /// Documents are applied, and sounds handed in, one after the other.
    pub turn: tokio::sync::Mutex<()>,
}

/// Where the socket of a data folder is.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Opens the socket. What an earlier process left there is removed: the store's lock says that none runs.
pub fn listen(data_dir: &Path) -> anyhow::Result<UnixListener> {
    let path = socket_path(data_dir);
    if let Err(error) = std::fs::remove_file(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(error).with_context(|| format!("cannot remove {}", path.display()));
    }
    // The data folder is its owner's alone, and so is the socket.
    UnixListener::bind(&path).with_context(|| format!("cannot listen at {}", path.display()))
}

/// Answers whoever comes through the door, until the task is ended.
pub async fn serve(listener: UnixListener, door: Arc<Door>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let door = Arc::clone(&door);
                tokio::spawn(async move {
                    if let Err(error) = tokio::time::timeout(PATIENCE, answer(stream, &door)).await
                    {
                        tracing::warn!(%error, "a visitor of the control socket took too long");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: tokio::net::UnixStream, door: &Door) {
    let (reading, mut writing) = stream.into_split();
    let reading = tokio::io::BufReader::new(reading);
    let reply = match read_request(reading).await {
        Ok((request, file)) => door.serve(request, file).await,
        Err(error) => Reply::Failed(format!("the request cannot be read: {error}")),
    };
    let mut text = serde_json::to_string(&reply).unwrap_or_default();
    text.push('\n');
    if let Err(error) = writing.write_all(text.as_bytes()).await {
        tracing::debug!(%error, "a visitor of the control socket did not wait for the answer");
    }
}

/// What is asked, and the file that follows it.
async fn read_request(
    mut reading: impl AsyncBufRead + Unpin,
) -> anyhow::Result<(Request, Vec<u8>)> {
    let mut line = String::new();
    (&mut reading)
        .take(MAX_LINE_BYTES)
        .read_line(&mut line)
        .await?;
    let request: Request = serde_json::from_str(&line)?;
    let mut file = Vec::new();
    if let Request::AddSound { purpose, bytes, .. } = &request {
        anyhow::ensure!(*bytes <= purpose.limits().bytes, "the file is too large");
        reading.take(*bytes as u64).read_to_end(&mut file).await?;
        anyhow::ensure!(file.len() == *bytes, "the file is not whole");
    }
    Ok((request, file))
}

impl Door {
    async fn serve(&self, request: Request, file: Vec<u8>) -> Reply {
        let done = match request {
            Request::Apply { document } => self.apply_document(&document).await,
            Request::Export {
                account,
                with_secrets,
            } => self.export(&account, secrets(with_secrets)),
            Request::AddSound {
                account,
                name,
                purpose,
                ..
            } => {
                let handed = Handed {
                    account,
                    name,
                    purpose,
                    file,
                };
                self.add_sound(handed).await
            }
            Request::RemoveSound { account, name } => self.remove_sound(&account, &name).await,
            Request::ListSounds { account } => self.list_sounds(&account),
            Request::Revoke { link } => self.revoke(&link).await,
        };
        done.map_or_else(|error| Reply::Failed(format!("{error:#}")), Reply::Done)
    }

    /// Puts a document into force. Gives lines for people.
    pub async fn apply_document(&self, document: &str) -> anyhow::Result<String> {
        let _turn = self.turn.lock().await;
        let name = accounts::name_in(document)?;
        let stored = find(&self.reader.accounts()?, &name);
        let checked = self
            .accounts
            .check(document, stored.as_ref(), &self.live.current())?;
        let (name, sealed) = self.accounts.seal(&checked)?;
        let saved = self
            .ledger
            .save_account(name, sealed, self.clock.now())
            .await?;
        let account = self.accounts.open(&saved)?;
        let silent = sounds::complaints(document, &account.plan, &self.reader, saved.account)?;
        self.live.apply(Arc::clone(&account.plan));
        if self.drive.send(Message::Apply(account)).is_err() {
            anyhow::bail!(
                "the document is stored, but the server is too busy to take it up: apply again"
            );
        }
        Ok(format!(
            "{}{silent}applied `{}` as version {}",
            checked.warnings, saved.name, saved.version
        ))
    }

    async fn revoke(&self, link: &str) -> anyhow::Result<String> {
        let token = link::token();
        let recording = linked(&self.reader, link)?;
        let found = self.ledger.renew_link(recording, Arc::clone(&token));
        anyhow::ensure!(found.await?, NO_SUCH_LINK);
        Ok(revoked(&self.base_url, &token))
    }

    fn export(&self, name: &str, secrets: Secrets) -> anyhow::Result<String> {
        export(&self.accounts, &self.reader, name, secrets)
    }
}

/// Asks the running server, or does it here when none runs.
pub fn ask(settings: &Settings, request: &Request) -> anyhow::Result<String> {
    ask_with(settings, request, Vec::new())
}

/// Asks for something about a file, which goes with the request.
pub fn ask_with(settings: &Settings, request: &Request, file: Vec<u8>) -> anyhow::Result<String> {
    match UnixStream::connect(socket_path(&settings.data_dir)) {
        Ok(stream) => ask_server(stream, request, &file),
        Err(_) => do_it_here(settings, request, file),
    }
}

fn ask_server(mut stream: UnixStream, request: &Request, file: &[u8]) -> anyhow::Result<String> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream
        .write_all(line.as_bytes())
        .and_then(|()| stream.write_all(file))
        .context("the running server does not listen")?;
    let mut reply = String::new();
    BufReader::new(stream.take(MAX_LINE_BYTES))
        .read_line(&mut reply)
        .context("the running server did not answer")?;
    match serde_json::from_str(&reply).context("the running server's answer cannot be read")? {
        Reply::Done(text) => Ok(text),
        Reply::Failed(text) => anyhow::bail!(text),
    }
}

const NO_SUCH_LINK: &str = "no recording has this link, or it was revoked before";

fn linked(reader: &Reader, link: &str) -> anyhow::Result<pbx::RecordingId> {
    let token = link::token_of(link).context("this is no link to a recording")?;
    reader.recording_of_token(token)?.context(NO_SUCH_LINK)
}

fn revoked(base_url: &str, token: &str) -> String {
    let link = link::of(base_url, token);
    format!("the link leads nowhere any more; the recording is now at {link}")
}

fn do_it_here(settings: &Settings, request: &Request, file: Vec<u8>) -> anyhow::Result<String> {
    prepare_data_dir(&settings.data_dir)?;
    let database = database_path(&settings.data_dir);
    let mut writer = Writer::open(&database)?;
    let reader = Reader::open(&database, 1)?;
    let accounts = open_accounts(settings)?;
    let library = Library::of(&settings.data_dir);
    let stored = reader.accounts()?;
    match request {
        Request::Revoke { link } => {
            let token = link::token();
            let found = writer.renew_link(linked(&reader, link)?, &token)?;
            anyhow::ensure!(found, NO_SUCH_LINK);
            let base_url = link::base(&settings.http, settings.http.listen);
            Ok(revoked(&base_url, &token))
        }
        Request::Export {
            account,
            with_secrets,
        } => export(&accounts, &reader, account, secrets(*with_secrets)),
        Request::AddSound {
            account,
            name,
            purpose,
            ..
        } => {
            let handed = Handed {
                account: account.clone(),
                name: name.clone(),
                purpose: *purpose,
                file,
            };
            sounds::add_here(&handed, (&library, &accounts), (&reader, &mut writer))
        }
        Request::RemoveSound { account, name } => sounds::remove_here(
            (account, name),
            (&library, &accounts),
            (&reader, &mut writer),
        ),
        Request::ListSounds { account } => sounds::list(account, &accounts, &reader),
        Request::Apply { document } => {
            let plans = stored.iter().map(|stored| Ok(accounts.open(stored)?.plan));
            let directory = Directory::new(plans.collect::<anyhow::Result<Vec<_>>>()?);
            let before = find(&stored, &accounts::name_in(document)?);
            let checked = accounts.check(document, before.as_ref(), &directory)?;
            let (name, sealed) = accounts.seal(&checked)?;
            let saved = writer.save_account(&name, &sealed, Clock::start().now())?;
            let plan = accounts.open(&saved)?.plan;
            let silent = sounds::complaints(document, &plan, &reader, saved.account)?;
            Ok(format!(
                "{}{silent}stored `{}` as version {}",
                checked.warnings, saved.name, saved.version
            ))
        }
    }
}

/// Makes the folder, for its owner alone.
pub fn prepare_data_dir(data_dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .with_context(|| format!("cannot make the data folder {}", data_dir.display()))
}

/// Where the database of a data folder is.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("switchhook.db")
}

/// What checks and seals, with the key of the data folder.
pub fn open_accounts(settings: &Settings) -> anyhow::Result<Accounts> {
    let seal = account::Seal::open_or_create(&settings.data_dir.join("secret.key"))?;
    Ok(Accounts::new(
        seal,
        hooks::guard::Guard::new(settings.hooks.allow.clone()),
    ))
}

fn export(
    accounts: &Accounts,
    reader: &Reader,
    name: &str,
    secrets: Secrets,
) -> anyhow::Result<String> {
    let document = find_account(&reader.accounts()?, name)?;
    let text = accounts.export(&document, secrets)?;
    let plan = accounts.open(&document)?.plan;
    let sounds = sounds::comments(&plan, &reader.sounds(document.account)?);
    Ok(format!("{text}{sounds}"))
}

fn find_account(stored: &[AccountDocument], name: &str) -> anyhow::Result<AccountDocument> {
    find(stored, name).ok_or_else(|| {
        let names: Vec<_> = stored.iter().map(|stored| stored.name.as_str()).collect();
        anyhow::anyhow!(
            "there is no account `{name}`; there is: {}",
            names.join(", ")
        )
    })
}

fn find(stored: &[AccountDocument], name: &str) -> Option<AccountDocument> {
    stored.iter().find(|stored| stored.name == name).cloned()
}

fn secrets(with_secrets: bool) -> Secrets {
    if with_secrets {
        Secrets::Shown
    } else {
        Secrets::Hashed
    }
}
