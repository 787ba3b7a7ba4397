# What the root module takes, what it refuses, and what it gives.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  contract = "../gateway.yaml"
  packages = "${var.packages}/shipped"
  kafka    = { auth = "none", brokers = ["b:9092"] }

  # Terraform only hashes a package: any file will do.
  functions = { for name in ["connect", "disconnect", "message", "push"] : name => { package = "../gateway.yaml" } }
}

run "the_shipped_contract_is_deployed" {
  assert {
    condition     = output.websocket_url == "wss://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live" && output.callback_url == "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/live"
    error_message = output.websocket_url
  }

  assert {
    condition     = jsonencode(output.function_names) == jsonencode({ connect = "sluice-connect", disconnect = "sluice-disconnect", message = "sluice-message", push = "sluice-push" })
    error_message = jsonencode(output.function_names)
  }

  assert {
    condition     = output.log_group_names.message == "/aws/lambda/sluice-message" && output.security_group_id == null && output.domain_target == null
    error_message = jsonencode(output.log_group_names)
  }
}

run "a_name" {
  command = plan

  variables {
    name = "Sluice"
  }

  expect_failures = [var.name]
}

run "an_architecture" {
  command = plan

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "a_stage" {
  command = plan

  variables {
    stage_name = "$default"
  }

  expect_failures = [var.stage_name]
}

run "a_way_to_authenticate" {
  command = plan

  variables {
    kafka = { auth = "oauth", brokers = ["b:9092"] }
  }

  expect_failures = [var.kafka]
}

run "a_broker" {
  command = plan

  variables {
    kafka = { auth = "none", brokers = ["http://b:9092"] }
  }

  expect_failures = [var.kafka]
}

run "any_broker" {
  command = plan

  variables {
    kafka = { auth = "none", brokers = [] }
  }

  expect_failures = [var.kafka]
}

run "iam_needs_the_cluster" {
  command = plan

  variables {
    kafka = { auth = "msk_iam", brokers = ["b:9098"] }
  }

  expect_failures = [var.kafka]
}

run "the_cluster_is_an_arn" {
  command = plan

  variables {
    kafka = { auth = "msk_iam", brokers = ["b:9098"], msk = { cluster_arn = "my-cluster" } }
  }

  expect_failures = [var.kafka]
}

run "a_password_needs_a_secret" {
  command = plan

  variables {
    kafka = { auth = "plain", brokers = ["b:9092"], secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:l:1" }
  }

  expect_failures = [var.kafka]
}

run "a_secret_needs_its_layer" {
  command = plan

  variables {
    kafka = { auth = "scram", brokers = ["b:9096"], secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf" }
  }

  expect_failures = [var.kafka]
}

run "a_secret_needs_a_password" {
  command = plan

  variables {
    kafka = { auth = "tls", brokers = ["b:9096"], secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf" }
  }

  expect_failures = [var.kafka]
}

run "an_authority_needs_encryption" {
  command = plan

  variables {
    kafka = { auth = "none", brokers = ["b:9096"], ca_certificate = "/var/task/ca.pem" }
  }

  expect_failures = [var.kafka]
}

run "msk_has_no_plain" {
  command = plan

  variables {
    kafka = { auth = "plain", brokers = ["b:9096"], secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf", secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:l:1", msk = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" } }
  }

  expect_failures = [var.kafka]
}

run "msk_has_no_scram_of_256_bits" {
  command = plan

  variables {
    kafka = { auth = "scram", mechanism = "SCRAM-SHA-256", brokers = ["b:9096"], secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf", secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:l:1", msk = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" } }
  }

  expect_failures = [var.kafka]
}

run "the_authority_of_msk_is_known" {
  command = plan

  variables {
    kafka = { auth = "tls", brokers = ["b:9094"], ca_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ca-AbCdEf", msk = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" } }
  }

  expect_failures = [var.kafka]
}

run "a_key_needs_what_it_encrypts" {
  command = plan

  variables {
    kafka = { auth = "tls", brokers = ["b:9094"], ca_secret_kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k" }
  }

  expect_failures = [var.kafka]
}

run "a_mechanism" {
  command = plan

  variables {
    kafka = { auth = "scram", mechanism = "SCRAM-SHA-1", brokers = ["b:9096"], secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf", secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:l:1" }
  }

  expect_failures = [var.kafka]
}

run "a_vpc_needs_a_way_to_the_brokers" {
  command = plan

  variables {
    vpc = { id = "vpc-1", subnet_ids = ["subnet-1"] }
  }

  expect_failures = [var.vpc]
}

run "a_vpc_needs_subnets" {
  command = plan

  variables {
    vpc = { id = "vpc-1", subnet_ids = [], kafka_cidrs = ["10.0.0.0/24"] }
  }

  expect_failures = [var.vpc]
}

run "a_vpc_needs_a_way_to_the_secret" {
  command = plan

  variables {
    kafka = { auth = "scram", brokers = ["b:9096"], secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:s-AbCdEf", secrets_extension_layer_arn = "arn:aws:lambda:eu-west-1:015030872274:layer:l:1" }
    vpc   = { id = "vpc-1", subnet_ids = ["subnet-1"], kafka_cidrs = ["10.0.0.0/24"] }
  }

  expect_failures = [var.vpc]
}

run "pollers" {
  command = plan

  variables {
    push = { pollers = { minimum = 4, maximum = 2 } }
  }

  expect_failures = [var.push]
}

run "the_mappings_subnets_need_a_security_group" {
  command = plan

  variables {
    push = { subnet_ids = ["subnet-1"] }
  }

  expect_failures = [var.push]
}

run "brokers_in_a_vpc_need_the_mappings_subnets" {
  command = plan

  variables {
    vpc = { id = "vpc-1", subnet_ids = ["subnet-1"], kafka_cidrs = ["10.0.0.0/24"] }
  }

  expect_failures = [output.function_names]
}

run "an_authority_is_the_mappings_too" {
  command = plan

  variables {
    kafka = { auth = "tls", brokers = ["b:9094"], ca_certificate = "/var/task/ca.pem" }
  }

  expect_failures = [output.function_names]
}

run "subnets_are_of_a_cluster_of_ones_own" {
  command = plan

  variables {
    kafka = { auth = "msk_iam", brokers = ["b:9098"], msk = { cluster_arn = "arn:aws:kafka:eu-west-1:123456789012:cluster/c/u-1" } }
    push  = { subnet_ids = ["subnet-1"], security_group_id = "sg-1" }
  }

  expect_failures = [var.push]
}

run "a_limit" {
  command = plan

  variables {
    throttling = { rate_limit = -1, burst_limit = 500 }
  }

  expect_failures = [var.throttling]
}

run "a_log_level" {
  command = plan

  variables {
    log_level = "info"
  }

  expect_failures = [var.log_level]
}

run "what_calls_from_inside_needs_a_way_out" {
  command = plan

  variables {
    functions = { for name in ["connect", "disconnect", "message", "push"] : name => { package = "../gateway.yaml", vpc = name == "push" } }
    vpc       = { id = "vpc-1", subnet_ids = ["subnet-1"], kafka_cidrs = ["10.0.0.0/24"] }
    push      = { subnet_ids = ["subnet-1"], security_group_id = "sg-1" }
  }

  expect_failures = [output.function_names]
}

run "retention" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "a_function_that_the_contract_does_not_name" {
  command = plan

  variables {
    functions = { for name in ["connect", "disconnect", "message", "push", "mesage"] : name => { package = "../gateway.yaml" } }
  }

  expect_failures = [output.function_names]
}

run "packages_that_were_not_made" {
  command = plan

  variables {
    packages = "nowhere"
  }

  expect_failures = [var.packages]
}

run "packages_of_another_contract" {
  command = plan

  variables {
    contract = "tests/contracts/full.yaml"
  }

  expect_failures = [var.packages]
}

run "a_contract_that_is_missing" {
  command = plan

  variables {
    contract = "nowhere.yaml"
  }

  expect_failures = [var.contract]
}
