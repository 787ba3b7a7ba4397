//! Standard error, shared by the simulator and all functions. Writing never blocks.

use std::{io, mem, sync::Arc, thread, time::Duration};

use parking_lot::{Condvar, Mutex};

/// Lines on their way to standard error. The thread that writes them ends with the last clone of this.
#[derive(Debug, Clone)]
pub struct Lines(Arc<Source>);

/// Where lines come from.
#[derive(Debug)]
struct Source(Arc<Shared>);

impl Drop for Source {
    fn drop(&mut self) {
        self.0.buffer.lock().is_over = true;
        self.0.filled.notify_one();
    }
}

#[derive(Debug, Default)]
struct Shared {
    buffer: Mutex<Buffer>,
    /// Signals that there are lines to write.
    filled: Condvar,
    /// Signals that all lines are written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Lines dropped because the buffer was full.
    dropped: u64,
    is_writing: bool,
    /// The writer thread waits for `filled` without a timeout.
    is_asleep: bool,
    /// No more lines will come.
    is_over: bool,
}

impl Lines {
    /// Starts the thread that writes the lines.
    pub fn start() -> io::Result<Self> {
        Self::start_to(io::stderr())
    }

    /// Like [`Self::start`], with another destination than standard error.
    pub fn start_to(output: impl io::Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || writer.write(output))?;
        Ok(Self(Arc::new(Source(shared))))
    }

    /// Adds the whole lines that `write` appends.
    ///
    /// Drops them if standard error is read too slowly.
    pub fn add(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let shared = &self.0.0;
        let mut buffer = shared.buffer.lock();
        if buffer.bytes.len() >= UNWRITTEN_BYTES_MAX {
            buffer.dropped += 1;
            return;
        }
        write(&mut buffer.bytes);
        if buffer.is_asleep {
            buffer.is_asleep = false;
            shared.filled.notify_one();
        }
    }

    /// Waits until all lines are written, but not if standard error stalls for 200 ms.
    pub fn end(&self) {
        let shared = &self.0.0;
        let mut buffer = shared.buffer.lock();
        while buffer.is_writing || !buffer.bytes.is_empty() {
            if shared.emptied.wait_for(&mut buffer, END_MAX).timed_out() {
                return;
            }
        }
    }
}

impl Shared {
    fn write(&self, mut output: impl io::Write) {
        let mut buffer = self.buffer.lock();
        let mut bytes = Vec::new();
        loop {
            // Gathers lines: a wake-up for each would cost more than writing it.
            self.filled.wait_for(&mut buffer, GATHER);
            while buffer.bytes.is_empty() {
                if buffer.is_over {
                    return;
                }
                buffer.is_writing = false;
                self.emptied.notify_one();
                buffer.is_asleep = true;
                self.filled.wait(&mut buffer);
            }
            buffer.is_asleep = false;
            mem::swap(&mut bytes, &mut buffer.bytes);
            let dropped = mem::take(&mut buffer.dropped);
            buffer.is_writing = true;
            drop(buffer);
            if dropped > 0 {
                let note = format!(
                    "local-sim: {dropped} lines dropped: standard error is read too slowly\n"
                );
                bytes.extend_from_slice(note.as_bytes());
            }
            // A closed standard error has no reader to miss the lines.
            let _ = output.write_all(&bytes);
            bytes.clear();
            bytes.shrink_to(KEPT_BYTES_MAX);
            buffer = self.buffer.lock();
        }
    }
}

/// Lines waiting to be written, in bytes; further ones are counted and dropped.
const UNWRITTEN_BYTES_MAX: usize = 8 << 20;
/// Capacity that an emptied buffer keeps.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// While lines keep arriving, they are gathered for this long.
const GATHER: Duration = Duration::from_millis(5);
/// Maximum wait for the last lines at shutdown.
const END_MAX: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_thread_ends_with_the_last_clone_and_all_lines_are_written() {
        let (mut read, write) = io::pipe().unwrap();
        let lines = Lines::start_to(write).unwrap();
        let clone = lines.clone();
        drop(lines);
        clone.add(|buffer| buffer.extend_from_slice(b"a line\n"));
        drop(clone);
        let mut written = String::new();
        // Ends once the thread has dropped the other end.
        read.read_to_string(&mut written).unwrap();
        assert_eq!(written, "a line\n");
    }
}
