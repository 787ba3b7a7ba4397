//! Checks a contract: `cargo run -p sluice-contract --example check -- gateway.yaml`.
//!
//! Prints the functions that it names, or what is wrong with it.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use sluice_contract::Contract;

fn main() -> io::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in std::env::args().skip(1) {
        match Contract::load(Path::new(&file)) {
            Ok(contract) => {
                for name in contract.function_names() {
                    writeln!(io::stdout(), "{name}")?;
                }
            }
            Err(err) => {
                writeln!(io::stderr(), "{err}")?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}
