//! The reasons for which a recipe stops, and the exit code of each.
//! Every refusal that a script may want to tell apart is a `Fault`; everything else exits with 1.

use std::fmt;

/// Why a recipe refused to go on. The numbers are part of the command line's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The command line names something that does not exist or cannot be used.
    Usage,
    /// The compiler, llvm-profdata or hyperfine is missing or does not fit.
    Toolchain,
    /// A training run failed, or its raw profile is empty, truncated or another program's.
    Training,
    /// A merged profile is unusable: foreign, untrained, or not what its manifest says.
    Quality,
    /// A committed profile does not belong to today's compiler or build settings.
    Stale,
    /// The optimised program behaves differently from the baseline.
    Regression,
    /// A clear verdict was demanded, and the comparison gave none.
    Inconclusive,
    /// The same sources and the same profile gave another program.
    Irreproducible,
    /// The machine: a full disk, an unreadable or unwritable file.
    Machine,
    /// A page of the documentation is not what programs and code say.
    Drift,
    /// SIGINT or SIGTERM ended the recipe, or the reader of its output went away.
    Interrupted,
}

impl Fault {
    /// Every reason there is, by its number.
    pub(crate) const ALL: [Self; 11] = [
        Self::Usage,
        Self::Toolchain,
        Self::Training,
        Self::Quality,
        Self::Stale,
        Self::Regression,
        Self::Inconclusive,
        Self::Irreproducible,
        Self::Machine,
        Self::Drift,
        Self::Interrupted,
    ];

    /// In a few words, for the documentation.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Usage => {
                "bad usage: an unknown tool, case, stage or step, or a bad workload file"
            }
            Self::Toolchain => "the compiler or one of its tools is missing or does not fit",
            Self::Training => "a training run failed, or its raw profile is worth nothing",
            Self::Quality => "a merged profile is unusable",
            Self::Stale => "a stored profile, or what was built with it, is not of today",
            Self::Regression => "the optimised program behaves differently, or a bar was missed",
            Self::Inconclusive => "a clear verdict was demanded, and there is none",
            Self::Irreproducible => "the same sources gave another program",
            Self::Machine => "this machine: a full disk, an unreadable or unwritable file",
            Self::Drift => "a generated part of the documentation is not what the programs say",
            Self::Interrupted => "stopped by a signal, or by the reader of its output",
        }
    }

    /// The process exit code, 0–255.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Toolchain => 3,
            Self::Training => 4,
            Self::Quality => 5,
            Self::Stale => 6,
            Self::Regression => 7,
            Self::Inconclusive => 8,
            Self::Irreproducible => 9,
            Self::Machine => 10,
            Self::Drift => 11,
            Self::Interrupted => 130,
        }
    }
}

/// An error that carries its `Fault`; the message says what is wrong and what mends it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) fault: Fault,
    message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Makes the error that stops a recipe with `fault`'s exit code.
pub(crate) fn refuse(fault: Fault, message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Refusal { fault, message: message.into() })
}

/// The exit code of a failed recipe: its fault's, 10 for I/O errors of this machine, otherwise 1.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(refusal) = error.chain().find_map(<dyn std::error::Error>::downcast_ref::<Refusal>)
    {
        return refusal.fault.code();
    }
    let of_this_machine = error.chain().any(<dyn std::error::Error>::is::<std::io::Error>);
    if of_this_machine { Fault::Machine.code() } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn context_keeps_the_fault() {
        let error = Err::<(), _>(refuse(Fault::Stale, "old")).context("outer").unwrap_err();
        assert_eq!(exit_code(&error), 6);
        assert_eq!(format!("{error:#}"), "outer: old");
    }

    #[test]
    fn the_list_of_faults_is_complete_and_in_order() {
        let codes = Fault::ALL.map(Fault::code);
        assert!(codes.is_sorted() && codes[..10].iter().eq(&(2..=11).collect::<Vec<u8>>()));
        let help = <crate::cli::Cli as clap::CommandFactory>::command().render_long_help();
        let help = help.to_string().replace('\n', " ");
        for code in codes {
            assert!(help.contains(&format!("· {code} ")), "--help does not tell of {code}");
        }
    }

    #[test]
    fn io_errors_and_the_rest_differ() {
        let io = anyhow::Error::from(std::io::Error::other("no space"));
        assert_eq!(exit_code(&io), 10);
        assert_eq!(exit_code(&anyhow::anyhow!("cargo build failed")), 1);
    }
}
