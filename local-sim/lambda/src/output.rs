//! An environment's log: what its processes print, and what Lambda says of them, in the right order.

use std::{mem, sync::Arc};

use parking_lot::Mutex;
use rustix::io::Errno;
use tokio::net::unix::pipe;
use uuid::Uuid;

use super::{
    configuration::Configuration,
    platform::{Format, Line, Report},
};
use crate::log_sink::{LogSink, Origin};

/// The log of one environment.
#[derive(Debug)]
pub(super) struct Log {
    function: String,
    environment: u64,
    format: Format,
    /// There is one invocation at a time, so that all that is printed meanwhile is of it.
    is_exclusive: bool,
    sink: Arc<dyn LogSink>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pipe: Option<Arc<pipe::Receiver>>,
    /// The beginning of a line whose end has not been printed yet.
    partial: Vec<u8>,
    /// A `\r` came last: a `\n` that follows ends the same line.
    is_after_cr: bool,
    request: Option<Uuid>,
    /// What was printed in the invocation under way, as far as it is kept.
    kept: Vec<String>,
    kept_bytes: usize,
}

impl Log {
    pub(super) fn new(
        configuration: &Configuration,
        environment: u64,
        sink: Arc<dyn LogSink>,
    ) -> Self {
        Self {
            function: configuration.name.clone(),
            environment,
            format: configuration.log_format(),
            is_exclusive: configuration.max_concurrency.is_none(),
            sink,
            state: Mutex::default(),
        }
    }

    /// From here on, this is where the environment's process prints to.
    pub(super) fn attach(&self, pipe: Arc<pipe::Receiver>) {
        self.state.lock().pipe = Some(pipe);
    }

    /// The process has gone: takes what it has printed last.
    pub(super) fn detach(&self) {
        let state = &mut *self.state.lock();
        self.drain(state);
        state.pipe = None;
        if !state.partial.is_empty() {
            let rest = mem::take(&mut state.partial);
            self.print(state, &rest);
        }
    }

    /// Takes what has been printed by now. Says whether more can come.
    pub(super) fn read(&self, pipe: &pipe::Receiver) -> bool {
        let state = &mut *self.state.lock();
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            match pipe.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.take(state, &buffer[..count]),
                Err(_) => break,
            }
        }
        true
    }

    /// Begins an invocation: what comes from here on is of it, unless there are others at the same time.
    pub(super) fn begin(&self, request_id: Uuid) {
        let state = &mut *self.state.lock();
        if self.is_exclusive {
            state.request = Some(request_id);
        }
        self.platform(&Line::Start { request_id });
    }

    /// Has Lambda say something, after what was printed before.
    pub(super) fn say(&self, line: &Line<'_>) {
        let state = &mut *self.state.lock();
        self.drain(state);
        self.platform(line);
    }

    /// Reports an invocation, and gives what was printed in it.
    pub(super) fn report(&self, report: &Report<'_>) -> Vec<String> {
        let state = &mut *self.state.lock();
        self.drain(state);
        self.platform(&Line::Report(report));
        state.request = None;
        state.kept_bytes = 0;
        mem::take(&mut state.kept)
    }

    /// Takes what lies in the pipe at this moment, whether or not the reactor knows of it yet.
    fn drain(&self, state: &mut State) {
        let Some(pipe) = state.pipe.clone() else {
            return;
        };
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            match rustix::io::read(&*pipe, &mut buffer[..]) {
                Ok(0) => break,
                Ok(count) => self.take(state, &buffer[..count]),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    fn take(&self, state: &mut State, mut bytes: &[u8]) {
        if !bytes.is_empty() && mem::take(&mut state.is_after_cr) {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, rest) = (&bytes[..end], &bytes[end..]);
            state.is_after_cr = rest == b"\r";
            let rest = rest.strip_prefix(b"\r\n").unwrap_or_else(|| &rest[1..]);
            if state.partial.is_empty() {
                self.print(state, line);
            } else {
                let mut whole = mem::take(&mut state.partial);
                whole.extend_from_slice(line);
                self.print(state, &whole);
                whole.clear();
                state.partial = whole;
            }
            bytes = rest;
        }
        state.partial.extend_from_slice(bytes);
        if state.partial.len() >= LINE_BYTES_MAX {
            let piece = mem::take(&mut state.partial);
            self.print(state, &piece);
        }
    }

    /// Prints one line of the function's.
    fn print(&self, state: &mut State, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if state.request.is_some() && state.kept_bytes + text.len() <= KEPT_BYTES_MAX {
            state.kept_bytes += text.len() + LINE_OVERHEAD_BYTES;
            state.kept.push(text.clone().into_owned());
        }
        self.sink.printed(&self.origin(state.request), &text);
    }

    fn platform(&self, line: &Line<'_>) {
        let text = line.render(self.format);
        if !text.is_empty() {
            self.sink.platform(&self.origin(line.request_id()), &text);
        }
    }

    fn origin(&self, request_id: Option<Uuid>) -> Origin<'_> {
        Origin {
            function: &self.function,
            environment: self.environment,
            request_id,
        }
    }
}

/// What is read at once.
const READ_BYTES: usize = 8 << 10;
/// After so many reads others have their turn: as much as a pipe holds.
const READS_MAX: usize = 8;
/// A longer line is cut in pieces: what CloudWatch Logs takes as one event.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const LINE_BYTES_MAX: usize = 256 << 10;
/// Of one invocation's lines, this much is kept for the history.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// What an empty line counts.
const LINE_OVERHEAD_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Printed(Mutex<Vec<String>>);

    impl LogSink for Printed {
        fn printed(&self, _: &Origin<'_>, line: &str) {
            self.0.lock().push(line.to_owned());
        }

        fn platform(&self, _: &Origin<'_>, _: &str) {}
    }

    /// The lines of what is printed in these pieces.
    fn check(pieces: &[&str], expected: &[&str]) {
        let printed = Arc::<Printed>::default();
        let sink: Arc<dyn LogSink> = Arc::<Printed>::clone(&printed);
        let log = Log::new(&Configuration::example(), 0, sink);
        for piece in pieces {
            log.take(&mut log.state.lock(), piece.as_bytes());
        }
        log.detach();
        assert_eq!(*printed.0.lock(), expected, "{pieces:?}");
    }

    #[test]
    fn lines_end_with_a_line_feed_a_carriage_return_or_both() {
        check(&["a\nb\rc\r\nd"], &["a", "b", "c", "d"]);
        check(&["a\r", "\nb\r", "c\n"], &["a", "b", "c"]);
        check(&["a\r\n", "\n", "b"], &["a", "", "b"]);
        check(&["10 %\r20 %\r", "", "30 %\r"], &["10 %", "20 %", "30 %"]);
    }
}
