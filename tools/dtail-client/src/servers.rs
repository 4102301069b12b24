//! Names of servers as users write them: `user@host:port`. Never resolves a name.

use std::fmt;
use std::str::FromStr;

use dtail_ssh::Endpoint;

/// One server as typed; what was left out is `None`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName {
    /// User to log in as.
    pub user: Option<String>,
    /// Host name or address; an IPv6 address without brackets.
    pub host: String,
    /// TCP port, not 0.
    pub port: Option<u16>,
}

/// Why a text names no server. One line.
#[derive(Debug, PartialEq, Eq)]
pub struct BadServerName {
    text: String,
    reason: &'static str,
}

impl fmt::Display for BadServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadServerName { text, reason } = self;
        write!(f, "bad server \"{}\": {reason}", text.escape_debug())
    }
}

impl std::error::Error for BadServerName {}

impl FromStr for ServerName {
    type Err = BadServerName;

    /// Parses `[user@]host[:port]`. An IPv6 address stands in brackets when a port follows.
    fn from_str(text: &str) -> Result<ServerName, BadServerName> {
        let fail = |reason| BadServerName { text: text.to_owned(), reason };
        let (user, address) = match text.rsplit_once('@') {
            Some(("", _)) => return Err(fail("the user before @ is missing")),
            Some((user, address)) => (Some(user), address),
            None => (None, text),
        };
        let (host, port) = split_port(address).ok_or_else(|| fail("use [ADDRESS]:PORT"))?;
        let port = match port.map(str::parse::<u16>) {
            None => None,
            Some(Ok(port @ 1..)) => Some(port),
            Some(_) => return Err(fail("the port must be a number from 1 to 65535")),
        };
        if host.is_empty() {
            return Err(fail("the host is missing"));
        }
        if host.contains('/') {
            return Err(fail("names have no slash; if a file is meant, it does not exist"));
        }
        // A leading dash would be taken for an option by the programs the name is handed to.
        let is_odd = |part: &str| {
            part.starts_with('-') || part.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if is_odd(host) || user.is_some_and(is_odd) {
            return Err(fail("names have no blanks and no leading dash"));
        }
        Ok(ServerName { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

/// `host[:port]`, `[v6][:port]` or a bare IPv6 address.
fn split_port(address: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None => rest.is_empty().then_some((host, None)),
        };
    }
    match address.split_once(':') {
        // More than one colon: an IPv6 address without port.
        Some((_, rest)) if rest.contains(':') => Some((address, None)),
        Some((host, port)) => Some((host, Some(port))),
        None => Some((address, None)),
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, _) => f.write_str(&self.host),
        }
    }
}

impl ServerName {
    /// Where to connect to, with what was left out filled in.
    pub fn endpoint(&self, default_user: &str, default_port: u16) -> Endpoint {
        Endpoint {
            host: self.host.clone(),
            port: self.port.unwrap_or(default_port),
            user: self.user.clone().unwrap_or_else(|| default_user.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::ServerName;

    /// Shows the parts and what they are written as.
    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        let said = match text.parse::<ServerName>() {
            Ok(name) => {
                let ServerName { user, host, port } = &name;
                format!("{user:?} {host:?} {port:?} {name}")
            }
            Err(err) => err.to_string(),
        };
        expected.assert_eq(&said);
    }

    #[test]
    fn user_and_port_may_be_left_out() {
        check("web1", &expect![[r#"None "web1" None web1"#]]);
        check("web1:2223", &expect![[r#"None "web1" Some(2223) web1:2223"#]]);
        check("me@web1", &expect![[r#"Some("me") "web1" None me@web1"#]]);
        check(
            "me@realm@10.0.0.1:22",
            &expect![[r#"Some("me@realm") "10.0.0.1" Some(22) me@realm@10.0.0.1:22"#]],
        );
    }

    #[test]
    fn ipv6_addresses_stand_in_brackets_or_alone() {
        check("[::1]:2222", &expect![[r#"None "::1" Some(2222) [::1]:2222"#]]);
        check("me@[fe80::1]", &expect![[r#"Some("me") "fe80::1" None me@fe80::1"#]]);
        check("::1", &expect![[r#"None "::1" None ::1"#]]);
        check("[::1", &expect![[r#"bad server "[::1": use [ADDRESS]:PORT"#]]);
        check("[::1]2222", &expect![[r#"bad server "[::1]2222": use [ADDRESS]:PORT"#]]);
    }

    #[test]
    fn what_is_no_server_is_refused() {
        check("", &expect![[r#"bad server "": the host is missing"#]]);
        check("@web", &expect![[r#"bad server "@web": the user before @ is missing"#]]);
        check(
            "web:ssh",
            &expect![[r#"bad server "web:ssh": the port must be a number from 1 to 65535"#]],
        );
        check(
            "web:0",
            &expect![[r#"bad server "web:0": the port must be a number from 1 to 65535"#]],
        );
        check(
            "/etc/hosts.txt",
            &expect![[
                r#"bad server "/etc/hosts.txt": names have no slash; if a file is meant, it does not exist"#
            ]],
        );
        check(
            "-oProxyCommand=x",
            &expect![[
                r#"bad server "-oProxyCommand=x": names have no blanks and no leading dash"#
            ]],
        );
        check(
            "a b\n",
            &expect![[r#"bad server "a b\n": names have no blanks and no leading dash"#]],
        );
    }
}
