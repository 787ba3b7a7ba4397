//! Puts lines where they belong, at the pace of the disk.

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

/// A file with a thread of its own that writes to it, so that a slow disk stalls nobody else.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Item>,
    lost: Arc<AtomicU64>,
}

enum Item {
    Line(String),
    /// Says when everything before it is written.
    End(oneshot::Sender<()>),
}

impl Writer {
    /// Opens a file, behind what is in it already; `-` is standard error.
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

    /// Queues a line, or counts it as lost.
    pub(crate) fn queue(&self, line: String) {
        if self.queue.try_send(Item::Line(line)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything queued is written.
    pub(crate) async fn close(&self) {
        let (end, ended) = oneshot::channel();
        let ending = async {
            self.queue.send(Item::End(end)).await.ok()?;
            ended.await.ok()
        };
        if timeout(CLOSE_WAIT, ending).await.is_err() {
            warn!("access log: the last lines may be missing: the disk is too slow");
        }
    }
}

/// Writes lines as they come, and flushes whenever there are no more.
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
                // Whoever waited has given up.
                let _ = end.send(());
                flushed
            }
        };
        match &written {
            Err(error) if !failed => warn!("access log: {error}; lines are missing"),
            _ => {}
        }
        failed = written.is_err();
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            count => warn!("access log: {count} lines are missing: the disk is too slow"),
        }
    }
}

/// Lines that may wait to be written.
const LINES_MAX: usize = 8192;
/// How long the end of the simulator waits for lines to be written.
const CLOSE_WAIT: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::sync::mpsc as blocking;

    use super::*;

    /// A disk that takes a line only when it is told to, and says what it took.
    struct Slow {
        go: blocking::Receiver<()>,
        taken: mpsc::UnboundedSender<Vec<u8>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.taken.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_slow_disk_costs_lines_and_no_time() {
        let (go, wait) = blocking::channel();
        #[expect(clippy::disallowed_methods, reason = "a test's own, and short")]
        let (taken, mut seen) = mpsc::unbounded_channel();
        let writer = Writer::new(Box::new(Slow { go: wait, taken })).unwrap();
        // Too long for a buffer: the disk has to take it, and does not move.
        let long = format!("{}\n", "x".repeat(16 * 1024));
        let length = long.len();
        writer.queue(long);
        for _ in 0..2 * LINES_MAX {
            writer.queue("\n".to_owned());
        }
        assert!(writer.lost.load(Ordering::Relaxed) > 0);
        go.send(()).unwrap();
        assert_eq!(seen.recv().await.unwrap().len(), length);
    }

    #[tokio::test]
    async fn what_is_queued_is_written_before_the_end() {
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
