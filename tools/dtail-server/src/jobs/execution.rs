//! One run of a job: a session here, or clients of other servers; its results go to the outfile.
//! Never decides when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dtail_client::{
    ClientOptions, Event, Identities, KEEPALIVE, KnownHosts, Native, Remote, ReportPolicy, Run,
    Transport, UnknownHosts, discover, start_local, start_remote, write_outfile,
};
use dtail_protocol::{Mode, Request, Severity};
use dtail_query::Query;
use jiff::Zoned;
use tokio::sync::oneshot;

use super::{Job, Setting};
use crate::gate::Pass;
use crate::session::settings;
use crate::shared::{Shared, Who};
use crate::user_log::UserLog;
use crate::users::User;

/// DTail's port, for servers named without one.
const PORT: u16 = 2222;
/// Connections made at once.
const CONNECTING: usize = 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A job that is being done. Dropping it ends it early.
#[derive(Debug)]
pub(super) struct Execution {
    cancel: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
}

impl Execution {
    /// Begins on a thread of its own; what comes of it is in the log and in the outfile.
    pub(super) fn start(
        setting: &Setting,
        user: &User,
        job: &Job,
        mode: Mode,
        now: &Zoned,
    ) -> Execution {
        let Setting { shared, port, alive } = setting.clone();
        let cancel = Arc::new(AtomicBool::new(false));
        let (tell, ended) = oneshot::channel();
        let task = Task {
            shared: Arc::clone(&shared),
            user: user.clone(),
            job: job.clone(),
            mode,
            now: now.clone(),
            port: port.unwrap_or(PORT),
            cancel: Arc::clone(&cancel),
        };
        let shown = task.shown();
        let spawned = thread::Builder::new().name("job".to_owned()).spawn(move || {
            task.run();
            drop(alive);
            let _told = tell.send(()).is_ok();
        });
        if let Err(err) = spawned {
            shared.log.error(shown, format_args!("cannot start: {err}"));
        }
        Execution { cancel, ended }
    }

    /// Waits for the end.
    pub(super) async fn ended(mut self) {
        // Without a thread to tell, it has ended.
        let _told = (&mut self.ended).await.is_ok();
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
    }
}

struct Task {
    shared: Arc<Shared>,
    user: User,
    job: Job,
    mode: Mode,
    now: Zoned,
    port: u16,
    cancel: Arc<AtomicBool>,
}

impl Task {
    /// For the log.
    fn shown(&self) -> String {
        format!("{}:{}", self.user, self.job.name())
    }

    fn run(&self) {
        let (log, started) = (&self.shared.log, Instant::now());
        log.info(self.shown(), "job started");
        let done = self.job.query_on(&self.now).and_then(|query| {
            let run = self.start(&query)?;
            self.collect(&query, run)
        });
        let took = started.elapsed().as_secs_f64();
        match done {
            Ok(text) => log.info(self.shown(), format_args!("job ended: {text}, {took:.3} s")),
            Err(err) => log.error(self.shown(), format_args!("job failed: {err}")),
        }
    }

    fn start(&self, query: &Query) -> Result<Run, String> {
        let request = Request {
            query: Some(query.text().to_owned()),
            ..Request::of(self.mode, self.job.files_on(&self.now))
        };
        let cancel = Arc::clone(&self.cancel);
        let (servers, discovery) = self.job.servers();
        let policy = ReportPolicy::FinalOnly;
        if servers.is_empty() && discovery.is_empty() {
            let log = UserLog::unlimited(&self.shared.log, self.shown());
            let who = Who { user: self.user.clone(), log, address: None, pass: Pass::Other };
            let settings = settings(&self.shared, &who, self.mode, false);
            let settings = settings.ok_or("no permission rules, see Server.Permissions")?;
            return start_local(request, settings, policy, cancel).map_err(|err| err.to_string());
        }
        let servers = discover(&servers, &discovery).map_err(|err| err.to_string())?;
        let remote = Remote {
            servers,
            transport: Transport::Native(Box::new(self.native()?)),
            connecting: CONNECTING,
            strict: false,
            reconnect: false,
            interactive: false,
            register_key: None,
            max_query_memory: self.shared.rules().limits.max_query_memory,
        };
        start_remote(request, remote, policy, cancel).map_err(|err| err.to_string())
    }

