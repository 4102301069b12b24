//! A panic becomes one line and exit code 2, without a backtrace. It never hides the panic.

use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;

use crate::exit::Exit;

/// Runs a program's `main`. A panic on any thread prints one line; one on this thread ends the
/// program with [`Exit::Error`].
pub fn guard(main: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(|info| {
        // With standard error closed nobody is left to tell.
        let _ignored = writeln!(io::stderr(), "{}", line(info));
    }));
    panic::catch_unwind(AssertUnwindSafe(main)).unwrap_or(Exit::Error.into())
}

fn line(info: &PanicHookInfo) -> String {
    let message = info.payload_as_str().unwrap_or("unknown cause").replace(['\n', '\r'], " ");
    let place = info.location().map(|it| format!(" ({}:{})", it.file(), it.line()));
    format!("error: internal error, please report it: {message}{}", place.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::panic;
    use std::process::ExitCode;

    use super::guard;

    #[test]
    fn a_panic_becomes_exit_code_2() {
        let before = panic::take_hook();
        let code = guard(|| panic!("a test of\nthe guard"));
        let _ours = panic::take_hook();
        panic::set_hook(before);
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    }
}
