//! Public keys that users have registered for fast log-ins: in memory only, for a while only.
//! Never lets in anybody by itself.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::rules::AuthKeyLimits;

/// Users whose keys are remembered at once; beyond it nobody new can register one.
const MOST_USERS: usize = 10_000;

/// The keys of all users.
///
/// A key counts only from the address it was registered from, so that it does not get around
/// `from=` in an `authorized_keys` file.
#[derive(Debug, Default)]
pub(crate) struct AuthKeys {
    users: Mutex<HashMap<String, VecDeque<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    blob: Vec<u8>,
    from: IpAddr,
    until: Instant,
}

impl AuthKeys {
    /// Remembers a key. Of too many keys of a user the oldest goes. `false`: too many users.
    pub(crate) fn register(
        &self,
        user: &str,
        blob: &[u8],
        from: IpAddr,
        limits: AuthKeyLimits,
        now: Instant,
    ) -> bool {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= MOST_USERS && !users.contains_key(user) {
            users.retain(|_, keys| keys.iter().any(|key| key.until > now));
            if users.len() >= MOST_USERS {
                return false;
            }
        }
        let keys = users.entry(user.to_owned()).or_default();
        keys.retain(|key| key.until > now && !(key.blob == blob && key.from == from));
        while keys.len() >= limits.max_per_user {
            keys.pop_front();
        }
        let until = now + limits.ttl;
        keys.push_back(Entry { blob: blob.to_vec(), from, until });
        true
    }

    pub(crate) fn forget_all(&self) {
        self.users.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether the user has registered this key from there.
    pub(crate) fn contains(&self, user: &str, blob: &[u8], from: IpAddr, now: Instant) -> bool {
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |key: &Entry| key.blob == blob && key.from == from && key.until > now;
        users.get(user).is_some_and(|keys| keys.iter().any(is_it))
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    use super::AuthKeys;
    use crate::rules::AuthKeyLimits;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    const LIMITS: AuthKeyLimits = AuthKeyLimits { ttl: Duration::from_secs(60), max_per_user: 2 };

    #[test]
    fn a_key_counts_for_its_user_and_address_and_time() {
        let (keys, now) = (AuthKeys::default(), Instant::now());
        assert!(keys.register("ann", b"k", HERE, LIMITS, now));
        assert!(keys.contains("ann", b"k", HERE, now));
        assert!(!keys.contains("bob", b"k", HERE, now));
        assert!(!keys.contains("ann", b"k", THERE, now));
        assert!(!keys.contains("ann", b"l", HERE, now));
        assert!(!keys.contains("ann", b"k", HERE, now + LIMITS.ttl));
    }

    #[test]
    fn the_oldest_of_too_many_keys_goes_and_the_same_key_counts_once() {
        let (keys, now) = (AuthKeys::default(), Instant::now());
        for key in [b"a", b"b", b"b", b"c"] {
            assert!(keys.register("ann", key, HERE, LIMITS, now));
        }
        let known = [b"a", b"b", b"c"].map(|key| keys.contains("ann", key, HERE, now));
        assert_eq!(known, [false, true, true]);
    }
}
