//! The drive loop's counts, shown among the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::drive::Gauges;
use crate::metrics::{Kind, Metrics};

/// Shows them.
pub(crate) fn drive(metrics: &Metrics, gauges: &Arc<Gauges>) {
    for (name, help, kind, read) in OBSERVED {
        let gauges = Arc::clone(gauges);
        metrics.source(name, help, kind, move || {
            read(&gauges).load(Ordering::Relaxed)
        });
    }
}

/// A metric of the drive loop: name, help, kind, and where its value is.
type Observed = (&'static str, &'static str, Kind, fn(&Gauges) -> &AtomicU64);

const OBSERVED: [Observed; 11] = [
    (
        "switchhook_calls",
        "Calls in progress.",
        Kind::Gauge,
        |gauges| &gauges.calls,
    ),
    (
        "switchhook_legs",
        "Legs of calls in progress.",
        Kind::Gauge,
        |gauges| &gauges.legs,
    ),
    (
        "switchhook_registrations",
        "Registered contacts.",
        Kind::Gauge,
        |gauges| &gauges.registrations,
    ),
    (
        "switchhook_sip_transactions",
        "SIP transactions.",
        Kind::Gauge,
        |gauges| &gauges.transactions,
    ),
    (
        "switchhook_sip_dialogs",
        "SIP dialogs.",
        Kind::Gauge,
        |gauges| &gauges.dialogs,
    ),
    (
        "switchhook_rtp_ports_in_stock",
        "Port pairs that wait for a leg.",
        Kind::Gauge,
        |gauges| &gauges.ports_in_stock,
    ),
    (
        "switchhook_sip_messages_received_total",
        "SIP messages received.",
        Kind::Counter,
        |gauges| &gauges.messages_received,
    ),
    (
        "switchhook_sip_messages_sent_total",
        "SIP messages sent.",
        Kind::Counter,
        |gauges| &gauges.messages_sent,
    ),
    (
        "switchhook_sip_datagrams_dropped_total",
        "Datagrams the system did not take.",
        Kind::Counter,
        |gauges| &gauges.datagrams_dropped,
    ),
    (
        "switchhook_passwords_refused_total",
        "Wrong passwords and unknown users.",
        Kind::Counter,
        |gauges| &gauges.refused_passwords,
    ),
    (
        "switchhook_faults_total",
        "Steps of call control that failed by a fault of ours.",
        Kind::Counter,
        |gauges| &gauges.faults,
    ),
];
