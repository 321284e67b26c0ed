//! A small office to tell stories in: two users, three phones, two carriers, a fair network.
//!
//! `desk` and `mobile` belong to user 1010, `mary` to 1011; the main number rings 1010. Calls to the
//! outside try `carrier`, then `backup`. Everybody is registered when the story begins.

use std::fmt::Write;
use std::time::Duration;

use media::Codec;
use pbx::cdr::{Change, Fold, UserCall};
use pbx::draft::{Draft, Trunk};
use pbx::testing::example;
use pbx::{AccountId, CallerIds, NumberFormat, Transport as TrunkTransport};
use sip::Transport;

use crate::Broken;
use crate::ladder::Ladder;
use crate::network::{Peer, Weather};
use crate::party::{
    Act, BeliefId, Call, Calls, Carrier, Cast, Party, PartyId, Phone, Place, Reception, Role,
    Temper,
};
use crate::world::{Ground, Recorded, START, World};

/// The only account.
const ACCOUNT: AccountId = AccountId(1);
/// Until everybody is registered.
const OPENING: Duration = Duration::from_secs(2);

/// A story being told.
pub struct Scenario {
    world: World,
}

/// How the office is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The network.
    pub weather: Weather,
    /// Decides what is lost.
    pub seed: u64,
    /// How `desk` is connected.
    pub desk: Connection,
    /// Port pairs of the media threads.
    pub port_pairs: usize,
    /// Whether what the node is told is written down.
    pub record: Record,
}

/// Whether what the node is told is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// It is not.
    Nothing,
    /// From the first input on.
    Everything,
}

/// A node as this setting has it, which nobody has told anything.
pub fn node_of(setting: Setting) -> engine::Engine {
    engine::Engine::new(crate::world::settings(setting.seed))
}

/// How a phone is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// By datagrams.
    Datagrams,
    /// By datagrams, behind a NAT.
    BehindNat,
    /// By a connection it has opened.
    Stream,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            weather: Weather::FAIR,
            seed: 1,
            desk: Connection::Datagrams,
            port_pairs: 200,
            record: Record::Nothing,
        }
    }
}

impl Scenario {
    /// The usual office.
    pub fn new() -> Result<Self, Broken> {
        Self::with(Setting::default(), |_| {})
    }

    /// An office set up in another way; `change` may alter its account.
    pub fn with(setting: Setting, change: impl FnOnce(&mut Draft)) -> Result<Self, Broken> {
        let mut world = World::new(Ground {
            seed: setting.seed,
            weather: setting.weather,
            port_pairs: setting.port_pairs,
            planted: None,
            ladder: Ladder::default(),
        });
        if setting.record == Record::Everything {
            world.record();
        }
        let mut draft = example();
        draft.trunks = vec![trunk("carrier", 1), trunk("backup", 2)];
        change(&mut draft);
        let desk = match setting.desk {
            Connection::Datagrams => Place::desk(1, Transport::Udp),
            Connection::BehindNat => Place::behind_nat(1, Transport::Udp),
            Connection::Stream => Place::desk(1, Transport::Tcp),
        };
        let mut scenario = Self { world };
        scenario.phone("desk", desk, ("1010-desk", "correct-horse"));
        let at = |number| Place::desk(number, Transport::Udp);
        scenario.phone("mobile", at(2), ("1010-mobile", "battery-staple"));
        scenario.phone("mary", at(3), ("1011-desk", "tall-giraffe"));
        for (name, number) in [("carrier", 1), ("backup", 2)] {
            let registered = draft
                .trunks
                .iter()
                .find(|trunk| trunk.name == name)
                .and_then(|trunk| trunk.register.as_ref());
            let carrier = registered.map_or_else(Carrier::by_address, |register| {
                let password = register.password.reveal();
                Carrier::with_registrar(&register.username, password, number, Calls::Challenged)
            });
            scenario.take_in(name, Place::carrier(number), Role::Carrier(carrier));
        }
        world = scenario.world;
        world.apply(ACCOUNT, draft)?;
        for name in ["desk", "mobile", "mary"] {
            let id = party_named(&world, name);
            world.later(Duration::ZERO, id, Act::Register);
        }
        world.run_until(START + OPENING)?;
        world.ladder.begin();
        Ok(Self { world })
    }

