//! A call is put on hold, and whoever waits hears music.

use crate::common::account::{JOHN, PASSWORD};
use crate::common::baresip::Baresip;
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;
use crate::common::wave;

/// Ann's phone says nothing: all that John hears is what is played to him while she holds.
#[test]
fn who_is_on_hold_hears_music() {
    let stage = Stage::new();
    let proxy = stage.server.listening().udp;
    let account = format!(
        "<sip:1010-desk@{DOMAIN}>;auth_pass={PASSWORD};outbound=\"sip:{proxy}\";regint=600;\
         answermode=auto;audio_codecs=PCMU"
    );
    let john = Baresip {
        account: &account,
        hertz: 660.0,
        order: None,
        seconds: 16,
    };
    let john = john.start();
    john.wait_for("200 OK");
    let ann = stage.phone("1020-desk");
    stage
        .phone_plays(&ann, "phone-holds", JOHN)
        .pause_ms(500)
        .variable("hold", 5_000)
        .start()
        .finish();
    let heard = john.heard();
    // A quarter of a second is enough to know the music by.
    let music = audio::music::on_hold_pcm()
        .at_rate(wave::RATE)
        .into_samples();
    let alike = wave::likeness(&heard, &music[3_000..5_000]);
    assert!(alike > 0.8, "what he heard is like the music by {alike}");
}
