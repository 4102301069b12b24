//! Which files a request names, found out as they are needed. Never opens a file.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::vec::IntoIter;

use dtail_lines::{FileError, FollowNotice, Site, Target, resolve};

use crate::outlet::Outlet;

/// What comes next of a request.
pub(crate) enum Step {
    /// A file is read.
    Read(Target),
    /// The user is told that something cannot be read.
    Fail(FileError),
    /// The user is told that not everything is read.
    Warn(FollowNotice),
    /// The operator is told what is withheld from the user.
    Log(String),
}

/// The steps of a request, in order.
pub(crate) struct Plan<'a> {
    arguments: IntoIter<OsString>,
    max_targets: usize,
    site: &'a Site,
    next: VecDeque<Step>,
}

impl<'a> Plan<'a> {
    /// `max_targets`: most files that one argument may name.
    pub(crate) fn new(arguments: Vec<OsString>, max_targets: usize, site: &'a Site) -> Plan<'a> {
        Plan { arguments: arguments.into_iter(), max_targets, site, next: VecDeque::new() }
    }

    fn resolve(&mut self, argument: &OsString) {
        match resolve(argument, self.max_targets, self.site) {
            Err(err) => self.next.push_back(Step::Fail(err)),
            Ok(found) => {
                self.next.extend(found.withheld.map(Step::Log));
                if found.dropped > 0 {
                    let glob = argument.to_string_lossy().into_owned();
                    let dropped = found.dropped;
                    self.next.push_back(Step::Warn(FollowNotice::Dropped { glob, dropped }));
                }
                self.next.extend(found.targets.into_iter().map(Step::Read));
            }
        }
    }
}

impl Iterator for Plan<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        while self.next.is_empty() {
            let argument = self.arguments.next()?;
            self.resolve(&argument);
        }
        self.next.pop_front()
    }
}

impl Step {
    /// Says what there is to say. Returns what there is to read.
    pub(crate) fn take(self, outlet: &mut Outlet<'_>) -> Option<Target> {
        match self {
            Step::Read(target) => return Some(target),
            Step::Fail(err) => outlet.fail_file(&err),
            Step::Warn(notice) => outlet.warn(notice),
            Step::Log(secret) => outlet.log(Some(&secret)),
        }
        None
    }
}
