//! A server from its configuration to its end: binds, gives up root's rights, serves, reloads,
//! stops. Never serves a connection itself.

use std::io::Write;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use dtail_process::accounts;
use dtail_process::host::raise_open_files_limit;
use dtail_process::signals::{self, ServerSignal};
use dtail_ssh::{HostKey, Server};
use tokio::runtime;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::admission::Admission;
use crate::jobs;
use crate::listener::{self, CurrentServer};
use crate::options::{self, Options, Plan};
use crate::shared::{Shared, stopped};

/// How often the statistics are logged, as in DTail.
const STATISTICS_INTERVAL: Duration = Duration::from_secs(10);
/// Time for sessions to end when the server stops.
const DRAIN: Duration = Duration::from_secs(5);

/// Serves until a signal or the end of its time. `announce` gets a line for each socket. The error
/// is one line.
pub fn serve(
    options: &Options,
    terminal: Box<dyn Write + Send>,
    announce: impl FnMut(&str),
) -> Result<(), String> {
    let plan = Plan::new(options)?;
    // Before anything is opened that the other user could not have opened.
    plan.account()?;
    raise_open_files_limit();
    let runtime = runtime::Builder::new_multi_thread()
        .thread_name("dserver")
        .enable_all()
        .build()
        .map_err(|err| format!("cannot start threads: {err}"))?;
    let served = runtime.block_on(run(plan, terminal, announce));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// Says whether the configuration can be served, without serving it or making a host key.
pub fn check_config(options: &Options) -> Result<(), String> {
    let plan = Plan::new(options)?;
    let key_file = &plan.rules.host_key_file;
    if key_file.exists() {
        HostKey::load_or_generate(key_file).map_err(|err| err.to_string())?;
    }
    options::ssh(&plan.config, &plan.rules, None).check()
}

async fn run(
    plan: Plan,
    terminal: Box<dyn Write + Send>,
    mut announce: impl FnMut(&str),
) -> Result<(), String> {
    let listeners = listener::bind(&plan.addresses(), plan.port())?;
    let host_key = give_up_root(&plan)?;
    let ssh = Server::new(options::ssh(&plan.config, &plan.rules, Some(&host_key)))?;
    let log = plan.log(Some(terminal));
    let Plan { options, config, rules } = plan;
    // The rules go to where everybody finds them; the plan keeps its own for reloads only.
    let shared = Arc::new(Shared::new(log, rules));
    let current: CurrentServer = Arc::new(RwLock::new(ssh));
    let reload = watch_signals(&shared)?;

    let admission = Admission::default();
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let address = listener.local_addr().map_err(|err| format!("cannot listen: {err}"))?;
        announce(&format!("listening on {address}"));
        shared.log.info("dserver", format_args!("listening on {address}"));
        let (shared, current) = (Arc::clone(&shared), Arc::clone(&current));
        tasks.spawn(listener::accept(shared, current, admission.clone(), listener));
    }
    let port = config.ssh_port;
    tasks.spawn(jobs::run(Arc::clone(&shared), port));
    let source = Source { options: options.clone(), host_key };
    let mut stop = shared.stop.subscribe();
    tokio::select! {
        () = log_statistics(&shared) => {}
        () = reload_when_told(&shared, &source, &current, &reload) => {}
        () = time_over(options.shutdown_after) => shared.stop_all(),
        () = stopped(&mut stop) => {}
    }
    shared.log.info("dserver", "stopping");
    let drained = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        shared.log.warn("dserver", "some sessions did not end in time and were cut off");
    }
    shared.log.info("dserver", "stopped");
    Ok(())
}

/// What a reload starts from.
struct Source {
    options: Options,
    host_key: HostKey,
}

/// Becomes the user to run as, if one is named. A host key that is there may be root's alone; a
/// new one belongs to that user.
fn give_up_root(plan: &Plan) -> Result<HostKey, String> {
    let load = || {
        let loaded = HostKey::load_or_generate(&plan.rules.host_key_file);
        loaded.map(|(key, _)| key).map_err(|err| err.to_string())
    };
    let Some(account) = plan.account()? else { return load() };
    let early = plan.rules.host_key_file.exists().then(load).transpose()?;
    accounts::drop_privileges(&account).map_err(|err| err.to_string())?;
    early.map_or_else(load, Ok)
}

/// What is told when the configuration is to be read again.
fn watch_signals(shared: &Arc<Shared>) -> Result<Arc<Notify>, String> {
    let reload = Arc::new(Notify::new());
    let (told, shared) = (Arc::clone(&reload), Arc::clone(shared));
    let tell = move |signal| match signal {
        ServerSignal::Stop => shared.stop_all(),
        ServerSignal::Reload => told.notify_one(),
    };
    signals::watch(tell).map_err(|err| format!("cannot catch signals: {err}"))?;
    Ok(reload)
}

async fn log_statistics(shared: &Shared) {
    loop {
        shared.log.statistics(&shared.stats.line());
        tokio::time::sleep(STATISTICS_INTERVAL).await;
    }
}

async fn time_over(time: Option<Duration>) {
    match time.filter(|time| !time.is_zero()) {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

async fn reload_when_told(
    shared: &Shared,
    source: &Source,
    current: &CurrentServer,
    told: &Notify,
) {
    loop {
        told.notified().await;
        shared.log.reopen();
        match reload(shared, source, current) {
            Ok(()) => shared.log.info("dserver", "configuration reloaded"),
            Err(err) => {
                let text = format!("configuration not reloaded, the one before stays: {err}");
                shared.log.error("dserver", text);
            }
        }
    }
}

fn reload(shared: &Shared, source: &Source, current: &CurrentServer) -> Result<(), String> {
    let (config, rules) = options::load(&source.options, Some(&shared.rules()))?;
    let ssh = Server::new(options::ssh(&config, &rules, Some(&source.host_key)))?;
    *current.write().unwrap_or_else(PoisonError::into_inner) = ssh;
    // Somebody may have been struck off the files.
    shared.auth_keys.forget_all();
    shared.replace_rules(rules);
    Ok(())
}
