//! What a job is to do, checked. Never does it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dtail_process::config::JobKeys;
use dtail_query::Query;
use jiff::Zoned;

use super::dates::expand;

/// A job that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job(JobKeys);

impl Job {
    /// The error is one line that names the job.
    pub(crate) fn new(keys: &JobKeys) -> Result<Job, String> {
        let job = Job(keys.clone());
        let name = &keys.name;
        let query = job.query_on(&Zoned::default()).map_err(|err| format!("job {name}: {err}"))?;
        if query.outfile().is_none() {
            return Err(format!("job {name}: no Outfile, nobody would see its results"));
        }
        Ok(job)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn allow_from(&self) -> &[String] {
        &self.0.allow_from
    }

    pub(super) fn restarts_on_day_change(&self) -> bool {
        self.0.restart_on_day_change
    }

    /// Names of other hosts as in `--servers`, and of a discovery module as in `--discovery`; both
    /// empty: this host.
    pub(super) fn servers(&self) -> (String, String) {
        (self.0.servers.join(","), self.0.discovery.clone().unwrap_or_default())
    }

    /// Files to read on a day.
    pub(super) fn files_on(&self, now: &Zoned) -> Vec<OsString> {
        let files = expand(&self.0.files, now.date());
        files.split(',').map(str::trim).filter(|it| !it.is_empty()).map(OsString::from).collect()
    }

    /// The query with the outfile of a day.
    pub(super) fn query_on(&self, now: &Zoned) -> Result<Query, String> {
        let text = match &self.0.outfile {
            Some(outfile) if outfile.contains('"') => {
                return Err("Outfile cannot contain a quotation mark".to_owned());
            }
            Some(outfile) => {
                format!("{} outfile \"{}\"", self.0.query, expand(outfile, now.date()))
            }
            None => self.0.query.clone(),
        };
        Query::parse(&text).map_err(|err| err.to_string())
    }

    /// A scheduled job is due within its hours, unless it has been done.
    pub(super) fn is_due(&self, now: &Zoned) -> bool {
        let hour = now.hour().unsigned_abs();
        let in_time = match self.0.time_range {
            None => true,
            Some((from, to)) if from <= to => (from..to).contains(&hour),
            Some((from, to)) => hour >= from || hour < to,
        };
        let outfile = self
            .query_on(now)
            .ok()
            .and_then(|query| query.outfile().map(|outfile| PathBuf::from(&outfile.path)));
        in_time && !outfile.is_some_and(|path| Path::exists(&path))
    }
}

#[cfg(test)]
mod tests {
    use dtail_process::config::JobKeys;
    use jiff::civil::date;
    use jiff::tz::TimeZone;

    use super::Job;

    fn keys(outfile: Option<&str>) -> JobKeys {
        JobKeys {
            name: "daily".to_owned(),
            enable: true,
            files: "/l/$today.log, /m/a b".to_owned(),
            query: "from STATS select count($line) group by $hostname".to_owned(),
            outfile: outfile.map(str::to_owned),
            ..JobKeys::default()
        }
    }

    fn at(hour: i8) -> jiff::Zoned {
        date(2024, 3, 1).at(hour, 30, 0, 0).to_zoned(TimeZone::UTC).unwrap()
    }

    #[test]
    fn files_and_outfile_have_the_date_of_the_day() {
        let job = Job::new(&keys(Some("/o/$yesterday.csv"))).unwrap();
        assert_eq!(job.files_on(&at(0)), ["/l/20240301.log", "/m/a b"]);
        let query = job.query_on(&at(0)).unwrap();
        assert_eq!(query.outfile().unwrap().path.to_str(), Some("/o/20240229.csv"));
    }

    #[test]
    fn a_job_is_due_in_its_hours_unless_it_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let outfile = dir.path().join("$today.csv");
        let mut keys = keys(outfile.to_str());
        let due = |keys: &JobKeys, hour| Job::new(keys).unwrap().is_due(&at(hour));
        assert!(due(&keys, 0));
        keys.time_range = Some((7, 9));
        assert_eq!([6, 7, 8, 9].map(|hour| due(&keys, hour)), [false, true, true, false]);
        keys.time_range = Some((22, 2));
        assert_eq!([21, 22, 1, 2].map(|hour| due(&keys, hour)), [false, true, true, false]);
        std::fs::write(dir.path().join("20240301.csv"), "").unwrap();
        assert!(!due(&keys, 22));
    }

    #[test]
    fn a_job_that_makes_no_sense_is_refused() {
        let refusal = |keys: &JobKeys| Job::new(keys).unwrap_err();
        assert_eq!(refusal(&keys(None)), "job daily: no Outfile, nobody would see its results");
        assert_eq!(
            refusal(&keys(Some("a\"b"))),
            "job daily: Outfile cannot contain a quotation mark"
        );
        let mut bad = keys(Some("/o"));
        bad.query = "selct x".to_owned();
        assert!(refusal(&bad).starts_with("job daily: "), "{}", refusal(&bad));
    }
}
