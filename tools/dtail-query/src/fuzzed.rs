//! What a fuzz target calls: takes any bytes and panics if the crate breaks one of its promises.
//! Never used by programs.

use std::ops::ControlFlow;

use crate::{Groups, Query};

/// Reads bytes as a partial result of ours and of DTail's. What is taken in takes no more than
/// some times the memory of the bytes, has a table, and is the same after another journey.
pub fn partial_results(data: &[u8]) {
    const TEXT: &str = "select g,count(x),sum(x),min(x),max(x),avg(x),last(y),len(y),\
                        percentage(x),percentile(x) group by g,h";
    let Ok(query) = Query::parse(TEXT) else { return };
    let [flags, data @ ..] = data else { return };
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
        assert!(groups.memory() <= 2000 + 16 * piece.len());
    }
    let travelled = travel(&groups, &query, strict);
    assert_eq!(travelled.table(&query), groups.table(&query));
    groups.write_legacy(&query, &mut |_| {});
    groups.merge(travelled);
    assert!(groups.table(&query).rows() == groups.len());
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
