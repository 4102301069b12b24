//! Leaves out the frames that a profile asks to leave out, as `go tool pprof` does: an allocator's
//! own functions would otherwise be where all memory comes from. It never touches a root.

use dtail_pprof::{Location, Profile};
use regex::Regex;

/// What `drop_frames` makes of a location.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Keep,
    /// Its inner frames are gone and, with them, everything it calls.
    Cut,
    /// All of it is gone.
    Drop,
}

/// Removes what matches `drop_frames` and not `keep_frames`, with all it calls.
pub(crate) fn prune(profile: &mut Profile) -> Result<(), String> {
    let Some(drop) = profile.drop_frames.take() else { return Ok(()) };
    let drop = whole(&drop)?;
    let keep = profile.keep_frames.take().map(|keep| whole(&keep)).transpose()?;
    let unwanted: Vec<bool> = profile
        .functions
        .iter()
        .map(|function| {
            let name = without_arguments(&function.name);
            drop.is_match(name) && !keep.as_ref().is_some_and(|keep| keep.is_match(name))
        })
        .collect();
    let fates: Vec<Fate> =
        profile.locations.iter_mut().map(|location| shorten(location, &unwanted)).collect();
    for sample in &mut profile.samples {
        let mut is_below_root = false;
        for (at, location) in sample.locations.iter().enumerate().rev() {
            match fates[*location as usize] {
                Fate::Keep => is_below_root = true,
                _ if !is_below_root => {}
                fate => {
                    let kept = if fate == Fate::Cut { at } else { at + 1 };
                    sample.locations.drain(..kept);
                    break;
                }
            }
        }
    }
    Ok(())
}

fn whole(expression: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{expression})$"))
        .map_err(|_| format!("it asks to leave out {expression:?}, which is no regular expression"))
}

/// Takes the outermost unwanted line and all within it away.
fn shorten(location: &mut Location, unwanted: &[bool]) -> Fate {
    let outermost = location.lines.iter().rposition(|line| unwanted[line.function as usize]);
    let Some(outermost) = outermost else { return Fate::Keep };
    if outermost + 1 == location.lines.len() {
        return Fate::Drop;
    }
    location.lines.drain(..=outermost);
    Fate::Cut
}

/// A C++ name without its argument list, whose parentheses also open other things.
fn without_arguments(name: &str) -> &str {
    let mut from = 0;
    while let Some(at) = name[from..].find('(').map(|at| from + at) {
        if name[at..].starts_with("(anonymous namespace)") || name[..at].ends_with("operator") {
            from = at + 1;
        } else {
            return &name[..at];
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::{prune, without_arguments};
    use crate::recording::tests::profile;

    #[track_caller]
    fn check(stack: &str, drop: &str, keep: Option<&str>, expected: &Expect) {
        let mut profile = profile(&[stack]);
        profile.drop_frames = Some(drop.into());
        profile.keep_frames = keep.map(Into::into);
        prune(&mut profile).unwrap();
        let lines = profile.samples[0].locations.iter().rev().map(|at| {
            let lines = profile.locations[*at as usize].lines.iter();
            let names: Vec<&str> =
                lines.map(|line| &*profile.functions[line.function as usize].name).collect();
            names.join("<")
        });
        expected.assert_eq(&lines.collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn what_is_unwanted_goes_with_all_it_calls() {
        check("1 main run malloc grow", "malloc|free", None, &expect!["main run"]);
        check("1 main run malloc2 grow", "malloc|free", None, &expect!["main run malloc2 grow"]);
        check("1 main [malloc push run] grow", "malloc", None, &expect!["main push<run"]);
        check("1 main malloc", "m.*", Some("main"), &expect!["main"]);
        // A root that is unwanted is all that is known.
        check("1 malloc grow", "malloc", None, &expect!["malloc grow"]);
    }

    #[test]
    fn a_bad_expression_is_told() {
        let mut profile = profile(&["1 main"]);
        profile.drop_frames = Some("(".into());
        let expected = "it asks to leave out \"(\", which is no regular expression";
        assert_eq!(prune(&mut profile), Err(expected.to_owned()));
    }

    #[test]
    fn arguments_are_no_part_of_a_name() {
        assert_eq!(without_arguments("f(int)"), "f");
        assert_eq!(without_arguments("(anonymous namespace)::f(int)"), "(anonymous namespace)::f");
        assert_eq!(without_arguments("A::operator()(int)"), "A::operator()");
        assert_eq!(without_arguments("a::b"), "a::b");
    }
}