    fn phone(&mut self, name: &str, place: Place, (username, password): (&str, &str)) {
        let phone = Phone::new(ACCOUNT, "acme.example.com", username, password);
        self.take_in(name, place, Role::Phone(phone));
    }

    fn take_in(&mut self, name: &str, place: Place, role: Role) {
        self.world.add(Cast {
            name: name.to_owned(),
            place,
            role,
            temper: Temper::Steady(Reception::rings(crate::Then::Ignore)),
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::TelephoneEvent],
        });
    }

    /// One more phone, which nobody has heard of yet. It registers at once, with whatever password
    /// it has, and again and again if it is turned away.
    pub fn stranger(&mut self, name: &str, username: &str, password: &str) {
        let number = u8::try_from(self.world.parties.len()).unwrap_or(u8::MAX);
        let place = Place::desk(number, Transport::Udp);
        self.phone(name, place, (username, password));
        let id = party_named(&self.world, name);
        self.world.later(Duration::ZERO, id, Act::Register);
    }

    /// From now on `name` takes calls like that.
    #[must_use]
    pub fn takes_calls(mut self, name: &str, reception: Reception) -> Self {
        if let Some(party) = self.party(name) {
            party.temper = Temper::Steady(reception);
        }
        self
    }

    /// `name` understands these encodings only.
    #[must_use]
    pub fn speaks(mut self, name: &str, codecs: &[Codec]) -> Self {
        if let Some(party) = self.party(name) {
            party.codecs = codecs.to_vec();
        }
        self
    }

    /// `name` can have so many calls at once.
    #[must_use]
    pub fn with_lines(mut self, name: &str, lines: usize) -> Self {
        if let Some(party) = self.party(name) {
            party.lines = lines;
        }
        self
    }

    /// `name` calls somebody.
    #[must_use]
    pub fn calls(mut self, after: Duration, name: &str, call: Call) -> Self {
        let id = party_named(&self.world, name);
        self.world.later(after, id, Act::Dial(call));
        self
    }

    /// `name` cannot be reached any more.
    #[must_use]
    pub fn unplugs(mut self, after: Duration, name: &str) -> Self {
        let id = party_named(&self.world, name);
        self.world.later(after, id, Act::Unplug);
        self
    }

    /// `name` is back.
    #[must_use]
    pub fn returns(mut self, after: Duration, name: &str) -> Self {
        let id = party_named(&self.world, name);
        self.world.later(after, id, Act::Return);
        self
    }

    /// `name` puts its first call on hold, and takes it back after a while.
    #[must_use]
    pub fn holds(mut self, after: Duration, name: &str, length: Duration) -> Self {
        let id = party_named(&self.world, name);
        self.world.later(after, id, Act::Hold(BeliefId(0)));
        self.world
            .later(after + length, id, Act::Resume(BeliefId(0)));
        self
    }

    /// The operator applies a changed account now.
    pub fn apply(&mut self, change: impl FnOnce(&mut Draft)) -> Result<(), Broken> {
        let Some(office) = self.world.office(ACCOUNT) else {
            return Ok(());
        };
        let mut draft = office.draft.clone();
        change(&mut draft);
        self.world.intervened = true;
        self.world.apply(ACCOUNT, draft)
    }

    /// The operator takes the account away now.
    pub fn remove(&mut self) -> Result<(), Broken> {
        self.world.intervened = true;
        let input = engine::Input::Remove(ACCOUNT);
        self.world.node(input, &crate::check::Cause::Other)
    }

    /// A carrier's domain name leads there.
    pub fn announce(&mut self, host: &str, addresses: &[&str]) {
        let addresses = addresses.iter().filter_map(|address| address.parse().ok());
        self.world
            .names
            .insert(host.to_owned(), addresses.collect());
    }

    /// Lets time go on, listening every second.
    pub fn run(&mut self, length: Duration) -> Result<(), Broken> {
        let end = self.world.now + length;
        while self.world.now < end {
            let next = (self.world.now + Duration::from_secs(1)).min(end);
            self.world.run_until(next)?;
            self.world.offers_are_answered()?;
            self.world.listen()?;
        }
        Ok(())
    }

    /// Lets the world come to rest and looks at everything that must hold then.
    pub fn finish(mut self) -> Result<(), Broken> {
        self.world.come_to_rest()
    }

    /// What the node counts.
    pub fn counts(&self) -> engine::Counts {
        self.world.engine.counts()
    }

    /// Calls that came to their end.
    pub fn ended_calls(&self) -> u64 {
        self.world.story.count()
    }

    /// What was written down.
    pub fn take_recorded(&mut self) -> Recorded {
        self.world.take_recorded()
    }

    /// Whether `name` thinks that it can be called.
    pub fn is_registered(&self, name: &str) -> bool {
        let id = party_named(&self.world, name);
        let party = self.world.parties.get(id.0);
        party.is_some_and(Party::is_registered)
    }

    /// Offers that nobody has answered yet.
    pub fn open_offers(&self) -> usize {
        let beliefs = self.world.parties.iter().flat_map(Party::live_calls);
        beliefs
            .filter(|(_, belief)| belief.is_talking() && belief.offering.is_some())
            .count()
    }

    /// How the calls of `name` ended, as it saw them: `answered, hung up`, `refused 486`…
    pub fn seen_by(&self, name: &str) -> Vec<String> {
        let id = party_named(&self.world, name);
        let party = self.world.parties.get(id.0);
        let beliefs = party.map(|party| &*party.beliefs).unwrap_or_default();
        beliefs.iter().map(words_of).collect()
    }

    /// The rows of the calls that ended, one line each.
    pub fn rows(&self) -> String {
        let mut text = String::new();
        for (_, told) in self.world.story.calls() {
            let mut fold = Fold::new();
            let changes = told.events.iter().flat_map(|event| fold.apply(event));
            for change in changes {
                if let Change::Row(row) = change {
                    let _written = writeln!(text, "{}", row_line(&row));
                }
            }
        }
        text
    }

    /// What happened, in columns, and the rows that came of it.
    pub fn ladder(&self, columns: &[&str]) -> String {
        let order = columns.iter().map(|name| match *name {
            "pbx" => Peer::Node,
            name => Peer::Party(party_named(&self.world, name)),
        });
        let names: Vec<String> = self
            .world
            .parties
            .iter()
            .map(|party| party.name.clone())
            .collect();
        let drawn = self.world.ladder.draw(&order.collect::<Vec<_>>(), &names);
        format!("{drawn}\n{}", self.rows())
    }

    fn party(&mut self, name: &str) -> Option<&mut Party> {
        self.world
            .parties
            .iter_mut()
            .find(|party| party.name == name)
    }
}

