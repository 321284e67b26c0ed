//! Phones register: which device it is, and where it can be called from now on.

use clock::Time;
use sip::{Answer, Incoming, RegisterError, RegisterRequest};

use crate::Engine;
use crate::session::RETRY_AFTER_SECONDS;

impl Engine {
    /// Answers a REGISTER (RFC 3261 §10.3). Whose registration it is, its digest says: phones put
    /// all sorts of things into To.
    pub(crate) fn register(&mut self, now: Time, incoming: &Incoming) {
        let message = incoming.message();
        let device = match self.authenticate(now, &message, incoming.source.remote) {
            Ok(device) => device,
            Err(answer) => return self.reply(incoming, answer),
        };
        let aor = self.directory.aor(device.account, &device.username);
        let registered = RegisterRequest::parse(&message, incoming.source)
            .and_then(|request| self.registrar.apply(now, aor, &request));
        let answer = match registered {
            Ok(bindings) => {
                let contact =
                    |binding: &sip::Binding| ("Contact".to_owned(), binding.contact_value(now));
                Answer {
                    headers: bindings.iter().map(contact).collect(),
                    ..Answer::code(200)
                }
            }
            Err(error) => refusal(error),
        };
        self.keep_alive(now, aor);
        let outputs = self.ua.respond(now, incoming, answer);
        self.carry_out(outputs);
    }
}

fn refusal(error: RegisterError) -> Answer {
    let answer = Answer::code(error.code());
    match error {
        RegisterError::Malformed(what) => answer.reason(what),
        RegisterError::IntervalTooBrief {
            min_expires_seconds,
        } => answer.header("Min-Expires", &min_expires_seconds.to_string()),
        RegisterError::Full => answer.header("Retry-After", RETRY_AFTER_SECONDS),
        RegisterError::OutOfOrder => answer,
    }
}
