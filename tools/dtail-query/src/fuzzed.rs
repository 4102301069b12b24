//! What a fuzz target calls: takes any bytes and panics if the crate breaks one of its promises.
//! Never used by programs.

use std::{ops::ControlFlow, sync::Arc};

use crate::{Aggregator, Groups, HostFacts, LogFormat, Query, UserFormats};

/// Every aggregation that DTail does not have.
pub(crate) const BEYOND_DTAIL: &str = "select g,count(distinct y),first(y),median(x),percentile(x, 99),stddev(x),variance(x),\
     rate(x, t),histogram(x),histogram(x, 10),avg(x) * 2 as twice group by g \
     having count(*) > 0 or twice is missing order by twice desc,g asc logformat generickv";

/// Parses any text as a query, and if it is one, runs it over a few lines.
pub fn queries(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let query = match Query::parse(&text) {
        Ok(query) => Arc::new(query),
        Err(err) => {
            assert!(!err.to_string().contains('\n'));
            return;
        }
    };
    query.warnings("default", &UserFormats::default());
    query.beyond_dtail();
    let Ok(format) = LogFormat::choose(&query, "generickv", &UserFormats::default()) else {
        return;
    };
    assert!(query.explain(&format).iter().all(|line| !line.contains('\n')));
    let mut aggregator = Aggregator::new(Arc::clone(&query), format, HostFacts::default(), false);
    let required = aggregator.required_literals();
    for line in [&b"a=1|b=x y|c=2021-10-02T07:11:43Z"[..], b"a=b,c", b"", b"\xff=\0|x=-1e308|y=nan"]
    {
        let before = aggregator.take().len();
        assert_eq!(aggregator.take().len(), 0, "{before}");
        aggregator.line(line);
        let groups = aggregator.take();
        let has = |literal: &Vec<u8>| memchr::memmem::find(line, literal).is_some();
        let may_count = required.iter().all(|any| any.iter().any(has));
        assert!(groups.is_empty() || may_count || query.log_format().is_some());
        groups.table(&query);
    }
}

/// Reads bytes as a partial result of ours and of DTail's. What is taken in takes no more than
/// some times the memory of the bytes, has a table, and is the same after another journey.
pub fn partial_results(data: &[u8]) {
    const TEXT: &str = "select g,count(x),sum(x),min(x),max(x),avg(x),last(y),len(y),\
                        percentage(x),percentile(x) group by g,h";
    let [flags, data @ ..] = data else { return };
    let is_beyond = flags & 4 == 4 && flags & 2 == 0;
    let Ok(query) = Query::parse(if is_beyond { BEYOND_DTAIL } else { TEXT }) else { return };
    let strict = flags & 1 == 1;
    let mut groups = Groups::new(strict);
    if flags & 2 == 2 {
        for line in data.split(|byte| *byte == 0xAC) {
            // A message that is refused changes nothing.
            let before = groups.len();
            assert!(groups.read_legacy(line, &query).is_ok() || groups.len() == before);
        }
    } else {
        let header = Groups::header_of(&query, strict);
        let piece = [&header, data].concat();
        match Groups::decode(&piece, &query, strict) {
            Ok(decoded) => groups.merge(decoded),
            Err(_) => return,
        }
        // A text of one byte that is the only one of its column takes most.
        assert!(groups.memory() <= 3000 + 32 * piece.len());
    }
    let travelled = travel(&groups, &query, strict);
    assert_eq!(travelled.table(&query), groups.table(&query));
    groups.write_legacy(&query, &mut |_| {});
    groups.merge(travelled);
    assert!(is_beyond || groups.table(&query).rows() == groups.len());
}

fn travel(groups: &Groups, query: &Query, strict: bool) -> Groups {
    let mut travelled = Groups::new(strict);
    let flow = groups.encode(1000, &mut |piece| match Groups::decode(&piece, query, strict) {
        Ok(part) => {
            travelled.merge(part);
            ControlFlow::Continue(())
        }
        Err(_) => ControlFlow::Break(()),
    });
    assert!(flow.is_continue());
    travelled
}

/// Reads bytes as lines of a log format, which the first byte may vary. Whatever they are, each is
/// counted or complained about in bounded words, and what was split over two readers is the same.
pub fn lines(format: &str, data: &[u8]) {
    const FIELDS: &str = "select count($line),sum(a),last(a.b),max(status),last(message) \
                          group by a,$time,host,path logformat";
    let formats = UserFormats::new([(
        "named".to_owned(),
        "^(?P<time>\\S+) (?P<host>[^ =]+)(?: a=(?P<a>\\d*))?".to_owned(),
    )]);
    let Ok(query) = Query::parse(&format!("{FIELDS} {format}")) else { return };
    let Ok(format) = LogFormat::choose(&query, "default", &formats) else { return };
    let [flags, data @ ..] = data else { return };
    let (query, host) = (Arc::new(query), HostFacts::default());
    let mut whole = Aggregator::new(Arc::clone(&query), format.clone(), host, false);
    let mut parts = [whole.clone_empty(), whole.clone_empty()];
    let mut lines = data.split(|&byte| byte == b'\n');
    whole.start_source();
    if format.has_header() {
        let header = lines.next().unwrap_or_default();
        // Who has no header reads the lines in sequence.
        if !whole.start_source_with(header) {
            return;
        }
        assert!(parts.iter_mut().all(|part| part.start_source_with(header)));
    }
    for (index, line) in lines.enumerate() {
        format.fields_of(line);
        whole.begin_block(index as u64);
        whole.line(line);
        let part = &mut parts[usize::from(index % 3 < usize::from(flags % 4))];
        part.begin_block(index as u64);
        part.line(line);
    }
    let [mut one, mut other] = parts;
    one.absorb_complaints(&mut other);
    let complaints = whole.take_warnings();
    assert!(complaints.iter().all(|it| it.len() < 1000 && !it.contains('\n')));
    assert_eq!(complaints, one.take_warnings());
    let mut merged = one.take();
    merged.merge(other.take());
    assert_eq!(merged.len(), whole.take().len());
}
