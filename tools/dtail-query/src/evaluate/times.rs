//! Points in time: reading the forms that logs have, the calendar, writing.
//!
//! A time is the seconds since 1970. One that is written without a time zone is taken as it is, as
//! if it were UTC: the same line then means the same on every host.

use std::io::Write;

const DAY: f64 = 86_400.0;
const WEEK: f64 = 604_800.0;
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];

/// The years 0 to 9999 of the calendar; others are no times.
const FIRST: f64 = -62_167_219_200.0;
const END: f64 = 253_402_300_800.0;

/// Seconds, or what is so large that it must be milli-, micro- or nanoseconds.
pub(super) fn of_number(number: f64) -> Option<f64> {
    let seconds = match number.abs() {
        it if it < 1e11 => number,
        it if it < 1e14 => number / 1e3,
        it if it < 1e17 => number / 1e6,
        _ => number / 1e9,
    };
    (FIRST..END).contains(&seconds).then_some(seconds)
}

/// Reads `2021-10-02T07:11:43.5+02:00` and its like (also with a blank, without a zone, a date
/// alone), DTail's `20211002-071143`, an access log's `02/Oct/2021:07:11:43 +0200`, and numbers.
pub(super) fn parse(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let text = text.strip_prefix(b"[").unwrap_or(text);
    let text = text.strip_suffix(b"]").unwrap_or(text);
    let mut reader = Reader { rest: text };
    let seconds = match text {
        [_, _, _, _, b'-' | b'/', ..] => reader.dashed(),
        [_, _, b'/', ..] => reader.access_log(),
        [b'1' | b'2', ..] if is_compact(text) => reader.compact(),
        _ => return of_number(crate::number::parse(text)?),
    }?;
    reader.rest.is_empty().then_some(seconds)
}

/// A date of eight digits, alone or with a time behind a dash or a `T`.
fn is_compact(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_at_checked(8) else { return false };
    date.iter().all(u8::is_ascii_digit)
        && matches!(&date[..2], b"19" | b"20")
        && matches!(rest.first(), None | Some(b'-' | b'T'))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(count)?;
        let mut number = 0;
        for digit in digits {
            number = number * 10 + char::from(*digit).to_digit(10)?;
        }
        self.rest = rest;
        Some(number)
    }

    fn skip(&mut self, any_of: &[u8]) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        if !any_of.contains(first) {
            return None;
        }
        self.rest = rest;
        Some(*first)
    }

    fn dashed(&mut self) -> Option<f64> {
        let year = self.digits(4)?;
        let dash = self.skip(b"-/")?;
        let month = self.digits(2)?;
        self.skip(&[dash])?;
        let day = self.digits(2)?;
        let date = seconds_of_date(year, month, day)?;
        if self.rest.is_empty() {
            return Some(date);
        }
        self.skip(b"T t_")?;
        let time = self.clock(b":")?;
        self.zone().map(|zone| date + time - zone)
    }

    fn compact(&mut self) -> Option<f64> {
        let year = self.digits(4)?;
        let date = seconds_of_date(year, self.digits(2)?, self.digits(2)?)?;
        if self.rest.is_empty() {
            return Some(date);
        }
        self.skip(b"-T")?;
        let time = self.clock(b"")?;
        self.zone().map(|zone| date + time - zone)
    }

    fn access_log(&mut self) -> Option<f64> {
        let day = self.digits(2)?;
        self.skip(b"/")?;
        let (name, rest) = self.rest.split_at_checked(3)?;
        let month = MONTHS.iter().position(|it| it.eq_ignore_ascii_case(name))?;
        self.rest = rest;
        self.skip(b"/")?;
        let year = self.digits(4)?;
        let date = seconds_of_date(year, u32::try_from(month).ok()? + 1, day)?;
        self.skip(b":")?;
        let time = self.clock(b":")?;
        self.zone().map(|zone| date + time - zone)
    }

    /// Hours, minutes, perhaps seconds and a fraction of them.
    fn clock(&mut self, separator: &[u8]) -> Option<f64> {
        let hour = self.digits(2)?;
        if !separator.is_empty() {
            self.skip(separator)?;
        }
        let minute = self.digits(2)?;
        let has_seconds = separator.is_empty() || self.skip(separator).is_some();
        let second = if has_seconds { self.digits(2)? } else { 0 };
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut seconds = f64::from(hour * 3600 + minute * 60 + second);
        if self.skip(b".,").is_some() {
            let digits = self.rest.iter().take_while(|it| it.is_ascii_digit()).count();
            let (fraction, rest) = self.rest.split_at(digits);
            self.rest = rest;
            let mut scale = 1.0;
            for digit in fraction.iter().take(9) {
                scale /= 10.0;
                seconds += f64::from(digit - b'0') * scale;
            }
        }
        Some(seconds)
    }

    /// Seconds east of UTC: `Z`, `+02:00`, ` +0200`, or nothing.
    fn zone(&mut self) -> Option<f64> {
        self.skip(b" ");
        if self.rest.is_empty() || self.skip(b"Zz").is_some() {
            return Some(0.0);
        }
        let sign = if self.skip(b"+-")? == b'-' { -1.0 } else { 1.0 };
        let hours = self.digits(2)?;
        self.skip(b":");
        let minutes = if self.rest.is_empty() { 0 } else { self.digits(2)? };
        (hours < 24 && minutes < 60).then(|| sign * f64::from(hours * 3600 + minutes * 60))
    }
}

