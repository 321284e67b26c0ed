//! P13: what a server costs with 1,000 phones registered and no calls.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{cargo, check, root};
use crate::linux::{cpu_seconds, resident_kib};

const PHONES: u32 = 1_000;
/// The first phone's user name, as `bench/prepare.sh` numbers them.
const FIRST_PHONE: u32 = 5_000;

const SIP_PORT: u16 = 12_062;
const HOOK_PORT: u16 = 18_098;

/// After the registrations, before the measurement.
const SETTLE: Duration = Duration::from_secs(5);
/// Long enough to hold several rounds of whatever the server does every so often.
const WINDOW: Duration = Duration::from_mins(1);

const START_DEADLINE: Duration = Duration::from_secs(10);

/// Measures and prints.
pub(crate) fn run() -> Result<()> {
    check(cargo(&[
        "build",
        "--release",
        "--locked",
        "-p",
        "switchhook",
    ]))?;
    let folder = std::env::temp_dir().join(format!("switchhook-idle-{}", std::process::id()));
    let outcome = measure(&folder);
    drop(std::fs::remove_dir_all(&folder));
    outcome
}

fn measure(folder: &Path) -> Result<()> {
    let program = program();
    let ports = [SIP_PORT.to_string(), HOOK_PORT.to_string()];
    let mut prepare = Command::new(root().join("bench/prepare.sh"));
    prepare
        .arg(folder)
        .arg(&program)
        .args(ports)
        .stdout(Stdio::null());
    check(prepare)?;
    let mut serve = Command::new(&program);
    serve
        .arg("serve")
        .env("SWITCHHOOK_CONFIG", folder.join("switchhook.toml"));
    serve.stdin(Stdio::null()).stdout(Stdio::null());
    let mut server = Killed(serve.spawn().context("starting the server")?);
    wait_for(&folder.join("data/run.json"))?;
    register(folder)?;
    thread::sleep(SETTLE);
    let pid = server.0.id();
    let before = cpu_seconds(pid)?;
    thread::sleep(WINDOW);
    let used = cpu_seconds(pid)? - before;
    let percent = 100.0 * used / WINDOW.as_secs_f64();
    let memory = resident_kib(pid)?;
    println!("idle with {PHONES} phones: {percent:.2} % of a core (≤ 1), {memory} KiB resident");
    if server.0.try_wait()?.is_some() {
        bail!("the server ended during the measurement");
    }
    Ok(())
}

/// Registers every phone with sipp.
fn register(folder: &Path) -> Result<()> {
    let mut lines = String::from("SEQUENTIAL\n");
    for user in FIRST_PHONE..FIRST_PHONE + PHONES {
        lines += &user.to_string();
        lines += ";[authentication username=";
        lines += &user.to_string();
        lines += " password=bench-secret];\n";
    }
    let users = folder.join("users.csv");
    std::fs::write(&users, lines)?;
    let mut sipp = Command::new("sipp");
    sipp.arg("-sf")
        .arg(root().join("crates/server/tests/sipp/register.xml"));
    sipp.arg("-inf")
        .arg(users)
        .args(["-i", "127.0.0.1", "-nostdin"]);
    sipp.args(["-key", "domain", "bench.test", "-key", "expires", "3600"]);
    sipp.args([
        "-key",
        "contact_port",
        "15999",
        "-m",
        &PHONES.to_string(),
        "-r",
        "200",
    ]);
    sipp.arg(format!("127.0.0.1:{SIP_PORT}"));
    sipp.stdin(Stdio::null()).stdout(Stdio::null());
    check(sipp)
}

fn wait_for(file: &Path) -> Result<()> {
    let begun = Instant::now();
    while !file.is_file() {
        if begun.elapsed() > START_DEADLINE {
            bail!("the server did not start within {START_DEADLINE:?}");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The program that was just built.
fn program() -> std::path::PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), std::path::PathBuf::from);
    target.join("release/switchhook")
}

/// A child that is killed when we let go of it.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
