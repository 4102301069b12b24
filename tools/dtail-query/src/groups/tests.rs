//! Merging: where the lines were split must not show in the result.

use expect_test::expect;

use super::{Cell, Column, Groups};
use crate::{Query, fixture, random::Random};

/// Of a part without the field, DTail takes 0 as its extreme.
#[test]
fn extremes_are_of_present_values_but_in_dtail_a_part_without_any_counts_as_0() {
    let extremes = |strict| {
        let query = "select g,min(x),max(x) group by g logformat generickv";
        let (query, mut aggregator) = fixture::aggregator(query, strict);
        aggregator.line(b"g=a|x=5");
        aggregator.line(b"g=b|x=-5");
        aggregator.line(b"g=c|y=1");
        let mut groups = aggregator.take();
        aggregator.line(b"g=a|y=1");
        aggregator.line(b"g=b|y=1");
        groups.merge(aggregator.take());
        fixture::csv(&groups, &query)
    };
    expect![[r#"
        g,min(x),max(x)
        a,5.000000,5.000000
        b,-5.000000,-5.000000
        c,0.000000,0.000000
    "#]]
    .assert_eq(&extremes(false));
    expect![[r#"
        g,min(x),max(x)
        a,0.000000,5.000000
        b,-5.000000,0.000000
        c,0.000000,0.000000
    "#]]
    .assert_eq(&extremes(true));
}

const EVERYTHING: &str = "select g,count(x),sum(x),min(x),max(x),avg(x),last(x),len(x),\
                          percentage(x),percentile(x),x group by g,h order by sum(x) \
                          logformat generickv";

fn random_lines(random: &mut Random, is_integer: bool) -> Vec<String> {
    let lines = 1 + random.below(60);
    let line = |_| {
        let number = random.below(20_000) as f64 - 10_000.0;
        let number = match random.below(8) {
            _ if is_integer => format!("{number}"),
            0 => "abc".to_owned(),
            1 => format!("{number}e{}", random.below(30)),
            _ => format!("{}", number / 1000.0),
        };
        match random.below(5) {
            0 => format!("g={}|h=1", random.below(3)),
            _ => format!("g={}|x={number}", random.below(4)),
        }
    };
    (0..lines).map(line).collect()
}

/// Every number but those of strict mode, which rounds as it goes and pollutes extremes.
#[test]
fn a_result_does_not_depend_on_where_the_input_was_split() {
    let mut random = Random::new(5);
    for round in 0..400 {
        let strict = round % 4 == 0;
        let lines = random_lines(&mut random, strict);
        let query =
            if strict { EVERYTHING.replace("min(x),max(x),", "") } else { EVERYTHING.to_owned() };
        let (query, mut aggregator) = fixture::aggregator(&query, strict);
        let mut whole = None;
        for parts in 0..6 {
            let mut groups = Groups::new(strict);
            for line in &lines {
                aggregator.line(line.as_bytes());
                if parts > 0 && random.below(parts * 2) == 0 {
                    groups.merge(aggregator.take());
                }
            }
            groups.merge(aggregator.take());
            let csv = fixture::csv(&groups, &query);
            assert_eq!(*whole.get_or_insert_with(|| csv.clone()), csv, "{lines:?}");
        }
    }
}

/// `last` and `len` have an order by their nature; nothing else may.
#[test]
fn a_result_does_not_depend_on_the_order_of_its_parts() {
    let query = "select g,count(x),sum(x),min(x),max(x),avg(x),percentage(x),percentile(x) \
                 group by g logformat generickv";
    let mut random = Random::new(9);
    for _ in 0..300 {
        let lines = random_lines(&mut random, false);
        let (query, mut aggregator) = fixture::aggregator(query, false);
        let mut parts = Vec::new();
        for line in &lines {
            aggregator.line(line.as_bytes());
            if random.below(4) == 0 {
                parts.push(aggregator.take());
            }
        }
        parts.push(aggregator.take());
        let merged = |parts: Vec<Groups>| {
            let mut groups = Groups::default();
            parts.into_iter().for_each(|part| groups.merge(part));
            fixture::csv(&groups, &query)
        };
        let forward = merged(parts.clone());
        parts.reverse();
        assert_eq!(forward, merged(parts), "{lines:?}");
    }
}

const ORDERLESS: &str = "select g,count(x),sum(x * 2),min(x),max(x),avg(x),last(x),first(x),len(x),\
                         count(distinct x),median(x),percentile(x, 99),stddev(x),variance(x),\
                         rate(x, t),rate(*, t),histogram(x),histogram(x, 7),percentage(x),\
                         sum(x) / count(x) as mean group by g,lower(h) having count(*) > 1 \
                         order by mean desc,g asc logformat generickv";

/// Lines in blocks, blocks dealt to threads, threads on hosts, and everything merged in any order:
/// nothing of that shows, also not in `first`, `last` and `len`.
#[test]
fn a_result_depends_on_the_lines_and_their_blocks_only() {
    let mut random = Random::new(23);
    for _ in 0..150 {
        let (query, whole) = fixture::aggregator(ORDERLESS, false);
        let blocks: Vec<Vec<String>> = (0..1 + random.below(8))
            .map(|_| {
                let mut lines = random_lines(&mut random, false);
                for line in &mut lines {
                    line.push_str(&format!("|t={}", 1000 + random.below(500)));
                }
                lines
            })
            .collect();
        let mut sequential = whole.clone_empty();
        for (sequence, lines) in blocks.iter().enumerate() {
            sequential.begin_block(sequence as u64);
            lines.iter().for_each(|line| sequential.line(line.as_bytes()));
        }
        let expected = fixture::csv(&sequential.take(), &query);
        let mut threads = [whole.clone_empty(), whole.clone_empty(), whole];
        let mut parts = Vec::new();
        for (sequence, lines) in blocks.iter().enumerate() {
            let thread = &mut threads[random.below(3)];
            thread.begin_block(sequence as u64);
            for line in lines {
                thread.line(line.as_bytes());
                if random.below(8) == 0 {
                    parts.push(thread.take());
                }
            }
        }
        parts.extend(threads.iter_mut().map(crate::Aggregator::take));
        let mut merged = Groups::new(false);
        while !parts.is_empty() {
            let part = parts.swap_remove(random.below(parts.len()));
            if random.below(3) > 0 {
                merged.merge(part);
                continue;
            }
            let flow = part.encode(200, &mut |piece| {
                merged.merge(Groups::decode(&piece, &query, false).unwrap());
                std::ops::ControlFlow::Continue(())
            });
            assert!(flow.is_continue());
        }
        assert_eq!(fixture::csv(&merged, &query), expected, "{blocks:?}");
    }
}

/// More groups than a block has, sums that no float says in some of them only, and parts that know
/// each other's groups or not.
#[test]
fn many_groups_are_the_same_however_they_were_split() {
    const QUERY: &str = "select k,count($line),sum(x),avg(x),min(x),max(x),last(y) group by k \
                         order by k asc logformat generickv";
    let mut random = Random::new(29);
    let groups = 2 * super::blocks::BLOCK + 100;
    let mut lines: Vec<String> = (0..groups).map(|it| format!("k={it}|x={}|y=1", it % 9)).collect();
    for _ in 0..5000 {
        let x = ["0.1", "7", "1e20", "inf", "-3"][random.below(5)];
        lines.push(format!("k={}|x={x}", random.below(groups)));
    }
    lines.push("x=5".to_owned());
    let (query, mut whole) = fixture::aggregator(QUERY, false);
    lines.iter().for_each(|line| _ = whole.lines(line.as_bytes()));
    let whole = whole.take();
    assert_eq!(whole.len(), groups + 1);
    let expected = fixture::csv(&whole, &query);
    for round in 0..3 {
        let (_, first) = fixture::aggregator(QUERY, false);
        // Of one family, which hash alike, or strangers.
        let mut threads = [first.clone_empty(), first.clone_empty(), first];
        if round == 0 {
            threads = threads.map(|_| fixture::aggregator(QUERY, false).1);
        }
        for line in &lines {
            threads[random.below(3)].line(line.as_bytes());
        }
        let mut merged = Groups::new(false);
        let before: usize = threads.iter().map(crate::Aggregator::memory).sum();
        threads.iter_mut().for_each(|thread| merged.merge(thread.take()));
        assert_eq!(fixture::csv(&merged, &query), expected, "round {round}");
        assert!(merged.memory() < 2 * before);
        assert!(threads.iter().all(|thread| thread.memory() == 0));
    }
    // What a row says need not be written to know how wide it is.
    let limited = Query::parse(&QUERY.replace("asc", "asc limit 3")).unwrap();
    let (mut all, mut few) = (Vec::new(), Vec::new());
    let style = crate::TableStyle::default();
    whole.table(&query).write_text(&style, &mut all).unwrap();
    whole.table(&limited).write_text(&style, &mut few).unwrap();
    let rows = |text: &[u8]| -> Vec<String> {
        String::from_utf8_lossy(text).lines().skip(1).take(5).map(str::to_owned).collect()
    };
    assert_eq!(rows(&few), rows(&all));
    // Whoever aligns nothing gets the same rows without them.
    let mut unmeasured = Vec::new();
    whole.unmeasured_table(&limited).write_csv(true, &mut unmeasured).unwrap();
    assert_eq!(String::from_utf8_lossy(&unmeasured), fixture::csv(&whole, &limited));
}

#[test]
fn what_was_taken_is_not_given_again() {
    let (query, mut aggregator) =
        fixture::aggregator("select count(*),sum(x) logformat generickv", false);
    aggregator.line(b"x=1");
    aggregator.line(b"x=z");
    assert_eq!(fixture::csv(&aggregator.take(), &query), "count(*),sum(x)\n2,1.000000\n");
    assert_eq!(aggregator.take_warnings().len(), 1);
    assert!(aggregator.take().is_empty());
    assert!(aggregator.take_warnings().is_empty());
    aggregator.line(b"x=5");
    let groups = aggregator.take();
    assert_eq!(groups.len(), 1);
    assert_eq!(fixture::csv(&groups, &query), "count(*),sum(x)\n1,5.000000\n");
}

/// What is counted as it happens is what a walk over all cells finds.
#[test]
fn memory_is_known_without_counting() {
    let mut random = Random::new(7);
    for round in 0..200 {
        let query = if round % 3 == 0 { ORDERLESS } else { EVERYTHING };
        let (_, mut aggregator) = fixture::aggregator(query, round % 2 == 0);
        let mut groups = Groups::new(round % 2 == 0);
        for _ in 0..4 {
            for line in random_lines(&mut random, false) {
                aggregator.line(line.as_bytes());
            }
            groups.merge(aggregator.take());
            for column in &groups.columns {
                if let Column::Cells(_, cells, heap) = column {
                    assert_eq!(*heap, cells.iter().map(Cell::heap).sum());
                }
            }
        }
        let texts: usize = (0..groups.len()).map(|group| groups.keys.get(group).len()).sum();
        assert!(groups.memory() > texts);
    }
    assert_eq!(Groups::new(false).memory(), 0);
}
