//! The functions with the largest values. It never adds up.

use std::fmt::Write as _;

use serde_json::json;

use crate::recording::Recording;
use crate::totals::{Totals, Weight};
use crate::{heading, unit};

/// The names in the order of their weight, those without any left out.
pub(crate) fn order(names: &[String], weights: &[Weight], by_cum: bool) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..names.len()).filter(|at| weights[*at] != Weight::default()).collect();
    let key = |at: usize| {
        let Weight { flat, cum } = weights[at];
        let (first, second) = if by_cum { (cum, flat) } else { (flat, cum) };
        (first.unsigned_abs(), second.unsigned_abs())
    };
    order.sort_by(|a, b| key(*b).cmp(&key(*a)).then_with(|| names[*a].cmp(&names[*b])));
    order
}

/// The table of the first `count` functions, or of all if that is 0.
pub(crate) fn render(
    recording: &Recording,
    kind: usize,
    count: usize,
    by_cum: bool,
    as_json: bool,
) -> Vec<u8> {
    let totals = Totals::of(recording, kind);
    let order = order(&recording.names, &totals.weights, by_cum);
    let shown = if count == 0 { order.len() } else { count.min(order.len()) };
    let rows = order.iter().take(shown).map(|at| (&recording.names[*at], totals.weights[*at]));
    let share = |part| unit::share(part, totals.total);
    if as_json {
        let functions: Vec<_> = rows
            .map(|(name, Weight { flat, cum })| {
                json!({
                    "name": name, "flat": flat, "cum": cum,
                    "flat_percent": share(flat), "cum_percent": share(cum),
                })
            })
            .collect();
        let mut answer = heading::json(recording, kind, &totals);
        answer["functions"] = functions.into();
        return heading::printed(&answer);
    }
    let mut text = heading::lines(recording, kind, &totals);
    if shown < order.len() {
        let _infallible = writeln!(text, "{shown} of {} functions, -n 0 for all", order.len());
    }
    if shown > 0 {
        text.push_str("      flat   flat%    sum%        cum    cum%\n");
    }
    let unit = &recording.value_type(kind).unit;
    let mut sum = 0_i64;
    for (name, Weight { flat, cum }) in rows {
        sum = sum.saturating_add(flat);
        let _infallible = writeln!(
            text,
            "{:>10} {:>6.2}% {:>6.2}% {:>10} {:>6.2}%  {name}",
            unit::shown(flat, unit),
            share(flat),
            share(sum),
            unit::shown(cum, unit),
            share(cum),
        );
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::render;
    use crate::recording::tests::recorded;

    #[test]
    fn the_largest_come_first() {
        let recording = recorded(&["3000000 main run", "1000000 main", "500 main run [x y]"]);
        let text =
            |count, by_cum| String::from_utf8(render(&recording, 0, count, by_cum, false)).unwrap();
        expect![[r#"
            a.prof: cpu, 4ms in 3 stacks
                  flat   flat%    sum%        cum    cum%
                   3ms  74.99%  74.99%        3ms  75.00%  run
                   1ms  25.00%  99.99%        4ms 100.00%  main
                 500ns   0.01% 100.00%      500ns   0.01%  x
                     0   0.00% 100.00%      500ns   0.01%  y
        "#]]
        .assert_eq(&text(0, false));
        expect![[r#"
            a.prof: cpu, 4ms in 3 stacks
            1 of 4 functions, -n 0 for all
                  flat   flat%    sum%        cum    cum%
                   1ms  25.00%  25.00%        4ms 100.00%  main
        "#]]
        .assert_eq(&text(1, true));
    }
}
