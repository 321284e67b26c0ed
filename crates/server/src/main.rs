//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use switchhook::control::{self, Request};
use switchhook::sounds::Use;
use switchhook::{demo, record, serve, settings};
use tokio::signal::unix::{SignalKind, signal};

/// It gives memory back after a burst of calls; the system's allocator keeps it for good.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A self-hosted cloud phone system whose calls other software can see, search and start.
#[derive(Parser)]
#[command(name = "switchhook", version, about, arg_required_else_help = true)]
struct Arguments {
    /// The settings file; without it the defaults and `SWITCHHOOK_*` variables.
    #[arg(long, global = true, env = "SWITCHHOOK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server until it is told to stop.
    Serve,
    /// Place calls on a server of its own in a temporary folder, and show what happens.
    Demo {
        /// Leave everything running, for a phone of your own.
        #[arg(long)]
        keep: bool,
    },
    /// Put accounts into force, or show them.
    #[command(subcommand)]
    Account(AccountCommand),
    /// What becomes of recordings.
    #[command(subcommand)]
    Recording(RecordingCommand),
    /// Print the documented default settings.
    Config,
    /// Run recorded inputs through call control again.
    Replay {
        /// A recording: inputs-….jsonl in the data folder.
        file: PathBuf,
        /// Print every effect.
        #[arg(long)]
        effects: bool,
    },
}

#[derive(Subcommand)]
enum AccountCommand {
    /// Put an account's document into force: at once when the server runs.
    Apply {
        /// The document, YAML or JSON.
        file: PathBuf,
    },
    /// Print an account's document.
    Export {
        /// The account's name.
        account: String,
        /// Show trunk passwords and webhook tokens as they are.
        #[arg(long)]
        with_secrets: bool,
    },
    /// Sounds of an account's own: greetings, announcements, music.
    #[command(subcommand)]
    Sound(SoundCommand),
}

#[derive(Subcommand)]
enum SoundCommand {
    /// Keep a sound file of any usual kind: `file:NAME` plays it from the next call on.
    Add {
        /// The account's name.
        account: String,
        /// What it is called in the document, such as `welcome`.
        name: String,
        /// The file: MP3, WAV, M4A, Ogg or FLAC.
        file: PathBuf,
        /// It is music: softer than speech, and longer.
        #[arg(long)]
        music: bool,
    },
    /// List an account's sounds, and what plays them.
    List {
        /// The account's name.
        account: String,
    },
    /// Remove a sound that nothing plays.
    Remove {
        /// The account's name.
        account: String,
        /// What it is called.
        name: String,
    },
}

#[derive(Subcommand)]
enum RecordingCommand {
    /// Let a link lead nowhere any more, and print the recording's new one.
    Revoke {
        /// The link, as it was sent.
        link: String,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("switchhook: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let load = || settings::load(arguments.config.as_deref());
    match arguments.command {
        Command::Serve => serve_until_told(&load()?),
        Command::Demo { keep } => {
            log_to_stderr("warn")?;
            demo::run(keep)
        }
        Command::Account(AccountCommand::Apply { file }) => {
            let document = std::fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            let done = control::ask(&load()?, &Request::Apply { document })
                .with_context(|| format!("{} was not applied", file.display()))?;
            print(&done)
        }
        Command::Account(AccountCommand::Export {
            account,
            with_secrets,
        }) => print(&control::ask(
            &load()?,
            &Request::Export {
                account,
                with_secrets,
            },
        )?),
        Command::Account(AccountCommand::Sound(command)) => sound(&load()?, command),
        Command::Recording(RecordingCommand::Revoke { link }) => {
            print(&control::ask(&load()?, &Request::Revoke { link })?)
        }
        Command::Config => print(settings::EXAMPLE),
        Command::Replay { file, effects } => replay(&file, effects),
    }
}

fn sound(settings: &settings::Settings, command: SoundCommand) -> anyhow::Result<()> {
    let (request, file) = match command {
        SoundCommand::Add {
            account,
            name,
            file,
            music,
        } => {
            let bytes =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let purpose = if music { Use::Music } else { Use::Speech };
            let request = Request::AddSound {
                account,
                name,
                purpose,
                bytes: bytes.len(),
            };
            (request, bytes)
        }
        SoundCommand::List { account } => (Request::ListSounds { account }, Vec::new()),
        SoundCommand::Remove { account, name } => {
            (Request::RemoveSound { account, name }, Vec::new())
        }
    };
    print(&control::ask_with(settings, &request, file)?)
}

fn serve_until_told(settings: &settings::Settings) -> anyhow::Result<()> {
    log_to_stderr(&settings.log)?;
    let server = serve::start(settings)?;
    let listening = server.listening();
    let tcp = listening
        .sip_tcp
        .map_or_else(|| "off".to_owned(), |address| address.to_string());
    print(&format!(
        "switchhook is ready: sip udp {}, tcp {tcp}, http {}",
        listening.sip_udp, listening.http
    ))?;
    server.runtime().block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        anyhow::Ok(())
    })?;
    let drain = settings.sip.drain();
    tracing::info!("stopping: calls in progress have {drain:?} to end");
    server.stop(drain)
}

fn log_to_stderr(filter: &str) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .with_context(|| format!("log = `{filter}` is no log filter"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log that cannot be written (its disk is full) must not end the thread that logs: the
        // complaint about it would go to standard error as well, and panic.
        .log_internal_errors(false)
        .init();
    Ok(())
}

fn replay(file: &std::path::Path, effects: bool) -> anyhow::Result<()> {
    let done = record::replay(file, |now, effect| {
        if effects && let Err(error) = print(&format!("{now} {effect:?}")) {
            tracing::debug!(%error, "nobody reads the effects");
        }
    })?;
    print(&format!(
        "{} inputs gave {} effects; {} recorded digests agree\nsha256 {}",
        done.inputs, done.effects, done.digests, done.sha256
    ))
}

/// Prints for people and pipes: a reader that goes away is an error, not a panic.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    writeln!(std::io::stdout().lock(), "{text}").context("cannot print")
}
