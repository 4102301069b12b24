//! Jobs that any number of threads do in any order and whose outcomes are taken in order. Never
//! does anything and never waits.

use std::collections::VecDeque;

/// The place of a job; later jobs have higher ones.
pub(crate) type Place = u64;

/// Jobs that wait to be done or are being done, and outcomes that wait to be taken.
#[derive(Debug)]
pub(crate) struct Lineup<Job, Outcome> {
    waiting: VecDeque<Job>,
    /// `None` until the job is done.
    outcomes: VecDeque<Option<Outcome>>,
    /// The place of the first outcome.
    first: Place,
}

impl<Job, Outcome> Default for Lineup<Job, Outcome> {
    fn default() -> Self {
        Lineup { waiting: VecDeque::new(), outcomes: VecDeque::new(), first: 0 }
    }
}

impl<Job, Outcome> Lineup<Job, Outcome> {
    /// Jobs whose outcomes are not yet taken.
    pub(crate) fn len(&self) -> usize {
        self.outcomes.len()
    }

    /// Jobs that nobody does yet.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn push(&mut self, job: Job) {
        self.waiting.push_back(job);
        self.outcomes.push_back(None);
    }

    /// The first job that nobody does yet. Whoever takes it does it.
    pub(crate) fn claim(&mut self) -> Option<(Place, Job)> {
        let ahead = self.outcomes.len() - self.waiting.len();
        let job = self.waiting.pop_front()?;
        Some((self.first + ahead as u64, job))
    }

    /// A job is done. Whether its outcome is the next to be taken.
    pub(crate) fn finish(&mut self, place: Place, outcome: Outcome) -> bool {
        // What was cleared meanwhile has no place any more.
        let Some(index) = place.checked_sub(self.first) else { return false };
        self.outcomes[index as usize] = Some(outcome);
        index == 0
    }

    /// Whether there is something to [`Lineup::take`].
    pub(crate) fn is_next_done(&self) -> bool {
        matches!(self.outcomes.front(), Some(Some(_)))
    }

    /// The next outcome in order, if the job is done.
    pub(crate) fn take(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.front_mut()?.take()?;
        self.outcomes.pop_front();
        self.first += 1;
        Some(outcome)
    }

    /// Forgets all jobs; outcomes of those that are being done will be dropped.
    pub(crate) fn clear(&mut self) {
        self.first += self.outcomes.len() as u64;
        self.waiting.clear();
        self.outcomes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::Lineup;

    #[test]
    fn outcomes_come_in_the_order_of_the_jobs() {
        let mut lineup = Lineup::default();
        (0..4).for_each(|job| lineup.push(job));
        let claimed: Vec<_> = (0..3).map(|_| lineup.claim().expect("waiting")).collect();
        assert_eq!(claimed, [(0, 0), (1, 1), (2, 2)]);
        assert_eq!((lineup.len(), lineup.waiting()), (4, 1));
        assert!(!lineup.finish(1, "one"));
        assert_eq!(lineup.take(), None);
        assert!(lineup.finish(0, "zero"));
        assert_eq!(lineup.take(), Some("zero"));
        assert_eq!(lineup.take(), Some("one"));
        assert_eq!(lineup.take(), None);
        assert_eq!(lineup.claim(), Some((3, 3)));
        assert_eq!(lineup.claim(), None);
    }

    #[test]
    fn what_is_cleared_is_forgotten_also_when_it_is_done_later() {
        let mut lineup = Lineup::default();
        lineup.push('a');
        lineup.push('b');
        let (place, _) = lineup.claim().expect("waiting");
        lineup.clear();
        lineup.push('c');
        assert!(!lineup.finish(place, "late"));
        let (place, job) = lineup.claim().expect("waiting");
        assert_eq!((place, job), (2, 'c'));
        assert!(lineup.finish(place, "in time"));
        assert_eq!(lineup.take(), Some("in time"));
        assert_eq!((lineup.len(), lineup.take()), (0, None));
    }
}