/// The days from 1970 to a date of the Gregorian calendar, in seconds.
fn seconds_of_date(year: u32, month: u32, day: u32) -> Option<f64> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days_of_month = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > days_of_month {
        return None;
    }
    // Years that begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year + 399, month + 9) };
    let cycle_correction = if month >= 10 { 146_097_i64 } else { 0 };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = i64::from(era) * 146_097 + i64::from(day_of_era) - 719_468 - cycle_correction;
    Some(days as f64 * DAY)
}

struct Calendar {
    year: i64,
    month: i64,
    day: i64,
    day_of_year: i64,
}

/// The date of a time that is within the calendar.
fn calendar(seconds: f64) -> Calendar {
    let days = (seconds / DAY).floor() as i64 + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_march_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_march_year + 2) / 153;
    let day = day_of_march_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let day_of_year = if march_month < 10 {
        day_of_march_year + 60 + i64::from(is_leap)
    } else {
        day_of_march_year - 305
    };
    Calendar { year, month, day, day_of_year }
}

pub(super) fn hour(seconds: f64) -> f64 {
    (seconds.rem_euclid(DAY) / 3600.0).floor() + 0.0
}

pub(super) fn minute(seconds: f64) -> f64 {
    (seconds.rem_euclid(3600.0) / 60.0).floor() + 0.0
}

/// Monday is 1, Sunday 7.
pub(super) fn weekday(seconds: f64) -> f64 {
    // 1970 began with a Thursday.
    ((seconds / DAY).floor() + 3.0).rem_euclid(7.0) + 1.0
}

/// Where the span of so many seconds that a time is in begins, and how it is written. Weeks begin
/// with Mondays.
pub(super) fn bucket(seconds: f64, step: f64) -> Option<(f64, &'static [u8])> {
    if step <= 0.0 || step.is_nan() {
        return None;
    }
    let origin = if step % WEEK == 0.0 { 4.0 * DAY } else { 0.0 };
    let start = ((seconds - origin) / step).floor() * step + origin;
    let form: &[u8] =
        if step.fract() == 0.0 { b"%Y-%m-%d %H:%M:%S" } else { b"%Y-%m-%d %H:%M:%S.%3f" };
    (FIRST..END).contains(&start).then_some((start, form))
}

