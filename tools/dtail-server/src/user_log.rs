//! The log as one user writes it by what they do: so many bytes and no more, so that nobody fills
//! the disk. Never opens a file.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dtail_process::log::Level;

use crate::log::Log;

/// Bytes of records that somebody may cause at once.
const BURST: u64 = 256 << 10;
/// Bytes that they may cause in a second from then on: less than 100 MB in a day.
const PER_SECOND: u64 = 1 << 10;
/// Having caused too much they are heard again when they may cause so much.
const RESUMED_AT: u64 = BURST / 4;
/// Time and names, which every record has.
const OVERHEAD: u64 = 64;
/// The longest text of a record, in bytes.
const LONGEST: usize = 4 << 10;
/// Users and addresses remembered at once. Beyond it those who have been quiet are forgotten.
const MOST: usize = 4096;

/// What everybody may still cause.
#[derive(Debug, Default)]
pub(crate) struct Quotas(Mutex<HashMap<String, Quota>>);

type Quota = Arc<Mutex<Bucket>>;

#[derive(Debug)]
struct Bucket {
    bytes: u64,
    /// When it was last looked at.
    seen: Instant,
    /// Records left out since it was empty; `None`: it is not.
    left_out: Option<u64>,
}

/// What becomes of a record.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Written,
    /// The first after so many that were left out.
    WrittenAgain(u64),
    /// The first of those left out, which is told.
    LeftOutFirst,
    LeftOut,
}

/// Where records about one user's doings go.
#[derive(Debug, Clone)]
pub(crate) struct UserLog {
    log: Log,
    shown: String,
    quota: Option<Quota>,
}

impl Quotas {
    fn of(&self, name: &str, now: Instant) -> Quota {
        let mut quotas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(quota) = quotas.get(name) {
            return Arc::clone(quota);
        }
        if quotas.len() >= MOST {
            quotas.retain(|_, quota| Arc::strong_count(quota) > 1 || !lock(quota).is_full(now));
        }
        let bucket = Bucket { bytes: BURST, seen: now, left_out: None };
        let quota = Arc::new(Mutex::new(bucket));
        // A crowd that is loud all at once is not remembered one by one.
        if quotas.len() < MOST {
            quotas.insert(name.to_owned(), Arc::clone(&quota));
        }
        quota
    }
}

fn lock(quota: &Quota) -> std::sync::MutexGuard<'_, Bucket> {
    quota.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Bucket {
    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.seen);
        let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let bytes = millis.saturating_mul(PER_SECOND) / 1000;
        if bytes > 0 {
            self.bytes = self.bytes.saturating_add(bytes).min(BURST);
            self.seen = now;
        }
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.bytes == BURST
    }

    fn take(&mut self, bytes: u64, now: Instant) -> Verdict {
        self.fill(now);
        match &mut self.left_out {
            Some(left_out) if self.bytes < RESUMED_AT => {
                *left_out += 1;
                return Verdict::LeftOut;
            }
            None if self.bytes < bytes => {
                self.left_out = Some(1);
                return Verdict::LeftOutFirst;
            }
            _ => {}
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        match self.left_out.take() {
            None => Verdict::Written,
            Some(left_out) => Verdict::WrittenAgain(left_out),
        }
    }
}

impl UserLog {
    /// `name`: whose quota it is. `shown`: as in the records.
    pub(crate) fn new(log: &Log, quotas: &Quotas, name: &str, shown: String) -> UserLog {
        let quota = Some(quotas.of(name, Instant::now()));
        UserLog { log: log.clone(), shown, quota }
    }

    /// For those who do what the operator has ordered.
    pub(crate) fn unlimited(log: &Log, shown: String) -> UserLog {
        UserLog { log: log.clone(), shown, quota: None }
    }

    /// Who it is, as in the records.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn error(&self, text: impl Display) {
        self.record(Level::Error, text);
    }

    pub(crate) fn warn(&self, text: impl Display) {
        self.record(Level::Warn, text);
    }

    pub(crate) fn info(&self, text: impl Display) {
        self.record(Level::Info, text);
    }

    fn record(&self, level: Level, text: impl Display) {
        if !self.log.keeps(level) {
            return;
        }
        let mut text = text.to_string();
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        let size = (self.shown.len() + text.len()) as u64 + OVERHEAD;
        let verdict = match &self.quota {
            Some(quota) => lock(quota).take(size, Instant::now()),
            None => Verdict::Written,
        };
        match verdict {
            Verdict::Written => {}
            Verdict::WrittenAgain(left_out) => {
                let text = format!("{left_out} records were left out before this one");
                self.log.record(Level::Warn, &self.shown, text);
            }
            Verdict::LeftOutFirst => {
                let minutes = Duration::from_secs(RESUMED_AT / PER_SECOND).as_secs().div_ceil(60);
                let text = format!(
                    "too many records: further ones are left out for at least {minutes} minutes"
                );
                return self.log.record(Level::Warn, &self.shown, text);
            }
            Verdict::LeftOut => return,
        }
        self.log.record(level, &self.shown, text);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{BURST, Bucket, MOST, PER_SECOND, Quotas, RESUMED_AT, Verdict};

    #[test]
    fn so_much_at_once_and_little_after_that() {
        let mut now = Instant::now();
        let mut bucket = Bucket { bytes: BURST, seen: now, left_out: None };
        let record = BURST / 100;
        let at_once = (0..1000).filter(|_| bucket.take(record, now) == Verdict::Written).count();
        assert_eq!(at_once, 100);
        // A day of trying all the time.
        let (mut written, mut told) = (0, 0);
        for _ in 0..86_400 {
            now += Duration::from_secs(1);
            for _ in 0..10 {
                match bucket.take(record, now) {
                    Verdict::Written => written += record,
                    Verdict::WrittenAgain(left_out) => {
                        assert!(left_out > 100);
                        written += record;
                        told += 1;
                    }
                    Verdict::LeftOutFirst => told += 1,
                    Verdict::LeftOut => {}
                }
            }
        }
        assert!(written <= 86_400 * PER_SECOND && written > 80_000 * PER_SECOND, "{written}");
        assert!(told <= 2 * (86_400 * PER_SECOND / RESUMED_AT + 1), "{told}");
    }

    #[test]
    fn who_has_been_quiet_is_forgotten_and_nobody_else() {
        let (quotas, now) = (Quotas::default(), Instant::now());
        let loud = quotas.of("loud", now);
        assert_eq!(super::lock(&loud).take(BURST, now), Verdict::Written);
        drop(loud);
        for number in 0..3 * MOST {
            drop(quotas.of(&number.to_string(), now));
        }
        assert!(quotas.0.lock().unwrap().len() <= MOST);
        let loud = quotas.of("loud", now);
        assert_eq!(super::lock(&loud).take(1, now), Verdict::LeftOutFirst);
    }
}
