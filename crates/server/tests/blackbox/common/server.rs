//! The built program, as an operator runs it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::Value;

use super::account::KEY;
use super::process::{Folder, Running};
use super::{address, contract, http, wait_for};

const START_DEADLINE: Duration = Duration::from_secs(20);

/// Draining calls and flushing events included.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// The built program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_switchhook");

/// What starts the server, as itself: over the limit of a file's size a write should fail, as on a
/// full disk, and not end the process.
const SHELL: &str = "sh";
const IGNORE_FILE_LIMIT: &str = "trap '' XFSZ; exec \"$0\" \"$@\"";

/// A data folder with settings, in which a server runs or does not.
pub(crate) struct Server {
    folder: Folder,
    variables: BTreeMap<String, String>,
    running: Option<Running>,
    listening: Option<Listening>,
}

/// Where a running server listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Makes the folder and applies the account's document; nothing runs yet.
    pub(crate) fn prepare(account: &str, variables: &[(&str, &str)]) -> Self {
        let folder = Folder::fresh("server");
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let server = Self {
            folder,
            variables: variables.collect(),
            running: None,
            listening: None,
        };
        server
            .folder
            .write("switchhook.toml", &settings(&server.folder));
        let output = server.apply(account);
        assert!(output.status.success(), "account apply: {output:?}");
        server
    }

    /// Prepares and starts.
    pub(crate) fn start(account: &str, variables: &[(&str, &str)]) -> Self {
        let mut server = Self::prepare(account, variables);
        server.launch();
        server
    }

    /// Starts it, again perhaps, and waits until it listens.
    pub(crate) fn launch(&mut self) {
        let run_file = self.folder.join("data/run.json");
        drop(std::fs::remove_file(&run_file));
        let log = self.folder.join("log.txt");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log);
        let log = log.expect("a file of the test's own folder can be written");
        let mut serve = self.run(SHELL, &["-c", IGNORE_FILE_LIMIT, PROGRAM, "serve"]);
        serve
            .stdout(log.try_clone().expect("a file can be shared"))
            .stderr(log);
        let mut running = Running::start("switchhook serve", &mut serve);
        let listening = wait_for("run.json", START_DEADLINE, || {
            let ended = running.ended();
            assert!(ended.is_none(), "serve: {ended:?}\n{}", self.log());
            Listening::read(&run_file)
        });
        self.listening = Some(listening);
        self.running = Some(running);
    }

    /// Where it listens.
    pub(crate) fn listening(&self) -> Listening {
        self.listening.expect("the test has launched the server")
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        let mut running = self
            .running
            .take()
            .expect("the test has launched the server");
        running.terminate();
        let status = running.wait(STOP_DEADLINE);
        assert!(status.success(), "serve: {status}\n{}", self.log());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.running
            .take()
            .expect("the test has launched the server")
            .kill();
    }

    /// Runs `switchhook account apply` with a document, whether a server runs or not.
    pub(crate) fn apply(&self, account: &str) -> Output {
        let file = self.folder.write("account.yaml", account);
        let path = file
            .to_str()
            .expect("the folder for temporary files has a plain name");
        self.output(&["account", "apply", path])
    }

    /// Runs a command of the program to its end.
    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments)
            .output()
            .expect("the built program can be run")
    }

    /// The same with one more variable.
    pub(crate) fn output_with(&self, arguments: &[&str], name: &str, value: &str) -> Output {
        let mut command = self.command(arguments);
        command
            .env(name, value)
            .output()
            .expect("the built program can be run")
    }

    /// From the next launch on, it listens where it does now.
    pub(crate) fn keep_ports(&mut self) {
        let Listening { udp, tcp, http } = self.listening();
        let variables = [
            ("SWITCHHOOK_SIP__UDP", udp),
            ("SWITCHHOOK_SIP__TCP", tcp),
            ("SWITCHHOOK_HTTP__LISTEN", http),
        ];
        let variables = variables.map(|(name, address)| (name.to_owned(), address.to_string()));
        self.variables.extend(variables);
    }

    /// From now on its files cannot grow, as on a full disk.
    pub(crate) fn fill_disk(&self) {
        self.limit_files(Some(0));
    }

    /// They can again.
    pub(crate) fn free_disk(&self) {
        self.limit_files(None);
    }

    fn limit_files(&self, bytes: Option<u64>) {
        let running = self
            .running
            .as_ref()
            .expect("the test has launched the server");
        let limit = Rlimit {
            current: bytes,
            maximum: None,
        };
        prlimit(Some(running.pid()), Resource::Fsize, limit).expect("a child's limits are ours");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.run(PROGRAM, arguments)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(&self.variables)
            .stdin(Stdio::null());
        command.env("SWITCHHOOK_CONFIG", self.folder.join("switchhook.toml"));
        command
    }

    /// A file of its data folder whose name begins so.
    pub(crate) fn data_file(&self, beginning: &str) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.join("data")).ok()?;
        let mut paths = files.flatten().map(|file| file.path());
        paths.find(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(beginning))
        })
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log.txt")).unwrap_or_default()
    }

    /// A request with the account's key; the target is a path with its query.
    pub(crate) fn get(&self, target: &str) -> http::Answer {
        http::get(self.listening().http, target, &[("token", KEY)])
    }

    /// A POST with the account's key.
    pub(crate) fn post(&self, target: &str, content_type: &str, body: &str) -> http::Answer {
        let headers = &[("token", KEY), ("content-type", content_type)];
        let request = http::Request {
            method: "POST",
            target,
            headers,
            body,
        };
        request.send(self.listening().http)
    }

    /// The rows of `get-user-calls`, each checked against the contract.
    pub(crate) fn user_calls(&self, query: &str) -> Vec<Value> {
        let rows = self.list("get-user-calls", query);
        rows.iter().for_each(contract::check_row);
        rows
    }

    /// The rows of `get-queue-calls` or `get-ringgroup-calls`, each checked against the contract.
    pub(crate) fn group_calls(&self, list: &str, query: &str) -> Vec<Value> {
        let rows = self.list(list, query);
        rows.iter().for_each(contract::check_group_row);
        rows
    }

    fn list(&self, list: &str, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/integration/v2/{list}?{query}"));
        assert_eq!(answer.status, 200, "{}", answer.body);
        contract::check_success(&answer.json()).to_vec()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- log of the server ---\n{}", self.log());
        }
    }
}

impl Listening {
    /// Reads `run.json`, once it is there and whole.
    fn read(path: &Path) -> Option<Self> {
        let run: Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
        let address = |key: &str| {
            let value = if run[key].is_array() {
                &run[key][0]
            } else {
                &run[key]
            };
            value.as_str()?.parse().ok()
        };
        Some(Self {
            udp: address("sip_udp")?,
            tcp: address("sip_tcp")?,
            http: address("http")?,
        })
    }
}

/// Any free ports of a host of its own; webhooks may go to loopback.
fn settings(folder: &Folder) -> String {
    let host = address::fresh_host();
    let data = folder.join("data");
    format!(
        "data_dir = '{}'\n\
         [sip]\nudp = \"{host}:0\"\ntcp = \"{host}:0\"\n\
         [rtp]\naddress = \"{host}\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\nrequests_per_second = 1000\nrequests_at_once = 1000\n\
         [hooks]\nallow = [\"127.0.0.0/8\"]\n",
        data.display(),
    )
}
