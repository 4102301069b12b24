//! The log tools as one program, which is the tool by whose name it is called. What they share is
//! linked and optimised once instead of once for each (docs/decisions/0014). It has no logic of theirs.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dtail_process::exit::Exit;

type Main = fn() -> ExitCode;

const TOOLS: &[(&str, Main)] = &[
    ("dcat", dcat::main),
    ("dgrep", dgrep::main),
    ("dmap", dmap::main),
    ("dprofile", dprofile::main),
    // Elsewhere only the local tools are shipped (ci/targets.toml).
    #[cfg(target_os = "linux")]
    ("dserver", dserver::main),
    ("dtail", dtail::main),
    ("dtailhealth", dtailhealth::main),
];

fn main() -> ExitCode {
    let called_as = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    // A link of any other name leads to a file that has a tool's name.
    let file = || std::env::current_exe().ok().and_then(|path| tool(&path));
    match tool(&called_as).or_else(file) {
        Some(main) => main(),
        None => refuse(&called_as),
    }
}

/// The tool that a file is named after: dgrep, and dgrep.old, too.
fn tool(path: &Path) -> Option<Main> {
    let name = path.file_name()?.to_str()?;
    let name = name.split_once('.').map_or(name, |(name, _)| name);
    TOOLS.iter().find(|(tool, _)| name == *tool).map(|(_, main)| *main)
}

fn refuse(called_as: &Path) -> ExitCode {
    let called_as = called_as.display();
    let names: Vec<&str> = TOOLS.iter().map(|(tool, _)| *tool).collect();
    let names = names.join(", ");
    // With standard error closed nobody is left to tell.
    let _told = writeln!(
        io::stderr(),
        "error: called as {called_as:?}, but this program goes by its name: call it {names}"
    );
    Exit::Error.into()
}
