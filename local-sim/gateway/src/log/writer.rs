//! Writes the lines of the access log on a separate thread.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tracing::warn;

/// A queue to a thread that writes to a file, so that a slow disk does not block other tasks.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Item>,
    lost: Arc<AtomicU64>,
}

enum Item {
    Line(String),
    /// Flushes the file, then notifies the sender.
    End(oneshot::Sender<()>),
}

impl Writer {
    /// Opens a file for appending; `-` is standard error.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = if path == Path::new("-") {
            Box::new(io::stderr())
        } else {
            Box::new(OpenOptions::new().create(true).append(true).open(path)?)
        };
        Self::new(output)
    }

    fn new(output: Box<dyn Write + Send>) -> io::Result<Self> {
        let (queue, lines) = mpsc::channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write(lines, output, &counted))?;
        Ok(Self { queue, lost })
    }

    /// Queues a line. If the queue is full, drops the line and counts it.
    pub(crate) fn queue(&self, line: String) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all queued lines are written, but no longer than [`CLOSE_WAIT`].
    pub(crate) async fn close(&self) {
        let (end, flushed) = oneshot::channel();
        let flush = async {
            self.queue.send(Item::End(end)).await.ok()?;
            flushed.await.ok()
        };
        if timeout(CLOSE_WAIT, flush).await.is_err() {
            warn!(
                "access log: flush timed out, the last lines may be missing: the disk is too slow"
            );
        }
    }
}

/// Writes lines as they arrive, and flushes when the queue is empty. Logs the first of consecutive
/// errors.
fn write(mut lines: mpsc::Receiver<Item>, output: impl Write, lost: &AtomicU64) {
    let mut output = BufWriter::new(output);
    let mut failed = false;
    while let Some(item) = lines.blocking_recv() {
        let written = match item {
            Item::Line(line) => output.write_all(line.as_bytes()).and_then(|()| {
                if lines.is_empty() {
                    output.flush()
                } else {
                    Ok(())
                }
            }),
            Item::End(end) => {
                let flushed = output.flush();
                // Fails if `close` has timed out.
                let _ = end.send(());
                flushed
            }
        };
        match &written {
            Err(error) if !failed => warn!("access log: write failed, lines are missing: {error}"),
            _ => {}
        }
        failed = written.is_err();
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            count => warn!("access log: {count} lines dropped: the disk is too slow"),
        }
    }
}

/// The maximum number of queued lines.
const LINES_MAX: usize = 8192;
/// How long shutdown waits for queued lines to be written.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::sync::mpsc as blocking;

    use super::*;

    /// A disk that performs a write only when the test allows it, and reports what was written.
    struct SlowDisk {
        allowed: blocking::Receiver<()>,
        written: mpsc::UnboundedSender<Vec<u8>>,
    }

    impl Write for SlowDisk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.allowed.recv().map_err(io::Error::other)?;
            let sent = self.written.send(bytes.to_vec());
            sent.map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn lines_are_dropped_without_blocking_if_the_disk_is_slow() {
        let (allow, allowed) = blocking::channel();
        #[expect(clippy::disallowed_methods, reason = "the test sends one item")]
        let (written, mut writes) = mpsc::unbounded_channel();
        let writer = Writer::new(Box::new(SlowDisk { allowed, written })).unwrap();
        // The line is longer than the buffer, so the disk must write it at once.
        let long = format!("{}\n", "x".repeat(16 * 1024));
        let length = long.len();
        writer.queue(long);
        for _ in 0..2 * LINES_MAX {
            writer.queue("\n".to_owned());
        }
        assert!(writer.lost.load(Ordering::Relaxed) > 0);
        allow.send(()).unwrap();
        assert_eq!(writes.recv().await.unwrap().len(), length);
    }

    #[tokio::test]
    async fn close_writes_all_queued_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        let writer = Writer::open(&path).unwrap();
        for n in 0..100 {
            writer.queue(format!("{n}\n"));
        }
        writer.close().await;
        let log = std::fs::read_to_string(&path).unwrap();
        let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines[0], "before");
        assert_eq!(lines[1..], expected);
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_an_error() {
        assert!(Writer::open(Path::new("/nowhere/log")).is_err());
    }
}
