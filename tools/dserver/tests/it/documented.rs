//! The examples of the pages work: configurations are such that dserver takes them, and commands of
//! the clients do what they say, here and on a server.

use std::path::Path;
use std::time::Duration;

use dtail_testkit::{Program, Scratch, Server, Signal, sibling};

/// The pages whose commands are run; docs/queries.md has a test of its own.
const PAGES: [&str; 5] = [
    "README.md",
    "docs/searching.md",
    "docs/log-formats.md",
    "docs/remote.md",
    "docs/operations.md",
];
/// For something to be printed.
const LIMIT: Duration = Duration::from_secs(60);
const CLIENTS: [&str; 4] = ["dcat", "dgrep", "dmap", "dtail"];

/// What the commands read. Every one of them finds something in it.
const LOG: &str = "ERROR timeout refused panic user=ann\nWARN word user=bob\n\
                   INFO|20261121-071143|1|stats.rs:1|8|13|0|0.21|471h0m21s|MAPREDUCE:STATS|\
                   hostname=web1|currentConnections=2|running=1|requests=3|serverUptime=60\n";
const FILES: [(&str, &str); 16] = [
    ("app.log", LOG),
    ("app.log.1.gz", LOG),
    ("app.log.gz", LOG),
    ("patterns.txt", "error\n"),
    ("var/log/app.log", LOG),
    ("var/log/app/web.log", LOG),
    ("stats.log", LOG),
    ("var/log/stats.log", LOG),
    ("var/log/dserver/20261121.log", LOG),
    ("a.csv", "user,duration\nann,3\n"),
    ("requests.csv", "user,duration,status\nann,3,200\n"),
    (
        "access.log.1",
        "::1 - - [20/Nov/2026:10:00:05 +0100] \"GET /api/x HTTP/1.1\" 200 7 \"-\" \"curl\"\n",
    ),
    ("app.jsonl.gz", "{\"http\":{\"ms\":3,\"route\":\"/x\"}}\n"),
    ("billing.log", "10:00 ERROR 17: no money\n"),
    (".dtail.conf", ""),
    ("words.txt", "error\n"),
];

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).expect("a file of this repository")
}

/// The code blocks of this kind.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let begin = format!("```{kind}\n");
    page.split(begin.as_str()).skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[track_caller]
fn check(configuration: &str) {
    let scratch = Scratch::new();
    scratch.write("dtail.json", configuration);
    let program = Program::new(env!("CARGO_BIN_EXE_dserver"), &scratch);
    let checked = program.args(["--cfg", "dtail.json", "--check-config"]).run();
    checked.exits(0).prints("the configuration is fine\n");
}

#[test]
fn the_documented_configurations_are_fine() {
    let page = text("docs/operations.md");
    let configurations = blocks(&page, "json");
    assert!(configurations.len() >= 3, "only {} were found", configurations.len());
    configurations.iter().for_each(|configuration| check(configuration));
    let shipped = text("xtask/src/ship/dtail.json");
    check(&shipped);
    assert_eq!(configurations[0], shipped.trim_end(), "the page shows what the packages bring");
}

/// The commands of `programs` in all pages: words without the comment behind them, and without
/// other programs that come after them.
fn commands(programs: &[&str]) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for path in PAGES {
        let page = text(path);
        for block in blocks(&page, "sh").into_iter().chain(blocks(&page, "console")) {
            for line in block.lines() {
                let words = words(alone(line));
                if words.first().is_some_and(|program| programs.contains(&program.as_str())) {
                    commands.push(words);
                }
            }
        }
    }
    commands
}

/// The command without what comes after it: a comment, a description, another program.
fn alone(line: &str) -> &str {
    let ends = ["  #", " | ", " && "];
    ends.into_iter().fold(line, |line, end| line.split(end).next().unwrap_or_default())
}

/// The examples in the help of the clients, of which some take two lines.
fn examples() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for client in CLIENTS {
        let help = Program::new(sibling(client), &Scratch::new()).arg("--help").run();
        let help = help.exits(0).stdout_text();
        let examples = help.split("Examples:\n").nth(1).and_then(|rest| rest.split("\n\n").next());
        let mut example = String::new();
        for line in examples.unwrap_or_default().lines() {
            // Two blanks part a command from its description.
            let line = line.trim().split("  ").next().unwrap_or_default();
            let is_open = |example: &str| example.matches('\'').count() % 2 == 1;
            example = if is_open(&example) { format!("{example} {line}") } else { line.to_owned() };
            if !is_open(&example) && example.starts_with(client) {
                all.push(words(alone(&example)));
            }
        }
    }
    all
}

