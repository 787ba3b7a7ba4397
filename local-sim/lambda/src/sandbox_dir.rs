//! The folders of an environment: the package as Lambda unpacks it, and a place for temporary files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where one environment's processes run. It stays when a process is replaced, and goes with the environment.
#[derive(Debug)]
pub(super) struct SandboxDir {
    root: PathBuf,
}

impl SandboxDir {
    /// Makes the folder of that name below `root`, with a copy of the files in the package.
    pub(super) fn create(root: &Path, name: &str) -> io::Result<Self> {
        let folder = Self {
            root: root.join(name),
        };
        fs::create_dir_all(folder.task())?;
        fs::create_dir(folder.temporary())?;
        for entry in fs::read_dir(root.join(PACKAGE))? {
            let entry = entry?;
            fs::copy(entry.path(), folder.task().join(entry.file_name()))?;
        }
        Ok(folder)
    }

    /// The working directory, Lambda's `/var/task`.
    pub(super) fn task(&self) -> PathBuf {
        self.root.join("task")
    }

    /// What Lambda's `/tmp` is to an environment: its own, and kept from one invocation to the next.
    pub(super) fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Removes all of it.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(&self.root)
    }
}

/// Below the simulator's folder, the files that every environment gets a copy of.
pub const PACKAGE: &str = "package";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_environment_has_a_copy_of_the_package_and_goes_without_a_trace() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(PACKAGE)).unwrap();
        fs::write(root.path().join(PACKAGE).join("gateway.yaml"), "a").unwrap();
        let folder = SandboxDir::create(root.path(), "message-0").unwrap();
        assert_eq!(fs::read(folder.task().join("gateway.yaml")).unwrap(), b"a");
        fs::write(folder.temporary().join("kept"), "b").unwrap();
        folder.remove().unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
