//! The programs that ours are measured beside: which are installed, and the words with which each
//! does the same work. Knows no figures.

use std::path::PathBuf;

use crate::bench::figure::Figure;
use crate::compare::hyperfine::Arm;
use crate::toolchain::in_path;

/// The kinds of programs, by how they are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ripgrep,
    Grep,
    Ugrep,
    Zgrep,
    Zstdgrep,
    Cat,
}

/// A program beside ours.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
}

/// Every kind with its program and how it is had.
const KNOWN: [(Kind, &str, &str); 6] = [
    (Kind::Ripgrep, "rg", "apt-get install ripgrep"),
    (Kind::Grep, "grep", "apt-get install grep"),
    (Kind::Ugrep, "ugrep", "apt-get install ugrep"),
    (Kind::Zgrep, "zgrep", "apt-get install gzip"),
    (Kind::Zstdgrep, "zstdgrep", "apt-get install zstd"),
    (Kind::Cat, "cat", "apt-get install coreutils"),
];

/// The peers of a bench, and those that are missing.
pub(crate) struct Peers {
    found: Vec<Peer>,
    missing: Vec<(Kind, String)>,
}

/// What is searched for, in words that every program has.
#[derive(Clone, Debug)]
pub(crate) enum Wanted<'a> {
    Expression(&'a str),
    IgnoringCase(&'a str),
    /// Every line of this file, as plain text.
    Texts(&'a str),
}

impl Peers {
    /// Looks for the known programs of `kinds` and takes the ripgrep-like ones that were named.
    pub(crate) fn find(kinds: &[Kind], named: &[(String, PathBuf)]) -> Self {
        let mut peers = Self { found: Vec::new(), missing: Vec::new() };
        for (kind, name, mend) in KNOWN.into_iter().filter(|(kind, ..)| kinds.contains(kind)) {
            match in_path(name) {
                Some(path) => peers.found.push(Peer { name: name.to_owned(), kind, path }),
                None => {
                    eprintln!("   MISSING PEER: no {name} here, mend: {mend}");
                    peers.missing.push((kind, format!("no {name} here: {mend}")));
                }
            }
        }
        for (name, path) in named {
            let (name, path) = (name.clone(), path.clone());
            peers.found.push(Peer { name, kind: Kind::Ripgrep, path });
        }
        peers
    }

    /// The found ones of these kinds.
    pub(crate) fn of(&self, kinds: &[Kind]) -> impl Iterator<Item = &Peer> {
        self.found.iter().filter(move |peer| kinds.contains(&peer.kind))
    }

    /// A skipped figure for each missing peer, so that nobody takes the rest for everything.
    pub(crate) fn missing(&self) -> Vec<Figure> {
        let skipped = |(kind, why): &(Kind, String)| {
            let name = KNOWN.iter().find(|known| known.0 == *kind).map_or("", |known| known.1);
            Figure::skipped(&format!("everything / {name}"), why.clone())
        };
        self.missing.iter().map(skipped).collect()
    }
}

impl Peer {
    /// The arm that searches `files`, without names and numbers in front of lines.
    pub(crate) fn search(&self, wanted: &Wanted<'_>, files: &[String]) -> Arm {
        self.arm(&self.search_options(), wanted, files)
    }

    /// The arm that searches compressed `files`.
    pub(crate) fn search_compressed(&self, wanted: &Wanted<'_>, files: &[String]) -> Arm {
        let mut options = self.search_options();
        if matches!(self.kind, Kind::Ripgrep | Kind::Ugrep) {
            options.push("-z");
        }
        self.arm(&options, wanted, files)
    }

    fn search_options(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Ripgrep => vec!["--no-config", "-N", "-I"],
            Kind::Grep | Kind::Ugrep => vec!["-E", "-h"],
            Kind::Zgrep | Kind::Zstdgrep => vec!["-E"],
            Kind::Cat => Vec::new(),
        }
    }

    fn arm(&self, options: &[&str], wanted: &Wanted<'_>, files: &[String]) -> Arm {
        let mut words = vec![self.path.display().to_string()];
        match wanted {
            // Fixed strings and extended expressions exclude each other.
            Wanted::Texts(file) => {
                words.extend(options.iter().filter(|o| **o != "-E").map(|o| (*o).to_owned()));
                words.extend(["-F".to_owned(), "-f".to_owned(), (*file).to_owned()]);
            }
            Wanted::Expression(text) | Wanted::IgnoringCase(text) => {
                words.extend(options.iter().map(|option| (*option).to_owned()));
                if matches!(wanted, Wanted::IgnoringCase(_)) {
                    words.push("-i".to_owned());
                }
                words.push((*text).to_owned());
            }
        }
        words.extend(files.iter().cloned());
        Arm { name: self.name.clone(), words }
    }

    /// The arm that prints `files`.
    pub(crate) fn print(&self, files: &[String]) -> Arm {
        let program = std::iter::once(self.path.display().to_string());
        Arm { name: self.name.clone(), words: program.chain(files.iter().cloned()).collect() }
    }
}

/// Our dgrep doing what the peers do.
pub(crate) fn dgrep(program: &str, wanted: &Wanted<'_>, files: &[String]) -> Arm {
    let own: Vec<&str> = match wanted {
        Wanted::Expression(text) => vec!["--regex", text],
        Wanted::IgnoringCase(text) => vec!["--ignore-case", "--regex", text],
        Wanted::Texts(file) => vec!["--fixed-strings", "--file", file],
    };
    let words = [program, "--cfg", "none", "--plain"].into_iter().chain(own).map(str::to_owned);
    Arm { name: "dgrep".to_owned(), words: words.chain(files.iter().cloned()).collect() }
}

/// `NAME=PATH` of a peer's program.
pub(crate) fn named(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            let path = std::path::absolute(path).map_err(|error| error.to_string())?;
            if !path.is_file() {
                return Err(format!("there is no program {}", path.display()));
            }
            Ok((name.to_owned(), path))
        }
        _ => Err("give it as NAME=PATH".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(wanted: &Wanted<'_>, compressed: bool, expected: &Expect) {
        let files = ["f".to_owned()];
        let mut lines = vec![words::join(dgrep("dgrep", wanted, &files).words)];
        for (kind, name, _) in KNOWN.into_iter().filter(|known| known.0 != Kind::Cat) {
            let peer = Peer { name: name.to_owned(), kind, path: name.into() };
            let arm = match compressed {
                true => peer.search_compressed(wanted, &files),
                false => peer.search(wanted, &files),
            };
            lines.push(words::join(&arm.words));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn every_program_is_asked_the_same() {
        check(
            &Wanted::IgnoringCase("USER7"),
            false,
            &expect![[r#"
                dgrep --cfg none --plain --ignore-case --regex USER7 f
                rg --no-config -N -I -i USER7 f
                grep -E -h -i USER7 f
                ugrep -E -h -i USER7 f
                zgrep -E -i USER7 f
                zstdgrep -E -i USER7 f"#]],
        );
        check(
            &Wanted::Expression("a|b"),
            true,
            &expect![[r#"
                dgrep --cfg none --plain --regex 'a|b' f
                rg --no-config -N -I -z 'a|b' f
                grep -E -h 'a|b' f
                ugrep -E -h -z 'a|b' f
                zgrep -E 'a|b' f
                zstdgrep -E 'a|b' f"#]],
        );
        check(
            &Wanted::Texts("words"),
            false,
            &expect![[r#"
                dgrep --cfg none --plain --fixed-strings --file words f
                rg --no-config -N -I -F -f words f
                grep -h -F -f words f
                ugrep -h -F -f words f
                zgrep -F -f words f
                zstdgrep -F -f words f"#]],
        );
    }

    #[test]
    fn a_named_peer_has_a_name_and_a_program() {
        assert!(named("rg15").is_err() && named("=x").is_err() && named("rg15=").is_err());
        assert!(named("rg15=/nowhere/rg").unwrap_err().contains("/nowhere/rg"));
        let shell = in_path("sh").unwrap();
        assert_eq!(named(&format!("sh={}", shell.display())).unwrap(), ("sh".to_owned(), shell));
    }

    #[test]
    fn a_named_peer_is_a_ripgrep_and_missing_ones_are_told() {
        let peers = Peers::find(&[Kind::Cat], &[("rg15".to_owned(), "/x/rg".into())]);
        let names: Vec<_> = peers.of(&[Kind::Ripgrep]).map(|peer| peer.name.as_str()).collect();
        assert_eq!(names, ["rg15"]);
        let peers = Peers { found: Vec::new(), missing: vec![(Kind::Ugrep, "why".to_owned())] };
        assert_eq!(peers.missing()[0].name, "everything / ugrep");
    }
}
