//! What travels is what arrives; what does not come from us is refused or harmless.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use expect_test::{Expect, expect};

use super::BadPartialResult;
use crate::{Aggregator, Groups, Query, cell::Cell, fixture, random::Random};

/// Every aggregation, and groups by two fields.
const EVERYTHING: &str = "select g,count(x),sum(x),min(x),max(x),avg(x),last(y),len(y),\
                          percentage(x),percentile(x) group by g,h logformat generickv";

const QUERIES: [&str; 5] = [
    EVERYTHING,
    "select count(distinct y),first(y),median(x),percentile(x, 99.9),stddev(x),variance(x),\
     rate(*, x),histogram(x),histogram(x, 0.5),sum(x) / 2 group by g logformat generickv",
    "select count(*),sum(x),max(x),last(y) logformat generickv",
    "select g,x,y logformat generickv",
    "select len(y),avg(x) group by y logformat generickv",
];

fn pieces(groups: &Groups, max_bytes: usize) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let flow = groups.encode(max_bytes, &mut |piece| {
        pieces.push(piece);
        ControlFlow::Continue(())
    });
    assert_eq!(flow, ControlFlow::Continue(()));
    pieces
}

fn line(random: &mut Random) -> Vec<u8> {
    let number = match random.below(9) {
        0 => "inf".to_owned(),
        1 => "nan".to_owned(),
        2 => format!("-1e{}", random.below(300)),
        3 => "-0".to_owned(),
        4 => "no number".to_owned(),
        _ => format!("{}.{}", random.below(2000) as f64 - 1000.0, random.below(1000)),
    };
    let mut line = format!("g=a{},|h={}", random.below(20), random.below(3)).into_bytes();
    if random.below(4) > 0 {
        line.extend_from_slice(format!("|x={number}").as_bytes());
    }
    if random.below(3) > 0 {
        line.extend_from_slice(b"|y=");
        line.resize(line.len() + random.below(30), 0xAC);
    }
    line
}

fn aggregate(aggregator: &mut Aggregator, random: &mut Random) -> Groups {
    for _ in 0..random.below(80) {
        aggregator.line(&line(random));
    }
    aggregator.take()
}

/// Compares bit by bit, which the printed result would not.
#[track_caller]
fn assert_same(left: &Groups, right: &Groups, query: &Query) {
    assert_eq!(fixture::csv(left, query), fixture::csv(right, query));
    assert_eq!(contents(left), contents(right));
}

/// By key: each cell as text and bits, and last of all the samples.
fn contents(groups: &Groups) -> BTreeMap<Vec<u8>, Vec<(Vec<u8>, u64)>> {
    let width = groups.columns.len();
    let contents = (0..groups.len()).map(|index| {
        let cells = (0..width).map(|column| {
            let text = match &*groups.cell(index, column) {
                Cell::Last(Some(last), _) => last.to_vec(),
                Cell::First(Some(first), moment) => [&first[..], &moment.to_le_bytes()].concat(),
                Cell::First(None, _) | Cell::Last(None, _) | Cell::Min(None) | Cell::Max(None) => {
                    b"none".to_vec()
                }
                _ => Vec::new(),
            };
            (text, groups.number(index, column).to_bits())
        });
        let key = groups.keys.get(index).to_vec();
        (key, cells.chain([(Vec::new(), groups.samples.get(index))]).collect())
    });
    contents.collect()
}

#[test]
fn pieces_merge_to_what_was_serialised() {
    let mut random = Random::new(11);
    for round in 0..160 {
        let strict = round % 2 == 0;
        let (query, mut aggregator) = fixture::aggregator(QUERIES[round / 2 % 5], strict);
        let groups = aggregate(&mut aggregator, &mut random);
        let max_bytes = 1 + random.below(2000);
        let mut merged = Groups::new(strict);
        let pieces = pieces(&groups, max_bytes);
        assert_eq!(pieces.is_empty(), groups.is_empty());
        for piece in &pieces {
            merged.merge(Groups::decode(piece, &query, strict).unwrap());
        }
        assert_eq!(merged.len(), groups.len());
        assert_same(&merged, &groups, &query);
    }
}

/// As for a client with many hosts: by way of bytes or not, the result is the same.
#[test]
fn a_result_does_not_depend_on_whether_its_parts_have_travelled() {
    let mut random = Random::new(12);
    for round in 0..80 {
        let strict = round % 2 == 0;
        let (query, mut aggregator) = fixture::aggregator(QUERIES[round / 2 % 5], strict);
        let (mut here, mut there) = (Groups::new(strict), Groups::new(strict));
        for _ in 0..5 {
            let part = aggregate(&mut aggregator, &mut random);
            for piece in pieces(&part, 500) {
                there.merge(Groups::decode(&piece, &query, strict).unwrap());
            }
            here.merge(part);
        }
        assert_eq!(fixture::csv(&here, &query), fixture::csv(&there, &query));
    }
}

