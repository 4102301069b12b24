//! What each function took: by itself, and together with all it called. It never prints.

use crate::recording::Recording;

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// In a function or line itself.
    pub(crate) flat: i64,
    /// There and in all it called. A recursive function is counted once in each stack.
    pub(crate) cum: i64,
}

/// The sums of a recording.
pub(crate) struct Totals {
    /// Of all stacks, as amounts: a negative value counts like a positive one.
    pub(crate) total: i64,
    /// How many stacks had a value.
    pub(crate) stacks: usize,
    /// For each name of the recording.
    pub(crate) weights: Vec<Weight>,
}

impl Totals {
    pub(crate) fn of(recording: &Recording, kind: usize) -> Totals {
        let mut weights = vec![Weight::default(); recording.names.len()];
        // Of each function the last stack that has counted it.
        let mut counted = vec![0_usize; weights.len()];
        let (mut total, mut stacks) = (0_i64, 0);
        for (sample, value) in recording.stacks(kind) {
            stacks += 1;
            total = total.saturating_add(value.saturating_abs());
            let mut is_leaf = true;
            for frame in recording.stack(sample) {
                let name = frame.name as usize;
                if is_leaf {
                    weights[name].flat = weights[name].flat.saturating_add(value);
                    is_leaf = false;
                }
                if counted[name] != stacks {
                    counted[name] = stacks;
                    weights[name].cum = weights[name].cum.saturating_add(value);
                }
            }
        }
        Totals { total, stacks, weights }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Totals;
    use crate::recording::tests::recorded;

    #[track_caller]
    fn check(stacks: &[&str], expected: &Expect) {
        let recording = recorded(stacks);
        let totals = Totals::of(&recording, 0);
        let mut rows: Vec<String> = recording
            .names
            .iter()
            .zip(&totals.weights)
            .map(|(name, it)| format!("{name} {} {}", it.flat, it.cum))
            .collect();
        rows.sort();
        expected.assert_eq(&format!("{}: {}", totals.total, rows.join(", ")));
    }

    #[test]
    fn flat_is_the_leaf_and_cum_is_below() {
        check(&["3 main run", "2 main", "5 other"], &expect!["10: main 2 5, other 5 5, run 3 3"]);
    }

    #[test]
    fn inlined_functions_are_frames_of_their_own() {
        check(
            &["3 main [leaf middle outer]", "1 main [middle outer] x"],
            &expect!["4: leaf 3 3, main 0 4, middle 0 4, outer 0 4, x 1 1"],
        );
    }

    #[test]
    fn recursion_counts_once() {
        check(&["3 main f g f f", "4 f [f f]"], &expect!["7: f 7 7, g 0 3, main 0 3"]);
    }

    #[test]
    fn amounts_of_a_difference_add_up() {
        check(&["-3 main run", "2 main", "0 x"], &expect!["5: main 2 -1, run -3 -3, x 0 0"]);
        let both = [format!("{} a", i64::MAX), format!("{} a", i64::MAX)];
        check(
            &[&both[0], &both[1]],
            &expect!["9223372036854775807: a 9223372036854775807 9223372036854775807"],
        );
    }
}
