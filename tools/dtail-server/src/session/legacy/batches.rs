//! Commands of protocol 4.1, one per file, gathered into requests. Never carries one out.

use std::collections::VecDeque;
use std::time::Duration;

use dtail_protocol::legacy::Options;
use dtail_protocol::{Context, Mode, Pattern, Request};

/// Files that may wait to be read.
const MOST_FILES: usize = 10_000;
/// Bytes of their names, patterns and queries.
const MOST_BYTES: usize = 8 << 20;

/// What waits to be carried out.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// Those of the first command of a session count for all.
    options: Option<Options>,
    query: Option<String>,
    waiting: VecDeque<Batch>,
    files: usize,
    bytes: usize,
}

/// A request for one or more files, and how its results are shown.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) request: Request,
    pub(super) options: Options,
}

impl Batches {
    /// The query that the lines of all files from now on go into.
    pub(super) fn set_query(&mut self, options: Options, query: String) {
        self.options.get_or_insert(options);
        self.query = Some(query);
    }

    /// The error is for the user.
    pub(super) fn read(
        &mut self,
        mode: Mode,
        options: Options,
        file: String,
        pattern: Option<Pattern>,
    ) -> Result<(), &'static str> {
        self.options.get_or_insert(options);
        self.add(None, mode, file, pattern)
    }

    /// As [`Batches::read`], and ends after that time.
    pub(super) fn read_for(
        &mut self,
        time: Duration,
        mode: Mode,
        file: String,
        pattern: Option<Pattern>,
    ) -> Result<(), &'static str> {
        self.add(Some(time), mode, file, pattern)
    }

    fn add(
        &mut self,
        timeout: Option<Duration>,
        mode: Mode,
        file: String,
        pattern: Option<Pattern>,
    ) -> Result<(), &'static str> {
        let query = self.query.clone();
        let mode = if query.is_some() && mode != Mode::Tail { Mode::Map } else { mode };
        let last = self.waiting.back_mut().map(|batch| &mut batch.request).filter(|request| {
            (request.mode, request.timeout) == (mode, timeout)
                && (&request.pattern, &request.query) == (&pattern, &query)
        });
        // A batch of its own has a query of its own.
        let query_size = query.as_ref().filter(|_| last.is_none()).map_or(0, String::len);
        let size = file.len()
            + pattern.as_ref().map_or(0, |it| it.texts.iter().map(String::len).sum())
            + query_size;
        if self.files >= MOST_FILES || self.bytes + size > MOST_BYTES {
            return Err("too many files at once, ask for the rest later");
        }
        self.files += 1;
        self.bytes += size;
        if let Some(request) = last {
            request.files.push(file.into());
            return Ok(());
        }
        let options = self.options.unwrap_or_default();
        let Options { before, after, max, .. } = options;
        let context = Context { before, after, max };
        // Whole lines are needed, each ends a message.
        let request = Request::of(mode, vec![file.into()]);
        let request = Request { pattern, context, query, timeout, ..request };
        self.waiting.push_back(Batch { request, options });
        Ok(())
    }

    /// The next one, if it may start.
    pub(super) fn next_if(&mut self, may: impl FnOnce(&Batch) -> bool) -> Option<Batch> {
        let batch = self.waiting.pop_front_if(|batch| may(batch))?;
        self.files -= batch.request.files.len();
        if self.waiting.is_empty() {
            self.bytes = 0;
        }
        Some(batch)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gives up what has not been started.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        (self.files, self.bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use dtail_protocol::legacy::Options;
    use dtail_protocol::{Mode, Pattern};
    use expect_test::{Expect, expect};

    use super::Batches;

    /// Reads `mode file pattern` or `query …`.
    #[track_caller]
    fn check(commands: &[&str], expected: &Expect) {
        let mut batches = Batches::default();
        for command in commands {
            let mut words = command.split(' ');
            let (mode, file) = (words.next().unwrap(), words.next().unwrap().to_owned());
            let pattern = words.next().map(Pattern::of);
            let options = Options { before: commands.len(), ..Options::default() };
            let mode = match mode {
                "cat" => Mode::Cat,
                "tail" => Mode::Tail,
                _ => {
                    batches.set_query(options, file);
                    continue;
                }
            };
            batches.read(mode, options, file, pattern).unwrap();
        }
        let mut said = String::new();
        while let Some(batch) = batches.next_if(|_| true) {
            let request = batch.request;
            let pattern = request.pattern.map(|pattern| pattern.texts.concat());
            said += &format!("{:?} {:?} {:?} ", request.mode, request.files, pattern);
            said += &format!("{:?} before={}\n", request.query, request.context.before);
        }
        expected.assert_eq(&said);
    }

    #[test]
    fn files_read_the_same_way_make_one_request() {
        check(
            &["cat a", "cat b", "cat c x", "cat d x", "tail e x"],
            &expect![[r#"
                Cat ["a", "b"] None None before=5
                Cat ["c", "d"] Some("x") None before=5
                Tail ["e"] Some("x") None before=5
            "#]],
        );
    }

    #[test]
    fn a_query_makes_reading_mapping() {
        check(
            &["map select", "cat a", "tail b"],
            &expect![[r#"
                Map ["a"] None Some("select") before=3
                Tail ["b"] None Some("select") before=3
            "#]],
        );
    }

    #[test]
    fn queries_that_wait_count() {
        let mut batches = Batches::default();
        batches.set_query(Options::default(), "q".repeat(1 << 20));
        let mut read = |number: usize| {
            let pattern = Pattern::of(&number.to_string());
            batches.read(Mode::Cat, Options::default(), "f".to_owned(), Some(pattern))
        };
        let accepted = (0..100).take_while(|number| read(*number).is_ok()).count();
        assert_eq!(accepted, 7);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut batches = Batches::default();
        let mut read = || batches.read(Mode::Cat, Options::default(), "f".repeat(1000), None);
        let accepted = std::iter::repeat_with(&mut read).take_while(Result::is_ok).count();
        assert!((8000..9000).contains(&accepted), "{accepted}");
    }
}
