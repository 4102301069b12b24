//! Queries that the server runs by itself: at certain hours, or all the time. Never serves anybody.

mod dates;
mod execution;
mod job;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use dtail_protocol::Mode;
use jiff::Zoned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::shared::{Shared, stopped};
use crate::users::User;
use execution::Execution;
pub(crate) use job::Job;

/// The first look at the schedule, and how often it is looked at, as in DTail.
const FIRST_LOOK: Duration = Duration::from_secs(2);
const LOOK_INTERVAL: Duration = Duration::from_secs(60);
/// After a continuous job has ended, as in DTail.
const PAUSE: Duration = Duration::from_secs(60);
/// How often a continuous job looks whether the day or its configuration has changed.
const CHANGE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs jobs until the server is told to stop, and then until the last of them has written what it
/// has. `port`: of other servers named without one.
pub(crate) async fn run(shared: Arc<Shared>, port: Option<u16>) {
    let mut stop = shared.stop.subscribe();
    let (alive, mut ended) = mpsc::channel(1);
    let setting = Setting { shared, port, alive };
    tokio::select! {
        () = run_schedule(&setting) => {}
        () = run_continuous(&setting) => {}
        () = stopped(&mut stop) => {}
    }
    // From here on only threads of jobs hold the other end, and they are told to end.
    drop(setting);
    let _nothing: Option<Infallible> = ended.recv().await;
}

/// What all jobs work with.
#[derive(Clone)]
struct Setting {
    shared: Arc<Shared>,
    port: Option<u16>,
    /// Held by every thread of a job; nothing is ever sent.
    alive: mpsc::Sender<Infallible>,
}

/// One scheduled job after the other, as long as they are due.
async fn run_schedule(setting: &Setting) {
    tokio::time::sleep(FIRST_LOOK).await;
    loop {
        for job in setting.shared.rules().schedule.clone() {
            let now = Zoned::now();
            if job.is_due(&now) {
                let run = Execution::start(setting, &User::schedule(), &job, Mode::Map, &now);
                run.ended().await;
            }
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// A task for each continuous job; all anew when the configuration has changed.
async fn run_continuous(setting: &Setting) {
    let shared = &setting.shared;
    loop {
        let jobs = shared.rules().continuous.clone();
        let mut tasks = JoinSet::new();
        for job in jobs.clone() {
            tasks.spawn(run_again_and_again(setting.clone(), job));
        }
        while shared.rules().continuous == jobs {
            tokio::time::sleep(CHANGE_INTERVAL).await;
        }
        tasks.shutdown().await;
    }
}

async fn run_again_and_again(setting: Setting, job: Job) {
    loop {
        let now = Zoned::now();
        let user = User::continuous();
        let run = Execution::start(&setting, &user, &job, Mode::Tail, &now);
        let day = now.date();
        tokio::select! {
            () = run.ended() => tokio::time::sleep(PAUSE).await,
            // Dropping the run ends it; the next one has the date of the new day.
            () = day_after(day), if job.restarts_on_day_change() => {}
        }
    }
}

async fn day_after(day: jiff::civil::Date) {
    while Zoned::now().date() == day {
        tokio::time::sleep(CHANGE_INTERVAL).await;
    }
}
