//! Checks contracts: `cargo run -p sluice-contract --example check -- gateway.yaml`.
//!
//! Prints the functions that they name, or with `--topics` the topics; or what
//! is wrong with them.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use sluice_contract::Contract;

fn main() -> io::Result<ExitCode> {
    let (flags, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg == "--topics");
    let mut code = ExitCode::SUCCESS;
    for file in files {
        match Contract::load(Path::new(&file)) {
            Ok(contract) => {
                let names = match flags.is_empty() {
                    true => contract.function_names(),
                    false => contract.topics(),
                };
                for name in names {
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
