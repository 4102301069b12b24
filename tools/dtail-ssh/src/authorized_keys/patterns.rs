//! Lists of addresses: `192.0.2.0/24,!192.0.2.7,2001:db8::*`. Never resolves a name.

use std::net::IpAddr;

use crate::wildcard::matches;

/// The patterns of `from=`: one must match, none behind a `!` may.
#[derive(Clone, Debug)]
pub(super) struct AddressPatterns(Vec<(Negated, Pattern)>);

type Negated = bool;

#[derive(Clone, Debug)]
enum Pattern {
    Network(Network),
    Wildcard(String),
    /// A host name: names are not looked up here, so nothing matches it.
    Name,
}

impl AddressPatterns {
    /// The error says why the line lets nobody in.
    pub(super) fn parse(list: &str) -> Result<AddressPatterns, String> {
        list.split(',').map(pattern).collect::<Result<_, _>>().map(AddressPatterns)
    }

    /// `peer` must be canonical: an IPv4 address not written as IPv6.
    pub(super) fn contain(&self, peer: IpAddr) -> bool {
        let is_match = |pattern: &Pattern| match pattern {
            Pattern::Network(network) => network.contains(peer),
            Pattern::Wildcard(pattern) => matches(pattern, &peer.to_string()),
            Pattern::Name => false,
        };
        let mut found = false;
        for (negated, pattern) in &self.0 {
            if is_match(pattern) {
                if *negated {
                    return false;
                }
                found = true;
            }
        }
        found
    }
}

fn pattern(text: &str) -> Result<(Negated, Pattern), String> {
    let text = text.trim();
    let (negated, text) = match text.strip_prefix('!') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let is_address = |byte: u8| byte.is_ascii_digit() || b".*?".contains(&byte);
    let is_wildcard = text.contains(':') || (!text.is_empty() && text.bytes().all(is_address));
    let pattern = if let Some(network) = Network::parse(text)? {
        Pattern::Network(network)
    } else if is_wildcard {
        Pattern::Wildcard(text.to_ascii_lowercase())
    } else if negated {
        return Err(format!("from= excludes {text:?}: names of hosts are not looked up here"));
    } else {
        Pattern::Name
    };
    Ok((negated, pattern))
}

/// An address, or a network in CIDR notation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// `None`: it is neither an address nor has it a slash.
    pub(super) fn parse(text: &str) -> Result<Option<Network>, String> {
        let wrong = || format!("{text:?} is not a network like 192.0.2.0/24");
        let Some((address, prefix)) = text.split_once('/') else {
            let address = text.parse::<IpAddr>().ok();
            return Ok(address.map(|address| {
                let address = address.to_canonical();
                Network { address, prefix: width(address) }
            }));
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let prefix: u32 = prefix.parse().map_err(|_| wrong())?;
        // As in OpenSSH, bits behind the prefix are a mistake somebody made.
        if prefix > width(address) || bits(address) != bits(address) & mask(address, prefix) {
            return Err(wrong());
        }
        Ok(Some(Network { address, prefix }))
    }

    pub(super) fn contains(&self, peer: IpAddr) -> bool {
        self.address.is_ipv4() == peer.is_ipv4()
            && bits(peer) & mask(peer, self.prefix) == bits(self.address)
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn mask(address: IpAddr, prefix: u32) -> u128 {
    u128::MAX.checked_shl(width(address) - prefix).unwrap_or(0)
}
