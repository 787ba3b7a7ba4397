# A function: its role, its settings, and what Lambda would refuse only when it is too late.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  name               = "sluice-message"
  package            = "../gateway.yaml"
  architecture       = "arm64"
  timeout_seconds    = 10
  memory_size        = 256
  tracing            = false
  log_level          = "INFO"
  log_retention_days = 30
}

run "alone" {
  module {
    source = "./modules/function"
  }

  assert {
    condition     = aws_lambda_function.this.runtime == "provided.al2023" && aws_lambda_function.this.handler == "bootstrap" && aws_lambda_function.this.architectures == tolist(["arm64"]) && aws_lambda_function.this.source_code_hash == filebase64sha256(var.package)
    error_message = "The function is not what was packaged."
  }

  assert {
    condition     = aws_lambda_function.this.logging_config[0].log_format == "JSON" && aws_lambda_function.this.logging_config[0].log_group == "/aws/lambda/sluice-message" && aws_cloudwatch_log_group.this.retention_in_days == 30
    error_message = "The function's log is not its own."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["Logs"] && length(aws_lambda_function.this.vpc_config) == 0
    error_message = aws_iam_role_policy.this.policy
  }

  assert {
    condition     = aws_lambda_function.this.publish && aws_lambda_alias.this.function_version == "7" && length(aws_lambda_provisioned_concurrency_config.this) == 0
    error_message = "The alias does not point to the version that was published."
  }
}

run "in_a_vpc_with_everything" {
  module {
    source = "./modules/function"
  }

  variables {
    tracing     = true
    reserved    = 5
    provisioned = 2
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/k"
    environment = { KAFKA_BROKERS = "b:9092" }
    statements  = [jsonencode({ Sid = "More", Effect = "Allow", Action = ["s3:GetObject"], Resource = "arn:aws:s3:::b/k" })]
    vpc         = { subnet_ids = ["subnet-1", "subnet-2"], security_group_ids = ["sg-1"] }
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["Logs", "Traces", "NetworkInterfaces", "NoNetworkInterfacesFromWithin", "More"]
    error_message = aws_iam_role_policy.this.policy
  }

  assert {
    condition     = aws_lambda_function.this.vpc_config[0].subnet_ids == toset(["subnet-1", "subnet-2"]) && aws_lambda_function.this.tracing_config[0].mode == "Active" && aws_lambda_function.this.reserved_concurrent_executions == 5
    error_message = jsonencode(aws_lambda_function.this.vpc_config)
  }

  assert {
    condition     = aws_lambda_provisioned_concurrency_config.this[0].qualifier == "live" && aws_lambda_provisioned_concurrency_config.this[0].provisioned_concurrent_executions == 2
    error_message = "No environments are kept ready."
  }

  assert {
    condition     = aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn && aws_lambda_function.this.kms_key_arn == var.kms_key_arn
    error_message = "Something is not encrypted."
  }
}

run "on_managed_instances" {
  module {
    source = "./modules/function"
  }

  variables {
    memory_size = 2048
    instances   = { capacity_provider_arn = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:c", max_concurrency = 16 }
  }

  assert {
    condition     = aws_lambda_function.this.capacity_provider_config[0].lambda_managed_instances_capacity_provider_config[0].per_execution_environment_max_concurrency == 16
    error_message = jsonencode(aws_lambda_function.this.capacity_provider_config)
  }
}

run "managed_instances_need_memory" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    instances = { capacity_provider_arn = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:c" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "managed_instances_reserve_nothing" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    memory_size = 2048
    reserved    = 5
    instances   = { capacity_provider_arn = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:c" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_name_has_64_characters" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    name = "sluice-${join("", [for index in range(58) : "m"])}"
  }

  expect_failures = [aws_lambda_function.this]
}

run "a_mapping_has_interfaces_that_the_function_has_not" {
  module {
    source = "./modules/function"
  }

  variables {
    interface_actions = ["ec2:CreateNetworkInterface", "ec2:DescribeVpcs"]
  }

  assert {
    condition = jsonencode([for statement in slice(jsondecode(aws_iam_role_policy.this.policy).Statement, 1, 3) : [statement.Effect, statement.Action, lookup(statement, "Condition", null)]]) == jsonencode([
      ["Allow", var.interface_actions, null],
      ["Deny", var.interface_actions, { ArnEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:eu-west-1:123456789012:function:sluice-message" } }],
    ])
    error_message = aws_iam_role_policy.this.policy
  }
}

run "a_missing_package_is_named" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    package = "nowhere.zip"
  }

  expect_failures = [aws_lambda_function.this]
}

run "an_environment_has_4096_bytes" {
  command = plan

  module {
    source = "./modules/function"
  }

  variables {
    environment = { A_LONG = join("", [for index in range(410) : "0123456789"]) }
  }

  expect_failures = [aws_lambda_function.this]
}