fn words_of(belief: &crate::party::Belief) -> String {
    let how = if belief.answered_at().is_some() {
        "answered"
    } else {
        "unanswered"
    };
    match belief.end() {
        Some((_, end)) => format!("{how}, {end:?}"),
        None => format!("{how}, goes on"),
    }
}

fn row_line(row: &UserCall) -> String {
    let caller = row.caller_id.as_deref().unwrap_or("–");
    format!(
        "row: user {} {} from {caller} to {}, {} s, talked {} s",
        row.user_number,
        row.kind.name(),
        row.dest_number,
        row.call_duration_seconds,
        row.conversation_duration_seconds,
    )
}

/// The party of that name; a name that nobody has is a mistake in the story.
fn party_named(world: &World, name: &str) -> PartyId {
    let found = world.parties.iter().find(|party| party.name == name);
    found.map_or(PartyId(usize::MAX), |party| party.id)
}

fn trunk(name: &str, number: u8) -> Trunk {
    let address = Place::carrier(number).outside;
    Trunk {
        name: name.to_owned(),
        host: address.to_string(),
        transport: TrunkTransport::Udp,
        register: None,
        inbound_from: vec![address.ip().to_string()],
        number_format: NumberFormat::E164,
        calls: None,
        caller_ids: CallerIds::default(),
    }
}
