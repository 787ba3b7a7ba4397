use super::*;

const ID: Uuid = Uuid::from_u128(0x8f507cfc_0000_4697_b07a_ac58fc914c95);

fn report(duration_us: u64, init_us: Option<u64>, status: Status<'_>) -> Report<'_> {
    Report {
        request_id: ID,
        duration: Duration::from_micros(duration_us),
        init: init_us.map(Duration::from_micros),
        memory_size: 256,
        memory_used: 5,
        status,
    }
}

/// The last line of the report as text.
fn text(report: &Report<'_>) -> String {
    let text = Line::Report(report).render(Format::Text);
    text.lines().last().unwrap_or_default().to_owned()
}

fn record(report: &Report<'_>) -> Value {
    let line = Line::Report(report).render(Format::Json);
    let mut event: Value = serde_json::from_str(&line).unwrap();
    event["record"].take()
}

#[test]
fn a_text_report_matches_lambdas() {
    let id = "8f507cfc-0000-4697-b07a-ac58fc914c95";
    assert_eq!(
        text(&report(15_740, None, Status::Success)),
        format!(
            "REPORT RequestId: {id}\tDuration: 15.74 ms\tBilled Duration: 16 ms\tMemory Size: 256 MB\tMax Memory Used: 5 MB"
        )
    );
    assert_eq!(
        text(&report(1_000, Some(130_490), Status::Success)),
        format!(
            "REPORT RequestId: {id}\tDuration: 1.00 ms\tBilled Duration: 132 ms\tMemory Size: 256 MB\tMax Memory Used: 5 MB\tInit Duration: 130.49 ms"
        )
    );
    assert_eq!(
        text(&report(3_000_000, None, Status::Timeout)),
        format!(
            "REPORT RequestId: {id}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 256 MB\tMax Memory Used: 5 MB\tStatus: timeout"
        )
    );
    assert!(
        text(&report(1, None, Status::Error("Runtime.ExitError")))
            .ends_with("\tStatus: error\tError Type: Runtime.ExitError")
    );
    assert!(text(&report(1, None, Status::Thrown("Custom"))).ends_with("Used: 5 MB"));
}

#[test]
fn a_json_report_matches_lambdas() {
    assert_eq!(
        record(&report(15_740, Some(500), Status::Success)),
        json!({
            "requestId": ID.to_string(),
            "metrics": {
                "durationMs": 15.74, "billedDurationMs": 17, "memorySizeMB": 256,
                "maxMemoryUsedMB": 5, "initDurationMs": 0.5,
            },
            "status": "success",
        })
    );
    let failed = record(&report(1, None, Status::Error("Unhandled")));
    assert_eq!(failed["status"], "error");
    assert_eq!(failed["errorType"], "Unhandled");
}

#[test]
fn the_end_line_exists_only_in_text() {
    let report = report(1, None, Status::Success);
    let report = Line::Report(&report);
    let end = format!("END RequestId: {ID}\n");
    assert!(report.render(Format::Text).starts_with(&end));
    assert_eq!(report.render(Format::Json).lines().count(), 1);
}

#[test]
fn the_cause_of_a_failure_is_a_text_line_only() {
    let exited = Line::Exited {
        request_id: ID,
        how: "Runtime exited with error: exit status 1",
    };
    assert_eq!(
        exited.render(Format::Text),
        format!(
            "RequestId: {ID} Error: Runtime exited with error: exit status 1\nRuntime.ExitError"
        )
    );
    assert_eq!(exited.render(Format::Json), "");
    let timed_out = Line::TimedOut {
        request_id: ID,
        timeout: Duration::from_secs(3),
    };
    assert!(
        timed_out
            .render(Format::Text)
            .ends_with(&format!("Z {ID} Task timed out after 3.00 seconds"))
    );
}

#[test]
fn a_json_entry_has_its_time_and_type() {
    let start = Line::Start { request_id: ID };
    let event: Value = serde_json::from_str(&start.render(Format::Json)).unwrap();
    assert_eq!(event["type"], "platform.start");
    assert_eq!(event["record"]["version"], "$LATEST");
    let time = event["time"].as_str().unwrap();
    assert!(DateTime::parse_from_rfc3339(time).is_ok(), "{time}");
    assert!(
        start
            .render(Format::Text)
            .starts_with("START RequestId: 8f507cfc-")
    );
}
