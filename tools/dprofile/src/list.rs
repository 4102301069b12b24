//! The source of functions with what each line took. It never guesses: a source that cannot be
//! read leaves the lines' numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use regex::Regex;
use serde_json::{Value, json};

use crate::recording::{Recording, clean};
use crate::totals::{Totals, Weight};
use crate::{heading, unit};

/// Lines shown around one that has a value.
const AROUND: i64 = 3;
/// A larger source is not shown.
const MOST_SOURCE: u64 = 16 << 20;

/// The functions that match, with their lines.
pub(crate) struct Listing<'a> {
    recording: &'a Recording,
    kind: usize,
    totals: Totals,
    found: usize,
    routines: Vec<Routine>,
}

/// A function in a file.
#[derive(Default)]
struct Routine {
    name: u32,
    file: u32,
    weight: Weight,
    lines: BTreeMap<i64, Weight>,
    /// The stack that was counted last, here and in each line.
    counted: usize,
    counted_lines: HashMap<i64, usize>,
}

impl Routine {
    fn count(&mut self, line: i64, value: i64, stack: usize, is_leaf: bool) {
        let here = self.lines.entry(line).or_default();
        if is_leaf {
            here.flat = here.flat.saturating_add(value);
            self.weight.flat = self.weight.flat.saturating_add(value);
        }
        if self.counted_lines.insert(line, stack) != Some(stack) {
            here.cum = here.cum.saturating_add(value);
        }
        if std::mem::replace(&mut self.counted, stack) != stack {
            self.weight.cum = self.weight.cum.saturating_add(value);
        }
    }
}

impl<'a> Listing<'a> {
    pub(crate) fn new(
        recording: &'a Recording,
        kind: usize,
        wanted: &Regex,
        count: usize,
    ) -> Result<Listing<'a>, String> {
        let matches: Vec<bool> = recording.names.iter().map(|name| wanted.is_match(name)).collect();
        let mut routines: HashMap<(u32, u32), Routine> = HashMap::new();
        for (at, (sample, value)) in recording.stacks(kind).enumerate() {
            let mut is_leaf = true;
            for frame in recording.stack(sample) {
                if matches[frame.name as usize] {
                    let routine = routines.entry((frame.name, frame.file)).or_default();
                    (routine.name, routine.file) = (frame.name, frame.file);
                    // Stacks are counted from 1: 0 is what a new routine has seen.
                    routine.count(frame.line, value, at + 1, is_leaf);
                }
                is_leaf = false;
            }
        }
        let mut routines: Vec<Routine> = routines.into_values().collect();
        if routines.is_empty() {
            return Err(format!("no function in {} matches {wanted}", recording.path));
        }
        routines.sort_by_key(|it| {
            let Weight { flat, cum } = it.weight;
            (std::cmp::Reverse((cum.unsigned_abs(), flat.unsigned_abs())), it.name, it.file)
        });
        let found = routines.len();
        routines.truncate(if count == 0 { found } else { count });
        Ok(Listing { recording, kind, totals: Totals::of(recording, kind), found, routines })
    }

    pub(crate) fn render(&self, sources: &[PathBuf], as_json: bool) -> Vec<u8> {
        let here = [PathBuf::from(".")];
        let sources = if sources.is_empty() { &here } else { sources };
        if as_json {
            return self.json(sources);
        }
        let mut text = heading::lines(self.recording, self.kind, &self.totals);
        let unit = &self.recording.value_type(self.kind).unit;
        for routine in &self.routines {
            let (name, file) = self.place(routine);
            let Weight { flat, cum } = routine.weight;
            let _infallible = writeln!(
                text,
                "\n{name} in {}: {} itself, {} with what it calls ({:.2} %)",
                if file.is_empty() { "an unknown file" } else { file },
                unit::shown(flat, unit),
                unit::shown(cum, unit),
                unit::share(cum, self.totals.total),
            );
            let source = source(file, sources);
            if source.is_none() && !file.is_empty() {
                text.push_str("(its source is not here: --source DIR says where it is)\n");
            }
            text.push_str("      flat        cum   line\n");
            lines(&mut text, routine, source.as_deref(), unit);
        }
        if self.routines.len() < self.found {
            let (shown, found) = (self.routines.len(), self.found);
            let _infallible = writeln!(text, "\n{shown} of {found} functions, -n 0 for all");
        }
        text.into_bytes()
    }

    fn place(&self, routine: &Routine) -> (&str, &str) {
        let Recording { names, files, .. } = self.recording;
        (&names[routine.name as usize], &files[routine.file as usize])
    }

    fn json(&self, sources: &[PathBuf]) -> Vec<u8> {
        let routine = |routine: &Routine| -> Value {
            let (name, file) = self.place(routine);
            let source = source(file, sources);
            let lines = routine.lines.iter().map(|(line, Weight { flat, cum })| {
                let text = source.as_ref().and_then(|it| it.get(usize::try_from(line - 1).ok()?));
                json!({ "line": line, "flat": flat, "cum": cum, "source": text })
            });
            let lines: Vec<Value> = lines.collect();
            let Weight { flat, cum } = routine.weight;
            json!({ "name": name, "file": file, "flat": flat, "cum": cum, "lines": lines })
        };
        let mut answer = heading::json(self.recording, self.kind, &self.totals);
        answer["functions"] = self.routines.iter().map(routine).collect();
        heading::printed(&answer)
    }
}

