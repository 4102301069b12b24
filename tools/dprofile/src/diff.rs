//! What changed between two recordings, function by function. It never says why.

use std::fmt::Write as _;

use serde_json::json;

use crate::recording::{Interned, Recording};
use crate::totals::{Totals, Weight};
use crate::{heading, top, unit};

/// Two recordings side by side.
pub(crate) struct Changes<'a> {
    new: &'a Recording,
    kind: usize,
    new_totals: Totals,
    base_path: &'a str,
    base_total: i64,
    normalize: bool,
    /// All names of both.
    pub(crate) names: Vec<String>,
    /// For each name, scaled if that was asked for.
    pub(crate) before: Vec<Weight>,
    pub(crate) after: Vec<Weight>,
    pub(crate) change: Vec<Weight>,
}

/// Finds the sample type of `base` that is what `kind` is in `new`.
pub(crate) fn same_kind(base: &Recording, new: &Recording, kind: usize) -> Result<usize, String> {
    let wanted = new.value_type(kind);
    let found = base.kind(Some(&wanted.kind))?;
    if base.value_type(found).unit != wanted.unit {
        let (before, after) = (&base.value_type(found).unit, &wanted.unit);
        return Err(format!(
            "{} is in {before} in {}, in {after} in {}",
            wanted.kind, base.path, new.path
        ));
    }
    Ok(found)
}

/// What brings the total of `base` to that of `new`.
pub(crate) fn scale(base: i64, new: i64) -> f64 {
    if base == 0 { 1.0 } else { new as f64 / base as f64 }
}

pub(crate) fn scaled(value: i64, factor: f64) -> i64 {
    (value as f64 * factor).round() as i64
}

