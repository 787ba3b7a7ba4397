//! Compares the JSON for Terraform with files that were checked by hand.

use std::path::Path;

use sluice_contract::Contract;

#[track_caller]
fn check(contract: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(contract);
    let json = Contract::load(&path).map(|contract| format!("{:#}\n", contract.deployment()));
    assert_eq!(json.as_deref(), Ok(expected));
}

#[test]
fn the_shipped_contract_gets_its_defaults() {
    check(
        "../../gateway.yaml",
        include_str!("deployment/shipped.json"),
    );
}

#[test]
fn every_field_is_in_the_json() {
    check(
        "../../infra/tests/contracts/full.yaml",
        include_str!("deployment/full.json"),
    );
}

#[test]
fn an_iam_authorizer_has_no_function_and_push_gets_its_defaults() {
    check(
        "../../infra/tests/contracts/iam.yaml",
        include_str!("deployment/iam.json"),
    );
}
