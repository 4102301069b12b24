//! CPU profiles: from ticks to a profile whose values are the CPU time that was measured.

use std::time::{Duration, SystemTime};

use dtail_pprof::{Profile, Text, ValueType};

use crate::allocator::unsampled;
use crate::assembly::{Assembly, nanoseconds};
use crate::machine::{Sampler, Ticks};
use crate::symbols::Symbols;

/// Ticks per second of CPU time unless somebody asks for another rate, as in Go.
pub(crate) const RATE: u32 = 100;
/// More would not be more exact: kernels look at CPU clocks 100 to 1000 times per second.
pub(crate) const MOST_RATE: u32 = 1000;

/// A CPU profile that is being recorded.
#[derive(Debug)]
pub(crate) struct CpuRecording {
    sampler: Sampler,
    started: SystemTime,
    rate: u32,
}

impl CpuRecording {
    /// Starts. One at a time.
    pub(crate) fn start(rate: u32) -> Result<CpuRecording, String> {
        let rate = rate.clamp(1, MOST_RATE);
        Ok(CpuRecording { sampler: Sampler::start(rate)?, started: SystemTime::now(), rate })
    }

    /// Stops, without giving names to anything yet.
    pub(crate) fn stop(self) -> CpuTicks {
        let CpuRecording { sampler, started, rate } = self;
        CpuTicks { ticks: sampler.stop(), started, rate }
    }
}

/// A CPU profile as it was recorded.
#[derive(Debug, Clone)]
pub(crate) struct CpuTicks {
    pub(crate) ticks: Ticks,
    pub(crate) started: SystemTime,
    pub(crate) rate: u32,
}

impl CpuTicks {
    /// Nothing was recorded.
    pub(crate) fn none(rate: u32) -> CpuTicks {
        CpuTicks { ticks: Ticks::default(), started: SystemTime::now(), rate }
    }

    /// Several that follow each other as one. None of none.
    pub(crate) fn merged(all: impl IntoIterator<Item = CpuTicks>) -> Option<CpuTicks> {
        all.into_iter().reduce(|mut sum, next| {
            sum.ticks.add(next.ticks);
            sum
        })
    }

    /// One line about how it went: the rate that was reached and what was lost.
    pub(crate) fn summary(&self) -> String {
        let Ticks { cpu, signals, dropped, .. } = &self.ticks;
        let mut line = format!(
            "{signals} samples of {:.2}s CPU time, {:.0} per second, {} asked for",
            cpu.as_secs_f64(),
            reached(*signals, *cpu),
            self.rate
        );
        if *dropped > 0 {
            line += &format!(", {dropped} lost");
        }
        line
    }

    /// The profile with names.
    pub(crate) fn profile(&self, symbols: &mut Symbols) -> Profile {
        unsampled(|| self.assemble(symbols))
    }

    fn assemble(&self, symbols: &mut Symbols) -> Profile {
        let types = [("samples", "count"), ("cpu", "nanoseconds")];
        symbols.learn(self.ticks.stacks.keys().flatten());
        let mut assembly = Assembly::new(symbols, &types, self.started);
        let each = each(self.ticks.cpu, self.ticks.total());
        for (stack, count) in &self.ticks.stacks {
            #[expect(clippy::cast_precision_loss, reason = "counts of ticks are small")]
            #[expect(clippy::cast_possible_truncation, reason = "and so is their time")]
            let time = (*count as f64 * each).round() as i64;
            assembly.add(stack, vec![i64::try_from(*count).unwrap_or(i64::MAX), time], &[]);
        }
        let profile = assembly.profile();
        profile.period_type = Some(ValueType::new("cpu", "nanoseconds"));
        profile.period = nanoseconds(Duration::from_secs(1) / self.rate);
        profile.duration_nanos = nanoseconds(self.ticks.elapsed);
        profile.default_sample_type = Some(Text::from("cpu"));
        profile.comments.push(self.summary().into());
        assembly.finish()
    }
}

/// Nanoseconds of CPU time for each tick. Kernels look at clocks less often than high rates want
/// and some ticks are lost, so that it is not the period that was asked for.
fn each(cpu: Duration, ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of ticks are small")]
    let ticks = ticks.max(1) as f64;
    cpu.as_secs_f64() * 1e9 / ticks
}

fn reached(signals: u64, cpu: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of ticks are small")]
    let signals = signals as f64;
    if cpu.is_zero() { 0.0 } else { signals / cpu.as_secs_f64() }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) mod tests;
