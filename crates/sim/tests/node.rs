//! What a node must do in situations that are worth a name.

mod common;

use pbx::draft::Register;
use sim::scenario::{Connection, Scenario, Setting};
use sim::{Call, Reception, Talk, Then, Weather};

use crate::common::{answers, call, from_outside, millis, secs};

fn ring_for_ever() -> Reception {
    Reception::rings(Then::Ignore)
}

fn credentials() -> Register {
    Register {
        username: "acme".to_owned(),
        password: "s3cret-s3cret".to_owned().into(),
        expires_seconds: Some(60),
    }
}

#[test]
fn a_trunk_that_is_silent_is_given_up_after_four_seconds() {
    let mut scenario = Scenario::new()
        .unwrap()
        .unplugs(millis(0), "carrier")
        .takes_calls("backup", answers(secs(1)))
        .calls(millis(100), "desk", call("0412345678"));
    scenario.run(secs(6)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, goes on"]);
    scenario.run(secs(10)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, HungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn the_last_trunk_is_waited_for() {
    let mut scenario = Scenario::new()
        .unwrap()
        .unplugs(millis(0), "carrier")
        .unplugs(millis(0), "backup")
        .returns(secs(15), "backup")
        .takes_calls("backup", answers(secs(1)))
        .calls(millis(100), "desk", call("0412345678"));
    scenario.run(secs(28)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, HungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn a_trunk_that_answers_after_all_is_told_that_it_is_too_late() {
    let mut scenario = Scenario::new()
        .unwrap()
        .unplugs(millis(0), "carrier")
        .returns(secs(7), "carrier")
        .takes_calls("carrier", answers(millis(100)))
        .takes_calls("backup", answers(secs(1)))
        .calls(millis(100), "desk", call("0412345678"));
    scenario.run(secs(40)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, HungUp"]);
    for seen in scenario.seen_by("carrier") {
        assert!(
            seen.contains("Cancelled") || seen.contains("TheyHungUp"),
            "{seen}"
        );
    }
    scenario.finish().unwrap();
}

#[test]
fn the_next_address_of_a_trunk_is_tried() {
    let mut scenario = Scenario::with(Setting::default(), |draft| {
        draft.trunks.remove(1);
        draft.trunks[0].host = "sip.carrier.example".to_owned();
    })
    .unwrap();
    scenario.announce(
        "sip.carrier.example",
        &["203.0.113.99:5060", "203.0.113.11:5060"],
    );
    scenario.run(secs(31)).unwrap();
    let mut scenario = scenario
        .takes_calls("carrier", answers(secs(1)))
        .calls(millis(0), "desk", call("0412345678"))
        .calls(secs(20), "desk", call("0412345678"));
    scenario.run(secs(6)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, goes on"]);
    // The address that did not answer is not the first to be asked again.
    scenario.run(secs(16)).unwrap();
    let expect = ["answered, HungUp", "answered, goes on"];
    assert_eq!(scenario.seen_by("desk"), expect);
    scenario.finish().unwrap();
}

#[test]
fn a_trunk_with_an_address_for_a_host_stays_registered() {
    let mut scenario = Scenario::with(Setting::default(), |draft| {
        draft.trunks[0].register = Some(credentials());
        draft.trunks[0].inbound_from.clear();
    })
    .unwrap();
    scenario.run(secs(150)).unwrap();
    let mut scenario =
        scenario
            .takes_calls("desk", answers(secs(1)))
            .calls(millis(0), "carrier", from_outside());
    scenario.run(secs(10)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, TheyHungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn a_registration_moves_on_to_the_next_address() {
    let mut scenario = Scenario::with(Setting::default(), |draft| {
        draft.trunks[0].host = "sip.carrier.example".to_owned();
        draft.trunks[0].register = Some(credentials());
        draft.trunks[0].inbound_from.clear();
    })
    .unwrap();
    scenario.announce(
        "sip.carrier.example",
        &["203.0.113.99:5060", "203.0.113.11:5060"],
    );
    // The first look-up found nothing, the second is half a minute later, and a REGISTER takes as
    // long to fail.
    scenario.run(secs(75)).unwrap();
    let mut scenario =
        scenario
            .takes_calls("desk", answers(secs(1)))
            .calls(millis(0), "carrier", from_outside());
    scenario.run(secs(10)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, TheyHungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn who_calls_oneself_rings_on_the_other_phones() {
    let mut scenario = Scenario::new()
        .unwrap()
        .takes_calls("mobile", answers(secs(2)))
        .calls(millis(0), "desk", call("1010"));
    scenario.run(secs(10)).unwrap();
    assert_eq!(scenario.seen_by("mobile"), ["answered, TheyHungUp"]);
    let rows = scenario.rows();
    assert!(rows.contains("user_inbound_answered") && rows.contains("user_outbound_answered"));
    scenario.finish().unwrap();
}

#[test]
fn an_account_that_goes_takes_its_calls_with_it() {
    let mut scenario = Scenario::new()
        .unwrap()
        .takes_calls("mary", answers(secs(1)))
        .calls(millis(0), "desk", call("1011"))
        .calls(secs(2), "carrier", from_outside());
    scenario.run(secs(3)).unwrap();
    assert_eq!(scenario.counts().calls, 2);
    scenario.remove().unwrap();
    assert_eq!((scenario.counts().calls, scenario.counts().legs), (0, 0));
    scenario.run(secs(1)).unwrap();
    assert_eq!(scenario.seen_by("mary"), ["answered, TheyHungUp"]);
    assert_eq!(scenario.seen_by("carrier"), ["unanswered, Refused(503)"]);
    assert_eq!(scenario.ended_calls(), 2);
    scenario.finish().unwrap();
}

#[test]
fn a_phone_is_reached_by_its_own_connection() {
    let setting = Setting {
        desk: Connection::Stream,
        ..Setting::default()
    };
    let mut scenario = Scenario::with(setting, |_| {})
        .unwrap()
        .takes_calls("desk", answers(secs(1)))
        .calls(millis(0), "carrier", from_outside());
    scenario.run(secs(8)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, TheyHungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn a_phone_whose_connection_broke_does_not_hold_the_call_up() {
    let setting = Setting {
        desk: Connection::Stream,
        ..Setting::default()
    };
    let mut scenario = Scenario::with(setting, |draft| {
        draft.users[0].devices.remove(1);
    })
    .unwrap()
    .unplugs(millis(0), "desk")
    .takes_calls("mary", answers(secs(1)))
    .calls(secs(5), "carrier", from_outside());
    scenario.run(secs(7)).unwrap();
    // No phone, no ringing: the flow ends by its exit at once.
    assert_eq!(scenario.seen_by("carrier"), ["unanswered, Refused(486)"]);
    scenario.finish().unwrap();
}

#[test]
fn a_phone_behind_a_nat_can_be_called_after_an_hour() {
    let setting = Setting {
        desk: Connection::BehindNat,
        ..Setting::default()
    };
    let mut scenario = Scenario::with(setting, |_| {})
        .unwrap()
        .takes_calls("desk", answers(secs(1)))
        .calls(secs(3_600), "carrier", from_outside());
    scenario.run(secs(3_610)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, TheyHungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn a_device_that_leaves_the_plan_rings_no_more() {
    let mut scenario = Scenario::new().unwrap();
    assert_eq!(scenario.counts().registrations, 3);
    scenario
        .apply(|draft| drop(draft.users[0].devices.pop()))
        .unwrap();
    assert_eq!(scenario.counts().registrations, 2);
    let mut scenario = scenario.calls(millis(0), "carrier", from_outside());
    scenario.run(secs(3)).unwrap();
    assert_eq!(scenario.seen_by("desk").len(), 1);
    assert!(scenario.seen_by("mobile").is_empty());
    scenario.finish().unwrap();
}

#[test]
fn both_sides_hold_at_once_and_nobody_waits_long() {
    let holds = Talk {
        hangs_up_after: None,
        holds: Some((secs(2), secs(20))),
        ..Talk::default()
    };
    let mut scenario = Scenario::new()
        .unwrap()
        .takes_calls("mary", Reception::answers(secs(1), holds.clone()))
        .calls(
            millis(0),
            "desk",
            Call {
                talk: Talk {
                    hangs_up_after: Some(secs(40)),
                    ..holds
                },
                ..call("1011")
            },
        );
    // Answered at about one second, held two seconds later by both: a glare.
    scenario.run(secs(15)).unwrap();
    assert_eq!(scenario.open_offers(), 0);
    scenario.run(secs(30)).unwrap();
    scenario.finish().unwrap();
}

#[test]
fn a_glare_on_a_slow_network_is_over_soon() {
    for seed in 0..60 {
        let setting = Setting {
            seed,
            weather: Weather {
                delay_ms: (200, 700),
                ..Weather::FAIR
            },
            ..Setting::default()
        };
        let holds = |hangs_up_after| Talk {
            hangs_up_after,
            holds: Some((secs(3), secs(20))),
            ..Talk::default()
        };
        let mut scenario = Scenario::with(setting, |_| {}).unwrap();
        scenario.run(secs(10)).unwrap();
        let mut scenario = scenario
            .takes_calls("mary", Reception::answers(secs(1), holds(None)))
            .calls(
                millis(0),
                "desk",
                Call {
                    talk: holds(Some(secs(40))),
                    ..call("1011")
                },
            );
        let (mut open_for, mut longest) = (0, 0);
        for _ in 0..35 {
            scenario.run(secs(1)).unwrap();
            open_for = if scenario.open_offers() > 0 {
                open_for + 1
            } else {
                0
            };
            longest = longest.max(open_for);
        }
        assert!(longest <= 11, "seed {seed}: an offer waits for {longest} s");
        scenario.run(secs(25)).unwrap();
        scenario.finish().unwrap();
    }
}

#[test]
fn phones_that_share_no_codec_are_translated_for() {
    let mut scenario = Scenario::new()
        .unwrap()
        .speaks("desk", &[media::Codec::Opus])
        .speaks("mobile", &[media::Codec::Opus])
        .takes_calls("desk", answers(secs(1)))
        .takes_calls("mobile", answers(secs(2)))
        .calls(millis(0), "carrier", from_outside());
    scenario.run(secs(8)).unwrap();
    assert_eq!(scenario.seen_by("carrier"), ["answered, HungUp"]);
    scenario.finish().unwrap();
}

#[test]
fn who_guesses_passwords_is_locked_out_and_the_user_is_not() {
    let mut scenario = Scenario::new().unwrap();
    scenario.stranger("burglar", "1010-desk", "123456");
    scenario.run(secs(280)).unwrap();
    assert!(scenario.is_registered("desk") && !scenario.is_registered("burglar"));
    let counts = scenario.counts();
    assert!(counts.refused_passwords <= 20, "{counts:?}");
    assert!(counts.locked_out > 10, "{counts:?}");
    scenario.finish().unwrap();
}

#[test]
fn five_of_a_hundred_datagrams_lost_each_way_lose_no_call() {
    let mut answered = 0;
    for seed in 0..20 {
        let setting = Setting {
            seed,
            weather: Weather {
                loss_percent: 5,
                duplicate_percent: 2,
                delay_ms: (5, 60),
            },
            ..Setting::default()
        };
        let mut scenario = Scenario::with(setting, |_| {})
            .unwrap()
            .takes_calls("desk", answers(secs(1)))
            .takes_calls("mobile", ring_for_ever())
            .takes_calls("mary", answers(secs(1)));
        scenario.run(secs(40)).unwrap();
        for number in 0..25 {
            let at = secs(number * 12);
            let (who, what) = if number % 2 == 0 {
                ("carrier", from_outside())
            } else {
                ("desk", call("1011"))
            };
            scenario = scenario.calls(at, who, what);
        }
        scenario.run(secs(320)).unwrap();
        let seen = [scenario.seen_by("carrier"), scenario.seen_by("mary")].concat();
        answered += seen
            .iter()
            .filter(|seen| seen.starts_with("answered"))
            .count();
        let failed: Vec<_> = seen
            .iter()
            .filter(|seen| !seen.starts_with("answered"))
            .collect();
        assert!(failed.is_empty(), "seed {seed}: {failed:?}");
        scenario.finish().unwrap();
    }
    assert_eq!(answered, 500);
}

#[test]
fn a_number_of_another_country_is_found_as_its_trunk_writes_it() {
    let mut scenario = Scenario::with(Setting::default(), |draft| {
        let numbers = &mut draft.flows[0].objects[0].settings["numbers"];
        *numbers = serde_json::json!(["+4930123456", "+61298765432"]);
    })
    .unwrap()
    .takes_calls("desk", answers(secs(1)))
    .calls(
        millis(0),
        "carrier",
        Call {
            dialled: "4930123456".to_owned(),
            ..from_outside()
        },
    );
    scenario.run(secs(8)).unwrap();
    assert_eq!(scenario.seen_by("desk"), ["answered, TheyHungUp"]);
    scenario.finish().unwrap();
}
