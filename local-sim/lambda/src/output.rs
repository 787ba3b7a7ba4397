//! An environment's log: the output of its processes and Lambda's own lines, in order.

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
    /// Invocations run one at a time, so output belongs to the current one.
    is_exclusive: bool,
    sink: Arc<dyn LogSink>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    pipe: Option<Arc<pipe::Receiver>>,
    /// A line whose newline has not arrived yet.
    partial: Vec<u8>,
    /// A `\r` came last: a `\n` that follows ends the same line.
    is_after_cr: bool,
    request: Option<Uuid>,
    /// Lines of the current invocation, up to `KEPT_BYTES_MAX`.
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

    /// Sets the pipe that the environment's process prints to.
    pub(super) fn attach(&self, pipe: Arc<pipe::Receiver>) {
        self.state.lock().pipe = Some(pipe);
    }

    /// Reads the rest of the output after the process exited, and drops the pipe.
    pub(super) fn detach(&self) {
        let state = &mut *self.state.lock();
        self.drain(state);
        state.pipe = None;
        if !state.partial.is_empty() {
            let rest = mem::take(&mut state.partial);
            self.write_output(state, &rest);
        }
    }

    /// Reads the output so far. Returns `false` at the end of the pipe.
    pub(super) fn read(&self, pipe: &pipe::Receiver) -> bool {
        let state = &mut *self.state.lock();
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            match pipe.try_read(&mut buffer) {
                Ok(0) => return false,
                Ok(count) => self.split(state, &buffer[..count]),
                Err(_) => break,
            }
        }
        true
    }

    /// Logs `START`; unless invocations overlap, output belongs to this one from now on.
    pub(super) fn begin(&self, request_id: Uuid) {
        let state = &mut *self.state.lock();
        if self.is_exclusive {
            state.request = Some(request_id);
        }
        self.write_platform(&Line::Start { request_id });
    }

    /// Logs a line of Lambda's own after the output so far.
    pub(super) fn platform(&self, line: &Line<'_>) {
        let state = &mut *self.state.lock();
        self.drain(state);
        self.write_platform(line);
    }

    /// Logs the `REPORT` of an invocation and returns its output lines.
    pub(super) fn report(&self, report: &Report<'_>) -> Vec<String> {
        let state = &mut *self.state.lock();
        self.drain(state);
        self.write_platform(&Line::Report(report));
        state.request = None;
        state.kept_bytes = 0;
        mem::take(&mut state.kept)
    }

    /// Reads the pipe directly, since Tokio's reactor may not have seen the latest output yet.
    fn drain(&self, state: &mut State) {
        let Some(pipe) = state.pipe.clone() else {
            return;
        };
        let mut buffer = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            match rustix::io::read(&*pipe, &mut buffer[..]) {
                Ok(0) => break,
                Ok(count) => self.split(state, &buffer[..count]),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
    }

    fn split(&self, state: &mut State, mut bytes: &[u8]) {
        if !bytes.is_empty() && mem::take(&mut state.is_after_cr) {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, rest) = (&bytes[..end], &bytes[end..]);
            state.is_after_cr = rest == b"\r";
            let rest = rest.strip_prefix(b"\r\n").unwrap_or_else(|| &rest[1..]);
            if state.partial.is_empty() {
                self.write_output(state, line);
            } else {
                let mut whole = mem::take(&mut state.partial);
                whole.extend_from_slice(line);
                self.write_output(state, &whole);
                whole.clear();
                state.partial = whole;
            }
            bytes = rest;
        }
        state.partial.extend_from_slice(bytes);
        if state.partial.len() >= LINE_BYTES_MAX {
            let piece = mem::take(&mut state.partial);
            self.write_output(state, &piece);
        }
    }

    /// Writes one line of the function's output, and keeps it for the history.
    fn write_output(&self, state: &mut State, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        if state.request.is_some() && state.kept_bytes + text.len() <= KEPT_BYTES_MAX {
            state.kept_bytes += text.len() + LINE_OVERHEAD_BYTES;
            state.kept.push(text.clone().into_owned());
        }
        self.sink.printed(&self.origin(state.request), &text);
    }

    fn write_platform(&self, line: &Line<'_>) {
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

/// Buffer size for one read of the pipe.
const READ_BYTES: usize = 8 << 10;
/// Reads before the task yields to others: together as much as a pipe holds.
const READS_MAX: usize = 8;
/// Longer lines are split. This is the size of one event in CloudWatch Logs.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
const LINE_BYTES_MAX: usize = 256 << 10;
/// Output kept for the history, per invocation.
const KEPT_BYTES_MAX: usize = 64 << 10;
/// Counted for each line in addition to its text.
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
            log.split(&mut log.state.lock(), piece.as_bytes());
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
