//! What is inside a profile: reads LLVM's text form into functions and counts, and judges them.
//! The format is described in LLVM's `docs/CommandGuide/llvm-profdata.rst` and read here as its
//! `merge --text` writes it.

use std::collections::BTreeSet;

/// A counter above this has wrapped or is garbage: no training run counts to 2^62.
const LARGEST_COUNTER: u64 = 1 << 62;

/// One function of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// The mangled name; functions with internal linkage carry their module before a `;`.
    pub(crate) name: String,
    /// The hash of the function's control flow.
    pub(crate) hash: u64,
    /// The sum of its counters.
    pub(crate) count: u64,
    /// The largest of its counters.
    pub(crate) largest: u64,
}

/// Name and control-flow hash: what the compiler looks a function up by.
pub(crate) type Key = (String, u64);

/// A profile's functions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) functions: Vec<Function>,
}

impl Facts {
    /// Reads the text form. The error names the line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut lines = Lines { lines: text.lines().enumerate(), last: 0 };
        let mut functions = Vec::new();
        while let Some(name) = lines.next_record() {
            let function = lines.function(name);
            functions.push(function.ok_or_else(|| {
                format!("line {} of the profile's text form is not understood", lines.last + 1)
            })?);
        }
        Ok(Self { functions })
    }

    /// The sum of all counters.
    pub(crate) fn total(&self) -> u64 {
        self.functions.iter().fold(0, |sum, function| sum.saturating_add(function.count))
    }

    /// How many functions ran at all.
    pub(crate) fn counted(&self) -> usize {
        self.functions.iter().filter(|function| function.count > 0).count()
    }

    /// The keys of all functions.
    pub(crate) fn keys(&self) -> BTreeSet<Key> {
        self.functions.iter().map(|f| (f.name.clone(), f.hash)).collect()
    }

    /// Why the counts cannot have come from training, if they cannot.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.functions.is_empty() {
            return Some("it holds no functions".to_owned());
        }
        if self.total() == 0 {
            return Some("all its counts are zero: it was never trained".to_owned());
        }
        let wrapped = self.functions.iter().find(|f| f.largest > LARGEST_COUNTER);
        wrapped.map(|f| format!("a counter of {} has wrapped", demangle(&f.name)))
    }

    /// The first function whose key the program does not have. `keys` come from the program's
    /// own instrumented build, which holds every one of them.
    pub(crate) fn foreign(&self, keys: &BTreeSet<Key>) -> Option<&Function> {
        // Building a key needs an owned name; a profile is checked once, so that is fine.
        self.functions.iter().find(|f| !keys.contains(&(f.name.clone(), f.hash)))
    }

    /// Why this cannot be a trained profile of the program that has `keys`, if it cannot.
    pub(crate) fn trained_on(&self, keys: &BTreeSet<Key>) -> Option<String> {
        self.fault().or_else(|| {
            let other = demangle(&self.foreign(keys)?.name);
            Some(format!("it holds {other}, which the program does not: it is another program's"))
        })
    }

    /// Whether any function of crate `name` ran. Symbol names are v0-mangled: a crate appears as
    /// its length and name.
    pub(crate) fn ran_crate(&self, name: &str) -> bool {
        let name = name.replace('-', "_");
        let mangled = format!("_{}{name}", name.len());
        self.functions.iter().any(|f| f.count > 0 && f.name.contains(&mangled))
    }

    /// Why this cannot be a trained profile of `tool`, if it cannot.
    pub(crate) fn trained_by(&self, tool: &str) -> Option<String> {
        self.fault().or_else(|| {
            (!self.ran_crate(tool))
                .then(|| format!("no function of {tool} ran in it: it is another program's"))
        })
    }

    /// The functions with the largest counts that together hold `share` of all counts.
    pub(crate) fn hot(&self, share: f64) -> Vec<&Function> {
        let mut functions: Vec<_> = self.functions.iter().filter(|f| f.count > 0).collect();
        functions.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        let wanted = self.total() as f64 * share;
        let mut sum = 0.0;
        let enough = functions.iter().position(|function| {
            sum += function.count as f64;
            sum >= wanted
        });
        functions.truncate(enough.map_or(functions.len(), |last| last + 1));
        functions
    }
}

