//! How many connections there may be: of those that have logged in, and of those that have not.
//! Never accepts or closes one itself.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The places of a server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admission(Arc<Mutex<Places>>);

#[derive(Debug, Default)]
struct Places {
    inside: usize,
    /// Those who have not logged in yet, the oldest first.
    waiting: VecDeque<Waiting>,
    next_id: u64,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    address: IpAddr,
    /// Told when the place is given to somebody else.
    evicted: Arc<Notify>,
}

/// A place for a connection that has not logged in yet; given back when dropped.
#[derive(Debug)]
pub(crate) struct Anteroom {
    admission: Admission,
    id: u64,
    evicted: Arc<Notify>,
}

/// A place for a connection that has logged in; given back when dropped.
#[derive(Debug)]
pub(crate) struct Inside(Admission);

impl Admission {
    /// A place for a connection that has just been made. When there are `limit` of them, one of
    /// those who hold most places has to go: the oldest. `None`: the house is full, with
    /// `max_inside` that have logged in.
    pub(crate) fn enter(
        &self,
        address: IpAddr,
        limit: usize,
        max_inside: usize,
    ) -> Option<Anteroom> {
        let mut places = self.lock();
        if places.inside >= max_inside {
            return None;
        }
        while places.waiting.len() >= limit.max(1) {
            let index = places.most_crowding();
            if let Some(waiting) = places.waiting.remove(index) {
                waiting.evicted.notify_one();
            }
        }
        let (id, evicted) = (places.next_id, Arc::new(Notify::new()));
        places.next_id += 1;
        places.waiting.push_back(Waiting { id, address, evicted: Arc::clone(&evicted) });
        drop(places);
        Some(Anteroom { admission: self.clone(), id, evicted })
    }

    /// Connections that have logged in, and that have not.
    #[cfg(test)]
    fn counts(&self) -> (usize, usize) {
        let places = self.lock();
        (places.inside, places.waiting.len())
    }

    /// No code that holds the lock can panic half way, so what a poisoned one guards is sound.
    fn lock(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// The oldest of the address with the most places, so that nobody can crowd others out.
    fn most_crowding(&self) -> usize {
        let mut held: HashMap<IpAddr, usize> = HashMap::new();
        for waiting in &self.waiting {
            *held.entry(waiting.address).or_default() += 1;
        }
        let most = held.values().max().copied().unwrap_or_default();
        self.waiting.iter().position(|waiting| held[&waiting.address] == most).unwrap_or_default()
    }
}

impl Anteroom {
    /// Returns when the connection has to make room for another.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// The place of a connection that has logged in; `None`: they are all taken.
    pub(crate) fn go_inside(self, max_inside: usize) -> Option<Inside> {
        let mut places = self.admission.lock();
        if places.inside >= max_inside {
            return None;
        }
        places.inside += 1;
        drop(places);
        Some(Inside(self.admission.clone()))
    }
}

impl Drop for Anteroom {
    fn drop(&mut self) {
        let id = self.id;
        self.admission.lock().waiting.retain(|waiting| waiting.id != id);
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::net::{IpAddr, Ipv4Addr};
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::{Admission, Anteroom};

    fn address(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    fn is_evicted(place: &Anteroom) -> bool {
        let mut evicted = pin!(place.evicted());
        evicted.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn of_those_who_crowd_the_oldest_goes() {
        let admission = Admission::default();
        let ann = admission.enter(address(1), 3, 10).unwrap();
        let eve = [(); 2].map(|()| admission.enter(address(2), 3, 10).unwrap());
        let late = admission.enter(address(3), 3, 10).unwrap();
        assert_eq!([&ann, &eve[0], &eve[1], &late].map(is_evicted), [false, true, false, false]);
        assert_eq!(admission.counts(), (0, 3));
        drop((ann, eve, late));
        assert_eq!(admission.counts(), (0, 0));
    }

    #[test]
    fn a_full_house_takes_nobody() {
        let admission = Admission::default();
        let (first, second) = (
            admission.enter(address(1), 9, 1).unwrap(),
            admission.enter(address(2), 9, 1).unwrap(),
        );
        let first = first.go_inside(1).unwrap();
        assert!(second.go_inside(1).is_none());
        assert!(admission.enter(address(3), 9, 1).is_none());
        drop(first);
        assert!(admission.enter(address(3), 9, 1).is_some());
        assert_eq!(admission.counts(), (0, 0));
    }
}
