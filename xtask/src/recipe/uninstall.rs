//! `uninstall-pgo`: removes what `install-pgo` put below a prefix, by the list it left there.

use anyhow::Result;

use crate::cli;
use crate::recipe::install;
use crate::ship::installed::{Fate, Installed};

/// Removes the files of the list; a changed file is its owner's and stays.
pub(crate) fn uninstall(options: &cli::Uninstall) -> Result<()> {
    let prefix = install::prefix(options.prefix.as_deref())?;
    let installed = Installed::read(&prefix)?;
    installed.ensure_some()?;
    if options.dry_run {
        installed.paths().for_each(|path| println!("rm {}", path.display()));
        return Ok(());
    }
    for (path, fate) in installed.remove()? {
        match fate {
            Fate::Removed => eprintln!("   removed {}", path.display()),
            Fate::Gone => eprintln!("   {} was gone already", path.display()),
            Fate::Kept => eprintln!("   kept {}: it is not what was installed", path.display()),
        }
    }
    Ok(())
}
