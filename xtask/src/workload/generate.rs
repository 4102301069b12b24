//! Seeded generators of log lines: the same seed gives the same bytes on every machine.

use std::fmt::Write as _;
use std::io;

use serde::{Deserialize, Serialize};

use crate::random::Random;

const LEVELS: [&str; 20] = [
    "INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "INFO", "DEBUG",
    "DEBUG", "DEBUG", "DEBUG", "DEBUG", "WARN", "WARN", "WARN", "ERROR", "ERROR",
];
const USERS: [&str; 10] =
    ["user1", "user2", "user3", "user4", "user5", "admin", "guest", "service", "monitor", "test"];
const ACTIONS: [&str; 10] =
    ["login", "logout", "query", "update", "delete", "create", "read", "write", "sync", "backup"];
const WORDS: [&str; 12] = [
    "Grüße",
    "naïve",
    "日志",
    "服务器",
    "ошибка",
    "соединение",
    "€42",
    "¬found",
    "🚀",
    "café",
    "данные",
    "완료",
];

/// A kind of log. The formats are those of DTail's users, not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Generator {
    /// `[2024-01-01 00:00:00] LEVEL - User U performed A action (duration: Nms, status: S)`
    Service,
    /// DTail's default log format with `MAPREDUCE:STATS` fields.
    Mapreduce,
    /// `timestamp,user,action,duration,status` with a header line.
    Csv,
    /// `key=value` fields joined by `|`.
    Keyvalue,
    /// One JSON object per line.
    Json,
    /// Lines of 2 to 20 KB.
    Long,
    /// Text of many scripts, two to four bytes per character.
    Utf8,
}

impl Generator {
    /// Part of an input's identity: raise it when any generator's bytes change.
    pub(crate) const VERSION: u32 = 1;

    /// Writes about `lines` lines; generators of long lines write fewer so that sizes compare.
    pub(crate) fn write(self, seed: u64, lines: u64, out: &mut impl io::Write) -> io::Result<()> {
        let lines = if self == Self::Long { (lines / 100).max(10) } else { lines };
        self.write_while(seed, out, |number, _bytes| number < lines)
    }

    /// Writes whole lines until there are at least `bytes` of them.
    pub(crate) fn write_bytes(
        self,
        seed: u64,
        bytes: u64,
        out: &mut impl io::Write,
    ) -> io::Result<()> {
        self.write_while(seed, out, |_number, written| written < bytes)
    }

    /// Writes lines as long as `more` says so of the next line's number and the bytes so far.
    fn write_while(
        self,
        seed: u64,
        out: &mut impl io::Write,
        more: impl Fn(u64, u64) -> bool,
    ) -> io::Result<()> {
        let mut random = Random::new(seed);
        let mut line = String::new();
        if self == Self::Csv {
            out.write_all(b"timestamp,user,action,duration,status\n")?;
        }
        let (mut number, mut bytes) = (0, 0);
        while more(number, bytes) {
            line.clear();
            self.line(&mut random, number, &mut line);
            line.push('\n');
            out.write_all(line.as_bytes())?;
            number += 1;
            bytes += line.len() as u64;
        }
        Ok(())
    }

    fn line(self, random: &mut Random, number: u64, line: &mut String) {
        let event = Event::draw(random, number);
        let Event { user, action, duration, .. } = event;
        let status = event.status();
        let date = Timestamp(number / 10);
        // Writing to a String cannot fail.
        let _infallible = match self {
            Self::Service => write!(
                line,
                "[{date}] {} - User {user} performed {action} action (duration: {duration}ms, status: {status})",
                event.level
            ),
            Self::Mapreduce => write!(
                line,
                "INFO|{}|1|stats.go:56|{}|{}|{}|0.{:02}|{}h{}m{}s|MAPREDUCE:STATS|hostname=server{:02}|currentConnections={}|lifetimeConnections={}",
                date.compact(),
                1 + random.below(8),
                10 + random.below(50),
                random.below(100),
                random.below(100),
                number / 36_000,
                number / 600 % 60,
                number / 10 % 60,
                random.below(50),
                random.below(20),
                1000 + number,
            ),
            Self::Csv => write!(line, "{date},{user},{action},{duration},{status}"),
            Self::Keyvalue => write!(
                line,
                "time={date}|level={}|user={user}|action={action}|duration={duration}|status={status}",
                event.level
            ),
            Self::Json => write!(
                line,
                "{{\"time\":\"{date}\",\"level\":\"{}\",\"user\":\"{user}\",\"action\":\"{action}\",\"duration\":{duration},\"status\":\"{status}\"}}",
                event.level
            ),
            Self::Long => {
                let length = 2_000 + random.below(18_000) as usize;
                let started = write!(line, "[{date}] {} - dump of {user}:", event.level);
                while line.len() < length {
                    line.push(' ');
                    line.push_str(random.pick(&ACTIONS));
                    line.push('=');
                    line.push_str(random.pick(&USERS));
                }
                started
            }
            Self::Utf8 => {
                let started = write!(line, "[{date}] {} - {user}:", event.level);
                for _ in 0..6 {
                    line.push(' ');
                    line.push_str(random.pick(&WORDS));
                }
                started
            }
        };
    }
}