/// Writes a time as `form` says, with strftime's letters.
pub(super) fn format(seconds: f64, form: &[u8], out: &mut Vec<u8>) {
    let date = calendar(seconds);
    // The remainder of a negative float may be -0.
    let second = seconds.rem_euclid(60.0) + 0.0;
    let mut rest = form.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let written = match rest.next() {
            Some(b'Y') => write!(out, "{:04}", date.year),
            Some(b'y') => write!(out, "{:02}", date.year % 100),
            Some(b'm') => write!(out, "{:02}", date.month),
            Some(b'd') => write!(out, "{:02}", date.day),
            Some(b'j') => write!(out, "{:03}", date.day_of_year),
            Some(b'H') => write!(out, "{:02}", hour(seconds)),
            Some(b'M') => write!(out, "{:02}", minute(seconds)),
            Some(b'S') => write!(out, "{:02}", second.floor()),
            Some(b's') => write!(out, "{}", seconds.floor()),
            Some(b'u') => write!(out, "{}", weekday(seconds)),
            Some(b'F') => write!(out, "{:04}-{:02}-{:02}", date.year, date.month, date.day),
            Some(b'T') => {
                write!(out, "{:02}:{:02}:{:02}", hour(seconds), minute(seconds), second.floor())
            }
            Some(b'b') => out.write_all(MONTHS[(date.month - 1).clamp(0, 11) as usize]),
            Some(b'a') => out.write_all(WEEKDAYS[(weekday(seconds) - 1.0) as usize % 7]),
            Some(b'%') => out.write_all(b"%"),
            Some(b'3') if rest.as_slice().first() == Some(&b'f') => {
                rest.next();
                // Half a millisecond more, so that 0.25 is not 0.249999.
                write!(out, "{:03}", ((second.fract() + 5e-5) * 1e3).floor().min(999.0))
            }
            Some(other) => out.write_all(&[b'%', *other]),
            None => out.write_all(b"%"),
        };
        debug_assert!(written.is_ok(), "a Vec takes every write");
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(texts: &str, expected: Expect) {
        let mut actual = String::new();
        for text in texts.lines() {
            let shown = parse(text.as_bytes()).map_or("no time".to_owned(), |seconds| {
                let mut out = Vec::new();
                format(seconds, b"%a %b %Y-%m-%d %H:%M:%S.%3f day %j %%", &mut out);
                String::from_utf8(out).unwrap()
            });
            actual.push_str(&format!("{text} → {shown}\n"));
        }
        expected.assert_eq(&actual);
    }

    #[test]
    fn times_are_read_in_the_forms_of_logs() {
        check(
            "2021-10-02T07:11:43.25+02:00\n2021-10-02 07:11:43\n2021/10/02 07:11\n2021-10-02\n\
             20211002-071143\n20211002T071143Z\n20211002\n[02/Oct/2021:07:11:43 +0200]\n\
             1633158703\n1633158703250\n2024-02-29\n1969-12-31T23:59:59Z\n0000-01-01\n\
             9999-12-31T23:59:60Z",
            expect![[r#"
                2021-10-02T07:11:43.25+02:00 → Sat Oct 2021-10-02 05:11:43.250 day 275 %
                2021-10-02 07:11:43 → Sat Oct 2021-10-02 07:11:43.000 day 275 %
                2021/10/02 07:11 → Sat Oct 2021-10-02 07:11:00.000 day 275 %
                2021-10-02 → Sat Oct 2021-10-02 00:00:00.000 day 275 %
                20211002-071143 → Sat Oct 2021-10-02 07:11:43.000 day 275 %
                20211002T071143Z → Sat Oct 2021-10-02 07:11:43.000 day 275 %
                20211002 → Sat Oct 2021-10-02 00:00:00.000 day 275 %
                [02/Oct/2021:07:11:43 +0200] → Sat Oct 2021-10-02 05:11:43.000 day 275 %
                1633158703 → Sat Oct 2021-10-02 07:11:43.000 day 275 %
                1633158703250 → Sat Oct 2021-10-02 07:11:43.250 day 275 %
                2024-02-29 → Thu Feb 2024-02-29 00:00:00.000 day 060 %
                1969-12-31T23:59:59Z → Wed Dec 1969-12-31 23:59:59.000 day 365 %
                0000-01-01 → Sat Jan 0000-01-01 00:00:00.000 day 001 %
                9999-12-31T23:59:60Z → Sat Jan 10000-01-01 00:00:00.000 day 001 %
            "#]],
        );
    }

    #[test]
    fn what_is_no_date_is_no_time() {
        check(
            "\n2021-13-01\n2021-02-29\n1002-071143\nnan\n1e300\n2021-10-02T25:00:00\n\
             2021-10-02T07:11:43x\n20211002-0711\n32/Oct/2021:07:11:43 +0200\n\u{661}\u{662}",
            expect![[r#"
                 → no time
                2021-13-01 → no time
                2021-02-29 → no time
                1002-071143 → no time
                nan → no time
                1e300 → no time
                2021-10-02T25:00:00 → no time
                2021-10-02T07:11:43x → no time
                20211002-0711 → no time
                32/Oct/2021:07:11:43 +0200 → no time
                ١٢ → no time
            "#]],
        );
    }

    #[test]
    fn every_day_is_found_again() {
        let mut seconds = FIRST;
        while seconds < END {
            let date = calendar(seconds);
            let number = |it: i64| u32::try_from(it).unwrap();
            let again = seconds_of_date(number(date.year), number(date.month), number(date.day));
            assert_eq!(again, Some(seconds));
            seconds += DAY;
        }
    }

    #[test]
    fn buckets_begin_where_people_expect() {
        let of = |text: &str, step: f64| {
            let (start, form) = bucket(parse(text.as_bytes()).unwrap(), step).unwrap();
            let mut out = Vec::new();
            format(start, form, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(of("2021-10-02T07:11:43Z", 60.0), "2021-10-02 07:11:00");
        assert_eq!(of("2021-10-02T07:11:43Z", 900.0), "2021-10-02 07:00:00");
        assert_eq!(of("2021-10-02T07:11:43Z", DAY), "2021-10-02 00:00:00");
        assert_eq!(of("2021-10-02T07:11:43Z", WEEK), "2021-09-27 00:00:00");
        assert_eq!(of("2021-10-02T07:11:43.75Z", 0.5), "2021-10-02 07:11:43.500");
        assert_eq!(of("1969-12-31T23:59:59Z", 60.0), "1969-12-31 23:59:00");
        assert_eq!(bucket(0.0, f64::NAN), None);
    }
}
