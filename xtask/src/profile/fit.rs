//! How well a profile fits today's build: in functions and in counts, as a whole, by crate, and
//! the worst losses by name. Pure numbers and tables; what to do about them is the recipes'.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::profile::facts::{Facts, demangle};
use crate::profile::matching::{Fate, Matching};
use crate::profile::symbol::Symbol;
use crate::report::table::Table;

/// So many losses are named.
const WORST: usize = 20;
/// And so many crates are shown; the file has all.
const CRATES: usize = 15;
/// And names are shown up to this length.
const LONGEST: usize = 120;

/// A number of functions and the sum of their counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) functions: usize,
    pub(crate) counts: u64,
}

/// The functions of a profile by what became of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tallies {
    pub(crate) exact: Tally,
    /// Only the name is another.
    pub(crate) rebaseable: Tally,
    pub(crate) changed: Tally,
    pub(crate) gone: Tally,
}

/// A function whose counts are lost, whatever is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) function: String,
    /// Of all counts, 0 to 1.
    pub(crate) share: f64,
    pub(crate) why: String,
}

/// How one tool's profile fits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fit {
    pub(crate) tool: String,
    pub(crate) all: Tallies,
    /// Functions of today's build that the profile knows nothing about.
    pub(crate) new_functions: usize,
    pub(crate) crates: BTreeMap<String, Tallies>,
    pub(crate) worst: Vec<Loss>,
}

/// What should be done about a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Fits,
    /// New names are enough.
    Rebase,
    Retrain,
    /// No function of the program is in it.
    Foreign,
}

impl Tally {
    fn add(&mut self, count: u64) {
        self.functions += 1;
        self.counts = self.counts.saturating_add(count);
    }
}

impl Tallies {
    fn of(&mut self, fate: &Fate) -> &mut Tally {
        match fate {
            Fate::Exact => &mut self.exact,
            Fate::Renamed(_) => &mut self.rebaseable,
            Fate::Changed => &mut self.changed,
            Fate::Unclear | Fate::Gone => &mut self.gone,
        }
    }

    fn each(&self) -> [Tally; 4] {
        [self.exact, self.rebaseable, self.changed, self.gone]
    }

    /// The sum of all counts.
    pub(crate) fn total(&self) -> u64 {
        self.each().iter().fold(0, |sum, tally| sum.saturating_add(tally.counts))
    }

    /// The share of the counts, 0 to 1, in `tallies` of ours.
    fn share(&self, tallies: &[Tally]) -> f64 {
        let part = tallies.iter().fold(0_u64, |sum, tally| sum.saturating_add(tally.counts));
        part as f64 / (self.total() as f64).max(1.0)
    }

    /// What a build loses with the profile as it is.
    pub(crate) fn lost(&self) -> f64 {
        self.share(&[self.rebaseable, self.changed, self.gone])
    }

    /// What it loses after a rebase.
    pub(crate) fn lost_for_good(&self) -> f64 {
        self.share(&[self.changed, self.gone])
    }
}

impl Fit {
    /// Counts a comparison of `tool`'s profile.
    pub(crate) fn of(tool: &str, profile: &Facts, matching: &Matching) -> Self {
        let mut fit = Self {
            tool: tool.to_owned(),
            all: Tallies::default(),
            new_functions: matching.new,
            crates: BTreeMap::new(),
            worst: Vec::new(),
        };
        let total = (profile.total() as f64).max(1.0);
        for (function, fate) in profile.functions.iter().zip(&matching.fates) {
            let home = Symbol::read(&function.name).home().to_owned();
            for tallies in [&mut fit.all, fit.crates.entry(home).or_default()] {
                tallies.of(fate).add(function.count);
            }
            let why = match fate {
                Fate::Exact | Fate::Renamed(_) => continue,
                Fate::Changed => "control flow changed",
                Fate::Unclear => "several functions could be it",
                Fate::Gone => "gone",
            };
            if function.count > 0 {
                let share = function.count as f64 / total;
                let (function, why) = (demangle(&function.name), why.to_owned());
                fit.worst.push(Loss { function, share, why });
            }
        }
        let by_share = |a: &Loss, b: &Loss| {
            b.share.total_cmp(&a.share).then_with(|| a.function.cmp(&b.function))
        };
        fit.worst.sort_by(by_share);
        fit.worst.truncate(WORST);
        fit
    }

    /// What to do when `max_lost` of the counts, 0 to 1, may be lost.
    pub(crate) fn verdict(&self, max_lost: f64) -> Verdict {
        let own = self.crates.get(&self.tool.replace('-', "_"));
        let found = own.is_some_and(|own| {
            own.exact.functions + own.rebaseable.functions + own.changed.functions > 0
        });
        if !found {
            Verdict::Foreign
        } else if self.all.lost() <= max_lost {
            Verdict::Fits
        } else if self.all.lost_for_good() <= max_lost {
            Verdict::Rebase
        } else {
            Verdict::Retrain
        }
    }

    /// One line: what is exact, what a rebase would mend, what is lost.
    pub(crate) fn line(&self) -> String {
        let all = &self.all;
        let percent = |tally: Tally| all.share(&[tally]) * 100.0;
        format!(
            "{}: {:.2} % of the counts fit as they are, {:.2} % under another name; lost: {:.2} % to changed control flow, {:.2} % gone; {} functions are new",
            self.tool,
            percent(all.exact),
            percent(all.rebaseable),
            percent(all.changed),
            percent(all.gone),
            self.new_functions
        )
    }

