//! Which functions of a profile today's build still has, and under which name. A function is
//! looked up by name and control-flow hash; a new version or another build setting renames it
//! without changing it. Pure; never guesses between two candidates.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::profile::facts::{Facts, Function, Key};
use crate::profile::symbol::Symbol;

/// What became of one function of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Today's build has it, under the same name and with the same control flow.
    Exact,
    /// The same under this name.
    Renamed(String),
    /// It is still there, but its control flow is another.
    Changed,
    /// Several functions of today's build could be it.
    Unclear,
    /// Nothing of that name is left.
    Gone,
}

/// The fates of all functions of a profile.
pub(crate) struct Matching {
    /// In the order of the profile's functions.
    pub(crate) fates: Vec<Fate>,
    /// How many functions today's build has that the profile knows nothing about.
    pub(crate) new: usize,
    /// Today's names of functions that are called otherwise in the profile.
    renamed: HashMap<String, String>,
}

impl Matching {
    /// Compares a profile with the keys of today's build. `targets` are the names that the
    /// profile's value profiles hold beside those of its functions.
    pub(crate) fn of(profile: &Facts, targets: &[String], today: &BTreeSet<Key>) -> Self {
        let names: HashSet<&str> = today.iter().map(|(name, _)| name.as_str()).collect();
        let old: BTreeSet<&str> = profile.functions.iter().map(|f| f.name.as_str()).collect();
        let crates = Crates::learn(profile, today, &Names::of(names.iter().copied()));
        // A name that the profile holds as it is today belongs to nobody else.
        let candidates = Names::of(names.iter().copied().filter(|name| !old.contains(name)));
        let strangers: BTreeSet<&str> = old
            .iter()
            .copied()
            .chain(targets.iter().map(String::as_str))
            .filter(|name| !names.contains(name))
            .collect();
        let renamed = rename(&strangers, &candidates, &crates);
        let fate = |function: &Function| -> Fate {
            let Function { name, hash, .. } = function;
            if names.contains(name.as_str()) {
                let same = today.contains(&(name.clone(), *hash));
                return if same { Fate::Exact } else { Fate::Changed };
            }
            match renamed.get(name) {
                Some(new) if today.contains(&(new.clone(), *hash)) => Fate::Renamed(new.clone()),
                Some(_) => Fate::Changed,
                None if candidates.0.contains_key(&Symbol::read(name).neutral) => Fate::Unclear,
                None => Fate::Gone,
            }
        };
        let fates: Vec<Fate> = profile.functions.iter().map(fate).collect();
        let known: HashSet<&str> =
            old.iter().map(|name| renamed.get(*name).map_or(*name, String::as_str)).collect();
        let new = today.iter().filter(|(name, _)| !known.contains(name.as_str())).count();
        Self { fates, new, renamed }
    }

    /// Today's name of a function.
    pub(crate) fn name<'a>(&'a self, old: &'a str) -> &'a str {
        self.renamed.get(old).map_or(old, String::as_str)
    }
}

/// Names by what is left of them without disambiguators.
struct Names<'a>(HashMap<String, Vec<(&'a str, Symbol)>>);

impl<'a> Names<'a> {
    fn of(names: impl Iterator<Item = &'a str>) -> Self {
        let mut sorted: Vec<&str> = names.collect();
        sorted.sort_unstable();
        let mut all: HashMap<String, Vec<(&str, Symbol)>> = HashMap::new();
        for name in sorted {
            let symbol = Symbol::read(name);
            all.entry(symbol.neutral.clone()).or_default().push((name, symbol));
        }
        Self(all)
    }
}

/// Which crate of the profile's build is which crate of today's: two versions of a crate may be
/// linked into one program, and only the functions that one of them has tell them apart.
struct Crates(HashMap<(String, String), String>);

impl Crates {
    /// Every function that can be only one of today's votes for the crates in its name.
    fn learn(profile: &Facts, today: &BTreeSet<Key>, candidates: &Names<'_>) -> Self {
        let mut hashes: HashMap<&str, BTreeSet<u64>> = HashMap::new();
        for (name, hash) in today {
            hashes.entry(name).or_default().insert(*hash);
        }
        let mut old: HashMap<(String, u64), Vec<Symbol>> = HashMap::new();
        for function in &profile.functions {
            let symbol = Symbol::read(&function.name);
            old.entry((symbol.neutral.clone(), function.hash)).or_default().push(symbol);
        }
        let mut votes: BTreeMap<(String, String, String), usize> = BTreeMap::new();
        for ((neutral, hash), symbols) in &old {
            let same = |name: &str| hashes.get(name).is_some_and(|found| found.contains(hash));
            let fitting = candidates.0.get(neutral).into_iter().flatten();
            let mut fitting = fitting.filter(|(name, _)| same(name));
            let ([before], Some((_, after)), None) =
                (symbols.as_slice(), fitting.next(), fitting.next())
            else {
                continue;
            };
            for ((name, was), (_, is)) in before.crates.iter().zip(&after.crates) {
                *votes.entry((name.clone(), was.clone(), is.clone())).or_default() += 1;
            }
        }
        Self::elect(votes)
    }

