//! The user agent from outside: whole calls between two of them, and single messages by their text.

mod calls;
mod world;
