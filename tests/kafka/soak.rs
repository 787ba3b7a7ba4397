//! Every fault at length, and one table of what came of it.

#![expect(clippy::print_stdout, reason = "the table is the purpose")]

use std::process::ExitCode;

use tests::faults::{Extent, Fault, Report};

/// The messages acknowledged over all faults where the command line does not say.
const MESSAGES: u64 = 1_000_000;

#[tokio::main]
async fn main() -> ExitCode {
    let messages = match std::env::args().nth(1).map(|it| it.parse()) {
        None => MESSAGES,
        Some(Ok(messages)) => messages,
        Some(Err(error)) => {
            println!("MESSAGES: {error}; a whole number was expected");
            return ExitCode::FAILURE;
        }
    };
    let extent = Extent::until(messages.div_ceil(Fault::ALL.len() as u64));
    println!("{}", Report::HEAD);
    let mut reports = Vec::new();
    for fault in Fault::ALL {
        let report = fault.run(&extent).await;
        println!("{report}");
        for complaint in &report.complaints {
            println!("  {complaint}");
        }
        reports.push(report);
    }
    let acknowledged: u64 = reports.iter().map(|it| it.acknowledged).sum();
    let lost: usize = reports.iter().map(|it| it.lost).sum();
    println!("{:<22} {acknowledged:>12} {lost:>6}", "total");
    if reports.iter().all(|it| it.complaints.is_empty()) && acknowledged >= messages {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
