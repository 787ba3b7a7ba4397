//! No process is left behind when the simulator is killed.

use std::{
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{ChildStdin, Command, Stdio},
};

use parking_lot::Mutex;
use tracing::warn;

use super::group::Group;

/// Ends the functions when the simulator ends without doing so itself, as it does on SIGKILL.
///
/// It is a shell that reads a pipe whose other end only the simulator holds. `+ID` and `-ID` tell it of process
/// groups that come and go; when the pipe breaks, those that are left are killed, and the simulator's folder is
/// removed. That takes stopped processes and grandchildren too, and works the same on every Unix.
#[derive(Debug)]
pub(crate) struct Guardian {
    pipe: Mutex<ChildStdin>,
}

impl Guardian {
    /// Starts the watch. `folder` goes with the simulator.
    pub(crate) fn start(folder: &Path) -> io::Result<Self> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", LAST_WILL, "guardian"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Signals to the simulator's own group are not meant for it.
            .process_group(0)
            .spawn()?;
        let pipe = child
            .stdin
            .take()
            .ok_or_else(|| io::Error::other("the guardian has no pipe"))?;
        Ok(Self {
            pipe: Mutex::new(pipe),
        })
    }

    pub(crate) fn watch(&self, group: Group) {
        self.tell('+', group);
    }

    pub(crate) fn forget(&self, group: Group) {
        self.tell('-', group);
    }

    /// Writes a few bytes, which a pipe takes whole or not at all.
    fn tell(&self, sign: char, group: Group) {
        let Some(group) = group.id() else {
            return;
        };
        if let Err(error) = self
            .pipe
            .lock()
            .write_all(format!("{sign}{group}\n").as_bytes())
        {
            warn!("functions would outlive a killed simulator: {error}");
        }
    }
}

/// What the shell runs; `$1` is the folder.
const LAST_WILL: &str = r#"groups=' '
while IFS= read -r line; do
    id=${line#?}
    case $line in
    +*) groups="$groups$id " ;;
    -*) groups="${groups%% $id *} ${groups#* $id }" ;;
    esac
done
for id in $groups; do kill -s KILL -- "-$id"; done
rm -rf -- "$1""#;
