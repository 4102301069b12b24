//! When which result is reported. Never shows or writes one.

use std::time::{Duration, Instant};

use dtail_protocol::Mode;
use dtail_query::{Groups, Query, ResultTable};

use crate::Report;

/// Which results a query reports before its final one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportPolicy {
    /// Results so far are reported after half an interval and then after each interval.
    Interim,
    /// A one-shot query reports once, at its end. A follow reports after each interval all the same.
    FinalOnly,
    /// As [`ReportPolicy::FinalOnly`], and a result without rows is reported, too. For programs:
    /// nobody writes it as a text table.
    Always,
}

/// Merges increments and decides what is worth a report.
///
/// DTail's rules: a one-shot query reports everything so far; a follow reports each interval for
/// itself, unless it replaces an outfile; what is empty or equal to the previous report is not
/// reported. Ours: rows are appended to an outfile once, not again with each report.
pub(crate) struct Reports {
    query: Query,
    strict: bool,
    groups: Groups,
    cumulative: bool,
    interim: bool,
    appends: bool,
    previous: Option<ResultTable>,
    /// A file or a program gets what is reported: that there are no rows is worth a report, and
    /// nobody looks how columns are aligned.
    is_for_programs: bool,
    /// When the next interval is over, for those who do not learn it from increments.
    due: Instant,
}

impl Reports {
    pub(crate) fn new(query: Query, mode: Mode, policy: ReportPolicy, strict: bool) -> Reports {
        let follows = mode == Mode::Tail;
        let appends = query.outfile().is_some_and(|outfile| outfile.append);
        // A file with nothing but titles says that the query has run.
        let is_for_programs = query.outfile().is_some() || policy == ReportPolicy::Always;
        let replaces = query.outfile().is_some() && !appends;
        Reports {
            due: Instant::now() + query.interval(),
            query,
            strict,
            groups: Groups::new(strict),
            cumulative: !follows || replaces,
            interim: follows || (policy == ReportPolicy::Interim && !appends),
            appends,
            previous: None,
            is_for_programs,
        }
    }

    /// Takes in what an interval brought and returns what to report now.
    pub(crate) fn take(&mut self, increment: Groups) -> Option<Report> {
        self.merge(increment);
        self.report()
    }

    /// Takes in one of several increments of an interval.
    pub(crate) fn merge(&mut self, increment: Groups) {
        self.groups.merge(increment);
    }

    /// Bytes held, roughly.
    pub(crate) fn memory(&self) -> usize {
        self.groups.memory()
    }

    /// The first interval is over then.
    pub(crate) fn expect_first_after(&mut self, first: Duration) {
        self.due = Instant::now() + first;
    }

    /// When the next interval is over.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// An interval is over: what to report.
    pub(crate) fn report_interval(&mut self) -> Option<Report> {
        let (now, interval) = (Instant::now(), self.query.interval());
        self.due += interval;
        if self.due <= now {
            self.due = now + interval;
        }
        self.report()
    }

    fn report(&mut self) -> Option<Report> {
        if !self.interim {
            return None;
        }
        let table = self.table();
        if !self.cumulative {
            self.groups = Groups::new(self.strict);
        }
        let known = !self.appends && self.previous.as_ref() == Some(&table);
        if table.rows() == 0 || known {
            return None;
        }
        self.previous = Some(table.clone());
        Some(Report { table, last: false })
    }

    fn table(&self) -> ResultTable {
        if self.is_for_programs {
            self.groups.unmeasured_table(&self.query)
        } else {
            self.groups.table(&self.query)
        }
    }

    /// What to report at the end.
    pub(crate) fn finish(self) -> Option<Report> {
        let table = self.table();
        let worth_it = if table.rows() == 0 {
            self.is_for_programs && self.previous.is_none()
        } else {
            self.previous.as_ref() != Some(&table)
        };
        worth_it.then_some(Report { table, last: true })
    }
}

#[cfg(test)]
mod tests;
