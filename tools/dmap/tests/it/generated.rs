//! Generated records in every log format, and questions about them in our words and in SQL. A new
//! format and a new question are one row each.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// What a record says, before it is written in a format.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) user: String,
    pub(crate) host: String,
    /// `None`: the record has no such field.
    pub(crate) bytes: Option<String>,
    /// What `bytes` is as a number.
    pub(crate) number: Option<f64>,
    pub(crate) note: String,
}

/// A log format.
pub(crate) struct Format {
    pub(crate) name: &'static str,
    /// Before `select` and at the end of every query.
    pub(crate) clauses: (&'static str, &'static str),
    /// The first line of every file.
    pub(crate) header: Option<&'static str>,
    pub(crate) write: fn(&Record, &mut String),
    /// Letters of notes: all that the format can carry.
    pub(crate) letters: &'static str,
    /// What a value reads as that was left out; `None`: it is missing.
    pub(crate) left_out: Option<&'static str>,
    /// Whether records have fields; else there are only questions about the whole line.
    pub(crate) has_fields: bool,
    /// What the format itself calls `user`, `host`, `bytes` and `note`.
    pub(crate) names: [&'static str; 4],
}

/// What questions call them.
const NAMES: [&str; 4] = ["user", "host", "bytes", "note"];

/// The configuration that names a format of one's own.
pub(crate) const CONFIGURATION: &str = r#"{"Common": {"LogFormats": {"billing":
    "^(?P<user>[^ ]+)@(?P<host>[^ ]+) (?:(?P<bytes>[^ ]+) bytes )?(?P<note>.*)$"}}}"#;

pub(crate) const FORMATS: [Format; 9] = [
    Format {
        name: "default",
        clauses: ("from STATS", ""),
        header: None,
        write: |record, line| {
            line.push_str("INFO|1002-071143|1|stats.go:56|8|13|7|0.21|471h0m21s|MAPREDUCE:STATS|");
            write_pairs(record, line);
        },
        letters: "ab =,;\"'\\ü",
        left_out: None,
        has_fields: true,
        names: NAMES,
    },
    Format {
        name: "generickv",
        clauses: ("", "logformat generickv"),
        header: None,
        write: write_pairs,
        letters: "ab =,;\"'\\ü",
        left_out: None,
        has_fields: true,
        names: NAMES,
    },
    Format {
        name: "csv",
        clauses: ("", "logformat csv"),
        header: Some("user,bytes,host,note"),
        write: |record, line| {
            let Record { user, host, bytes, note, .. } = record;
            let bytes = bytes.as_deref().unwrap_or_default();
            let note = note.replace('"', "\"\"");
            write!(line, "{user},{bytes},{host},\"{note}\"").expect("memory");
        },
        letters: "ab |=,;\"'\\ü",
        left_out: Some(""),
        has_fields: true,
        names: NAMES,
    },
    Format {
        name: "generic",
        clauses: ("", "logformat generic"),
        header: None,
        write: |record, line| write!(line, "{} {}", record.host, record.note).expect("memory"),
        letters: "ab|=,;\"'\\ü",
        left_out: None,
        has_fields: false,
        names: NAMES,
    },
    Format {
        name: "json",
        clauses: ("", "logformat json"),
        header: None,
        write: |record, line| {
            // serde_json writes keys in alphabetical order, which is none that dmap may rely on.
            let Record { user, host, bytes, note, .. } = record;
            let mut object = json!({ "user": user, "host": host, "note": note });
            if let Some(bytes) = bytes {
                // As a text where it is no number, and where the number would be written otherwise.
                let number = bytes.parse::<i64>().ok();
                object["bytes"] = number.map_or_else(|| bytes.as_str().into(), Value::from);
            }
            line.push_str(&object.to_string());
        },
        letters: "ab |=,;\"'\\ü",
        left_out: None,
        has_fields: true,
        names: NAMES,
    },
    Format {
        name: "logfmt",
        clauses: ("", "logformat logfmt"),
        header: None,
        write: |record, line| {
            let Record { user, host, bytes, note, .. } = record;
            write!(line, "user={user} host={host}").expect("memory");
            if let Some(bytes) = bytes {
                write!(line, " bytes={bytes}").expect("memory");
            }
            let note = note.replace('\\', "\\\\").replace('"', "\\\"");
            write!(line, " note=\"{note}\"").expect("memory");
        },
        letters: "ab |=,;\"'\\ü",
        left_out: None,
        has_fields: true,
        names: NAMES,
    },
    Format {
        name: "combined",
        clauses: ("", "logformat combined"),
        header: None,
        write: |record, line| {
            let Record { user, host, bytes, note, .. } = record;
            let bytes = bytes.as_deref().unwrap_or("-");
            write!(line, "{host} - {user} [17/Jul/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 ")
                .expect("memory");
            write!(line, "{bytes} \"-\" \"{note}\"").expect("memory");
        },
        letters: "ab |=,;'ü",
        left_out: None,
        has_fields: true,
        names: ["user", "remote_host", "bytes", "user_agent"],
    },
    Format {
        name: "syslog",
        clauses: ("", "logformat syslog"),
        header: None,
        write: |record, line| {
            let Record { user, host, bytes, note, .. } = record;
            let bytes = bytes.as_deref().unwrap_or("-");
            write!(line, "<13>1 2026-07-17T10:00:00Z {host} {user} {bytes} - - {note}")
                .expect("memory");
        },
        letters: "ab |=,;\"'\\ü",
        left_out: None,
        has_fields: true,
        names: ["app", "host", "pid", "message"],
    },
    Format {
        name: "billing",
        clauses: ("", "logformat billing"),
        header: None,
        write: |record, line| {
            let Record { user, host, bytes, note, .. } = record;
            write!(line, "{user}@{host} ").expect("memory");
            if let Some(bytes) = bytes {
                write!(line, "{bytes} bytes ").expect("memory");
            }
            line.push_str(note);
        },
        letters: "ab |=,;\"'\\ü",
        left_out: None,
        has_fields: true,
        names: NAMES,
    },
];

