//! sipp, the independent phone and carrier.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::address;
use super::process::{Folder, Running};
use super::trace::{Trace, Way};
use super::wait_for;

/// Ports from the first for audio on that sipp may bind.
const MEDIA_PORTS: u16 = 8;
/// sipp's waiting for one message, and for its whole run.
const RECEIVE_TIMEOUT_MS: &str = "20000";
const RUN_TIMEOUT_SECONDS: u64 = 100;

/// The domain of the test account, which every scenario writes into its URIs.
pub(crate) const DOMAIN: &str = "acme.test";

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Udp,
    Tcp,
}

/// A run of a scenario, being described.
pub(crate) struct Sipp {
    scenario: String,
    address: SocketAddr,
    arguments: Vec<String>,
    line: String,
    calls: u32,
    remote: Option<SocketAddr>,
    traced: bool,
}

impl Sipp {
    /// Plays `tests/sipp/SCENARIO.xml` at an address.
    pub(crate) fn play(scenario: &str, address: SocketAddr) -> Self {
        Self {
            scenario: scenario.to_owned(),
            address,
            arguments: Vec::new(),
            line: "anonymous".to_owned(),
            calls: 1,
            remote: None,
            traced: true,
        }
    }

    fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// The one pause of the scenario that tests choose: ringing, or talking.
    pub(crate) fn pause_ms(self, millis: u32) -> Self {
        self.with(&["-d", &millis.to_string()])
    }

    pub(crate) fn key(self, name: &str, value: &str) -> Self {
        self.with(&["-key", name, value])
    }

    pub(crate) fn variable(self, name: &str, value: u32) -> Self {
        self.with(&["-set", name, &value.to_string()])
    }

    /// Who calls, as the first field of the scenario's CSV.
    pub(crate) fn caller(mut self, number: &str) -> Self {
        number.clone_into(&mut self.line);
        self
    }

    /// Who calls or registers, and what it proves itself with.
    pub(crate) fn credentials(mut self, username: &str, password: &str) -> Self {
        self.line = format!("{username};[authentication username={username} password={password}];");
        self
    }

    /// Where requests go, and the number called.
    pub(crate) fn toward(mut self, remote: SocketAddr, called: &str) -> Self {
        self.remote = Some(remote);
        self.with(&["-s", called])
    }

    /// Several calls, begun at a rate; too many to note each message.
    pub(crate) fn calls(mut self, calls: u32, per_second: u32) -> Self {
        self.calls = calls;
        self.traced = false;
        self.with(&["-r", &per_second.to_string(), "-l", "20000"])
    }

    /// Loses so many percent of what it sends and receives.
    pub(crate) fn loses_percent(self, percent: u32) -> Self {
        self.with(&["-lost", &percent.to_string()])
    }

    /// Answers calls at the same socket with another scenario.
    pub(crate) fn answering_with(self, scenario: &str) -> Self {
        let path = scenarios().join(format!("{scenario}.xml"));
        let path = path
            .to_str()
            .expect("the repository's path is plain text")
            .to_owned();
        self.with(&["-oocsf", &path])
    }

    pub(crate) fn over(self, wire: Wire) -> Self {
        match wire {
            Wire::Udp => self.with(&["-t", "u1"]),
            Wire::Tcp => self.with(&["-t", "t1"]),
        }
    }

    /// An even port for audio, whose neighbours sipp takes too: away from the port for SIP.
    fn media_port(&self) -> u16 {
        let free = || address::free_port(self.address.ip()).port() & !1;
        std::iter::repeat_with(free)
            .find(|port| port.abs_diff(self.address.port()) > MEDIA_PORTS)
            .expect("a host has more ports than these")
    }

