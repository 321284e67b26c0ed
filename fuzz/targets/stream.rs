//! Any bytes of a connection: the frames are the same in whatever pieces the bytes come, and the
//! buffer stays within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::{Frame, FrameError, Framer};

/// Frames as owned values; a ping is `None`.
type Frames = (Vec<Option<Vec<u8>>>, Option<FrameError>);

fuzz_target!(|bytes: &[u8]| {
    let Some((piece_bytes, stream)) = bytes.split_first() else { return };
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(whole, frames(stream, 1 + usize::from(*piece_bytes)));
    assert_eq!(whole, frames(stream, 1));
});

fn frames(stream: &[u8], piece_bytes: usize) -> Frames {
    let mut framer = Framer::new();
    let mut found = Vec::new();
    for piece in stream.chunks(piece_bytes) {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(Frame::Message(bytes))) => found.push(Some(bytes.to_vec())),
                Ok(Some(Frame::Ping)) => found.push(None),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}