#[test]
fn pieces_are_about_as_long_as_wanted_and_end_when_nobody_wants_more() {
    let (_, mut aggregator) = fixture::aggregator(EVERYTHING, false);
    for number in 0..2000 {
        aggregator.line(format!("g={number}|h=1|x={number}").as_bytes());
    }
    let groups = aggregator.take();
    let pieces = pieces(&groups, 10_000);
    let (last, others) = pieces.split_last().unwrap();
    assert!(others.len() > 10);
    assert!(others.iter().all(|piece| (10_000..10_200).contains(&piece.len())));
    assert!(last.len() < 10_200);
    let mut count = 0;
    let flow = groups.encode(10_000, &mut |_| {
        count += 1;
        if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((flow, count), (ControlFlow::Break(()), 3));
}

fn sample() -> (Vec<u8>, std::sync::Arc<Query>) {
    let (query, mut aggregator) = fixture::aggregator(EVERYTHING, false);
    for line in ["g=a|h=b|x=0.1|y=text", "g=a|h=b|x=0.2", "g=c|h=d|x=1e100", "g=c|h=d|x=1"] {
        aggregator.line(line.as_bytes());
    }
    let [piece] = pieces(&aggregator.take(), 1 << 20).try_into().unwrap();
    (piece, query)
}

#[track_caller]
fn check(piece: &[u8], query: &str, strict: bool, expected: &Expect) {
    let query = Query::parse(query).unwrap();
    let actual = match Groups::decode(piece, &query, strict) {
        Ok(groups) => format!("{} groups", groups.len()),
        Err(err) => err.to_string(),
    };
    expected.assert_eq(&actual);
}

fn other() -> Expect {
    expect![
        "cannot use a partial result: it is of another query, or of another version of DTail; \
         bring both sides to the same version"
    ]
}

#[test]
fn a_piece_of_something_else_is_refused() {
    let (piece, _) = sample();
    check(&piece, EVERYTHING, false, &expect!["2 groups"]);
    check(&piece, EVERYTHING, true, &other());
    check(&piece, "select count(x) group by g,h", false, &other());
    check(&[&[1], &piece[1..]].concat(), EVERYTHING, false, &other());
    check(b"", EVERYTHING, false, &other());
    check(
        &piece,
        &EVERYTHING.replace("g,h", "g"),
        false,
        &expect![
            "cannot use a partial result: its groups have other fields; bring both sides to the \
             same version"
        ],
    );
    check(
        &[&piece[..], b"!"].concat(),
        EVERYTHING,
        false,
        &expect![
            "cannot use a partial result: it is cut short; bring both sides to the same version"
        ],
    );
}

#[test]
fn a_piece_that_is_cut_short_is_refused() {
    let (piece, query) = sample();
    let whole: Vec<usize> = (0..piece.len())
        .filter(|end| match Groups::decode(&piece[..*end], &query, false) {
            Ok(groups) => groups.len() < 2,
            Err(BadPartialResult { .. }) => false,
        })
        .collect();
    // Only after the header and after the first group.
    assert_eq!(whole.len(), 2, "{whole:?}");
}

/// A group takes what it takes here, however little it took on the way.
#[test]
fn foreign_bytes_take_no_more_than_some_times_their_size() {
    let mut random = Random::new(13);
    let mut survivors = 0;
    for round in 0..1_600 {
        let strict = round % 2 == 0;
        let (query, mut aggregator) = fixture::aggregator(QUERIES[round / 2 % 5], strict);
        let Some(mut piece) =
            pieces(&aggregate(&mut aggregator, &mut random), 1 << 20).into_iter().next()
        else {
            continue;
        };
        for _ in 0..random.below(4) {
            let place = random.below(piece.len());
            piece[place] = [0, 1, 0x7F, 0xFF, b','][random.below(5)];
        }
        piece.truncate(piece.len() - random.below(2) * random.below(piece.len()));
        let Ok(groups) = Groups::decode(&piece, &query, strict) else { continue };
        survivors += 1;
        assert!(groups.memory() <= 1000 + 16 * piece.len(), "{} {}", groups.memory(), piece.len());
        fixture::csv(&groups, &query);
        let mut merged = groups.clone();
        merged.merge(groups);
        fixture::csv(&merged, &query);
    }
    assert!(survivors > 400, "{survivors}");
}

#[test]
fn impossible_counts_stop_at_the_largest() {
    let query = Query::parse("select count(x) logformat generickv").unwrap();
    let (_, mut aggregator) = fixture::aggregator(query.text(), false);
    aggregator.line(b"x=1");
    let mut piece = pieces(&aggregator.take(), 1).remove(0);
    let samples_and_count = piece.len() - 16;
    piece[samples_and_count..].fill(0xFF);
    let mut groups = Groups::decode(&piece, &query, false).unwrap();
    groups.merge(groups.clone());
    assert_eq!(fixture::csv(&groups, &query), format!("count(x)\n{}\n", u64::MAX));
}

#[test]
fn foreign_bytes_break_no_promise() {
    let (piece, query) = sample();
    let groups = &piece[Groups::header_of(&query, false).len()..];
    let (query, mut aggregator) = fixture::aggregator(crate::fuzzed::BEYOND_DTAIL, false);
    for line in ["g=a|x=1|y=p|t=1", "g=a|x=-2.5|y=q|t=9", "g=b|x=1e9|y=p|t=2", "g=b"] {
        aggregator.line(line.as_bytes());
    }
    let beyond = pieces(&aggregator.take(), 1 << 20).remove(0);
    let beyond = &beyond[Groups::header_of(&query, false).len()..];
    let legacy = "a∥1∥sum(x)≔1e300∥len(y)≔1∥\u{AC}a,b∥2∥last(y)≔∥x≔z∥";
    let mut random = Random::new(14);
    for _ in 0..1600 {
        let flags = u8::try_from(random.below(8)).unwrap();
        let mut bytes = vec![flags];
        bytes.extend_from_slice(match flags & 6 {
            0 => groups,
            4 => beyond,
            _ => legacy.as_bytes(),
        });
        for _ in 0..random.below(4) {
            let place = 1 + random.below(bytes.len() - 1);
            bytes[place] = u8::try_from(random.below(256)).unwrap();
        }
        crate::fuzzed::partial_results(&bytes);
    }
}
