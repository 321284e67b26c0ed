//! What a webhook of the document is told: a list of triggers, or the word `all`.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::trigger::Trigger;

/// A set of triggers, or `all`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Triggers {
    /// `all`: those of later versions too.
    All,
    /// Named ones.
    Some(Vec<Trigger>),
}

const ALL: &str = "all";

impl Serialize for Triggers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str(ALL),
            Self::Some(triggers) => triggers.serialize(serializer),
        }
    }
}

/// By hand, because an untagged enum cannot say which trigger it does not know.
impl<'de> Deserialize<'de> for Triggers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Expected)
    }
}

struct Expected;

impl<'de> Visitor<'de> for Expected {
    type Value = Triggers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of triggers, or `all`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Triggers, E> {
        if text == ALL {
            return Ok(Triggers::All);
        }
        Err(E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<Triggers, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(sequence)).map(Triggers::Some)
    }
}