    /// Begins.
    pub(crate) fn start(self) -> Playing {
        let folder = Folder::fresh(&format!("sipp-{}", self.scenario));
        let host = self.address.ip().to_string();
        let media = self.media_port();
        let mut command = Command::new("sipp");
        command
            .current_dir(folder.path())
            .env("TZ", "UTC")
            .arg("-sf");
        command.arg(scenarios().join(format!("{}.xml", self.scenario)));
        command.args(["-i", &host, "-p", &self.address.port().to_string()]);
        command.args(["-mi", &host, "-mp", &media.to_string()]);
        command.args(["-m", &self.calls.to_string(), "-nostdin", "-aa"]);
        command.args([
            "-key",
            "domain",
            DOMAIN,
            "-recv_timeout",
            RECEIVE_TIMEOUT_MS,
        ]);
        command.args([
            "-timeout",
            &RUN_TIMEOUT_SECONDS.to_string(),
            "-timeout_error",
        ]);
        command.args(["-trace_err", "-error_file", "errors.txt"]);
        command.args(["-trace_stat", "-stf", "counts.csv", "-fd", "1"]);
        if self.traced {
            command.args(["-trace_msg", "-message_file", "messages.txt"]);
        }
        command.args(&self.arguments);
        folder.write("callers.csv", &format!("SEQUENTIAL\n{}\n", self.line));
        command.args(["-inf", "callers.csv"]);
        command.args(self.remote.map(|remote| remote.to_string()));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let running = Running::start("sipp (Debian: apt-get install sip-tester)", &mut command);
        Playing {
            scenario: self.scenario,
            running,
            folder,
        }
    }
}

/// A sipp at work.
pub(crate) struct Playing {
    scenario: String,
    running: Running,
    folder: Folder,
}

impl Playing {
    /// Waits for its end, demands that every call went by the scenario, and returns the trace.
    pub(crate) fn finish(mut self) -> Trace {
        self.wait();
        Trace::read(&self.folder.join("messages.txt"))
    }

    /// Waits for its end, demands that every call went by the scenario, and returns the counts.
    pub(crate) fn finish_counted(mut self) -> Counts {
        self.wait();
        Counts::read(&self.folder.join("counts.csv"))
    }

    fn wait(&mut self) {
        let status = self
            .running
            .wait(Duration::from_secs(RUN_TIMEOUT_SECONDS + 20));
        let errors = || std::fs::read_to_string(self.folder.join("errors.txt"));
        assert!(
            status.success(),
            "{}: {status}: {}\n{:?}",
            self.scenario,
            errors().unwrap_or_default(),
            Trace::read(&self.folder.join("messages.txt")),
        );
    }

    /// What it has noted so far.
    pub(crate) fn trace(&self) -> Trace {
        Trace::read(&self.folder.join("messages.txt"))
    }

    /// Waits until it has received a message that starts so.
    pub(crate) fn wait_for_received(&self, start: &str) {
        let what = format!("{} to receive {start}", self.scenario);
        wait_for(&what, Duration::from_secs(10), || {
            let trace = Trace::read(&self.folder.join("messages.txt"));
            let mut received = trace
                .messages
                .iter()
                .filter(|message| message.way == Way::Received);
            received
                .any(|message| message.text.starts_with(start))
                .then_some(())
        });
    }

    /// Ends at once, in the middle of whatever it does: a phone whose power fails.
    pub(crate) fn vanish(mut self) -> Trace {
        self.running.kill();
        Trace::read(&self.folder.join("messages.txt"))
    }
}

/// sipp's closing figures.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) successful: u64,
    pub(crate) failed: u64,
    pub(crate) retransmissions: u64,
}

impl Counts {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("sipp wrote its counts");
        let mut lines = text.lines();
        let names = lines
            .next()
            .expect("the first line names the columns")
            .split(';');
        let last = lines
            .last()
            .expect("sipp writes a line at its end")
            .split(';');
        let row: BTreeMap<&str, &str> = names.zip(last).collect();
        let number = |name: &str| row.get(name).and_then(|text| text.parse().ok());
        let count = |name: &str| number(name).unwrap_or_else(|| panic!("sipp counts no {name}"));
        Self {
            successful: count("SuccessfulCall(C)"),
            failed: count("FailedCall(C)"),
            retransmissions: count("Retransmissions(C)"),
        }
    }
}

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp")
}

#[test]
fn a_carrier_and_a_phone_of_sipp_understand_each_other() {
    let (carrier, phone) = (address::fresh_address(), address::fresh_address());
    let phone_plays = Sipp::play("answers", phone).pause_ms(50).start();
    let call = Sipp::play("carrier-calls", carrier)
        .toward(phone, "1010")
        .pause_ms(50)
        .start();
    let (called, calling) = (phone_plays.finish(), call.finish());
    assert_eq!(calling.final_code(), 200);
    assert!(called.sent("SIP/2.0 200", "INVITE").at_ms <= calling.sent("BYE", "BYE").at_ms);
}
