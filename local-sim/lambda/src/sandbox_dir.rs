//! The directories of an environment: its copy of the package, and `/tmp`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The directory of one environment, shared by its successive processes.
#[derive(Debug)]
pub(super) struct SandboxDir {
    root: PathBuf,
}

impl SandboxDir {
    /// Creates the directory `name` below `root` and copies the package into it.
    pub(super) fn create(root: &Path, name: &str) -> io::Result<Self> {
        let sandbox = Self {
            root: root.join(name),
        };
        fs::create_dir_all(sandbox.task())?;
        fs::create_dir(sandbox.temporary())?;
        for entry in fs::read_dir(root.join(PACKAGE))? {
            let entry = entry?;
            fs::copy(entry.path(), sandbox.task().join(entry.file_name()))?;
        }
        Ok(sandbox)
    }

    /// The working directory: `/var/task` on Lambda.
    pub(super) fn task(&self) -> PathBuf {
        self.root.join("task")
    }

    /// The environment's own `/tmp`, kept between invocations.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes the directory and everything in it.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.root)
    }
}

/// The subdirectory of the simulator's directory that is copied into every environment.
pub const PACKAGE: &str = "package";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_gets_a_copy_of_the_package_and_is_removed_completely() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(PACKAGE)).unwrap();
        fs::write(root.path().join(PACKAGE).join("gateway.yaml"), "a").unwrap();
        let sandbox = SandboxDir::create(root.path(), "message-0").unwrap();
        assert_eq!(fs::read(sandbox.task().join("gateway.yaml")).unwrap(), b"a");
        fs::write(sandbox.temporary().join("kept"), "b").unwrap();
        sandbox.remove().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