    /// The tables of a check.
    pub(crate) fn tables(&self) -> String {
        let mut sums = Table::new(&["profile", "functions", "counts", "share"]);
        let names = ["exact", "rebaseable", "control flow changed", "gone"];
        for (name, tally) in names.iter().zip(self.all.each()) {
            let share = format!("{:.2} %", self.all.share(&[tally]) * 100.0);
            let (functions, counts) = (tally.functions.to_string(), tally.counts.to_string());
            sums.row([(*name).to_owned(), functions, counts, share]);
        }
        sums.row(["new".to_owned(), self.new_functions.to_string(), String::new(), String::new()]);
        let mut text = format!("{}\n{}", sums.text(), self.crate_table().text());
        if !self.worst.is_empty() {
            let mut worst = Table::new(&["lost", "why", "function"]);
            for loss in &self.worst {
                let share = format!("{:.3} %", loss.share * 100.0);
                worst.row([share, loss.why.clone(), clipped(&loss.function)]);
            }
            text.push('\n');
            text.push_str(&worst.text());
        }
        text
    }

    /// The crates with the largest losses, then those with the largest share.
    fn crate_table(&self) -> Table {
        let total = (self.all.total() as f64).max(1.0);
        let mut crates: Vec<_> = self.crates.iter().collect();
        let lost = |tallies: &Tallies| tallies.changed.counts.saturating_add(tallies.gone.counts);
        crates.sort_by_key(|(_, tallies)| {
            std::cmp::Reverse((lost(tallies), tallies.rebaseable.counts, tallies.total()))
        });
        let titles = ["crate", "of all", "exact", "rebaseable", "changed", "gone", "functions"];
        let mut table = Table::new(&titles);
        for (name, tallies) in crates.iter().take(CRATES) {
            let mut cells = vec![(*name).clone()];
            cells.push(format!("{:.2} %", tallies.total() as f64 / total * 100.0));
            let share = |tally| format!("{:.2} %", tallies.share(&[tally]) * 100.0);
            cells.extend(tallies.each().map(share));
            let functions: usize = tallies.each().iter().map(|tally| tally.functions).sum();
            cells.push(functions.to_string());
            table.cells(cells);
        }
        if let Some(rest) = crates.get(CRATES..).filter(|rest| !rest.is_empty()) {
            let mut cells = vec![format!("({} more)", rest.len())];
            cells.resize(titles.len(), String::new());
            table.cells(cells);
        }
        table
    }
}

/// Generic functions have names of a thousand letters; the file has them whole.
fn clipped(name: &str) -> String {
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const TEXT: &str = ":ir\n_RNvCs1_4dcat1f\n1\n1\n60\n\n_RNvCs1_4dcat1g\n2\n1\n25\n\n\
                        _RNvCs5_3lib1h\n3\n1\n10\n\n_RNvCs5_3lib1i\n4\n1\n5\n\n\
                        _RNvCs5_3lib1j\n4\n1\n0\n\n";

    fn fit(today: &[(&str, u64)]) -> Fit {
        let facts = Facts::parse(TEXT).unwrap();
        let today = today.iter().map(|(name, hash)| ((*name).to_owned(), *hash)).collect();
        Fit::of("dcat", &facts, &Matching::of(&facts, &[], &today))
    }

    #[test]
    fn a_fit_is_told_in_functions_counts_crates_and_names() {
        let today = [("_RNvCs1_4dcat1f", 1), ("_RNvCs1_4dcat1g", 9), ("_RNvCs6_3lib1h", 3)];
        expect![[r"
            profile               functions  counts  share
            ------------------------------------------------
            exact                 1          60      60.00 %
            rebaseable            1          10      10.00 %
            control flow changed  1          25      25.00 %
            gone                  2          5       5.00 %
            new                   0

            crate  of all   exact    rebaseable  changed  gone     functions
            ----------------------------------------------------------------
            dcat   85.00 %  70.59 %  0.00 %      29.41 %  0.00 %   2
            lib    15.00 %  0.00 %   66.67 %     0.00 %   33.33 %  3

            lost      why                   function
            ----------------------------------------
            25.000 %  control flow changed  dcat::g
            5.000 %   gone                  lib::i
        "]]
        .assert_eq(&fit(&today).tables());
    }

    #[test]
    fn the_limit_decides_between_good_old_and_useless() {
        let names = ["_RNvCs7_4dcat1f", "_RNvCs7_4dcat1g", "_RNvCs6_3lib1h"];
        let today: Vec<_> = names.iter().zip(1..).map(|(name, hash)| (*name, hash)).collect();
        let renamed = fit(&today);
        assert_eq!(renamed.verdict(1.0), Verdict::Fits);
        assert_eq!(renamed.verdict(0.1), Verdict::Rebase);
        assert_eq!(renamed.verdict(0.04), Verdict::Retrain);
        assert_eq!(fit(&[("_RNvCs5_3lib1h", 3)]).verdict(0.1), Verdict::Foreign);
    }
}
