//! Phones register with digest, and only with the right one.

use crate::common::account::{JOHN, JOHNS_NUMBER};
use crate::common::address::fresh_address;
use crate::common::sipp::{Sipp, Wire};
use crate::common::stage::{Phone, Stage};
use crate::common::trace::Message;

#[test]
fn a_phone_registers_refreshes_and_leaves() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    phone.register(&stage, "300").start().finish();
    phone.register(&stage, "0").start().finish();
    let call = stage.carrier_plays("carrier-calls-refused", "61400000001", JOHNS_NUMBER);
    assert_eq!(call.start().finish().final_code(), 480);
}

#[test]
fn a_phone_registers_over_tcp_and_is_called_down_its_connection() {
    let stage = Stage::new();
    let phone = Phone {
        device: "1010-desk".to_owned(),
        address: fresh_address(),
        wire: Wire::Tcp,
    };
    let stays = phone
        .register_playing("registers-and-stays", &stage, "600")
        .answering_with("answers")
        .pause_ms(100)
        .start();
    stays.wait_for_received("SIP/2.0 200");
    let call = stage.carrier_plays("carrier-calls", "61400000001", JOHNS_NUMBER);
    call.pause_ms(300).start().finish();
    stage.hooks(3);
    stays.finish();
}

#[test]
fn the_answer_tells_how_long_the_registration_holds() {
    let stage = Stage::new();
    let phone = stage.phone("1010-desk");
    let trace = phone.register(&stage, "120").start().finish();
    let contact = trace.received("SIP/2.0 200", "REGISTER").header("Contact");
    assert!(contact.contains("expires=120"), "{contact}");
}

#[test]
fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    let stage = Stage::new();
    let refused = |username: &str| {
        let phone = fresh_address();
        let register = Sipp::play("register-refused", phone).credentials(username, "wrong");
        let register = register.key("expires", "600").key("contact_port", "5060");
        let trace = register
            .toward(stage.server.listening().udp, "")
            .start()
            .finish();
        let last = trace.messages.last().and_then(Message::code);
        last.expect("the last message is the refusal")
    };
    assert_eq!(refused("1010-desk"), refused("nobody-here"));
    assert!(matches!(refused("1010-desk"), 401 | 403));
}

#[test]
fn a_call_with_a_wrong_password_reaches_nobody() {
    let stage = Stage::new();
    let thief = fresh_address();
    let call = Sipp::play("phone-calls-denied", thief).credentials("1020-desk", "wrong");
    let trace = call
        .toward(stage.server.listening().udp, JOHN)
        .start()
        .finish();
    assert!(matches!(trace.final_code(), 401 | 403 | 407));
    stage.hooks(0);
}
