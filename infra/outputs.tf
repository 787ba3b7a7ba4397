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

  precondition {
    condition     = length(setsubtract(keys(var.functions), keys(local.functions))) == 0
    error_message = "functions has ${join(", ", setsubtract(keys(var.functions), keys(local.functions)))}, expected functions of the contract: ${join(", ", keys(local.functions))}."
  }
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
