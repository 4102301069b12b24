//! What `cargo xtask` prints when nothing was asked for: the few commands that most people need.

/// The menu. Every command in it exists; a test sees to that.
pub(crate) const MENU: &str = "\
Fast programs
  cargo xtask build-pgo --install     build with the committed profiles and install, no training
  cargo xtask pgo-quick               see what profiles gain here, in minutes
  cargo xtask pgo                     the whole pipeline: train, prove, report, new profiles

Looking
  cargo xtask doctor                  what this machine lacks, and how to mend it
  cargo xtask pgo-show dgrep          what is in a profile, or in an installed program
  cargo xtask pgo-report              the last report as a page for a browser
  cargo xtask bench dgrep --quick     side by side with other programs
  cargo xtask profile quick           where time and memory go

Contributing
  cargo xtask ci                      everything that CI checks
  cargo xtask ci fmt clippy           only some of it
  cargo xtask ci run pgo-check        what a workflow does, on this machine

Shipping
  cargo xtask dist --packages         archive, .deb, .rpm, bill of materials
  cargo xtask uninstall-pgo           remove what was installed, and nothing else

All commands: cargo xtask help. Their options: cargo xtask COMMAND --help.
";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::MENU;
    use crate::cli::Cli;

    #[test]
    fn every_command_of_the_menu_exists() {
        let lines = MENU.lines().filter(|line| line.starts_with("  cargo xtask "));
        let commands: Vec<&str> =
            lines.map(|line| line.trim().split("  ").next().unwrap_or_default()).collect();
        assert!(commands.len() > 10);
        for command in commands {
            let words = command.split(' ').skip(1);
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{command}: {error}");
            }
        }
    }
}
