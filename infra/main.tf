################################################################################
# Contract
################################################################################

# infra/package checks the contract, and writes it as JSON with every default filled in.
locals {
  contract = jsondecode(file("${var.packages}/contract.json"))

  # Which functions there are depends on the contract alone, never on a resource.
  functions = { for name, function in local.contract.functions : name => merge(function, {
    settings = lookup(var.functions, name, local.no_settings)
    writes   = length(function.topics) > 0
    pushes   = try(local.contract.push.function, null) == name
  }) }

  no_settings = {
    package              = null
    runtime              = "provided.al2023"
    handler              = "bootstrap"
    layers               = []
    environment          = {}
    statements           = []
    vpc                  = null
    provisioned          = 0
    latency_limit_millis = null
    instances            = null
  }

  # Producers are inside, since the brokers are; whatever posts to connections
  # is outside: `@connections` of a WebSocket API has no endpoint in a VPC.
  inside = { for name, function in local.functions : name =>
    var.vpc != null && function.settings.instances == null && coalesce(function.settings.vpc, function.writes && !function.pushes)
  }

  # What does not only write calls AWS, or whatever else it needs.
  calls = { for name, function in local.functions : name => function.pushes || !function.writes }

  callers_inside = [for name, function in local.functions : name if local.inside[name] && local.calls[name]]
}

################################################################################
# Kafka
################################################################################

module "kafka_access" {
  source = "./modules/kafka-access"

  name    = var.name
  kafka   = var.kafka
  writers = { for name, function in local.functions : name => function.topics }
  vpc     = var.vpc

  push = local.contract.push == null ? null : {
    topics            = local.contract.push.topics
    dead_letter       = local.contract.push.dead_letter
    consumer_group_id = local.consumer_group_id
  }
}

locals {
  consumer_group_id = coalesce(var.push.consumer_group_id, "${var.name}-push")
}

################################################################################
# Functions
################################################################################

module "function" {
  source   = "./modules/function"
  for_each = local.functions

  name         = "${var.name}-${each.key}"
  package      = coalesce(each.value.settings.package, "${var.packages}/${each.key}.zip")
  runtime      = each.value.settings.runtime
  handler      = each.value.settings.handler
  architecture = var.architecture

  timeout_seconds = each.value.timeout_seconds
  memory_size     = each.value.memory_size
  reserved        = each.value.reserved
  provisioned     = each.value.settings.provisioned

  environment = merge(
    each.value.writes ? module.kafka_access.environment : {},
    each.value.pushes ? { CALLBACK_URL = module.websocket_api.callback_url } : {},
    each.value.environment,
    each.value.settings.environment,
  )
  layers = concat(each.value.writes ? module.kafka_access.layers : [], each.value.settings.layers)

  # A function that both writes and pushes has some statements twice.
  statements = distinct(concat(
    lookup(module.kafka_access.writer_statements, each.key, []),
    each.value.pushes ? concat(module.kafka_access.reader_statements, local.push_statements) : [],
    each.value.settings.statements,
  ))
  interface_actions = each.value.pushes ? local.mapping_interface_actions : []

  vpc = local.inside[each.key] ? {
    subnet_ids = var.vpc.subnet_ids
    security_group_ids = concat(
      [module.kafka_access.security_group_id],
      local.calls[each.key] && length(var.vpc.egress_cidrs) > 0 ? [module.kafka_access.egress_security_group_id] : [],
    )
  } : null

  instances = each.value.settings.instances == null ? null : {
    capacity_provider_arn = each.value.settings.instances.capacity_provider_arn
    memory_gib_per_vcpu   = each.value.settings.instances.memory_gib_per_vcpu
    max_concurrency       = each.value.max_concurrency
  }

  tracing            = var.tracing
  log_level          = var.log_level
  log_retention_days = var.log_retention_days
  kms_key_arn        = var.kms_key_arn
}

################################################################################
# Gateway
################################################################################

module "websocket_api" {
  source = "./modules/websocket-api"

  name       = var.name
  stage_name = var.stage_name
  contract   = local.contract
  functions  = module.function

  throttling                = var.throttling
  detailed_metrics          = var.detailed_metrics
  domain                    = var.domain
  manage_apigateway_account = var.manage_apigateway_account
  log_retention_days        = var.log_retention_days
  kms_key_arn               = var.kms_key_arn
}

################################################################################
# From Kafka to the browser
################################################################################

locals {
  connections = "${module.websocket_api.execution_arn}/${var.stage_name}"

  push_statements = [jsonencode({
    Sid      = "Connections"
    Effect   = "Allow"
    Action   = ["execute-api:ManageConnections"]
    Resource = ["${local.connections}/POST/@connections/*", "${local.connections}/DELETE/@connections/*"]
  })]

  # The mapping puts network interfaces beside the brokers, with its function's role.
  # https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
  mapping_interface_actions = var.kafka.msk != null || length(var.push.subnet_ids) > 0 ? [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
  ] : []

  mapping_network = concat(
    [for subnet in var.push.subnet_ids : { type = "VPC_SUBNET", uri = "subnet:${subnet}" }],
    var.push.security_group_id != null ? [{ type = "VPC_SECURITY_GROUP", uri = "security_group:${var.push.security_group_id}" }] : [],
  )
}

module "push" {
  source = "./modules/push"
  count  = local.contract.push == null ? 0 : 1

  function_arn      = module.function[local.contract.push.function].alias_arn
  mapping           = local.contract.push
  consumer_group_id = local.consumer_group_id
  brokers           = var.kafka.brokers
  msk               = var.kafka.msk
  source_access     = concat(module.kafka_access.source_access, local.mapping_network)
  pollers           = var.push.pollers
  kms_key_arn       = var.kms_key_arn
}

################################################################################
# Alarms and dashboard
################################################################################

module "observability" {
  source = "./modules/observability"

  name            = var.name
  api_id          = module.websocket_api.api_id
  stage_name      = module.websocket_api.stage_name
  alarm_topic_arn = var.alarm_topic_arn

  functions = { for name, function in local.functions : name => {
    function_name        = module.function[name].function_name
    latency_limit_millis = min(coalesce(function.settings.latency_limit_millis, function.pushes ? function.timeout_seconds * 800 : 2000), function.timeout_seconds * 1000)
    reserved             = function.reserved
  } }

  mapping = local.contract.push == null ? null : {
    uuid      = module.push[0].uuid
    lag_limit = var.push.lag_limit
  }
}
