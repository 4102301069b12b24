//! The time of day here, without the time that a search through all of the world's zones takes.

use std::sync::OnceLock;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Where Unix systems keep their time zone.
const SYSTEM_ZONE: &str = "/etc/localtime";

/// Now, in the time zone of `TZ` or else of the system, as it was at the first call.
///
/// What jiff calls the system's zone has a name, for which it looks into every file of the zone
/// database: some milliseconds, more than a short run of a program takes.
pub fn local_now() -> Zoned {
    static ZONE: OnceLock<TimeZone> = OnceLock::new();
    Timestamp::now().to_zoned(ZONE.get_or_init(zone).clone())
}

fn zone() -> TimeZone {
    let is_system = std::env::var_os("TZ").is_none();
    let file = is_system.then(|| std::fs::read(SYSTEM_ZONE).ok()).flatten();
    let zone = file.and_then(|bytes| TimeZone::tzif("", &bytes).ok());
    zone.unwrap_or_else(TimeZone::system)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    #[test]
    fn it_is_as_late_as_in_the_zone_with_a_name() {
        let (ours, named) = (super::zone(), TimeZone::system());
        for seconds in [0, 1_710_000_000, 1_720_000_000] {
            let time = Timestamp::from_second(seconds).unwrap();
            assert_eq!(ours.to_offset(time), named.to_offset(time));
        }
    }
}
