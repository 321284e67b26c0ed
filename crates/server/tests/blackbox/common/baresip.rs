//! baresip, a phone that talks: it sends a tone and keeps what it hears.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::process::{Folder, Running};
use super::{address, wait_for, wave};

/// Seconds of tone, more than any call of a test lasts.
const TONE_SECONDS: u32 = 30;

/// baresip's RTP ports; it takes those that are free.
const RTP_PORTS: &str = "33000-33999";

/// Who a baresip is, and what it does.
pub(crate) struct Baresip<'a> {
    /// Its account line: `<sip:user@domain>;auth_pass=…`.
    pub(crate) account: &'a str,
    /// The tone it sends.
    pub(crate) hertz: f64,
    /// What it is told to do at its start, such as `/dial sip:1020@acme.test`.
    pub(crate) order: Option<&'a str>,
    /// It hangs up and ends by itself after so long.
    pub(crate) seconds: u32,
}

impl Baresip<'_> {
    /// Starts it on 127.0.0.1: its audio comes from there whatever address it signals from.
    pub(crate) fn start(&self) -> Talking {
        let folder = Folder::fresh("baresip");
        let address = address::free_port([127, 0, 0, 1].into());
        let keys = address::free_port([127, 0, 0, 1].into());
        wave::write_tone(&folder.join("tone.wav"), self.hertz, TONE_SECONDS);
        folder.write("config", &configuration(&folder, address, keys));
        folder.write("accounts", &format!("{}\n", self.account));
        folder.write("contacts", "");
        let log = std::fs::File::create(folder.join("log.txt")).expect("our own folder");
        let errors = log.try_clone().expect("a file can be shared");
        let mut command = Command::new("baresip");
        command
            .arg("-f")
            .arg(folder.path())
            .args(["-t", &self.seconds.to_string()]);
        command.args(self.order.map(|order| ["-e", order]).into_iter().flatten());
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let name = "baresip (Debian: apt-get install baresip-core)";
        let running = Running::start(name, &mut command);
        Talking {
            address,
            keys,
            folder,
            running,
        }
    }
}

/// A baresip at work.
pub(crate) struct Talking {
    pub(crate) address: SocketAddr,
    /// Where its keys are.
    keys: SocketAddr,
    folder: Folder,
    running: Running,
}

impl Talking {
    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        let bytes = std::fs::read(self.folder.join("log.txt")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it says something, `200 OK` of a registration for one.
    pub(crate) fn wait_for(&self, words: &str) {
        let what = format!("baresip to say {words:?}");
        wait_for(&what, Duration::from_secs(15), || {
            self.log().contains(words).then_some(())
        });
    }

    /// Does what it is told, such as `/transfer sip:1020@acme.test`.
    pub(crate) fn does(&self, order: &str) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        let line = format!("{order}\n");
        let sent = socket.send_to(line.as_bytes(), self.keys);
        sent.expect("loopback sends");
    }

    /// Presses a key for a tenth of a second, which goes out as telephone events (RFC 4733).
    pub(crate) fn presses(&self, key: char) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback can be bound");
        for code in [u8::try_from(key).expect("a key is ASCII"), RELEASE] {
            socket.send_to(&[code], self.keys).expect("loopback sends");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for its end and returns what it heard.
    pub(crate) fn heard(mut self) -> Vec<i16> {
        self.running
            .wait(Duration::from_secs(u64::from(TONE_SECONDS)));
        let heard = self.heard_so_far();
        assert!(!heard.is_empty(), "heard nothing:\n{}", self.log());
        heard
    }

    /// What it has heard by now.
    pub(crate) fn heard_so_far(&self) -> Vec<i16> {
        let recordings = self.recordings();
        recordings
            .iter()
            .flat_map(|path| wave::read(path))
            .collect()
    }

    /// In the order of time: a call that is held and resumed has more than one.
    fn recordings(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder.path()).expect("our own folder");
        let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
        let is_heard = |path: &PathBuf| path.to_string_lossy().ends_with("-dec.wav");
        let mut recordings: Vec<PathBuf> = paths.filter(is_heard).collect();
        recordings.sort();
        recordings
    }
}

/// What its console takes for the end of a key.
const RELEASE: u8 = 0x04;

/// Without a sound card: the tone comes from a file, `aubridge` takes what would be played, and
/// `sndfile` writes it down.
fn configuration(folder: &Folder, address: SocketAddr, keys: SocketAddr) -> String {
    let path = folder.path().display();
    format!(
        "poll_method epoll\n\
         sip_listen {address}\n\
         net_interface {}\n\
         rtp_ports {RTP_PORTS}\n\
         audio_source aufile,{path}/tone.wav\n\
         audio_player aubridge,heard\n\
         audio_alert nothing,nothing\n\
         ausrc_srate 8000\n\
         auplay_srate 8000\n\
         ausrc_channels 1\n\
         auplay_channels 1\n\
         module_path {}\n\
         module g711.so\n\
         module aufile.so\n\
         module aubridge.so\n\
         module sndfile.so\n\
         snd_path {path}\n\
         module_tmp account.so\n\
         cons_listen {keys}\n\
         module_app cons.so\n\
         module_app menu.so\n",
        address.ip(),
        modules(),
    )
}

/// Where Debian keeps baresip's modules, on whatever architecture.
fn modules() -> String {
    let triplets = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
    let folders = triplets.map(|triplet| format!("/usr/lib/{triplet}/baresip/modules"));
    let found = folders
        .into_iter()
        .find(|folder| std::path::Path::new(folder).is_dir());
    found.unwrap_or_else(|| "/usr/lib/baresip/modules".to_owned())
}

#[test]
fn two_baresips_hear_each_other_without_a_pbx() {
    let account = "<sip:called@127.0.0.1>;regint=0;answermode=auto;audio_codecs=PCMU";
    let called = Baresip {
        account,
        hertz: 660.0,
        order: None,
        seconds: 8,
    }
    .start();
    called.wait_for("baresip is ready");
    let account = "<sip:calling@127.0.0.1>;regint=0;audio_codecs=PCMU";
    let order = format!("/dial sip:called@{}", called.address);
    let calling = Baresip {
        account,
        hertz: 440.0,
        order: Some(&order),
        seconds: 4,
    }
    .start();
    assert!(wave::loudness(&calling.heard(), 660.0) > 0.5);
    assert!(wave::loudness(&called.heard(), 440.0) > 0.5);
}
