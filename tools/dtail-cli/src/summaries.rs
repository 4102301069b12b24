//! What is printed of a file when its lines are not: how many match, or only its name. Never counts.

use std::io::{self, Write};

use dtail_client::HostSource;

use crate::decimal::Decimal;
use crate::form::Kind;
use crate::output::Output;
use crate::prefixed::{named, paint_name};

/// Prints a line for a file.
#[derive(Debug)]
pub(crate) struct Summaries {
    pub(crate) kind: Kind,
    /// Names in front of counts.
    pub(crate) names: bool,
    /// The host in front of names.
    pub(crate) hosts: bool,
    pub(crate) coloured: bool,
    /// So far.
    pub(crate) named: u64,
}

impl Summaries {
    /// A file is at its end.
    pub(crate) fn write<W: Write>(
        &mut self,
        source: &HostSource,
        output: &mut Output<W>,
    ) -> io::Result<()> {
        let HostSource { host, summary } = source;
        let is_wanted = match self.kind {
            Kind::FilesWith => summary.matches > 0,
            Kind::FilesWithout => summary.matches == 0 && !summary.failed,
            // Of a file that could not be opened there is nothing to say.
            _ => !summary.failed || summary.bytes_read > 0,
        };
        if !is_wanted {
            return Ok(());
        }
        self.named += 1;
        let pending = output.pending();
        let counts = self.kind == Kind::Counts;
        if !counts || self.names {
            if let Some(host) = host.as_ref().filter(|_| self.hosts) {
                paint_name(self.coloured, host, pending);
                pending.push(b':');
            }
            paint_name(self.coloured, named(&summary.source), pending);
        }
        if counts && self.names {
            pending.push(b':');
        }
        if counts {
            pending.extend_from_slice(Decimal::new(summary.matches).as_bytes());
        }
        pending.push(b'\n');
        output.pass_on()
    }

    /// How many files were named because of what they do or do not hold; `None` for counts.
    pub(crate) fn files_named(&self) -> Option<u64> {
        (self.kind != Kind::Counts).then_some(self.named)
    }
}