impl<'a> Changes<'a> {
    pub(crate) fn new(
        base: &'a Recording,
        new: &'a Recording,
        sample: Option<&str>,
        normalize: bool,
    ) -> Result<Changes<'a>, String> {
        let kind = new.kind(sample)?;
        let base_kind = same_kind(base, new, kind)?;
        let (base_totals, new_totals) = (Totals::of(base, base_kind), Totals::of(new, kind));
        let factor = if normalize { scale(base_totals.total, new_totals.total) } else { 1.0 };
        let mut names = Interned::default();
        new.names.iter().for_each(|name| _ = names.number(name));
        let mut after = new_totals.weights.clone();
        let mut before = vec![Weight::default(); after.len()];
        for (name, weight) in base.names.iter().zip(&base_totals.weights) {
            let at = names.number(name) as usize;
            before.resize(names.texts.len(), Weight::default());
            // Values of whole profiles are exact below 2^53.
            before[at] = if normalize {
                Weight { flat: scaled(weight.flat, factor), cum: scaled(weight.cum, factor) }
            } else {
                *weight
            };
        }
        after.resize(before.len(), Weight::default());
        let change = after.iter().zip(&before).map(|(after, before)| Weight {
            flat: after.flat.saturating_sub(before.flat),
            cum: after.cum.saturating_sub(before.cum),
        });
        Ok(Changes {
            kind,
            base_path: &base.path,
            base_total: if normalize { new_totals.total } else { base_totals.total },
            normalize,
            change: change.collect(),
            names: names.texts,
            before,
            after,
            new,
            new_totals,
        })
    }

    /// The largest changes first; shares are of the base's total.
    pub(crate) fn render(&self, count: usize, by_cum: bool, as_json: bool) -> Vec<u8> {
        let order = top::order(&self.names, &self.change, by_cum);
        let shown = if count == 0 { order.len() } else { count.min(order.len()) };
        let total_change = self.new_totals.total.saturating_sub(self.base_total);
        if as_json {
            let functions: Vec<_> = order[..shown]
                .iter()
                .map(|at| {
                    let (before, after) = (self.before[*at], self.after[*at]);
                    json!({
                        "name": self.names[*at],
                        "base_flat": before.flat, "new_flat": after.flat,
                        "base_cum": before.cum, "new_cum": after.cum,
                        "flat_change": self.change[*at].flat, "cum_change": self.change[*at].cum,
                    })
                })
                .collect();
            let mut answer = heading::json(self.new, self.kind, &self.new_totals);
            answer["base_file"] = self.base_path.into();
            answer["base_total"] = self.base_total.into();
            answer["normalized"] = self.normalize.into();
            answer["functions"] = functions.into();
            return heading::printed(&answer);
        }
        let unit = &self.new.value_type(self.kind).unit;
        let mut text = heading::lines(self.new, self.kind, &self.new_totals);
        let scaled = if self.normalize { ", scaled to the same total" } else { "" };
        let _infallible = writeln!(
            text,
            "compared with {}{scaled}: {} -> {}, {} ({:+.2} %)",
            self.base_path,
            unit::shown(self.base_total, unit),
            unit::shown(self.new_totals.total, unit),
            unit::signed(total_change, unit),
            unit::share(total_change, self.base_total),
        );
        if shown < order.len() {
            let _infallible = writeln!(text, "{shown} of {} functions, -n 0 for all", order.len());
        }
        if order.is_empty() {
            text.push_str("no function has changed\n");
            return text.into_bytes();
        }
        text.push_str("    change       %        flat: before -> after      change       %  cum\n");
        for at in &order[..shown] {
            let (before, after, change) = (self.before[*at], self.after[*at], self.change[*at]);
            let flat =
                format!("{} -> {}", unit::shown(before.flat, unit), unit::shown(after.flat, unit));
            let _infallible = writeln!(
                text,
                "{:>10} {:>+6.2}% {flat:>28}  {:>10} {:>+6.2}%  {}",
                unit::signed(change.flat, unit),
                unit::share(change.flat, self.base_total),
                unit::signed(change.cum, unit),
                unit::share(change.cum, self.base_total),
                self.names[*at],
            );
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Changes;
    use crate::recording::tests::recorded;

    #[test]
    fn changes_are_told_both_ways() {
        let base = recorded(&["600 main a", "300 main b", "100 main gone"]);
        let new = recorded(&["600 main a", "900 main b", "500 main new"]);
        let text = |normalize| {
            let changes = Changes::new(&base, &new, None, normalize).unwrap();
            String::from_utf8(changes.render(0, false, false)).unwrap()
        };
        expect![[r#"
            a.prof: cpu, 2us in 3 stacks
            compared with a.prof: 1us -> 2us, +1us (+100.00 %)
                change       %        flat: before -> after      change       %  cum
                +600ns +60.00%               300ns -> 900ns      +600ns +60.00%  b
                +500ns +50.00%                   0 -> 500ns      +500ns +50.00%  new
                -100ns -10.00%                   100ns -> 0      -100ns -10.00%  gone
                     0  +0.00%                       0 -> 0        +1us +100.00%  main
        "#]]
        .assert_eq(&text(false));
        expect![[r#"
            a.prof: cpu, 2us in 3 stacks
            compared with a.prof, scaled to the same total: 2us -> 2us, 0 (+0.00 %)
                change       %        flat: before -> after      change       %  cum
                -600ns -30.00%               1.2us -> 600ns      -600ns -30.00%  a
                +500ns +25.00%                   0 -> 500ns      +500ns +25.00%  new
                +300ns +15.00%               600ns -> 900ns      +300ns +15.00%  b
                -200ns -10.00%                   200ns -> 0      -200ns -10.00%  gone
        "#]]
        .assert_eq(&text(true));
    }

    #[test]
    fn nothing_changed_is_said() {
        let both = recorded(&["1 a"]);
        let text = Changes::new(&both, &both, None, false).unwrap().render(0, false, false);
        assert!(String::from_utf8(text).unwrap().ends_with("no function has changed\n"));
    }
}
