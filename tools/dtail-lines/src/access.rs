//! Which files may be read, decided by whoever runs the session. Never opens a file.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// Says yes or no to a path.
type Rule = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

/// Which files may be read. Asked with the absolute path after symlinks are resolved, or with the
/// whole specification `journal:UNIT`.
#[derive(Clone, Default)]
pub struct Access(Option<Rule>);

impl Access {
    /// Whatever the operating system lets this process read.
    pub fn everything() -> Access {
        Access(None)
    }

    /// What `is_permitted` says yes to, and of it only regular files and journals.
    pub fn when(is_permitted: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Access {
        Access(Some(Arc::new(is_permitted)))
    }

    /// Whether nothing is ever refused.
    pub fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a resolved path or a journal may be read.
    pub fn permits(&self, path: &Path) -> bool {
        self.0.as_ref().is_none_or(|is_permitted| is_permitted(path))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_everything() { "Access(everything)" } else { "Access(by rule)" })
    }
}
