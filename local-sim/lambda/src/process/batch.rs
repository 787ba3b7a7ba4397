//! Who runs first where a processor is wanted by both this program and a function.

use super::group::Group;

/// Has a function's process, when it is woken, wait until this program pauses, rather than take the processor from it
/// in the middle of its work for others: Linux's `SCHED_BATCH` of `sched(7)`, which leaves each its share.
///
/// Threads and children that it starts later are of the same kind.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "no library has this call for another process than the own one"
)]
pub(super) fn have_wait(group: Group) {
    let Some(group) = group.id() else {
        return;
    };
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call reads the parameter, which outlives it, and touches no other memory of ours.
    let result =
        unsafe { libc::sched_setscheduler(group, libc::SCHED_BATCH, &raw const parameter) };
    if result != 0 {
        // It is slower then, and nothing else.
        tracing::debug!("SCHED_BATCH: {}", std::io::Error::last_os_error());
    }
}

/// Other systems have no such thing.
#[cfg(not(target_os = "linux"))]
pub(super) fn have_wait(_: Group) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::fs;

    use tokio::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_process_is_scheduled_as_a_batch() {
        let mut child = Command::new("sleep")
            .arg("60")
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let id = child.id().expect("it runs");
        have_wait(Group::of(&child));
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).expect("it runs");
        // `policy` of `proc(5)`; 3 is SCHED_BATCH.
        assert_eq!(stat.split(' ').nth(40), Some("3"), "{stat}");
        child.kill().await.expect("it ends");
    }
}
