//! The system's user accounts: who runs this process, where a user lives, giving up root's rights.
//! It never decides who may log in.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::unistd::{Gid, Uid, User};

/// An account of the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// The id of its own group.
    pub gid: u32,
    /// Its home directory.
    pub home: PathBuf,
}

impl Account {
    /// The account of this name, if there is one.
    pub fn named(name: &str) -> io::Result<Option<Account>> {
        Ok(User::from_name(name)?.map(Account::from))
    }

    /// The account this process acts for.
    pub fn current() -> io::Result<Option<Account>> {
        Ok(User::from_uid(Uid::effective())?.map(Account::from))
    }
}

impl From<User> for Account {
    fn from(user: User) -> Account {
        Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home: user.dir }
    }
}

/// The user id this process acts with.
pub fn user_id() -> u32 {
    Uid::effective().as_raw()
}

/// Whether this process has root's rights: user or group 0.
pub fn is_root() -> bool {
    Uid::effective().is_root() || Gid::effective().as_raw() == 0
}

/// Why the rights of root were kept. One line.
#[derive(Debug)]
pub struct NotDropped {
    account: String,
    reason: String,
}

impl fmt::Display for NotDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot run as {}: {}", self.account, self.reason)
    }
}

impl std::error::Error for NotDropped {}

/// Makes the whole process act for the account for good: its groups, its group, its user.
///
/// Linux and BSD only: elsewhere root's further groups could not be given up.
pub fn drop_privileges(account: &Account) -> Result<(), NotDropped> {
    let fail = |reason: String| NotDropped { account: account.name.clone(), reason };
    if account.uid == 0 || account.gid == 0 {
        return Err(fail("it has root's rights too, name an ordinary account".to_owned()));
    }
    change(account).map_err(|err| fail(err.to_string()))?;
    // What can be taken back was never given up.
    if nix::unistd::setuid(Uid::from_raw(0)).is_ok() || is_root() {
        return Err(fail("the system gives root's rights back".to_owned()));
    }
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn change(account: &Account) -> io::Result<()> {
    let name = std::ffi::CString::new(account.name.as_str())?;
    let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
    nix::unistd::initgroups(&name, gid)?;
    nix::unistd::setgid(gid)?;
    nix::unistd::setuid(uid)?;
    Ok(())
}

#[cfg(target_vendor = "apple")]
fn change(_: &Account) -> io::Result<()> {
    let text = "not possible on this system, start the program as that user instead";
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

#[cfg(test)]
mod tests {
    use super::{Account, drop_privileges, user_id};

    #[test]
    fn accounts_are_found_by_name_and_root_is_no_account_to_change_to() {
        let root = Account::named("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        let refusal = drop_privileges(&root).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "cannot run as root: it has root's rights too, name an ordinary account"
        );
        assert_eq!(Account::named("no such user").unwrap(), None);
        if let Some(current) = Account::current().unwrap() {
            assert_eq!(current.uid, user_id());
        }
    }
}
