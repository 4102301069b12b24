//! Asks a person at the terminal whether unknown hosts are trusted, in DTail's words. Never decides
//! and never writes the file of known hosts.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use dtail_client::{Answer, Question, UnknownHost};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal as it was before anybody was asked for a passphrase, which is typed without being shown.
#[derive(Debug)]
pub(crate) struct SavedTerminal {
    terminal: File,
    settings: Termios,
}

impl SavedTerminal {
    /// The terminal of this process, if there is one.
    pub(crate) fn save() -> Option<SavedTerminal> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
        let settings = tcgetattr(&terminal).ok()?;
        Some(SavedTerminal { terminal, settings })
    }

    /// Undoes what a question changed whose answer nobody waits for any more.
    pub(crate) fn restore(self) {
        let now = tcgetattr(&self.terminal).map(|now| now.local_modes);
        if now.is_ok_and(|now| now != self.settings.local_modes) {
            let wanted = OptionalActions::Now;
            // A terminal that has gone away needs no restoring.
            let _restored = tcsetattr(&self.terminal, wanted, &self.settings).is_ok();
        }
    }
}

/// Somebody to ask, if there is a terminal.
pub(crate) fn question() -> Option<Box<Question>> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    let mut answers = BufReader::new(terminal.try_clone().ok()?);
    Some(Box::new(move |hosts: &[UnknownHost]| {
        // A terminal that has gone away answers nothing.
        ask(hosts, &mut answers, &terminal).unwrap_or(Answer::No)
    }))
}

fn ask(
    hosts: &[UnknownHost],
    answers: &mut impl BufRead,
    mut terminal: impl Write,
) -> io::Result<Answer> {
    let names: Vec<String> = hosts.iter().map(name).collect();
    writeln!(terminal, "Encountered {} unknown hosts: {}", hosts.len(), names.join(", "))?;
    loop {
        write!(terminal, "Do you want to trust these hosts? (y=yes,a=all,n=no,d=details): ")?;
        terminal.flush()?;
        let mut answer = String::new();
        if answers.read_line(&mut answer)? == 0 {
            return Ok(Answer::No);
        }
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(Answer::Yes),
            "a" | "all" => return Ok(Answer::All),
            "n" | "no" => return Ok(Answer::No),
            "d" | "details" => {
                for host in hosts {
                    let (key, ip) = (&host.key, host.ip);
                    let (algorithm, fingerprint) = (key.algorithm(), key.fingerprint());
                    writeln!(terminal, "{} ({ip}) {algorithm} {fingerprint}", name(host))?;
                }
            }
            _ => {}
        }
    }
}

fn name(host: &UnknownHost) -> String {
    let endpoint = &host.endpoint;
    match endpoint.host.contains(':') {
        true => format!("[{}]:{}", endpoint.host, endpoint.port),
        false => format!("{}:{}", endpoint.host, endpoint.port),
    }
}

#[cfg(test)]
mod tests {
    use dtail_client::{Endpoint, PublicKey, UnknownHost};
    use expect_test::{Expect, expect};

    use super::ask;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    #[track_caller]
    fn check(typed: &str, expected: &Expect) {
        let endpoint = |host: &str| Endpoint { host: host.into(), port: 2222, user: "me".into() };
        let host = |name: &str| UnknownHost {
            endpoint: endpoint(name),
            ip: [127, 0, 0, 1].into(),
            key: PublicKey::from_openssh(KEY).unwrap(),
        };
        let mut shown = Vec::new();
        let answer = ask(&[host("web1"), host("::1")], &mut typed.as_bytes(), &mut shown).unwrap();
        expected.assert_eq(&format!("{}\n{answer:?}", String::from_utf8(shown).unwrap()));
    }

    #[test]
    fn one_question_is_asked_about_all() {
        check(
            "y\n",
            &expect![[r#"
            Encountered 2 unknown hosts: web1:2222, [::1]:2222
            Do you want to trust these hosts? (y=yes,a=all,n=no,d=details): 
            Yes"#]],
        );
        check(
            "what\nALL\n",
            &expect![[r#"
            Encountered 2 unknown hosts: web1:2222, [::1]:2222
            Do you want to trust these hosts? (y=yes,a=all,n=no,d=details): Do you want to trust these hosts? (y=yes,a=all,n=no,d=details): 
            All"#]],
        );
    }

    #[test]
    fn details_name_the_keys_and_no_answer_is_no() {
        check(
            "d\n",
            &expect![[r#"
            Encountered 2 unknown hosts: web1:2222, [::1]:2222
            Do you want to trust these hosts? (y=yes,a=all,n=no,d=details): web1:2222 (127.0.0.1) ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU
            [::1]:2222 (127.0.0.1) ssh-ed25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU
            Do you want to trust these hosts? (y=yes,a=all,n=no,d=details): 
            No"#]],
        );
    }
}
