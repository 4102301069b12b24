//! The names that users log in with. Never knows keys or permissions.

use std::fmt;

/// Longest user name in bytes.
const LONGEST: usize = 64;
const HEALTH: &str = "DTAIL-HEALTH";
const SCHEDULE: &str = "DTAIL-SCHEDULE";
const CONTINUOUS: &str = "DTAIL-CONTINUOUS";

/// A user with a name that can safely be part of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    name: String,
    kind: UserKind,
}

/// What a user is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserKind {
    /// Somebody with a key.
    Person,
    /// DTail's health checks, which may not read anything.
    Health,
    /// The scheduled jobs of a server of DTail.
    Schedule,
    /// The continuous jobs of a server of DTail.
    Continuous,
}

impl User {
    /// `None`: the name contains what no user's name may, or is too long.
    pub(crate) fn named(name: &str) -> Option<User> {
        let is_harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        let begins_well = !name.starts_with(['.', '-']);
        if name.is_empty() || name.len() > LONGEST || !begins_well || !name.bytes().all(is_harmless)
        {
            return None;
        }
        let kind = match name {
            HEALTH => UserKind::Health,
            SCHEDULE => UserKind::Schedule,
            CONTINUOUS => UserKind::Continuous,
            _ => UserKind::Person,
        };
        Some(User { name: name.to_owned(), kind })
    }

    pub(crate) fn schedule() -> User {
        User { name: SCHEDULE.to_owned(), kind: UserKind::Schedule }
    }

    pub(crate) fn continuous() -> User {
        User { name: CONTINUOUS.to_owned(), kind: UserKind::Continuous }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn kind(&self) -> UserKind {
        self.kind
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::{User, UserKind};

    #[test]
    fn names_that_could_leave_a_directory_are_nobodys() {
        let bad = [
            "", ".", "..", "../etc/x", "a/b", "/a", "a\\b", "-rf", ".hidden", "a b", "a\0", "a\n",
            "ä", "%2e", "a:b", "~",
        ];
        for name in bad {
            assert_eq!(User::named(name), None, "{name:?}");
        }
        assert_eq!(User::named(&"a".repeat(65)), None);
        for name in ["ann", "ann.b-c_d@example.org", "a..b", &"a".repeat(64)] {
            assert_eq!(User::named(name).unwrap().kind(), UserKind::Person, "{name:?}");
        }
    }

    #[test]
    fn dtails_own_users_are_known() {
        assert_eq!(User::named("DTAIL-HEALTH").unwrap().kind(), UserKind::Health);
        assert_eq!(User::named("DTAIL-SCHEDULE"), Some(User::schedule()));
        assert_eq!(User::named("DTAIL-CONTINUOUS"), Some(User::continuous()));
    }
}
