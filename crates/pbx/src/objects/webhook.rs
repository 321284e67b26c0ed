//! Tells an address that a call has come by. The call goes on at once.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Exit, Field, Kind, Need, Object, Pace, Palette, Shape};
use crate::cx::{Cx, Moment, Step};
use crate::draft::{Compiler, Secret};
use crate::event::{Component, Fact, HangupCause};

/// Tells an address.
#[derive(Debug)]
pub(crate) struct Webhook {
    component: Component,
}

/// As the document has them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    url: String,
    secret_token: Secret,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
}

impl Object for Webhook {
    const KIND: Kind = Kind {
        name: "webhook",
        title: "Webhook",
        palette: Palette::Advanced,
        help: "Tells an address that a call has come by here, with the caller, the number called \
               and the name of this object. The call goes on at once, whether or not anybody \
               answers there.",
        fields: &[
            Field {
                name: "url",
                title: "Address",
                help: "where it is told, by https or http",
                shape: Shape::Url,
                need: Need::Required,
            },
            Field {
                name: "secret_token",
                title: "Secret token",
                help: "is sent in the header X-Pbx-Token, so that the receiver knows who tells it",
                shape: Shape::Secret,
                need: Need::Required,
            },
            Field {
                name: "headers",
                title: "Headers",
                help: "further headers that the receiver wants; none when absent",
                shape: Shape::Headers,
                need: Need::Optional,
            },
        ],
        exits: &[Exit {
            name: "next",
            title: "Next",
            cause: HangupCause::Unavailable,
            pace: Pace::AtOnce,
        }],
    };

    type Settings = Settings;
    type State = ();

    fn compile(settings: Settings, compiler: &mut Compiler<'_>) -> Option<Self> {
        let headers = settings.headers.iter();
        Some(Self {
            component: Component {
                name: compiler.object_name().into(),
                place: compiler.object_place().into(),
                url: settings.url.into(),
                secret_token: settings.secret_token.reveal().into(),
                headers: headers
                    .map(|(name, value)| (name.as_str().into(), value.reveal().into()))
                    .collect(),
            },
        })
    }

    fn handle(&self, _state: &mut (), _moment: Moment, cx: &mut Cx<'_, '_>) -> Step {
        cx.tell(Fact::ComponentPassed {
            component: self.component.clone(),
        });
        Step::exit("next")
    }
}
