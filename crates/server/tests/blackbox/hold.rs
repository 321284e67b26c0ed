//! A call is put on hold, and whoever waits hears music.

use crate::common::account::{JOHN, PASSWORD};
use crate::common::baresip::Baresip;
use crate::common::sipp::DOMAIN;
use crate::common::stage::Stage;

/// What baresip says of G.711 that comes in while it sends nothing.
const HEARS: &str = "audio=0/64000";

/// Ann's phone is sipp, which sends no audio at all: what John's phone receives while she holds is
/// ours. Its recording ends with the first re-INVITE, so its own count has to do; that it is the
/// music, the engine's tests show.
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
        seconds: 24,
    };
    let john = john.start();
    john.wait_for("200 OK");
    let ann = stage.phone("1020-desk");
    let ann = stage.phone_plays(&ann, "phone-holds", JOHN).pause_ms(500);
    // An unoptimized build takes seconds to read the track.
    let ann = ann.variable("hold", 12_000).start();
    john.wait_for("Call established");
    assert!(!john.log().contains(HEARS), "nothing comes before");
    john.wait_for(HEARS);
    ann.finish();
}