    /// The most votes decide, and no two crates become one.
    fn elect(votes: BTreeMap<(String, String, String), usize>) -> Self {
        let mut votes: Vec<_> = votes.into_iter().collect();
        votes.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
        let (mut elected, mut taken) = (HashMap::new(), HashSet::new());
        for ((name, was, is), _count) in votes {
            let is_new = !elected.contains_key(&(name.clone(), was.clone()));
            if is_new && taken.insert((name.clone(), is.clone())) {
                elected.insert((name, was), is);
            }
        }
        Self(elected)
    }

    /// Whether `before` is `after`, crate by crate.
    fn agree(&self, before: &Symbol, after: &Symbol) -> bool {
        before.crates.iter().zip(&after.crates).all(|((name, was), (_, is))| {
            self.0.get(&(name.clone(), was.clone())).is_some_and(|elected| elected == is)
        })
    }
}

/// Today's names of `strangers`, one for each, none for two.
fn rename(
    strangers: &BTreeSet<&str>,
    candidates: &Names<'_>,
    crates: &Crates,
) -> HashMap<String, String> {
    let mut renamed = HashMap::new();
    for (neutral, group) in Names::of(strangers.iter().copied()).0 {
        let Some(possible) = candidates.0.get(&neutral) else { continue };
        for (name, symbol) in &group {
            let alone = group.len() == 1 && possible.len() == 1;
            let mut fitting = possible.iter().filter(|(_, new)| alone || crates.agree(symbol, new));
            if let (Some((new, _)), None) = (fitting.next(), fitting.next()) {
                renamed.insert((*name).to_owned(), (*new).to_owned());
            }
        }
    }
    let mut claims: HashMap<&str, usize> = HashMap::new();
    for new in renamed.values() {
        *claims.entry(new).or_default() += 1;
    }
    let contested: HashSet<String> =
        claims.into_iter().filter(|(_, count)| *count > 1).map(|(new, _)| new.to_owned()).collect();
    renamed.retain(|_, new| !contested.contains(new));
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(functions: &[(&str, u64)]) -> Facts {
        let function = |&(name, hash): &(&str, u64)| Function {
            name: name.to_owned(),
            hash,
            count: 1,
            largest: 1,
        };
        Facts { functions: functions.iter().map(function).collect() }
    }

    #[track_caller]
    fn check(old: &[(&str, u64)], today: &[(&str, u64)], expected: &[Fate]) -> Matching {
        let matching = Matching::of(&facts(old), &[], &facts(today).keys());
        assert_eq!(matching.fates, expected);
        matching
    }

    fn renamed(name: &str) -> Fate {
        Fate::Renamed(name.to_owned())
    }

    #[test]
    fn another_disambiguator_is_a_new_name_of_the_same_function() {
        let old = [("_RNvCs1_1a1f", 1), ("_RNvCs1_1a1g", 2), ("_RNvCs1_1a1h", 3), ("main", 4)];
        let today = [("_RNvCs2_1a1f", 1), ("_RNvCs2_1a1g", 9), ("_RNvCs2_1a1n", 5), ("main", 4)];
        let fates = [renamed("_RNvCs2_1a1f"), Fate::Changed, Fate::Gone, Fate::Exact];
        let matching = check(&old, &today, &fates);
        assert_eq!(matching.new, 1);
        assert_eq!(matching.name("_RNvCs1_1a1f"), "_RNvCs2_1a1f");
        assert_eq!(matching.name("_RNvCs1_1a1h"), "_RNvCs1_1a1h");
    }

    #[test]
    fn the_targets_of_calls_are_renamed_though_their_function_is_not_in_the_profile() {
        let today = facts(&[("_RNvCs2_1a1f", 1)]).keys();
        let targets = ["_RNvCs1_1a1f".to_owned()];
        let matching = Matching::of(&facts(&[]), &targets, &today);
        assert_eq!(matching.name("_RNvCs1_1a1f"), "_RNvCs2_1a1f");
    }

    #[test]
    fn two_versions_of_a_crate_are_told_apart_by_what_only_one_of_them_has() {
        let old = [
            ("_RNvCs1_1a4both", 1),
            ("_RNvCs2_1a4both", 1),
            ("_RNvCs1_1a3one", 1),
            ("_RNvCs2_1a3two", 1),
        ];
        let today = [
            ("_RNvCs3_1a4both", 1),
            ("_RNvCs4_1a4both", 1),
            ("_RNvCs4_1a3one", 1),
            ("_RNvCs3_1a3two", 1),
        ];
        let names = ["_RNvCs4_1a4both", "_RNvCs3_1a4both", "_RNvCs4_1a3one", "_RNvCs3_1a3two"];
        check(&old, &today, &names.map(renamed));
    }

    #[test]
    fn nothing_is_guessed() {
        // Which of the two is which?
        let old = [("_RNvCs1_1a1f", 1), ("_RNvCs2_1a1f", 1)];
        let today = [("_RNvCs3_1a1f", 1), ("_RNvCs4_1a1f", 1)];
        check(&old, &today, &[Fate::Unclear, Fate::Unclear]);
        // The one that is left is also the one that stayed as it was.
        check(&old, &old[..1], &[Fate::Exact, Fate::Gone]);
    }
}
