//! The profiling flags that all programs share, and what they start: a recording, and snapshots on
//! SIGUSR1. It records nothing itself.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use dtail_profile::{Recording, RecordingOptions, snapshot};

use crate::signals;

const PROFILING: &str = "Profiling";

/// Flags about profiles. The names are DTail's where it has them.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfilingArgs {
    /// Record where the CPU time goes
    #[arg(long, help_heading = PROFILING)]
    pub cpuprofile: bool,
    /// Record which memory is in use at the end, and all that was ever asked for
    #[arg(long, help_heading = PROFILING)]
    pub memprofile: bool,
    /// Record both
    #[arg(long, help_heading = PROFILING)]
    pub profile: bool,
    /// Directory of the profiles, which is made if it is missing
    #[arg(long, value_name = "DIR", default_value = "profiles", help_heading = PROFILING)]
    pub profiledir: PathBuf,
    /// Log metrics so often, such as every 30s or 5m
    #[arg(long = "profile-interval", value_name = "TIME", value_parser = time, help_heading = PROFILING)]
    pub profile_interval: Option<Duration>,
    /// Serve profiles at this address, such as :6060, which is loopback, under /debug/pprof/
    #[arg(long, value_name = "ADDRESS", help_heading = PROFILING)]
    pub pprof: Option<String>,
    /// File with the bearer token that clients of --pprof must show; only with one may others
    /// than this host connect
    #[arg(long = "pprof-token-file", value_name = "FILE", help_heading = PROFILING)]
    pub pprof_token_file: Option<PathBuf>,
}

impl ProfilingArgs {
    /// Starts what the flags ask for. `continuous` is how long a time of CPU samples a server
    /// keeps ready. Whatever cannot be had is told on standard error; the program goes on.
    pub fn start(&self, tool: &str, continuous: Option<Duration>) -> Recording {
        let options = RecordingOptions {
            tool: tool.to_owned(),
            cpu: self.cpuprofile || self.profile,
            memory: self.memprofile || self.profile,
            directory: self.profiledir.clone(),
            interval: self.profile_interval,
            address: self.pprof.clone().filter(|address| !address.is_empty()),
            token_file: self.pprof_token_file.clone(),
            continuous,
        };
        if options.is_wanted()
            && let Err(err) = signals::watch_snapshots(|| snapshot("sigusr1"))
        {
            tell(&format!("warning: no snapshots on SIGUSR1: {err}"));
        }
        Recording::start(options, tell)
    }
}

fn tell(line: &str) {
    // With standard error closed nobody is left to tell.
    let _told = io::stderr().write_all(format!("{line}\n").as_bytes()).is_ok();
}

/// A time as Go writes one, with a single unit; a bare number counts seconds.
fn time(text: &str) -> Result<Duration, String> {
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let seconds = number.parse::<f64>().unwrap_or(0.0) * scale;
    let time = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match time >= Duration::from_millis(10) {
        true => Ok(time),
        false => Err("a time such as 500ms, 30s, 5m or 1h, at least 10ms".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_have_one_unit() {
        let milliseconds = |text| time(text).ok().map(|time| time.as_millis());
        assert_eq!(milliseconds("30s"), Some(30_000));
        assert_eq!(milliseconds("1.5"), Some(1500));
        assert_eq!(milliseconds("5m"), Some(300_000));
        assert_eq!(milliseconds("20ms"), Some(20));
        for bad in ["", "s", "0", "-3s", "1d", "1ms", "1h30m", "nan", "inf"] {
            assert_eq!(milliseconds(bad), None, "{bad}");
        }
    }
}
