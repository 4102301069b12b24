//! Who calls a function and what it calls. It never looks further than one call.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use regex::Regex;
use serde_json::{Value, json};

use crate::recording::Recording;
use crate::totals::Totals;
use crate::{heading, top, unit};

/// Callers and callees of one function, each with what was spent over that call.
#[derive(Default)]
struct Neighbours {
    callers: HashMap<u32, i64>,
    callees: HashMap<u32, i64>,
}

/// Every call is counted once in each stack, however often it recurs, and a function that calls
/// itself is no neighbour of itself.
fn neighbours(recording: &Recording, kind: usize, of: &[bool]) -> HashMap<u32, Neighbours> {
    let mut found: HashMap<u32, Neighbours> = HashMap::new();
    let mut counted = HashSet::new();
    for (sample, value) in recording.stacks(kind) {
        counted.clear();
        let mut callee: Option<u32> = None;
        for frame in recording.stack(sample) {
            let caller = frame.name;
            if let Some(callee) = callee.replace(caller)
                && callee != caller
                && (of[caller as usize] || of[callee as usize])
                && counted.insert((caller, callee))
            {
                if of[caller as usize] {
                    add(found.entry(caller).or_default().callees.entry(callee), value);
                }
                if of[callee as usize] {
                    add(found.entry(callee).or_default().callers.entry(caller), value);
                }
            }
        }
    }
    found
}

fn add(entry: std::collections::hash_map::Entry<'_, u32, i64>, value: i64) {
    let sum = entry.or_default();
    *sum = sum.saturating_add(value);
}

/// What is around the functions that match.
pub(crate) fn render(
    recording: &Recording,
    kind: usize,
    wanted: &Regex,
    count: usize,
    as_json: bool,
) -> Result<Vec<u8>, String> {
    let totals = Totals::of(recording, kind);
    let mut order = top::order(&recording.names, &totals.weights, true);
    order.retain(|at| wanted.is_match(&recording.names[*at]));
    if order.is_empty() {
        return Err(format!("no function in {} matches {wanted}", recording.path));
    }
    let found = order.len();
    order.truncate(if count == 0 { found } else { count });
    let mut of = vec![false; recording.names.len()];
    order.iter().for_each(|at| of[*at] = true);
    let mut around = neighbours(recording, kind, &of);
    let mut text = heading::lines(recording, kind, &totals);
    let mut functions = Vec::new();
    for at in &order {
        let Neighbours { callers, callees } = around.remove(&(*at as u32)).unwrap_or_default();
        let (callers, callees) = (sorted(recording, &callers), sorted(recording, &callees));
        let weight = totals.weights[*at];
        if as_json {
            let list = |calls: &[(&str, i64)]| -> Vec<Value> {
                calls.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
            };
            functions.push(json!({
                "name": recording.names[*at], "flat": weight.flat, "cum": weight.cum,
                "callers": list(&callers), "callees": list(&callees),
            }));
            continue;
        }
        let unit = &recording.value_type(kind).unit;
        let mut line = |indent: &str, value: i64, of: i64, name: &str| {
            let share = unit::share(value, of);
            let value = unit::shown(value, unit);
            let _infallible = writeln!(text, "{value:>10} {share:>6.2}%  {indent}{name}");
        };
        callers.iter().for_each(|(name, value)| line("    <- ", *value, weight.cum, name));
        line("", weight.cum, totals.total, &recording.names[*at]);
        line("    itself", weight.flat, weight.cum, "");
        callees.iter().for_each(|(name, value)| line("    -> ", *value, weight.cum, name));
        text.push('\n');
    }
    if as_json {
        let mut answer = heading::json(recording, kind, &totals);
        answer["functions"] = functions.into();
        return Ok(heading::printed(&answer));
    }
    if order.len() < found {
        let _infallible = writeln!(text, "{} of {found} functions, -n 0 for all", order.len());
    }
    Ok(text.into_bytes())
}

fn sorted<'a>(recording: &'a Recording, calls: &HashMap<u32, i64>) -> Vec<(&'a str, i64)> {
    let named = |(name, value): (&u32, &i64)| (recording.names[*name as usize].as_str(), *value);
    let mut calls: Vec<_> = calls.iter().map(named).collect();
    calls.sort_by_key(|(name, value)| (std::cmp::Reverse(value.unsigned_abs()), *name));
    calls
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use regex::Regex;

    use super::render;
    use crate::recording::tests::recorded;

    #[test]
    fn callers_and_callees_have_their_share() {
        let recording =
            recorded(&["3 main a f x", "2 main b f", "4 main a f f g f g", "1 main [f a] y"]);
        let text = render(&recording, 0, &Regex::new("^f$").unwrap(), 0, false).unwrap();
        expect![[r#"
            a.prof: cpu, 10ns in 4 stacks
                   8ns  80.00%      <- a
                   4ns  40.00%      <- g
                   2ns  20.00%      <- b
                  10ns 100.00%  f
                   2ns  20.00%      itself
                   4ns  40.00%      -> g
                   3ns  30.00%      -> x
                   1ns  10.00%      -> y

        "#]]
        .assert_eq(&String::from_utf8(text).unwrap());
        let refusal = render(&recording, 0, &Regex::new("nobody").unwrap(), 0, false).unwrap_err();
        assert_eq!(refusal, "no function in a.prof matches nobody");
    }
}