fn write_pairs(record: &Record, line: &mut String) {
    let Record { user, host, bytes, note, .. } = record;
    write!(line, "user={user}|host={host}").expect("memory");
    if let Some(bytes) = bytes {
        write!(line, "|bytes={bytes}").expect("memory");
    }
    write!(line, "|note={note}").expect("memory");
}

/// A question about records.
pub(crate) struct Question {
    /// What follows `select`, without `logformat`.
    pub(crate) ours: &'static str,
    /// The same about the table `t`: `user`, `host`, `bytes` and `note` are texts, `n` is `bytes`
    /// as a number or null, `line` is the whole line.
    pub(crate) sql: &'static str,
    /// Rows have an order.
    pub(crate) ordered: bool,
    pub(crate) needs_fields: bool,
}

const fn about(ours: &'static str, sql: &'static str) -> Question {
    Question { ours, sql, ordered: false, needs_fields: true }
}

const fn in_order(ours: &'static str, sql: &'static str) -> Question {
    Question { ours, sql, ordered: true, needs_fields: true }
}

const fn about_lines(ours: &'static str, sql: &'static str) -> Question {
    Question { ours, sql, ordered: false, needs_fields: false }
}

pub(crate) const QUESTIONS: [Question; 24] = [
    about_lines("count($line)", "select count(*) from t"),
    about_lines(
        "count($line) where $line contains \"ab\"",
        "select count(*) from t where line like '%ab%'",
    ),
    about_lines("$line,count($line) group by $line", "select line,count(*) from t group by line"),
    about("user,count($line) group by user", "select user,count(*) from t group by user"),
    about(
        "host,user,count(bytes),sum(bytes) group by host,user",
        "select host,user,count(bytes),coalesce(sum(n),0) from t group by host,user",
    ),
    about(
        "user,min(bytes),max(bytes),avg(bytes) group by user",
        "select user,coalesce(min(n),0),coalesce(max(n),0),coalesce(avg(n),0) from t group by user",
    ),
    about("sum(bytes),avg(bytes)", "select sum(n),avg(n) from t"),
    about("note,count($line) group by note", "select note,count(*) from t group by note"),
    about(
        "user,percentage(bytes) group by user where bytes > 0",
        "select user,100.0*sum(n)/(select sum(n) from t where n>0) from t where n>0 group by user",
    ),
    about(
        "host,count($line) where bytes >= 17 and bytes < 2000 group by host",
        "select host,count(*) from t where n>=17 and n<2000 group by host",
    ),
    about(
        "host,count($line) where user eq \"user3\" group by host",
        "select host,count(*) from t where user='user3' group by host",
    ),
    about(
        "user,count($line) where user ne \"user3\" and host hasprefix \"web1\" group by user",
        "select user,count(*) from t where user<>'user3' and substr(host,1,4)='web1' group by user",
    ),
    in_order(
        "user,count($line) group by user order by count($line) limit 3",
        "select user,count(*) from t group by user order by 2 desc,1 limit 3",
    ),
    in_order(
        "host,sum(bytes) where bytes > -5 group by host rorder by sum(bytes)",
        "select host,sum(n) from t where n>-5 group by host order by 2,1",
    ),
    about(
        "user,count(*) where bytes > 100 or user = \"user3\" group by user",
        "select user,count(*) from t where n>100 or user='user3' group by user",
    ),
    about(
        "user,count(*) where not (bytes > 100) and bytes > -1e9 group by user",
        "select user,count(*) from t where not n>100 group by user",
    ),
    about(
        "user,count(*) where host in (\"web1\", \"web2\") group by user",
        "select user,count(*) from t where host in ('web1','web2') group by user",
    ),
    about(
        "user,count(*) where host like \"web1%\" group by user",
        "select user,count(*) from t where host like 'web1%' group by user",
    ),
    about(
        "host,sum(bytes * 2 + 1) group by host",
        "select host,coalesce(sum(n*2+1),0) from t group by host",
    ),
    about(
        "upper(host),count(*) group by upper(host)",
        "select upper(host),count(*) from t group by 1",
    ),
    about(
        "host,count(distinct user) group by host",
        "select host,count(distinct user) from t group by host",
    ),
    about(
        "host,count(*) group by host having count(*) > 100",
        "select host,count(*) from t group by host having count(*)>100",
    ),
    in_order(
        "host,user,count(*) group by host,user order by count(*) desc, host asc, user asc limit 20",
        "select host,user,count(*) from t group by host,user order by 3 desc,1,2 limit 20",
    ),
    in_order("distinct user order by user asc", "select distinct user from t order by 1"),
];