    /// How DTail's servers log in to each other: as a special user, by the name of the job.
    fn native(&self) -> Result<Native, String> {
        let known_hosts = self.shared.rules().cache_dir.join("known_hosts");
        let loaded = KnownHosts::load(&known_hosts);
        let known_hosts = loaded.map_err(|err| format!("{}: {err}", known_hosts.display()))?;
        Ok(Native {
            user: self.user.name().to_owned(),
            port: self.port,
            options: ClientOptions {
                connect_timeout: CONNECT_TIMEOUT,
                handshake_timeout: HANDSHAKE_TIMEOUT,
                keepalive: KEEPALIVE,
                identities: Arc::new(Identities::none()),
                known_hosts: Arc::new(known_hosts),
                software: concat!("DTail_", env!("CARGO_PKG_VERSION")).to_owned(),
                password: Some(self.job.name().to_owned()),
            },
            unknown_hosts: UnknownHosts::Accept,
        })
    }

    /// A job that reads whole files was told to stop. One that follows ends in no other way.
    fn is_cut_short(&self) -> bool {
        self.mode == Mode::Map && self.cancel.load(Ordering::Relaxed)
    }

    fn collect(&self, query: &Query, run: Run) -> Result<String, String> {
        let log = &self.shared.log;
        let mut failure = None;
        for event in run.events().clone() {
            match event {
                // A file that is there counts as done, which half a day's results are not.
                Event::Report(_) if self.is_cut_short() => {
                    failure = Some("stopped before it was done, nothing is written".to_owned());
                }
                Event::Report(report) => {
                    if let Err(err) = write_outfile(query, &report.table) {
                        failure = Some(err.to_string());
                    }
                }
                Event::Diagnostic(it) => {
                    let host = it.host.map(|host| format!("{host}: ")).unwrap_or_default();
                    let text = format!("{host}{}", it.diagnostic.text);
                    match it.diagnostic.severity {
                        Severity::Warn => log.warn(self.shown(), text),
                        Severity::Error => log.error(self.shown(), text),
                    }
                }
                Event::Lines(_)
                | Event::File(_)
                | Event::Source(_)
                | Event::Hosts(_)
                | Event::Replaced(_) => {}
            }
        }
        let outcome = run.finish().map_err(|err| err.to_string())?;
        for failed in &outcome.failed_hosts {
            log.error(self.shown(), format_args!("{}: {}", failed.host, failed.text));
        }
        let summary = outcome.summary;
        match failure {
            Some(err) => Err(err),
            None => Ok(format!(
                "{} files read, {} failed, {} matches, {} of {} hosts failed",
                summary.files,
                summary.failed_files,
                summary.matches,
                outcome.failed_hosts.len(),
                outcome.hosts
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use dtail_process::config::{Config, JobKeys};
    use dtail_process::log::Level;
    use dtail_protocol::Mode;
    use jiff::Zoned;

    use super::{Job, PORT, Task};
    use crate::log::Log;
    use crate::rules::Rules;
    use crate::shared::Shared;
    use crate::users::User;

    /// Does a job and tells whether its outfile is there.
    #[track_caller]
    fn check(mode: Mode, is_cancelled: bool, writes: bool) {
        let dir = tempfile::tempdir().unwrap();
        let (log, outfile) = (dir.path().join("a.log"), dir.path().join("out.csv"));
        std::fs::write(&log, "line\n").unwrap();
        let keys = JobKeys {
            name: "job".to_owned(),
            files: log.display().to_string(),
            query: "select count($line) group by $hostname".to_owned(),
            outfile: Some(outfile.display().to_string()),
            ..JobKeys::default()
        };
        let rules = Rules::new(&Config::default(), None).unwrap();
        Task {
            shared: Arc::new(Shared::new(Log::new(Level::None, None, None), rules)),
            user: User::schedule(),
            job: Job::new(&keys).unwrap(),
            mode,
            now: Zoned::now(),
            port: PORT,
            cancel: Arc::new(AtomicBool::new(is_cancelled)),
        }
        .run();
        assert_eq!(outfile.exists(), writes, "{mode:?}");
    }

    #[test]
    fn a_job_that_was_cut_short_is_not_taken_for_done() {
        check(Mode::Map, false, true);
        check(Mode::Map, true, false);
        check(Mode::Tail, true, true);
    }
}
