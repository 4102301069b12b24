//! Which rows come first, without keeping those that a limit leaves out. Never knows what rows say.

use std::cmp::Ordering;

/// Entries that are kept at least before the worst of them are forgotten.
const LEAST_KEPT: usize = 1024;

/// The groups that come first of all that are offered.
pub(super) struct Ranking<K, F> {
    entries: Vec<(K, usize)>,
    /// How many are wanted.
    wanted: usize,
    compare: F,
    /// The entry behind `wanted` others is the last one that is wanted so far.
    is_full: bool,
}

impl<K, F: Fn(&(K, usize), &(K, usize)) -> Ordering> Ranking<K, F> {
    /// `offers`: how many there will be at most.
    pub(super) fn new(wanted: usize, offers: usize, compare: F) -> Ranking<K, F> {
        let capacity = if wanted < offers { 0 } else { offers };
        Ranking { entries: Vec::with_capacity(capacity), wanted, compare, is_full: false }
    }

    #[inline]
    pub(super) fn offer(&mut self, key: K, group: usize) {
        let entry = (key, group);
        if self.is_full && (self.compare)(&entry, &self.entries[self.wanted - 1]).is_ge() {
            return;
        }
        self.entries.push(entry);
        if self.entries.len() > self.wanted.saturating_mul(2).max(LEAST_KEPT) {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(last) = self.wanted.checked_sub(1)
            && last < self.entries.len()
        {
            self.entries.select_nth_unstable_by(last, &self.compare);
            self.is_full = true;
        }
        self.entries.truncate(self.wanted);
    }

    /// The groups in order.
    pub(super) fn finish(mut self) -> Vec<usize> {
        self.forget();
        self.entries.sort_unstable_by(&self.compare);
        self.entries.into_iter().map(|(_, group)| group).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn the_first_of_a_sorted_list_come_out_whatever_the_limit() {
        let mut random = Random::new(31);
        for _ in 0..60 {
            let offers: Vec<usize> = (0..random.below(6000)).map(|_| random.below(3000)).collect();
            for wanted in [0, 1, 10, 1500, 5999, usize::MAX] {
                let compare = |left: &(usize, usize), right: &(usize, usize)| left.cmp(right);
                let mut ranking = Ranking::new(wanted, offers.len(), compare);
                let mut expected: Vec<(usize, usize)> =
                    offers.iter().enumerate().map(|(group, key)| (*key, group)).collect();
                expected.iter().for_each(|(key, group)| ranking.offer(*key, *group));
                expected.sort_unstable();
                expected.truncate(wanted);
                let groups: Vec<usize> = expected.into_iter().map(|(_, group)| group).collect();
                assert_eq!(ranking.finish(), groups);
            }
        }
    }
}
