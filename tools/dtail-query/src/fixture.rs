//! What the tests of several modules share: a query run over lines, as text.

use std::sync::Arc;

use crate::{Aggregator, Groups, HostFacts, LogFormat, Query, UserFormats};

/// DTail's own example of a line, with other values.
pub(crate) fn stats(goroutines: &str, fields: &str) -> String {
    format!(
        "INFO|20211002-071143|1|stats.go:56|8|{goroutines}|7|0.21|471h0m21s|MAPREDUCE:STATS|{fields}"
    )
}

pub(crate) fn aggregator(query: &str, strict: bool) -> (Arc<Query>, Aggregator) {
    let query = Arc::new(Query::parse(query).unwrap());
    let format = LogFormat::choose(&query, "default", &UserFormats::default()).unwrap();
    let host = HostFacts {
        hostname: "host.example".to_owned(),
        timezone: "CEST".to_owned(),
        timeoffset: 7200,
    };
    let aggregator = Aggregator::new(Arc::clone(&query), format, host, strict);
    (query, aggregator)
}

pub(crate) fn csv(groups: &Groups, query: &Query) -> String {
    let mut csv = Vec::new();
    groups.table(query).write_csv(true, &mut csv).unwrap();
    String::from_utf8_lossy(&csv).into_owned()
}

/// The result as CSV and then the complaints about lines. A line `--- source` begins a source.
pub(crate) fn run(query: &str, strict: bool, lines: &[u8]) -> String {
    let (query, mut aggregator) = aggregator(query, strict);
    aggregator.start_source();
    for line in lines.split(|byte| *byte == b'\n') {
        if line == b"--- source" {
            aggregator.start_source();
        } else {
            aggregator.line(line);
        }
    }
    let mut actual = csv(&aggregator.take(), &query);
    for warning in aggregator.take_warnings() {
        actual.push_str(&format!("warning: {warning}\n"));
    }
    actual
}
