//! Profiles of a part of a program, such as what a benchmark measures, when its environment asks
//! for them. Without a wish it calls the work and nothing else.

use std::env;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::files;
use crate::recording::{self, Recording, RecordingOptions};

/// What to record: `cpu`, `memory`, or both with a comma.
const WISH: &str = "DTAIL_PROFILE";
/// Where to; a folder that is made if it is missing.
const FOLDER: &str = "DTAIL_PROFILE_DIR";
/// As the programs' flag.
const DEFAULT_FOLDER: &str = "profiles";

/// Runs `work` and gives what it gives. If the environment has `DTAIL_PROFILE=cpu,memory` (or one
/// of them), what it does is recorded into `<name>_cpu_<time>.prof` and so on below
/// `DTAIL_PROFILE_DIR`, also when it panics. Inside of another recording it is a part of that.
///
/// Memory is only seen by programs whose allocator is [`SamplingAllocator`](crate::SamplingAllocator).
pub fn measured<R>(name: &str, work: impl FnOnce() -> R) -> R {
    let Some(options) = wish(name) else { return work() };
    let recording = Recording::start(options, tell);
    let result = work();
    recording.finish();
    result
}

/// What the environment asks for; a wish nobody understands is told and left.
fn wish(name: &str) -> Option<RecordingOptions> {
    let wanted = env::var_os(WISH)?;
    if recording::is_going_on() {
        return None;
    }
    let (cpu, memory) = match parsed(&wanted.to_string_lossy()) {
        Ok(wanted) => wanted,
        Err(line) => {
            tell(&line);
            return None;
        }
    };
    let directory = env::var_os(FOLDER).map_or_else(|| DEFAULT_FOLDER.into(), PathBuf::from);
    let tool = files::plain(name);
    (cpu || memory).then(|| RecordingOptions { tool, cpu, memory, directory, ..Default::default() })
}

/// Whether CPU time and whether memory is meant. Empty is neither.
fn parsed(wish: &str) -> Result<(bool, bool), String> {
    let (mut cpu, mut memory) = (false, false);
    for word in wish.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "cpu" => cpu = true,
            "memory" => memory = true,
            _ => {
                return Err(format!(
                    "warning: nothing is recorded: {WISH}={wish} is neither cpu, memory nor both"
                ));
            }
        }
    }
    Ok((cpu, memory))
}

fn tell(line: &str) {
    // With standard error closed nobody is left to tell.
    let _told = io::stderr().write_all(format!("{line}\n").as_bytes()).is_ok();
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::fs;
    use std::hint::black_box;
    use std::process::Command;

    use dtail_pprof::Profile;

    use super::{FOLDER, WISH, measured, parsed};

    /// Iterations that take some tenths of a second.
    const ENOUGH: u64 = 200_000_000;
    /// Makes a benchmark panic.
    const PANICS: &str = "DTAIL_TEST_PANICS";

    #[inline(never)]
    fn what_is_measured(iterations: u64) -> u64 {
        (0..iterations).fold(1, |sum: u64, it| black_box(sum.wrapping_mul(31) ^ it))
    }

    /// Run by itself it is short and records nothing; the other test runs it as a benchmark.
    #[test]
    fn a_benchmark() {
        let wanted = std::env::var_os(WISH).is_some();
        let iterations = if wanted { ENOUGH } else { 1 };
        let result = measured("the loop", || {
            let blocks: Vec<Vec<u8>> = (0..64).map(|_| black_box(vec![1; 1 << 20])).collect();
            what_is_measured(iterations) + blocks.len() as u64
        });
        assert!(black_box(result) > 0);
    }

    /// Run by itself it does not panic; the other test runs it as a benchmark that does.
    #[test]
    fn a_benchmark_that_panics() {
        measured("the panic", || {
            if std::env::var_os(PANICS).is_some() {
                assert_eq!(black_box(what_is_measured(ENOUGH)), 0, "the benchmark's own panic");
            }
        });
    }

    #[test]
    fn a_panic_does_not_lose_the_profile() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "measured::tests::a_benchmark_that_panics", "--nocapture"]);
        let output = command.env(WISH, "cpu").env(PANICS, "1").env(FOLDER, folder.path());
        let output = output.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("the benchmark's own panic"), "{said}");
        assert!(said.contains("Wrote CPU profile to "), "{said}");
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert_eq!(files.len(), 1);
        let profile = Profile::decode(&fs::read(files[0].path()).unwrap()).unwrap();
        assert!(profile.functions.iter().any(|it| it.name.contains("what_is_measured")));
    }

    #[test]
    fn what_a_benchmark_measures_is_recorded_when_the_environment_asks_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let run = |wish: &str| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "measured::tests::a_benchmark", "--nocapture"]);
            let output = command.env(WISH, wish).env(FOLDER, folder.path()).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{said}");
            said
        };
        assert!(
            run("time").contains("warning: nothing is recorded: DTAIL_PROFILE=time is neither")
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(run("cpu,memory").contains("Wrote CPU profile to "));
        let mut kinds = Vec::new();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let profile = Profile::decode(&fs::read(&path).unwrap()).unwrap();
            let has = |what| profile.functions.iter().any(|it| it.name.contains(what));
            let expected = if name.contains("_cpu_") { "what_is_measured" } else { "a_benchmark" };
            assert!(has(expected), "{name}");
            // The rings and tables of the sampler are larger than the gap between two samples.
            // Its processor time may be seen: this thread starts it and stops it.
            let may_be_seen = name.contains("_cpu_");
            assert!(may_be_seen || !has("dtail_profile::machine"), "{name} has the profiler's own");
            kinds.push(name.split_once("_20").unwrap().0.to_owned());
        }
        kinds.sort();
        assert_eq!(kinds, ["the-loop_alloc", "the-loop_cpu", "the-loop_mem"]);
    }

    #[test]
    fn a_wish_is_a_list_of_two_words() {
        for (wish, expected) in [
            ("cpu", (true, false)),
            (" memory ", (false, true)),
            ("memory,cpu", (true, true)),
            ("", (false, false)),
        ] {
            assert_eq!(parsed(wish), Ok(expected), "{wish}");
        }
        assert!(parsed("cpu;memory").unwrap_err().contains("cpu;memory"));
    }
}
