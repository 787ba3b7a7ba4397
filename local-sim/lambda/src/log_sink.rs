//! Where functions and Lambda log to.

use std::fmt::Debug;

use uuid::Uuid;

use crate::stderr::Lines;

/// Receives the log of all functions, line by line. A call must not block.
pub trait LogSink: Debug + Send + Sync {
    /// A line that a function printed.
    fn printed(&self, origin: &Origin<'_>, line: &str);

    /// One or more lines of Lambda itself, such as `REPORT …`.
    fn platform(&self, origin: &Origin<'_>, lines: &str);
}

/// What a line of the log belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The number of the environment.
    pub environment: u64,
    /// The invocation in progress; `None` between invocations, and if there may be several.
    pub request_id: Option<Uuid>,
}

/// Each line after the function, the environment's number, the request id or `-`, and ` | `.
impl LogSink for Lines {
    fn printed(&self, origin: &Origin<'_>, line: &str) {
        self.platform(origin, line);
    }

    fn platform(&self, origin: &Origin<'_>, lines: &str) {
        let Origin {
            function,
            environment,
            request_id,
        } = origin;
        let environment = environment.to_string();
        let mut id = Uuid::encode_buffer();
        let request_id = match request_id {
            Some(request_id) => request_id.hyphenated().encode_lower(&mut id),
            None => "-",
        };
        self.add(|buffer| {
            for line in lines.split('\n') {
                for part in [
                    function,
                    " ",
                    &environment,
                    " ",
                    request_id,
                    " | ",
                    line,
                    "\n",
                ] {
                    buffer.extend_from_slice(part.as_bytes());
                }
            }
        });
    }
}
