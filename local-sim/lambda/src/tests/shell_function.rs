//! A function that runs each event as a shell command, and Lambda around it.

use std::{io::Write, sync::Arc};

use parking_lot::Mutex;

use super::*;

/// Runs each event as a shell command.
///
/// Commands may use `reply TEXT` and `call METHOD PATH [BODY [HEADER]]`. The variables `id`,
/// `deadline`, `trace`, `status` and `body` have the data of the last response.
const SCRIPT: &str = r#"#!/bin/bash
LC_ALL=C
trap '' PIPE
api=/dev/tcp/${AWS_LAMBDA_RUNTIME_API/://}
invocation=2018-06-01/runtime/invocation
exec 3<>"$api"
call() {
    printf '%s /%s HTTP/1.1\r\nhost: a\r\n%s\r\ncontent-length: %s\r\n\r\n' "$1" "$2" "${4:-a: a}" "${#3}" >&3
    printf %s "$3" >&3
    local line length=0
    read -r _ status _ <&3
    while IFS= read -r line <&3; do
        line=${line%$'\r'}
        case $line in
        lambda-runtime-aws-request-id:*) id=${line#*: } ;;
        lambda-runtime-deadline-ms:*) deadline=${line#*: } ;;
        lambda-runtime-trace-id:*) trace=${line#*: } ;;
        content-length:*) length=${line#*: } ;;
        '') break ;;
        esac
    done
    IFS= read -r -N "$length" body <&3
}
reply() { call POST $invocation/$id/response "$1"; }
# Sends a request on a separate connection and ignores the response.
ask() { exec 4<>"$api" && printf 'GET /%s HTTP/1.1\r\nhost: a\r\n\r\n' "$1" >&4; }
eval "$INIT"
while call GET $invocation/next; do eval "$body"; done
"#;

/// Lambda with this one function, and its log.
pub(super) struct ShellFunction {
    pub(super) lambda: Lambda,
    log: Log,
    root: TempDir,
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The configuration: a timeout of two seconds and one environment.
pub(super) fn function() -> Configuration {
    Configuration {
        timeout: Duration::from_secs(2),
        reserved_concurrent_executions: Some(1),
        ..Configuration::example()
    }
}

/// The same with a shell command to run during the init.
pub(super) fn with_init(line: &str) -> Configuration {
    Configuration {
        environment: vec![("INIT".to_owned(), line.to_owned())],
        ..function()
    }
}

impl ShellFunction {
    pub(super) fn start(configuration: Configuration) -> Self {
        let root = tempfile::tempdir().unwrap();
        let executable = executable(&root, SCRIPT);
        let log = Log::default();
        let lambda = Lambda::start(
            vec![Configuration {
                executable,
                ..configuration
            }],
            Settings {
                account_concurrency: 10,
                ..Settings::sample()
            },
            root.path().to_owned(),
            Arc::new(Lines::start_to(log.clone()).unwrap()),
        );
        Self {
            lambda: lambda.unwrap(),
            log,
            root,
        }
    }

    pub(super) async fn invoke(&self, line: &str) -> Result<String, InvokeError> {
        let event = Bytes::copy_from_slice(line.as_bytes());
        let invoked = timeout(WAIT_MAX, self.lambda.invoke("message", event)).await;
        let reply = invoked.expect("the invocation ends in time").outcome?;
        Ok(String::from_utf8(reply.to_vec()).unwrap())
    }

    /// Runs a command and returns the reply.
    pub(super) async fn run(&self, line: &str) -> String {
        self.invoke(line).await.unwrap()
    }

    /// Runs a command that replies with a process id.
    pub(super) async fn run_for_pid(&self, line: &str) -> i32 {
        self.run(line).await.parse().unwrap()
    }

    /// Waits until the log contains this text, and returns the log.
    pub(super) async fn wait_for_log(&self, what: &str) -> String {
        eventually(what, || {
            let log = String::from_utf8_lossy(&self.log.0.lock()).into_owned();
            log.contains(what).then_some(log)
        })
        .await
    }

    /// Reloads the function with the same executable.
    pub(super) fn reload(&self) {
        self.lambda
            .reload("message", self.root.path().join("bootstrap"));
    }

    pub(super) async fn end(self) {
        end(self.lambda, self.root).await;
    }
}

/// Whether a process runs or is stopped, and is not a zombie.
pub(super) fn is_alive(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

pub(super) async fn check_gone(process: i32) {
    eventually("the end of the process", || {
        (!is_alive(process)).then_some(())
    })
    .await;
}