/// A readable name: demangled, without the hash and without the module of internal functions.
pub(crate) fn demangle(name: &str) -> String {
    let symbol = name.rsplit_once(';').map_or(name, |(_, symbol)| symbol);
    format!("{:#}", rustc_demangle::demangle(symbol))
}

struct Lines<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    last: usize,
}

impl<'a> Lines<'a> {
    /// The next line that is neither a comment nor empty.
    fn next_value(&mut self) -> Option<&'a str> {
        loop {
            let (number, line) = self.lines.next()?;
            self.last = number;
            if !line.is_empty() && !line.starts_with('#') {
                return Some(line);
            }
        }
    }

    /// The next function's name; `:ir` and its like are the header.
    fn next_record(&mut self) -> Option<&'a str> {
        loop {
            let line = self.next_value()?;
            if !line.starts_with(':') {
                return Some(line);
            }
        }
    }

    /// Hash, counters and, up to the empty line that ends the record, value profiles.
    fn function(&mut self, name: &str) -> Option<Function> {
        let hash = self.next_value()?.parse().ok()?;
        let counters: usize = self.next_value()?.parse().ok()?;
        let (mut count, mut largest) = (0_u64, 0);
        for _ in 0..counters {
            let counter: u64 = self.next_value()?.parse().ok()?;
            count = count.saturating_add(counter);
            largest = largest.max(counter);
        }
        for (number, line) in self.lines.by_ref() {
            self.last = number;
            if line.is_empty() {
                break;
            }
        }
        Some(Function { name: name.to_owned(), hash, count, largest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# IR level Instrumentation Flag\n:ir\n\
        _RNvCs12_4dcat4main\n# Func Hash:\n77\n# Num Counters:\n2\n# Counter Values:\n5\n1\n\
        # Num Value Kinds:\n1\n# ValueKind = IPVK_IndirectCallTarget:\n0\n# NumValueSites:\n1\n1\n\
        x:3\n\n\
        m.0;_RNvCs3_4core3fmt\n# Func Hash:\n8\n# Num Counters:\n1\n# Counter Values:\n0\n\n";

    #[test]
    fn functions_counts_and_value_profiles_are_read() {
        let facts = Facts::parse(TEXT).unwrap();
        assert_eq!(facts.functions.len(), 2);
        assert_eq!((facts.total(), facts.counted()), (6, 1));
        assert_eq!(facts.functions[0].largest, 5);
        assert_eq!(facts.functions[1].hash, 8);
        assert!(facts.fault().is_none());
        assert!(facts.ran_crate("dcat") && !facts.ran_crate("core"));
        assert_eq!(facts.hot(0.99).len(), 1);
    }

    #[test]
    fn empty_untrained_and_wrapped_profiles_have_a_fault() {
        let fault = |text: &str| Facts::parse(text).unwrap().fault().unwrap();
        assert_eq!(fault(":ir\n"), "it holds no functions");
        assert_eq!(fault(":ir\nf\n1\n1\n0\n\n"), "all its counts are zero: it was never trained");
        let wrapped = format!(":ir\nf\n1\n1\n{}\n\n", u64::MAX);
        assert_eq!(fault(&wrapped), "a counter of f has wrapped");
    }

    #[test]
    fn a_cut_text_names_its_line() {
        let error = Facts::parse(":ir\nf\n1\n3\n5\n").unwrap_err();
        assert_eq!(error, "line 5 of the profile's text form is not understood");
    }

    #[test]
    fn functions_of_another_program_are_foreign() {
        let facts = Facts::parse(TEXT).unwrap();
        let mut keys = facts.keys();
        assert!(facts.foreign(&keys).is_none());
        keys.remove(&("_RNvCs12_4dcat4main".to_owned(), 77));
        assert_eq!(facts.foreign(&keys).unwrap().hash, 77);
    }
}
