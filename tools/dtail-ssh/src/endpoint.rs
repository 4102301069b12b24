//! One place to log in to: user, host and port. Never resolves a name.

use std::fmt;

/// A host with its port and the user to log in as.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint {
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name to log in with.
    pub user: String,
}

/// `user@host:port`, an IPv6 address in brackets.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port, user } = self;
        if host.contains(':') {
            write!(f, "{user}@[{host}]:{port}")
        } else {
            write!(f, "{user}@{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[track_caller]
    fn check(host: &str, expected: &str) {
        let endpoint = Endpoint { host: host.to_owned(), port: 2222, user: "alice".to_owned() };
        assert_eq!(endpoint.to_string(), expected);
    }

    #[test]
    fn an_ipv6_address_is_in_brackets() {
        check("web1", "alice@web1:2222");
        check("10.0.0.1", "alice@10.0.0.1:2222");
        check("::1", "alice@[::1]:2222");
    }
}