/// What one line of a service log is about.
struct Event {
    level: &'static str,
    user: &'static str,
    action: &'static str,
    duration: u64,
    failed: bool,
}

impl Event {
    /// Half of the lines are INFO, `user777` is in one line of a hundred, `zzneedle` in one of a
    /// hundred thousand.
    fn draw(random: &mut Random, number: u64) -> Self {
        let user = match random.below(100) {
            _ if number % 100_000 == 54_321 => "zzneedle",
            0 => "user777",
            _ => random.pick(&USERS),
        };
        Self {
            level: random.pick(&LEVELS),
            user,
            action: random.pick(&ACTIONS),
            duration: 100 + random.below(5000),
            failed: random.below(10) == 0,
        }
    }

    fn status(&self) -> &'static str {
        if self.failed { "failure" } else { "success" }
    }
}

/// Seconds since 2024-01-01 00:00:00, in months of 28 days: plausible, not a calendar.
struct Timestamp(u64);

impl Timestamp {
    fn parts(&self) -> (u64, u64, u64, u64, u64, u64) {
        let days = self.0 / 86_400;
        let (year, month, day) = (2024 + days / 336, 1 + days / 28 % 12, 1 + days % 28);
        (year, month, day, self.0 / 3600 % 24, self.0 / 60 % 60, self.0 % 60)
    }

    fn compact(&self) -> String {
        let (year, month, day, hour, minute, second) = self.parts();
        format!("{year}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day, hour, minute, second) = self.parts();
        write!(f, "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn text(generator: Generator, seed: u64, lines: u64) -> String {
        let mut out = Vec::new();
        generator.write(seed, lines, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn check(generator: Generator, expected: &Expect) {
        expected.assert_eq(&text(generator, 1, 2));
    }

    #[test]
    fn the_bytes_of_a_seed_never_change() {
        check(
            Generator::Service,
            &expect![[r#"
            [2024-01-01 00:00:00] ERROR - User service performed delete action (duration: 2321ms, status: success)
            [2024-01-01 00:00:00] INFO - User admin performed write action (duration: 2120ms, status: success)
        "#]],
        );
        check(
            Generator::Mapreduce,
            &expect![[r#"
            INFO|20240101-000000|1|stats.go:56|8|36|28|0.79|0h0m0s|MAPREDUCE:STATS|hostname=server20|currentConnections=12|lifetimeConnections=1000
            INFO|20240101-000000|1|stats.go:56|6|54|6|0.08|0h0m0s|MAPREDUCE:STATS|hostname=server24|currentConnections=2|lifetimeConnections=1001
        "#]],
        );
        check(
            Generator::Csv,
            &expect![[r#"
            timestamp,user,action,duration,status
            2024-01-01 00:00:00,service,delete,2321,success
            2024-01-01 00:00:00,admin,write,2120,success
        "#]],
        );
        check(
            Generator::Keyvalue,
            &expect![[r#"
            time=2024-01-01 00:00:00|level=ERROR|user=service|action=delete|duration=2321|status=success
            time=2024-01-01 00:00:00|level=INFO|user=admin|action=write|duration=2120|status=success
        "#]],
        );
        check(
            Generator::Json,
            &expect![[r#"
            {"time":"2024-01-01 00:00:00","level":"ERROR","user":"service","action":"delete","duration":2321,"status":"success"}
            {"time":"2024-01-01 00:00:00","level":"INFO","user":"admin","action":"write","duration":2120,"status":"success"}
        "#]],
        );
        check(
            Generator::Utf8,
            &expect![[r#"
            [2024-01-01 00:00:00] ERROR - service: данные €42 服务器 café ошибка ¬found
            [2024-01-01 00:00:00] INFO - admin: 🚀 данные Grüße Grüße соединение naïve
        "#]],
        );
    }

    #[test]
    fn a_size_ends_with_the_first_whole_line_beyond() {
        let mut out = Vec::new();
        Generator::Service.write_bytes(3, 5000, &mut out).unwrap();
        let last = out[..out.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        assert!(out.len() >= 5000 && last < 5000);
        assert!(text(Generator::Service, 3, 100).as_bytes().starts_with(&out));
    }

    #[test]
    fn other_seeds_give_other_lines() {
        assert_ne!(text(Generator::Service, 1, 100), text(Generator::Service, 2, 100));
    }

    #[test]
    fn half_of_the_service_lines_are_info_and_one_percent_is_user777() {
        let text = text(Generator::Service, 3, 20_000);
        let share = |needle: &str| text.matches(needle).count() as f64 / 20_000.0;
        assert!((share("] INFO ") - 0.5).abs() < 0.02);
        assert!((share("user777") - 0.01).abs() < 0.003);
    }
}
