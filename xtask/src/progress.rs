//! Progress of long work: a bar on a terminal, otherwise a plain line now and then.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Plain lines are at least this far apart, so that a CI log stays readable.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(15);

/// The progress of one piece of work with a known or unknown number of steps.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    steps: u64,
    done: u64,
    last_line: Instant,
}

impl Progress {
    /// `steps` = 0 means that the number of steps is unknown.
    pub(crate) fn new(label: &str, steps: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = if steps == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(steps) };
            let template = if steps == 0 {
                "   {spinner} {elapsed} {wide_msg}"
            } else {
                "   {bar:24} {pos}/{len} {elapsed} {wide_msg}"
            };
            // The templates are constants; a broken one falls back to indicatif's own.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, label: label.to_owned(), steps, done: 0, last_line: Instant::now() }
    }

    /// Says what is being done now.
    pub(crate) fn say(&mut self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None if self.last_line.elapsed() >= PLAIN_LINE_EVERY => {
                self.last_line = Instant::now();
                let of = if self.steps > 0 {
                    format!(" {}/{}", self.done, self.steps)
                } else {
                    String::new()
                };
                eprintln!("   {}{of}: {message}", self.label);
            }
            None => {}
        }
    }

    /// One step is done.
    pub(crate) fn step(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
