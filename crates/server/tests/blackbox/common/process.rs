//! A child process that does not outlive its test, and a folder that does so only on failure.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::wait_for;

/// A child that is killed, by its id, when the test lets go of it.
pub(crate) struct Running {
    name: String,
    child: Child,
}

impl Running {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let child = command.spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn pid(&self) -> Pid {
        let raw = i32::try_from(self.id()).ok();
        raw.and_then(Pid::from_raw)
            .expect("a child's id is above zero")
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be asked")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let what = format!("{} to end", self.name);
        wait_for(&what, deadline, || self.ended())
    }

    /// Asks it to end, as a service manager does.
    pub(crate) fn terminate(&self) {
        let sent = kill_process(self.pid(), Signal::TERM);
        assert!(sent.is_ok(), "cannot signal {}: {sent:?}", self.name);
    }

    /// Ends it without a chance to tidy up.
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A folder for a test's files; kept when the test fails, so that one can look.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn fresh(name: &str) -> Self {
        static TAKEN: AtomicU32 = AtomicU32::new(1);
        let number = TAKEN.fetch_add(1, Ordering::Relaxed);
        let folder = format!("switchhook-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, text).expect("a file of the test's own folder can be written");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("files of the failed test: {}", self.0.display());
        } else {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }
}
