//! Hot reload: from the next event on, a changed program is used.
//!
//! Files are polled. That works the same on every system and for every way of writing a file, and costs little for
//! so few files.

use std::{
    collections::{BTreeMap, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::{Duration, SystemTime},
};

use local_sim_lambda::Lambda;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::executables::Executables;

/// Watches the programs of functions.
#[derive(Debug)]
pub(crate) struct Watch {
    executables: Executables,
    programs: Programs,
    lambda: Arc<Lambda>,
    /// Whether our functions are built when their source changes.
    builds: bool,
}

impl Watch {
    /// Reloads functions of `lambda` when their programs change.
    pub(crate) fn new(
        executables: Executables,
        programs: Programs,
        lambda: Arc<Lambda>,
        builds: bool,
    ) -> Self {
        Self {
            executables,
            programs,
            lambda,
            builds,
        }
    }

    /// Reloads the functions that change after this call, and builds ours if their source changes, until dropped.
    pub(crate) fn run(mut self) -> impl Future<Output = ()> {
        let source = self.executables.source().map(Path::to_owned);
        let files = move || source.as_deref().map(Executables::source_files);
        let mut sources = Changes::new(move || files().unwrap_or_default());
        let paths = self.executables.paths().clone();
        let mut files: BTreeMap<String, Changes<_>> = paths
            .into_iter()
            .map(|(name, path)| (name, Changes::new(move || vec![path.clone()])))
            .collect();
        async move {
            loop {
                sleep(LOOK_AGAIN_AFTER).await;
                if self.builds && sources.have_come() {
                    self.build().await;
                }
                for (name, file) in &mut files {
                    if file.have_come() {
                        self.reload(name);
                    }
                }
            }
        }
    }

    /// Builds ours. The changed programs are then found like all others.
    async fn build(&self) {
        let Some(mut command) = self.executables.build_command() else {
            return;
        };
        info!("the source has changed: building the functions");
        let built = command.status().await;
        match built {
            Ok(status) if status.success() => {}
            outcome => warn!(
                "the build failed ({}): the old versions stay in use",
                outcome.map_or_else(|error| error.to_string(), |it: ExitStatus| it.to_string())
            ),
        }
    }

    fn reload(&mut self, name: &str) {
        let path = match self.executables.runnable(name) {
            Ok(path) => path,
            Err(error) => {
                warn!("{error} (the old version stays in use)");
                return;
            }
        };
        match self.programs.keep(name, &path) {
            Ok(program) => {
                self.lambda.reload(name, program);
                info!("{name}: reloaded");
            }
            Err(error) => {
                let path = path.display();
                warn!(
                    "function {name}: {path} cannot be read: {error} (the old version stays in use)"
                );
            }
        }
    }
}

/// Copies of programs, since a build may replace the original while a process is being started.
#[derive(Debug)]
pub(crate) struct Programs {
    folder: PathBuf,
    count: u64,
    /// The copies of each program, oldest first.
    copies: BTreeMap<String, VecDeque<PathBuf>>,
}

impl Programs {
    /// Creates the folder of the copies.
    pub(crate) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        Ok(Self {
            folder,
            count: 0,
            copies: BTreeMap::new(),
        })
    }

    /// Copies a program and returns the path of the copy. A script is not copied, since it may need the files beside it.
    pub(crate) fn keep(&mut self, name: &str, path: &Path) -> io::Result<PathBuf> {
        let bytes = fs::read(path)?;
        if bytes.starts_with(b"#!") {
            return Ok(path.to_owned());
        }
        self.count += 1;
        let copy = self.folder.join(format!("{name}-{}", self.count));
        fs::write(&copy, bytes)?;
        fs::set_permissions(&copy, fs::metadata(path)?.permissions())?;
        let copies = self.copies.entry(name.to_owned()).or_default();
        copies.push_back(copy.clone());
        if copies.len() > COPIES_MAX
            && let Some(oldest) = copies.pop_front()
        {
            fs::remove_file(oldest)?;
        }
        Ok(copy)
    }
}

/// Detects that files have changed, and are complete.
struct Changes<F> {
    files: F,
    used: Vec<Look>,
    last: Vec<Look>,
}

/// A file's inode, size and modification time; `None` if it is missing.
type Look = Option<(u64, u64, SystemTime)>;

impl<F: Fn() -> Vec<PathBuf>> Changes<F> {
    /// Starts with the files as they are now.
    fn new(files: F) -> Self {
        let now = look(&files());
        Self {
            files,
            used: now.clone(),
            last: now,
        }
    }

    /// Whether the files have changed since the last change reported, and two polls in a row were equal.
    fn have_come(&mut self) -> bool {
        let now = look(&(self.files)());
        let is_settled = now == self.last;
        self.last = now;
        let is_news = is_settled && self.last != self.used;
        if is_news {
            self.used = self.last.clone();
        }
        is_news
    }
}

fn look(files: &[PathBuf]) -> Vec<Look> {
    let look = |path: &PathBuf| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.modified().ok()?))
    };
    files.iter().map(look).collect()
}

/// The polling interval. A change is noticed after two intervals.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The copies to keep: the last one, and the one before, which may be about to be started.
const COPIES_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        let watched = path.clone();
        let mut changes = Changes::new(move || vec![watched.clone()]);
        let check = |changes: &mut Changes<_>, expected: [bool; 3]| {
            let told = [(); 3].map(|()| changes.have_come());
            assert_eq!(told, expected);
        };
        check(&mut changes, [false; 3]);
        fs::write(&path, "1").unwrap();
        check(&mut changes, [false, true, false]);
        fs::write(&path, "12").unwrap();
        assert!(!changes.have_come());
        fs::write(&path, "123").unwrap();
        check(&mut changes, [false, true, false]);
        fs::remove_file(&path).unwrap();
        check(&mut changes, [false, true, false]);
    }

    #[test]
    fn a_program_is_copied_and_a_script_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut programs = Programs::new(folder.path().join("programs")).unwrap();
        let path = folder.path().join("message");
        fs::write(&path, "\x7fELF").unwrap();
        let first = programs.keep("message", &path).unwrap();
        fs::write(&path, "\x7fELF 2").unwrap();
        let second = programs.keep("message", &path).unwrap();
        assert_eq!(fs::read(&first).unwrap(), b"\x7fELF");
        assert_eq!(fs::read(&second).unwrap(), b"\x7fELF 2");
        let third = programs.keep("message", &path).unwrap();
        assert!(third.exists() && second.exists() && !first.exists());
        fs::write(&path, "#!/bin/sh").unwrap();
        assert_eq!(programs.keep("message", &path).unwrap(), path);
    }
}
