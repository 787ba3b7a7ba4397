//! Standard error, shared by this program and all functions: whoever writes never waits.

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
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Lines that came while the buffer was full.
    lost: u64,
    is_writing: bool,
    /// The writer waits for a first line, and is not about to look for more.
    is_asleep: bool,
    /// No more lines will come.
    is_over: bool,
}

impl Lines {
    /// Starts to write what is to come.
    pub fn start() -> io::Result<Self> {
        Self::start_to(io::stderr())
    }

    /// The same, to another place.
    pub fn start_to(output: impl io::Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("stderr".to_owned())
            .spawn(move || writer.write(output))?;
        Ok(Self(Arc::new(Source(shared))))
    }

    /// Adds what `write` appends: one or more whole lines. They are lost where standard error is read too slowly.
    pub fn add(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let shared = &self.0.0;
        let mut buffer = shared.buffer.lock();
        if buffer.bytes.len() >= UNWRITTEN_BYTES_MAX {
            buffer.lost += 1;
            return;
        }
        write(&mut buffer.bytes);
        if buffer.is_asleep {
            buffer.is_asleep = false;
            shared.filled.notify_one();
        }
    }

    /// Has the last lines written, if somebody still reads.
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
            // To be woken for each line would cost more than to write it.
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
            let lost = mem::take(&mut buffer.lost);
            buffer.is_writing = true;
            drop(buffer);
            if lost > 0 {
                let note = format!(
                    "local-sim: {lost} lines are lost here: standard error is read too slowly\n"
                );
                bytes.extend_from_slice(note.as_bytes());
            }
            // Nobody reads: then nobody misses it.
            let _ = output.write_all(&bytes);
            bytes.clear();
            bytes.shrink_to(KEPT_BYTES_MAX);
            buffer = self.buffer.lock();
        }
    }
}

/// So much may wait to be written; what comes beyond is counted, and lost.
const UNWRITTEN_BYTES_MAX: usize = 8 << 20;
/// A buffer that has been larger gives the rest back.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Lines are gathered for this long while they keep coming.
const GATHER: Duration = Duration::from_millis(5);
/// At the end, the last lines may take this long.
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
