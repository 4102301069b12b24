//! Which lines of a block a query need look at: whole blocks are searched for what every line that
//! counts contains, before any line is taken apart. Never takes one apart.

use dtail_query::Aggregator;
use dtail_search::{Pattern, Wish, lines};
use memchr::memmem::Finder;

/// A search that stops this often (bytes between two hits, on average) takes longer than it saves.
const DENSE: usize = 512;

/// What lines are looked at. Threads have one each.
#[derive(Clone)]
pub(crate) struct Sieve {
    /// What every line contains that counts, the rarest first, as far as one can tell. Those that
    /// turned out to be in most lines are gone.
    candidates: Vec<Pattern>,
    /// The lines of the query's table.
    table: Option<Finder<'static>>,
    /// What else was asked for.
    pattern: Pattern,
}

impl Sieve {
    pub(crate) fn new(aggregator: &Aggregator, pattern: Pattern) -> Sieve {
        let table = aggregator.line_filter();
        let is_table = |entry: &Vec<Vec<u8>>| entry.len() == 1 && Some(&entry[0][..]) == table;
        let mut required = aggregator.required_literals();
        required.retain(|entry| !is_table(entry) && !entry.iter().any(Vec::is_empty));
        // Long texts are rare.
        required.sort_by_key(|entry| std::cmp::Reverse(entry.iter().map(Vec::len).min()));
        let mut candidates: Vec<Pattern> =
            required.into_iter().filter_map(|entry| any_of(&entry)).collect();
        if !pattern.selects_everything() {
            candidates.push(pattern.clone());
        }
        candidates.extend(table.map(Pattern::literal));
        let table = table.map(|table| Finder::new(table).into_owned());
        Sieve { candidates, table, pattern }
    }

    /// Aggregates every line of a block that may count. Returns how many there were.
    pub(crate) fn sift(&mut self, block: &[u8], aggregator: &mut Aggregator) -> u64 {
        let Sieve { candidates, table, pattern } = self;
        let mut taken = 0;
        let mut take = |run: &[u8]| {
            if pattern.selects_everything() {
                taken += aggregator.lines(run);
                return;
            }
            for line in lines(run) {
                if table.as_ref().is_none_or(|table| table.find(line).is_some())
                    && pattern.is_match(line)
                {
                    aggregator.line(line);
                    taken += 1;
                }
            }
        };
        let Some(candidate) = candidates.first() else {
            take(block);
            return taken;
        };
        let cursor = candidate.over(block);
        let (mut from, mut hits) = (0, 0);
        while let Some(run) = cursor.next_run(from) {
            from = run.end;
            hits += 1;
            take(&block[run]);
        }
        if hits * DENSE > block.len() {
            candidates.remove(0);
        }
        taken
    }
}

/// The lines that contain at least one of some literals.
fn any_of(literals: &[Vec<u8>]) -> Option<Pattern> {
    if let [one] = literals {
        return Some(Pattern::literal(one));
    }
    let texts: Result<Vec<String>, _> =
        literals.iter().map(|text| String::from_utf8(text.clone())).collect();
    let texts = texts.ok()?;
    Pattern::new(&Wish { fixed: true, ..Wish::of(&texts) }).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dtail_query::{HostFacts, LogFormat, Query};

    use super::*;

    #[test]
    fn the_same_lines_pass_however_many_they_are() {
        let query = "from T select $line,count($line) group by $line logformat generic";
        let query = Arc::new(Query::parse(query).expect("good"));
        let host = HostFacts::default();
        let mut aggregator = Aggregator::new(query.clone(), LogFormat::Generic, host, false);
        let pattern = Pattern::expression("[02468]$").expect("good");
        let mut sieve = Sieve::new(&aggregator, pattern);
        for round in 0..5 {
            let line = |index: u32| match index % 3 {
                0 => format!("INFO|MAPREDUCE:T|{index}\n"),
                _ => format!("INFO|{index}\n"),
            };
            let block: String = (0..60).map(line).collect();
            let taken = sieve.sift(block.as_bytes(), &mut aggregator);
            let mut passed = Vec::new();
            aggregator.take().table(&query).write_csv(true, &mut passed).expect("memory");
            let mut expected: Vec<String> =
                (0..60).step_by(6).map(|it| line(it).replace('\n', ",1\n")).collect();
            assert_eq!(taken, expected.len() as u64, "round {round}");
            expected.sort_unstable();
            let expected = format!("$line,count($line)\n{}", expected.concat());
            assert_eq!(String::from_utf8_lossy(&passed), expected, "round {round}");
        }
        assert!(sieve.candidates.is_empty());
    }
}
