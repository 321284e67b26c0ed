//! A phone that watches others: 1011's, from an address of its own.

use super::*;

fn lamps() -> SocketAddr {
    address("198.51.100.8:5060")
}

/// The phone that watches, and its world.
pub(super) struct Watch {
    pub(super) world: World,
    pub(super) ua: Ua,
    /// The NOTIFYs it was sent.
    pub(super) told: Vec<String>,
    /// What else it was told.
    pub(super) heard: Vec<sip::Event>,
    /// What it answers to them.
    answers: &'static str,
    /// The final answers to its SUBSCRIBEs.
    codes: Vec<u16>,
    subscribed: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            world: World::new(),
            ua: Ua::new(agent(lamps()), 3),
            told: Vec::new(),
            heard: Vec::new(),
            answers: "200 OK",
            codes: Vec::new(),
            subscribed: 0,
        }
    }

    /// Subscribes to `event` of `name`; further headers as text.
    pub(super) fn subscribes(&mut self, event: &str, name: &str, seconds: u32) {
        self.subscribed += 1;
        let own = Party {
            display: None,
            uri: "sip:1011-desk@acme.example.com".to_owned(),
        };
        let uri = format!("sip:{name}@acme.example.com");
        let request = OutRequest {
            method: Method::Subscribe,
            to: Destination {
                transport: Transport::Udp,
                remote: node(),
                flow: None,
            },
            uri: uri.clone(),
            from: own,
            to_party: Party { display: None, uri },
            contact_user: Some("1011-desk".to_owned()),
            headers: vec![
                ("Event".to_owned(), event.to_owned()),
                ("Expires".to_owned(), seconds.to_string()),
            ],
            body: None,
            credentials: Some(Credentials::new("1011-desk", "tall-giraffe")),
            series: None,
        };
        let id = RequestId(self.subscribed);
        let outputs = self.ua.request(self.world.now, id, request);
        self.did(outputs);
    }

    pub(super) fn did(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(transmit) => self.world.tell(Input::Packet {
                    source: source(lamps()),
                    bytes: &transmit.bytes,
                }),
                Output::Event(sip::Event::Response { code, .. }) => self.codes.push(code),
                Output::Event(event) => self.heard.push(event),
            }
        }
        self.listens();
    }

    /// Takes in whatever the node has sent it, and answers.
    pub(super) fn listens(&mut self) {
        let is_for_it = |effect: &mut Effect| matches!(effect, Effect::Send(transmit) if transmit.to.remote == lamps());
        let sent: Vec<Effect> = self.world.effects.extract_if(.., is_for_it).collect();
        for effect in sent {
            let Effect::Send(transmit) = effect else {
                continue;
            };
            let text = String::from_utf8(transmit.bytes.clone()).unwrap();
            if text.starts_with("NOTIFY ") {
                self.told.push(text.clone());
                self.answers_notify(&text);
            } else {
                let outputs = self
                    .ua
                    .receive(self.world.now, source(node()), &transmit.bytes);
                self.did(outputs);
            }
        }
    }

    fn answers_notify(&mut self, notify: &str) {
        if self.answers.is_empty() {
            return;
        }
        let kept = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
        let kept = |line: &&str| kept.iter().any(|name| line.starts_with(name));
        let head: Vec<&str> = notify.lines().filter(kept).collect();
        let answer = format!(
            "SIP/2.0 {}\r\n{}\r\nContent-Length: 0\r\n\r\n",
            self.answers,
            head.join("\r\n")
        );
        self.world.tell(Input::Packet {
            source: source(lamps()),
            bytes: answer.as_bytes(),
        });
        self.listens();
    }

    /// Time goes on, and every deadline on the way is met.
    fn passes(&mut self, seconds: u64) {
        let until = self.world.now + Duration::from_secs(seconds);
        while let Some(deadline) = self.world.engine.deadline().filter(|at| *at <= until) {
            self.world.now = deadline;
            self.world.tell(Input::Wake);
            self.listens();
        }
        self.world.now = until;
    }

    fn subscriptions(&self) -> usize {
        let counts = self.world.engine.counts();
        let kept = counts.user_agent.subscriptions;
        assert_eq!(counts.watched == 0, kept == 0);
        kept
    }

    /// The states of all calls in each document since the last look.
    #[track_caller]
    fn shows(&mut self, expected: &[&[&str]]) {
        let told = std::mem::take(&mut self.told);
        let states: Vec<Vec<&str>> = told.iter().map(|text| states(text)).collect();
        assert_eq!(states, expected);
    }
}

