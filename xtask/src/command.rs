//! Runs a program from the repository's root, shows what it prints, and counts its tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use crate::counts::Counts;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask is a folder inside the workspace")
        .to_path_buf()
}

/// A program with its arguments, to be run from the root.
pub(crate) fn command(line: &[&str]) -> Command {
    let (program, arguments) = line.split_first().expect("callers name a program");
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

/// `cargo` with the given arguments: the same toolchain that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = command(&[&program]);
    command.args(arguments);
    command
}

/// Runs to the end with everything it prints passed on; an error unless it succeeds.
pub(crate) fn check(mut command: Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("starting {}", shown(&command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(&command));
    }
    Ok(())
}

/// Runs a test program: what it prints is passed on, and the tests it reports are counted.
pub(crate) fn check_tests(mut command: Command) -> (Counts, Result<()>) {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let error = Err(error).with_context(|| format!("starting {}", shown(&command)));
            return (Counts::default(), error);
        }
    };
    let stdout = child.stdout.take().expect("stdout is piped above");
    let stderr = child.stderr.take().expect("stderr is piped above");
    let from_stderr = thread::spawn(move || pass_on(stderr, std::io::stderr()));
    let mut counts = pass_on(stdout, std::io::stdout());
    counts += from_stderr.join().expect("passing lines on does not panic");
    let outcome = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(anyhow::anyhow!("{} ended with {status}", shown(&command))),
        Err(error) => Err(error.into()),
    };
    (counts, outcome)
}

/// Runs quietly and returns what it printed to standard output.
pub(crate) fn output(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("starting {}", shown(&command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{} ended with {}: {said}", shown(&command), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Is there a program of that name on the path?
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Copies line by line, so that progress is seen as it happens; returns the tests counted.
fn pass_on(from: impl Read, mut to: impl Write) -> Counts {
    let mut counts = Counts::default();
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { break };
        let text = String::from_utf8_lossy(&line);
        counts += Counts::in_line(&text);
        if writeln!(to, "{text}").is_err() {
            break;
        }
    }
    counts
}

/// The command as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
