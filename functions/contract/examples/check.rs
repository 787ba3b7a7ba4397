//! Checks a contract: `cargo run -p sluice-contract --example check -- gateway.yaml`.
//!
//! Prints the names of its functions, its topics with `--topics`, or the JSON for Terraform with
//! `--json`. For an invalid contract, prints the error and exits with status 1.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use sluice_contract::Contract;

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (flag, file) = match args.as_slice() {
        [file] => ("", file),
        [flag, file] if matches!(flag.as_str(), "--topics" | "--json") => (flag.as_str(), file),
        _ => {
            writeln!(io::stderr(), "usage: check [--topics | --json] CONTRACT")?;
            return Ok(ExitCode::FAILURE);
        }
    };
    match Contract::load(Path::new(file)) {
        Ok(contract) => print(&contract, flag),
        Err(err) => {
            writeln!(io::stderr(), "{err}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print(contract: &Contract, flag: &str) -> io::Result<ExitCode> {
    let lines = match flag {
        "--json" => vec![format!("{:#}", contract.deployment())],
        "--topics" => contract.topics().into_iter().map(str::to_owned).collect(),
        _ => Vec::from_iter(contract.function_names().into_iter().map(str::to_owned)),
    };
    for line in lines {
        writeln!(io::stdout(), "{line}")?;
    }
    Ok(ExitCode::SUCCESS)
}
