################################################################################
# Log group
################################################################################

resource "aws_cloudwatch_log_group" "this" {
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

################################################################################
# Role
################################################################################

locals {
  logs = {
    Sid      = "Logs"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  # X-Ray knows no resources.
  traces = var.tracing ? [jsonencode({
    Sid      = "Traces"
    Effect   = "Allow"
    Action   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    Resource = "*"
  })] : []

  # Nor do network interfaces before they exist. Lambda needs them, the function's
  # own code does not: from within the function they are denied.
  # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
  interface_actions = distinct(concat(var.interface_actions, var.vpc == null ? [] : [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
  ]))

  interfaces = length(local.interface_actions) > 0 ? [
    jsonencode({
      Sid      = "NetworkInterfaces"
      Effect   = "Allow"
      Action   = local.interface_actions
      Resource = "*"
    }),
    jsonencode({
      Sid       = "NoNetworkInterfacesFromWithin"
      Effect    = "Deny"
      Action    = local.interface_actions
      Resource  = "*"
      Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.arn } }
    }),
  ] : []

  arn = "arn:${data.aws_partition.this.partition}:lambda:${data.aws_region.this.region}:${data.aws_caller_identity.this.account_id}:function:${var.name}"
}

data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_caller_identity" "this" {}

resource "aws_iam_role" "this" {
  name = var.name

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name = "access"
  role = aws_iam_role.this.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([local.logs], [
      for statement in concat(local.traces, local.interfaces, var.statements) : jsondecode(statement)
    ])
  })
}

################################################################################
# Function
################################################################################

resource "aws_lambda_function" "this" {
  function_name = var.name
  role          = aws_iam_role.this.arn

  filename         = var.package
  source_code_hash = fileexists(var.package) ? filebase64sha256(var.package) : null
  runtime          = var.runtime
  handler          = var.handler
  architectures    = [var.architecture]
  layers           = var.layers
  publish          = true

  timeout                        = var.timeout_seconds
  memory_size                    = var.memory_size
  reserved_concurrent_executions = var.reserved
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = var.environment
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = var.log_level
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = var.tracing ? "Active" : "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = var.vpc != null ? [var.vpc] : []

    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }

  dynamic "capacity_provider_config" {
    for_each = var.instances != null ? [var.instances] : []

    content {
      lambda_managed_instances_capacity_provider_config {
        capacity_provider_arn                     = capacity_provider_config.value.capacity_provider_arn
        per_execution_environment_max_concurrency = capacity_provider_config.value.max_concurrency
        execution_environment_memory_gib_per_vcpu = capacity_provider_config.value.memory_gib_per_vcpu
      }
    }
  }

  lifecycle {
    # Its role's name has as many characters at most.
    precondition {
      condition     = length(var.name) <= 64
      error_message = "${var.name}: this has ${length(var.name)} characters, expected at most 64 together."
    }

    precondition {
      condition     = fileexists(var.package)
      error_message = "${var.name}: there is no package ${var.package}. Make it with infra/package."
    }

    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    precondition {
      condition     = sum(concat([0], [for name, value in var.environment : length(name) + length(value)])) <= 4096
      error_message = "${var.name}: its environment variables, Kafka's and those of the contract together, have more than Lambda's 4096 bytes."
    }

    # https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
    precondition {
      condition     = var.instances == null || var.memory_size >= 2048
      error_message = "${var.name}: memorySize is ${var.memory_size}, expected at least 2048 on Managed Instances."
    }

    precondition {
      condition     = var.instances == null || (var.reserved == null && var.provisioned == 0)
      error_message = "${var.name}: Managed Instances know neither reservedConcurrentExecutions nor provisioned concurrency; their capacity provider bounds them."
    }
  }

  # The first invocation must find the role complete.
  depends_on = [aws_iam_role_policy.this]
}

################################################################################
# Alias
#
# What the gateway invokes: a new version changes neither the API nor its
# permissions, and going back is to point the alias at the version before.
################################################################################

resource "aws_lambda_alias" "this" {
  name             = "live"
  function_name    = aws_lambda_function.this.function_name
  function_version = aws_lambda_function.this.version
}

resource "aws_lambda_provisioned_concurrency_config" "this" {
  count = var.provisioned > 0 ? 1 : 0

  function_name                     = aws_lambda_function.this.function_name
  qualifier                         = aws_lambda_alias.this.name
  provisioned_concurrent_executions = var.provisioned
}
