//! How often log-ins from an address have failed lately. Never closes a connection itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What `MaxFailedLogins` counts over.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered at once; beyond it the oldest window is forgotten.
const MOST_ADDRESSES: usize = 4096;

/// Failures of the last minute by address; of IPv6 by network, in which addresses cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    windows: Mutex<HashMap<IpAddr, Window>>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    failures: usize,
}

impl Failures {
    /// Counts a failed log-in.
    pub(crate) fn count(&self, address: IpAddr, now: Instant) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network(address);
        if windows.len() >= MOST_ADDRESSES && !windows.contains_key(&address) {
            windows.retain(|_, window| now.duration_since(window.since) < WINDOW);
            let oldest = windows.iter().min_by_key(|(_, window)| window.since);
            if let Some(oldest) = oldest.map(|(address, _)| *address)
                && windows.len() >= MOST_ADDRESSES
            {
                windows.remove(&oldest);
            }
        }
        let fresh = Window { since: now, failures: 0 };
        let window = windows.entry(address).or_insert(fresh);
        if now.duration_since(window.since) >= WINDOW {
            *window = fresh;
        }
        window.failures += 1;
    }

    /// Whether nobody from this address is heard until its minute is over.
    pub(crate) fn reached(&self, address: IpAddr, limit: usize, now: Instant) -> bool {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let window = windows.get(&network(address));
        window.is_some_and(|window| {
            window.failures >= limit && now.duration_since(window.since) < WINDOW
        })
    }
}

/// The address, or the first half of an IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Instant;

    use super::{Failures, MOST_ADDRESSES, WINDOW};

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn too_many_failures_bar_an_address_for_a_minute() {
        let (failures, now) = (Failures::default(), Instant::now());
        let (eve, ann) = (address("10.0.0.1"), address("10.0.0.2"));
        for _ in 0..3 {
            assert!(!failures.reached(eve, 3, now));
            failures.count(eve, now);
        }
        assert!(failures.reached(eve, 3, now));
        assert!(failures.reached(address("::ffff:10.0.0.1"), 3, now));
        assert!(!failures.reached(ann, 3, now));
        assert!(!failures.reached(eve, 3, now + WINDOW));
        failures.count(eve, now + WINDOW);
        assert!(!failures.reached(eve, 3, now + WINDOW));
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let (failures, now) = (Failures::default(), Instant::now());
        failures.count(address("2001:db8::1"), now);
        assert!(failures.reached(address("2001:db8::ffff:2"), 1, now));
        assert!(!failures.reached(address("2001:db8:0:1::1"), 1, now));
    }

    #[test]
    fn memory_is_bounded() {
        let (failures, now) = (Failures::default(), Instant::now());
        for number in 0..MOST_ADDRESSES as u32 + 100 {
            failures.count(IpAddr::V4(Ipv4Addr::from(number)), now);
        }
        assert_eq!(failures.windows.lock().unwrap().len(), MOST_ADDRESSES);
    }
}
