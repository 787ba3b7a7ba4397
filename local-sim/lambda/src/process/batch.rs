//! CPU scheduling: the simulator takes precedence over the functions.

use super::group::Group;

/// Sets Linux's `SCHED_BATCH` policy (`sched(7)`) for a function's process.
///
/// Such a process does not preempt the simulator when it wakes up; its share of CPU time is
/// unchanged. Threads and children that it starts later inherit the policy.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "no safe wrapper sets the policy of another process"
)]
pub(super) fn set_batch_policy(group: Group) {
    let Some(group) = group.id() else {
        return;
    };
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call only reads the parameter, which outlives it.
    let result =
        unsafe { libc::sched_setscheduler(group, libc::SCHED_BATCH, &raw const parameter) };
    if result != 0 {
        // Only costs speed.
        tracing::debug!(
            "cannot set SCHED_BATCH: {}",
            std::io::Error::last_os_error()
        );
    }
}

/// Does nothing: other systems lack this policy.
#[cfg(not(target_os = "linux"))]
pub(super) fn set_batch_policy(_: Group) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use tokio::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_function_runs_with_the_batch_policy() {
        let mut child = Command::new("sleep")
            .arg("60")
            .kill_on_drop(true)
            .spawn()
            .expect("sleep starts");
        let id = child.id().expect("sleep runs");
        set_batch_policy(Group::of(&child));
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("sleep runs");
        // The field `policy` of `proc(5)`; 3 is `SCHED_BATCH`.
        assert_eq!(stat.split(' ').nth(40), Some("3"), "{stat}");
        child.kill().await.expect("sleep can be killed");
    }
}
