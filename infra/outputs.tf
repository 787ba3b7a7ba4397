output "websocket_url" {
  description = "Where browsers connect."
  value       = module.websocket_api.websocket_url
}

output "callback_url" {
  description = "Where a backend posts to connections: add `/@connections/<connection id>`."
  value       = module.websocket_api.callback_url
}

output "api_id" {
  description = "The API's id."
  value       = module.websocket_api.api_id
}

output "function_names" {
  description = "The Lambda functions, by their names in the contract."
  value       = { for name, function in module.function : name => function.function_name }

  # Here, and not at the outputs that they are about: those are passed to what is in turn passed to this module.
  precondition {
    condition     = length(setsubtract(keys(var.functions), keys(local.functions))) == 0
    error_message = "functions has ${join(", ", setsubtract(keys(var.functions), keys(local.functions)))}, expected functions of the contract: ${join(", ", keys(local.functions))}."
  }

  precondition {
    condition     = local.contract.push == null || var.kafka.msk != null || var.kafka.ca_certificate == null || var.kafka.ca_secret_arn != null
    error_message = "kafka.ca_secret_arn is missing, expected a secret with the certificate of kafka.ca_certificate: the event source mapping of push reads it from there."
  }

  precondition {
    condition     = local.contract.push == null || var.kafka.msk != null || var.vpc == null || length(var.push.subnet_ids) > 0
    error_message = "push.subnet_ids is empty, expected subnets from which the event source mapping reaches the brokers: they are in a VPC, and the contract has a section push."
  }

  precondition {
    condition     = length(local.callers_inside) == 0 || length(try(var.vpc.egress_cidrs, [])) > 0
    error_message = "vpc.egress_cidrs is empty, expected what ${join(", ", local.callers_inside)} may reach over HTTPS: inside the VPC there is no other way to what a function calls."
  }
}

output "topics" {
  description = "The contract's topics: those of its routes, and those of `push` with its dead letters."
  value       = local.contract.topics
}

output "role_arns" {
  description = "The functions' roles, by their names in the contract."
  value       = { for name, function in module.function : name => function.role_arn }
}

output "log_group_names" {
  description = "The functions' log groups, by their names in the contract."
  value       = { for name, function in module.function : name => function.log_group_name }
}

output "security_group_id" {
  description = "The security group of the functions that write to Kafka; null without a VPC."
  value       = module.kafka_access.security_group_id
}

output "egress_security_group_id" {
  description = "The security group with the way out that `vpc.egress_cidrs` is; null without any."
  value       = module.kafka_access.egress_security_group_id
}

output "domain_target" {
  description = "What the domain's DNS record has to point to; null without a domain."
  value       = module.websocket_api.domain_target
}

output "alarm_arns" {
  description = "The alarms, by their names."
  value       = module.observability.alarm_arns
}

output "dashboard_name" {
  description = "The dashboard's name."
  value       = module.observability.dashboard_name
}