impl Format {
    pub(crate) fn query(&self, question: &Question) -> String {
        let (before, after) = self.clauses;
        let ours = self.in_its_names(question.ours);
        format!("{before} select {ours} {after}").trim().to_owned()
    }

    /// A question's words, with the fields called as the format calls them.
    fn in_its_names(&self, words: &str) -> String {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric();
        let its_name = |word: &str| {
            let number =
                NAMES.iter().position(|name| *name == word.trim_end_matches(|c| !is_letter(c)));
            number.map(|number| word.replace(NAMES[number], self.names[number]))
        };
        let pieces = words.split_inclusive(|letter| !is_letter(letter));
        pieces.map(|word| its_name(word).unwrap_or_else(|| word.to_owned())).collect()
    }

    pub(crate) fn questions(&self) -> impl Iterator<Item = &'static Question> {
        let has_fields = self.has_fields;
        QUESTIONS.iter().filter(move |question| has_fields || !question.needs_fields)
    }

    pub(crate) fn line(&self, record: &Record) -> String {
        let mut line = String::new();
        (self.write)(record, &mut line);
        line
    }

    /// A file of these lines.
    pub(crate) fn file(&self, lines: &[String]) -> String {
        let lines = self.header.into_iter().chain(lines.iter().map(String::as_str));
        lines.flat_map(|line| [line, "\n"]).collect()
    }

    /// Records that this format can carry.
    pub(crate) fn records(&self, seed: u64, count: usize) -> Vec<Record> {
        let mut random = Random(seed);
        (0..count).map(|_| Record::draw(&mut random, self.letters)).collect()
    }
}

impl Record {
    fn draw(random: &mut Random, letters: &str) -> Record {
        let (bytes, number) = match random.below(12) {
            0 => (None, None),
            1 => (Some("12x".to_owned()), None),
            2 => (Some("-3".to_owned()), Some(-3.0)),
            3 => (Some("1e3".to_owned()), Some(1000.0)),
            4 => {
                let number = random.below(100_000) as f64 / 100.0;
                (Some(format!("{number:.2}")), Some(number))
            }
            5..8 => {
                let number = random.below(1 << 40);
                (Some(number.to_string()), Some(number as f64))
            }
            _ => {
                let number = random.below(3000);
                (Some(number.to_string()), Some(number as f64))
            }
        };
        let letters: Vec<char> = letters.chars().collect();
        let length = random.below(3) as usize;
        let letters = (0..length).map(|_| letters[random.below(letters.len() as u64) as usize]);
        // Blanks at the ends of a line are no part of it.
        let note = format!("({})", letters.collect::<String>());
        let user = format!("user{}", random.below(20));
        Record { user, host: format!("web{}", random.below(30)), bytes, number, note }
    }
}

/// xorshift64*: the same records on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}
