//! Rules about what a profile is made of: functions that must not hold more than a share of the
//! counts (a server that was mostly asked to shake hands), and functions that must hold at least
//! one (the loop a tool exists for). Pure; the rules come from the workload files.

use serde::Deserialize;

use crate::profile::facts::{Facts, demangle};

/// A rule about a group of functions.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    /// What the functions are, in words, for the message.
    pub(crate) name: String,
    /// A function belongs to the group when its demangled name holds one of these texts.
    functions: Vec<String>,
    /// Of all counts of the profile, 0 to 1.
    share: f64,
}

impl Share {
    /// What is wrong with the rule itself.
    pub(crate) fn fault(&self) -> Option<String> {
        let named =
            !self.functions.is_empty() && self.functions.iter().all(|text| !text.is_empty());
        let sound = named && self.share > 0.0 && self.share < 1.0;
        let text = "needs functions to look for and a share between 0 and 1";
        (!sound).then(|| format!("{} {text}", self.name))
    }

    /// The group's share of all counts.
    fn found(&self, facts: &Facts) -> f64 {
        let belongs = |name: &str| {
            let name = demangle(name);
            self.functions.iter().any(|text| name.contains(text))
        };
        let counted = facts.functions.iter().filter(|f| f.count > 0 && belongs(&f.name));
        let sum: u64 = counted.fold(0, |sum, f| sum.saturating_add(f.count));
        sum as f64 / (facts.total() as f64).max(1.0)
    }
}

/// Why a profile of `whose` ("tool" or "tool, case name") is refused, if it is. Mends are said for
/// the file that holds the rules.
pub(crate) fn fault(
    whose: &str,
    file: &str,
    facts: &Facts,
    max_share: &[Share],
    expect_hot: &[Share],
) -> Option<String> {
    let percent = |share: f64| share * 100.0;
    for rule in max_share {
        let found = rule.found(facts);
        if found > rule.share {
            return Some(format!(
                "{whose}: {} holds {:.1} % of the counts, {:.0} % are allowed, so the build would be optimised for it; let the cases do more of the real work (longer inputs, fewer starts), or change max_share in {file}",
                rule.name,
                percent(found),
                percent(rule.share)
            ));
        }
    }
    for rule in expect_hot {
        let found = rule.found(facts);
        if found < rule.share {
            return Some(format!(
                "{whose}: {} holds {:.1} % of the counts, at least {:.0} % are expected, so the training missed it; give it cases or weight, or change expect_hot in {file}",
                rule.name,
                percent(found),
                percent(rule.share)
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// 30 of 100 counts are a handshake's, 70 are the copying loop's.
    const TEXT: &str = ":ir\n_RNvCs12_16curve25519_dalek3mul\n1\n1\n30\n\n\
                        m.0;_RNvCs3_7dserver4copy\n2\n2\n60\n10\n\n_RNvCs3_7dserver4idle\n3\n1\n0\n\n";

    fn rule(functions: &[&str], share: f64) -> Share {
        let functions = functions.iter().map(|text| (*text).to_owned()).collect();
        Share { name: "the group".to_owned(), functions, share }
    }

    #[track_caller]
    fn check(max_share: &[Share], expect_hot: &[Share], expected: &Expect) {
        let facts = Facts::parse(TEXT).unwrap();
        let fault = fault("t, case c", "workloads/t.toml", &facts, max_share, expect_hot);
        expected.assert_eq(&fault.unwrap_or_default());
    }

    #[test]
    fn a_group_may_hold_its_share_and_not_more() {
        let crypto = ["curve25519", "ml_kem"];
        check(&[rule(&crypto, 0.3)], &[], &expect![""]);
        check(&[rule(&["sha2::"], 0.01)], &[], &expect![""]);
        check(
            &[rule(&crypto, 0.25)],
            &[],
            &expect![
                "t, case c: the group holds 30.0 % of the counts, 25 % are allowed, so the build would be optimised for it; let the cases do more of the real work (longer inputs, fewer starts), or change max_share in workloads/t.toml"
            ],
        );
    }

    #[test]
    fn an_expected_group_holds_its_share_or_more() {
        check(&[], &[rule(&["dserver::copy"], 0.7)], &expect![""]);
        check(
            &[],
            &[rule(&["dserver::idle", "curve"], 0.5)],
            &expect![
                "t, case c: the group holds 30.0 % of the counts, at least 50 % are expected, so the training missed it; give it cases or weight, or change expect_hot in workloads/t.toml"
            ],
        );
    }

    #[test]
    fn a_rule_without_functions_or_with_a_senseless_share_is_refused() {
        assert!(rule(&["a"], 0.5).fault().is_none());
        for bad in [rule(&[], 0.5), rule(&[""], 0.5), rule(&["a"], 0.0), rule(&["a"], 1.0)] {
            let text = bad.fault().unwrap();
            assert_eq!(text, "the group needs functions to look for and a share between 0 and 1");
        }
    }
}
