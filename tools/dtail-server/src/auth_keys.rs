//! Public keys that users have registered for fast log-ins: in memory only, for a while only.
//! Never lets in anybody by itself.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use crate::rules::AuthKeyLimits;

/// Users whose keys are remembered at once; beyond it nobody new can register one.
const MOST_USERS: usize = 10_000;

/// The keys of all users.
///
/// A key counts only from the address it was registered from, and for no longer than the key by
/// which its owner had logged in, so that it gets around neither `from=` nor `expiry-time=` in an
/// `authorized_keys` file.
#[derive(Debug, Default)]
pub(crate) struct AuthKeys {
    users: Mutex<HashMap<String, VecDeque<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    blob: Vec<u8>,
    from: IpAddr,
    until: Instant,
    expires: Option<SystemTime>,
}

/// A key that is to be remembered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewKey<'a> {
    pub(crate) user: &'a str,
    /// In SSH wire format.
    pub(crate) blob: &'a [u8],
    pub(crate) from: IpAddr,
    /// When the key by which its owner has logged in is good for nothing any more.
    pub(crate) expires: Option<SystemTime>,
}

/// A point in time by both clocks: what lasts a while ends by the one that nobody sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) time: SystemTime,
}

impl Moment {
    pub(crate) fn now() -> Moment {
        Moment { instant: Instant::now(), time: SystemTime::now() }
    }
}

impl Entry {
    fn counts_at(&self, now: Moment) -> bool {
        self.until > now.instant && self.expires.is_none_or(|expires| expires > now.time)
    }
}

impl AuthKeys {
    /// Remembers a key. Of too many keys of a user the oldest goes. `false`: too many users.
    pub(crate) fn register(&self, key: NewKey<'_>, limits: AuthKeyLimits, now: Moment) -> bool {
        let NewKey { user, blob, from, expires } = key;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST_USERS && !users.contains_key(user) {
            users.retain(|_, keys| keys.iter().any(|key| key.counts_at(now)));
            if users.len() >= MOST_USERS {
                return false;
            }
        }
        let keys = users.entry(user.to_owned()).or_default();
        keys.retain(|key| key.counts_at(now) && !(key.blob == blob && key.from == from));
        while keys.len() >= limits.max_per_user {
            keys.pop_front();
        }
        let until = now.instant + limits.ttl;
        keys.push_back(Entry { blob: blob.to_vec(), from, until, expires });
        true
    }

    pub(crate) fn forget_all(&self) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether the user has registered this key from there.
    pub(crate) fn contains(&self, user: &str, blob: &[u8], from: IpAddr, now: Moment) -> bool {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |key: &Entry| key.blob == blob && key.from == from && key.counts_at(now);
        users.get(user).is_some_and(|keys| keys.iter().any(is_it))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use super::{AuthKeys, Moment, NewKey};
    use crate::rules::AuthKeyLimits;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const LIMITS: AuthKeyLimits = AuthKeyLimits { ttl: Duration::from_secs(60), max_per_user: 2 };

    fn key(blob: &[u8]) -> NewKey<'_> {
        NewKey { user: "ann", blob, from: HERE, expires: None }
    }

    fn later(now: Moment, time: Duration) -> Moment {
        Moment { instant: now.instant + time, time: now.time + time }
    }

    #[test]
    fn a_key_counts_for_its_user_and_address_and_time() {
        let (keys, now) = (AuthKeys::default(), Moment::now());
        assert!(keys.register(key(b"k"), LIMITS, now));
        assert!(keys.contains("ann", b"k", HERE, now));
        assert!(!keys.contains("bob", b"k", HERE, now));
        assert!(!keys.contains("ann", b"k", THERE, now));
        assert!(!keys.contains("ann", b"l", HERE, now));
        assert!(!keys.contains("ann", b"k", HERE, later(now, LIMITS.ttl)));
    }

    #[test]
    fn a_key_counts_for_no_longer_than_the_one_that_vouched_for_it() {
        let (keys, now) = (AuthKeys::default(), Moment::now());
        let second = Duration::from_secs(1);
        let expires = Some(now.time + second);
        assert!(keys.register(NewKey { expires, ..key(b"k") }, LIMITS, now));
        assert!(keys.contains("ann", b"k", HERE, now));
        assert!(!keys.contains("ann", b"k", HERE, later(now, second)));
    }

    #[test]
    fn the_oldest_of_too_many_keys_goes_and_the_same_key_counts_once() {
        let (keys, now) = (AuthKeys::default(), Moment::now());
        for blob in [b"a", b"b", b"b", b"c"] {
            assert!(keys.register(key(blob), LIMITS, now));
        }
        let known = [b"a", b"b", b"c"].map(|blob| keys.contains("ann", blob, HERE, now));
        assert_eq!(known, [false, true, true]);
    }
}
