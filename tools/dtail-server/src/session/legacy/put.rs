//! On the thread of a request: messages of protocol 4.1 from its output. Never waits for a client
//! itself.

use std::ops::ControlFlow;

use dtail_protocol::{Severity, legacy};
use dtail_query::Query;
use dtail_session::Output;

use super::record;
use crate::session::outbox::Outgoing;
use crate::session::worker::Outlet;

/// How results of a request are told.
#[derive(Debug)]
pub(super) struct Voice {
    /// The short name of this host.
    pub(super) host: String,
    pub(super) who: String,
    /// Nothing but the lines.
    pub(super) plain: bool,
    pub(super) query: Option<Query>,
}

pub(super) fn putter(outlet: Outlet, voice: Voice) -> impl FnMut(Output) -> ControlFlow<()> {
    let Voice { host, who, plain, query } = voice;
    move |output| {
        let mut bytes = Vec::new();
        match output {
            Output::Lines(block) => {
                bytes.reserve(block.bytes.len() * 2);
                legacy::write_block(&mut bytes, &host, &block, plain);
            }
            // No client of this protocol can ask for it.
            Output::Source(_) => return ControlFlow::Continue(()),
            Output::File(_) => unreachable!("{}", crate::session::NO_FILES),
            Output::Diagnostic(diagnostic) => {
                let level = match diagnostic.severity {
                    Severity::Warn => "WARN",
                    Severity::Error => "ERROR",
                };
                let text = record(level, &who, &diagnostic.text);
                legacy::server_text(&mut bytes, &host, &text);
            }
            Output::Aggregate(groups) => {
                if let Some(query) = &query {
                    groups.write_legacy(query, &mut |data| {
                        legacy::aggregate(&mut bytes, &host, data);
                    });
                }
            }
        }
        let outgoing = Outgoing { bytes: bytes.into(), charge: 0, generation: outlet.generation };
        outlet.outbox.put(outgoing, &outlet.cancel)
    }
}