/// Direction and state of each call in a document.
fn states(notify: &str) -> Vec<&str> {
    let parts = notify.split("<dialog ").skip(1);
    parts
        .map(|part| {
            let state = part.split_once("<state>").unwrap().1;
            let state = state.split_once('<').unwrap().0;
            let is_recipient = part.contains("direction=\"recipient\"");
            match (is_recipient, state) {
                (true, "trying") => "called, trying",
                (true, "early") => "called, early",
                (true, "confirmed") => "called, confirmed",
                (false, "early") => "calls, early",
                (false, "confirmed") => "calls, confirmed",
                (_, other) => panic!("{other}"),
            }
        })
        .collect()
}

/// The value of an attribute of a document.
pub(super) fn attribute<'a>(text: &'a str, name: &str) -> &'a str {
    let begins = format!(" {name}=\"");
    let rest = text.split_once(&begins).map(|(_, rest)| rest);
    let value = rest.and_then(|rest| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("no {name} in {text}")).0
}

fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let line = message.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {message}"))
        .trim()
}

#[test]
fn a_lamp_shows_each_step_of_a_call() {
    let mut watch = Watch::new();
    watch.subscribes("dialog", "1010", 600);
    assert_eq!(watch.codes, [200]);
    let idle = watch.told.last().unwrap().clone();
    assert_eq!(header(&idle, "Event:"), "dialog");
    assert_eq!(header(&idle, "Subscription-State:"), "active;expires=600");
    assert_eq!(
        header(&idle, "Content-Type:"),
        "application/dialog-info+xml"
    );
    assert!(idle.contains("version=\"0\" state=\"full\" entity=\"sip:1010@acme.example.com\""));
    watch.shows(&[&[]]);

    let dialog = watch.world.called_with(&sdp("8"));
    watch.listens();
    let early = watch.told.last().unwrap().clone();
    assert!(
        early.contains("version=\"2\"") && early.contains("remote-tag="),
        "{early}"
    );
    watch.shows(&[&["called, trying"], &["called, early"]]);

    let outputs = (watch.world.phone).accept(watch.world.now, dialog, sdp("8").into_bytes());
    watch.world.phone_did(outputs);
    watch.listens();
    let talks = watch.told.last().unwrap().clone();
    assert!(
        !talks.contains("local-tag="),
        "a call that goes on is not named: {talks}"
    );
    assert!(
        !talks.contains("61300000000"),
        "who calls is not told: {talks}"
    );
    watch.shows(&[&["called, confirmed"]]);

    watch.world.carrier_says("BYE", 2, "");
    watch.listens();
    watch.shows(&[&[]]);
}

#[test]
fn who_asks_is_told_why_not() {
    for (event, name, code) in [
        ("presence", "1010", 489),
        ("conference", "1010", 489),
        ("dialog", "1099", 404),
        ("dialog", "1010-desk", 200),
        ("message-summary", "1010", 403),
        ("message-summary", "1011", 200),
        ("message-summary", "1011-desk", 200),
    ] {
        let mut watch = Watch::new();
        watch.subscribes(event, name, 600);
        assert_eq!(watch.codes, [code], "{event} of {name}");
        assert_eq!(watch.subscriptions(), usize::from(code == 200));
        assert_eq!(watch.told.len(), usize::from(code == 200));
    }
}