/// The lines with a value and those around them, or only the former without a source.
fn lines(text: &mut String, routine: &Routine, source: Option<&[String]>, unit: &str) {
    let dot = |value| if value == 0 { ".".to_owned() } else { unit::shown(value, unit) };
    let row = |text: &mut String, number: i64, content: &str| {
        let Weight { flat, cum } = routine.lines.get(&number).copied().unwrap_or_default();
        let (flat, cum) = (dot(flat), dot(cum));
        let row = format!("{flat:>10} {cum:>10} {number:>6}  {content}");
        let _infallible = writeln!(text, "{}", row.trim_end());
    };
    let Some(source) = source else {
        routine.lines.keys().for_each(|number| row(text, *number, ""));
        return;
    };
    let length = i64::try_from(source.len()).unwrap_or(i64::MAX);
    let around = |number: i64| {
        let from = number.saturating_sub(AROUND).max(1);
        from..=number.saturating_add(AROUND).min(length)
    };
    let shown: BTreeSet<i64> = routine.lines.keys().copied().flat_map(around).collect();
    let mut before = None;
    for number in shown {
        if before.is_some_and(|before| before + 1 < number) {
            line_of_dots(text);
        }
        before = Some(number);
        row(text, number, &source[(number - 1) as usize]);
    }
    for number in routine.lines.keys().filter(|number| !(1..=length).contains(number)) {
        row(text, *number, "(not in the source, which is another one or unknown)");
    }
}

fn line_of_dots(text: &mut String) {
    text.push_str("         .          .     ..\n");
}

/// The lines of a source file: as it was compiled, or below one of the folders, with as much of
/// its path as there is.
fn source(file: &str, folders: &[PathBuf]) -> Option<Vec<String>> {
    if file.is_empty() {
        return None;
    }
    let path = Path::new(file);
    let parts: Vec<Component<'_>> =
        path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let below = folders.iter().flat_map(|folder| {
        (0..parts.len()).map(|from| folder.join(parts[from..].iter().collect::<PathBuf>()))
    });
    let absolute = path.is_absolute().then(|| path.to_owned());
    let bytes = absolute.into_iter().chain(below).find_map(|path| read(&path))?;
    Some(
        String::from_utf8_lossy(&bytes)
            .lines()
            .map(|line| clean(&line.replace('\t', "    ")))
            .collect(),
    )
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // A profile may name a device or a pipe.
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(MOST_SOURCE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use regex::Regex;

    use super::Listing;
    use crate::recording::tests::recorded;

    fn check(stacks: &[&str], wanted: &str, count: usize, expected: &expect_test::Expect) {
        let folder = tempfile::tempdir().unwrap();
        let source: String = (1..=30).map(|line| format!("\tline {line}\n")).collect();
        std::fs::write(folder.path().join("run.rs"), source).unwrap();
        let recording = recorded(stacks);
        let listing = Listing::new(&recording, 0, &Regex::new(wanted).unwrap(), count).unwrap();
        let text = listing.render(&[folder.path().to_owned()], false);
        expected.assert_eq(&String::from_utf8(text).unwrap());
    }

    #[test]
    fn lines_have_what_they_took() {
        check(
            &["3 main:1 run:2", "2 main:1 run:20 main:2", "1 main:1 run:2 run:3 run:2", "4 run:99"],
            "^run$",
            0,
            &expect![[r#"
                a.prof: cpu, 10ns in 4 stacks

                run in run.rs: 8ns itself, 10ns with what it calls (100.00 %)
                      flat        cum   line
                         .          .      1      line 1
                       4ns        4ns      2      line 2
                         .        1ns      3      line 3
                         .          .      4      line 4
                         .          .      5      line 5
                         .          .      6      line 6
                         .          .     ..
                         .          .     17      line 17
                         .          .     18      line 18
                         .          .     19      line 19
                         .        2ns     20      line 20
                         .          .     21      line 21
                         .          .     22      line 22
                         .          .     23      line 23
                       4ns        4ns     99  (not in the source, which is another one or unknown)
            "#]],
        );
    }

    #[test]
    fn without_a_source_the_numbers_stay() {
        check(
            &["3 main:7 run:2", "1 x:1"],
            "main|x",
            1,
            &expect![[r#"
            a.prof: cpu, 4ns in 2 stacks

            main in main.rs: 0 itself, 3ns with what it calls (75.00 %)
            (its source is not here: --source DIR says where it is)
                  flat        cum   line
                     .        3ns      7

            1 of 2 functions, -n 0 for all
        "#]],
        );
    }
}
