//! What this machine calls itself and what time it has. Never asks the network.

use jiff::{Timestamp, tz::TimeZone};

use crate::environment;

/// The host name DTail's integration tests expect.
const TEST_MODE_NAME: &str = "integrationtest";

/// The names of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName {
    /// As the system knows it.
    pub full: String,
    /// Up to the first dot.
    pub short: String,
}

impl HostName {
    /// The name in force: that of the test mode, the override, or the system's.
    pub fn current() -> HostName {
        if environment::is_test_mode() {
            return HostName::fixed(TEST_MODE_NAME.to_owned());
        }
        if let Some(name) = environment::hostname_override() {
            return HostName::fixed(name);
        }
        HostName::of(&rustix::system::uname().nodename().to_string_lossy())
    }

    fn fixed(name: String) -> HostName {
        HostName { short: name.clone(), full: name }
    }

    fn of(name: &str) -> HostName {
        let short = name.split('.').next().unwrap_or(name);
        HostName { full: name.to_owned(), short: short.to_owned() }
    }
}

/// The time zone in force now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalZone {
    /// Such as `CET`.
    pub abbreviation: String,
    /// Seconds east of UTC.
    pub offset: i32,
}

impl LocalZone {
    /// From `TZ` or the system's configuration.
    pub fn current() -> LocalZone {
        let zone = TimeZone::system();
        let info = zone.to_offset_info(Timestamp::now());
        LocalZone { abbreviation: info.abbreviation().to_owned(), offset: info.offset().seconds() }
    }
}

#[cfg(test)]
mod tests {
    use super::HostName;

    #[test]
    fn the_short_name_ends_at_the_first_dot() {
        assert_eq!(HostName::of("web.example.org").short, "web");
        assert_eq!(HostName::of("web").short, "web");
    }
}
