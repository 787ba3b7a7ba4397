//! Kills leftover processes of functions when the simulator is killed.

use std::{
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{ChildStdin, Command, Stdio},
};

use parking_lot::Mutex;
use tracing::warn;

use super::group::Group;

/// Kills the functions if the simulator dies without cleaning up, for example by SIGKILL.
///
/// It is a shell that reads a pipe whose other end only the simulator holds. `+ID` registers a
/// process group and `-ID` removes it. When the pipe closes, the shell kills the remaining groups
/// and removes the simulator's directory. This reaches stopped processes and grandchildren, and
/// works on every Unix.
#[derive(Debug)]
pub(crate) struct Guardian {
    pipe: Mutex<ChildStdin>,
}

impl Guardian {
    /// Starts the guardian, which removes `directory` at the end.
    pub(crate) fn start(directory: &Path) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guardian"])
            .arg(directory)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C signals the simulator's group; the guardian must survive that.
            .process_group(0)
            .spawn()?;
        let pipe = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("the guardian has no stdin pipe"))?;
        Ok(Self {
            pipe: Mutex::new(pipe),
        })
    }

    pub(crate) fn watch(&self, group: Group) {
        self.send('+', group);
    }

    pub(crate) fn forget(&self, group: Group) {
        self.send('-', group);
    }

    /// Writes one line; a pipe writes so few bytes atomically.
    fn send(&self, sign: char, group: Group) {
        let Some(group) = group.id() else {
            return;
        };
        if let Err(error) = self
            .pipe
            .lock()
            .write_all(format!("{sign}{group}\n").as_bytes())
        {
            warn!(
                "cannot write to the guardian: {error} (functions would outlive a killed simulator)"
            );
        }
    }
}

/// The shell script; `$1` is the directory.
const SCRIPT: &str = r#"groups=' '
while IFS= read -r line; do
    id=${line#?}
    case $line in
    +*) groups="$groups$id " ;;
    -*) groups="${groups%% $id *} ${groups#* $id }" ;;
    esac
done
for id in $groups; do kill -s KILL -- "-$id"; done
rm -rf -- "$1""#;