/// Blanks part words, single quotes hold them together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        for (place, piece) in part.split(' ').enumerate() {
            let is_quoted = index % 2 == 1;
            match words.last_mut() {
                Some(word) if is_quoted && place > 0 => word.push(' '),
                _ if place > 0 => words.push(String::new()),
                _ => {}
            }
            if let Some(word) = words.last_mut() {
                word.push_str(piece);
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn put_files(scratch: &Scratch) {
    for (name, content) in FILES {
        scratch.write(name, content);
    }
    let page = text("docs/log-formats.md");
    scratch.write(".dtail.conf", blocks(&page, "json")[0]);
}

/// The command without what names other hosts and how they are reached, and with paths in `folder`.
fn local(words: &[String], folder: &Path) -> Vec<String> {
    let hosts = ["--servers", "--discovery", "--transport"];
    let mut local = Vec::new();
    let mut words = words[1..].iter();
    while let Some(word) = words.next() {
        if hosts.contains(&word.as_str()) {
            words.next();
        } else {
            local.push(word.replace("/var/log", &folder.join("var/log").display().to_string()));
        }
    }
    local
}

#[test]
fn the_documented_commands_of_the_clients_work() {
    assert_eq!(words("a  'b  c'd e"), ["a", "b  cd", "e"]);
    let server = Server::start("{}");
    put_files(server.scratch());
    let (mut here, mut there) = (0, 0);
    for command in [commands(&CLIENTS), examples()].concat() {
        let scratch = Scratch::new();
        put_files(&scratch);
        let is_remote =
            ["--servers", "--discovery"].iter().any(|it| command.contains(&(*it).into()));
        let (program, folder) = match is_remote {
            true => (server.client(&command[0], &scratch), server.scratch().path()),
            false => (Program::new(sibling(&command[0]), &scratch), scratch.path()),
        };
        let program = program.args(local(&command, folder));
        let follows = command[0] == "dtail";
        let from_the_end = follows && !command.iter().any(|word| word == "-n");
        let finished = match follows {
            // Nothing will be added to the file.
            true if from_the_end => program.args(["--shutdownAfter", "1"]).run(),
            true => {
                let running = program.spawn();
                running.wait_for_stdout("a line", LIMIT, |printed| !printed.is_empty());
                running.signal(Signal::INT);
                running.wait(LIMIT)
            }
            false => program.run(),
        };
        finished.exits(0);
        let has_outfile = command.iter().any(|word| word.contains(" outfile "));
        let said = finished.stdout_text();
        assert!(has_outfile || from_the_end || said.lines().count() > 0, "{command:?}: {said}");
        match is_remote {
            true => there += 1,
            false => here += 1,
        }
    }
    assert!(here >= 36 && there >= 11, "only {here} and {there} commands were run");
    server.stop();
}

#[test]
fn the_documented_health_checks_work() {
    let server = Server::start("{}");
    let checks = commands(&["dtailhealth"]);
    assert!(checks.len() >= 2, "only {} were found", checks.len());
    for check in checks {
        let scratch = Scratch::new();
        let address = server.address().to_string();
        let words = check[1..].iter().map(|word| word.replace("web1:2222", &address));
        let said = Program::new(sibling("dtailhealth"), &scratch).args(words).run();
        said.exits(0).prints(format!("OK: All fine at {address} :-)\n"));
    }
    server.stop();
}

/// With the flag that ends it before it serves: flags and configuration are read all the same.
#[test]
fn the_documented_calls_of_dserver_are_understood() {
    let calls = commands(&["dserver"]);
    assert!(calls.len() >= 8, "only {} were found", calls.len());
    for call in calls {
        let scratch = Scratch::new();
        scratch.write("dtail.json", "{}");
        let places = |word: &String| {
            let word = word.replace("/etc/dserver/dtail.json", "dtail.json");
            word.replace(":6060", "127.0.0.1:0")
        };
        let program = Program::new(env!("CARGO_BIN_EXE_dserver"), &scratch);
        let program = program.args(call[1..].iter().map(places)).arg("--check-config");
        program.run().exits(0).prints("the configuration is fine\n");
    }
}