#[test]
fn a_mailbox_tells_how_many_messages_wait() {
    let mut watch = Watch::new();
    watch.subscribes("message-summary", "1011-desk", 600);
    assert!(watch.told[0].ends_with("Messages-Waiting: no\r\nVoice-Message: 0/0 (0/0)\r\n"));
    for (user, told) in [("1011", 2), ("1010", 2), ("1011", 3)] {
        let counts = pbx::MailboxCounts { new: 2, saved: 5 };
        watch.world.tell(Input::Mailbox {
            account: ACCOUNT,
            user: user.into(),
            counts,
        });
        watch.listens();
        assert_eq!(watch.told.len(), told);
    }
    assert!(watch.told[2].ends_with("Messages-Waiting: yes\r\nVoice-Message: 2/5 (0/0)\r\n"));
}

#[test]
fn a_watcher_ends_with_its_time_its_wish_its_silence_or_its_forgetting() {
    // Its time.
    let mut watch = Watch::new();
    watch.subscribes("dialog", "1010", 90);
    watch.passes(91);
    let last = watch.told.last().unwrap();
    assert_eq!(
        header(last, "Subscription-State:"),
        "terminated;reason=timeout"
    );
    assert_eq!(watch.subscriptions(), 0);
    // Its wish to know it once.
    watch.subscribes("dialog", "1010", 0);
    let last = watch.told.last().unwrap();
    assert_eq!(
        header(last, "Subscription-State:"),
        "terminated;reason=timeout"
    );
    assert!(last.contains("<dialog-info"));
    assert_eq!(watch.subscriptions(), 0);
    // It has forgotten the subscription, or is not there.
    for (answers, seconds) in [("481 Subscription Does Not Exist", 0), ("", 40)] {
        watch.answers = "200 OK";
        watch.subscribes("dialog", "1010", 600);
        assert_eq!(watch.subscriptions(), 1);
        watch.answers = answers;
        watch.subscribes("dialog", "1010", 600);
        watch.passes(seconds);
        assert_eq!(watch.subscriptions(), 0, "{answers}");
    }
}

#[test]
fn a_burst_is_told_as_its_last_state() {
    let mut watch = Watch::new();
    watch.subscribes("dialog", "1010", 600);
    watch.told.clear();
    watch.answers = "";
    let _dialog = watch.world.called_with(&sdp("8"));
    let cancel = invite("call", "").replace("INVITE", "CANCEL");
    watch.world.tell(Input::Packet {
        source: source(carrier()),
        bytes: cancel.as_bytes(),
    });
    watch.listens();
    watch.shows(&[&["called, trying"]]);
    // The answer to the first lets the last go; what was between is told to nobody.
    watch.answers = "200 OK";
    watch.passes(1);
    watch.told.dedup();
    watch.shows(&[&["called, trying"], &[]]);
}

#[test]
fn a_new_plan_ends_what_cannot_be_watched_any_more() {
    let mut watch = Watch::new();
    watch.subscribes("dialog", "1012", 600);
    watch.subscribes("dialog", "1010", 600);
    watch.told.clear();
    let mut draft = example();
    draft.users.remove(2);
    let plan = draft.compile(ACCOUNT, 2).unwrap();
    watch.world.tell(Input::Apply(Arc::new(plan)));
    watch.listens();
    let state = header(&watch.told[0], "Subscription-State:");
    assert_eq!(
        (state, watch.told.len()),
        ("terminated;reason=noresource", 1)
    );
    assert_eq!(watch.subscriptions(), 1);
    watch.world.tell(Input::Remove(ACCOUNT));
    watch.listens();
    assert_eq!(watch.subscriptions(), 0);
}

#[test]
fn a_fault_of_the_account_puts_lamps_out_and_keeps_them_watched() {
    let mut watch = Watch::new();
    watch.subscribes("dialog", "1010", 600);
    let _dialog = watch.world.called_with(&sdp("8"));
    watch.listens();
    watch.told.clear();
    watch.world.engine.account_fault(watch.world.now, ACCOUNT);
    watch.world.tell(Input::Wake);
    watch.listens();
    watch.shows(&[&[]]);
    watch.world.heard.clear();
    let again = invite("again", &sdp("8"));
    watch.world.tell(Input::Packet {
        source: source(carrier()),
        bytes: again.as_bytes(),
    });
    watch.listens();
    watch.shows(&[&["called, trying"]]);
}
