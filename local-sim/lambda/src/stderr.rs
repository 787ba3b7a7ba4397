//! Standard error, shared by this program and all functions: whoever writes never waits.

use std::{io, mem, sync::Arc, thread, time::Duration};

use parking_lot::{Condvar, Mutex};

/// Lines on their way to standard error.
#[derive(Debug, Clone)]
pub struct Lines(Arc<Shared>);

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
        Ok(Self(shared))
    }

    /// Adds what `write` appends: one or more whole lines. They are lost where standard error is read too slowly.
    pub fn add(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut buffer = self.0.buffer.lock();
        if buffer.bytes.len() >= UNWRITTEN_BYTES_MAX {
            buffer.lost += 1;
            return;
        }
        write(&mut buffer.bytes);
        if buffer.is_asleep {
            buffer.is_asleep = false;
            self.0.filled.notify_one();
        }
    }

    /// Has the last lines written, if somebody still reads.
    pub fn end(&self) {
        let mut buffer = self.0.buffer.lock();
        while buffer.is_writing || !buffer.bytes.is_empty() {
            if self.0.emptied.wait_for(&mut buffer, END_MAX).timed_out() {
                return;
            }
        }
    }
}

/// Takes whole lines.
impl io::Write for Lines {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.add(|buffer| buffer.extend_from_slice(lines));
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn write(&self, mut output: impl io::Write) -> ! {
        let mut buffer = self.buffer.lock();
        let mut bytes = Vec::new();
        loop {
            // To be woken for each line would cost more than to write it.
            self.filled.wait_for(&mut buffer, GATHER);
            while buffer.bytes.is_empty() {
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
