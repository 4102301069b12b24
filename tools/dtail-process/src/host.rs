//! What this machine calls itself, what time it has, how busy it is. Never asks the network.

use std::fs;
use std::time::Duration;

use dtail_profile::local_now;

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
        let now = local_now();
        let info = now.time_zone().to_offset_info(now.timestamp());
        LocalZone { abbreviation: info.abbreviation().to_owned(), offset: info.offset().seconds() }
    }
}

/// How busy this machine is; empty and zero where the system does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// Average number of runnable processes over a minute, such as `0.21`.
    pub average: String,
    /// Time since the machine was started.
    pub uptime: Duration,
}

impl Load {
    /// From Linux's `/proc`.
    pub fn current() -> Load {
        let first = |path: &str| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.split_whitespace().next().unwrap_or_default().to_owned()
        };
        let seconds = first("/proc/uptime").parse().unwrap_or_default();
        let uptime = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        Load { average: first("/proc/loadavg"), uptime }
    }
}

/// Lets this process open as many files as the system permits it, for servers with many
/// connections.
pub fn raise_open_files_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Without it there are fewer connections, which is no reason not to start.
    let _raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
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
